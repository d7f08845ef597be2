//! Local files: all kinds of names, changed files, globs.

#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, reason = "tests fail by panicking")]

mod support;

use rasteret_io::{Session, StoreError};
use support::tiff::Tiff;
use support::{Scratch, session};

fn tiles(session: &Session, href: &str) -> usize {
    session.headers(&[href]).remove(0).unwrap_or_else(|error| panic!("{error}")).header.image.tile_offsets.len()
}

fn error(session: &Session, href: &str) -> String {
    session.headers(&[href]).remove(0).unwrap_err().to_string()
}

#[test]
fn names_of_every_kind() {
    let (scratch, session) = (Scratch::new("names"), session(&[]));
    for (across, name) in
        ["plain.tif", "a b.tif", "100%.tif", "a%20b.tif", "#1.tif", "why?.tif", "ü/日本.tif", "a+b[1].tif"]
            .into_iter()
            .enumerate()
    {
        let across = u32::try_from(across).unwrap() + 1;
        let path = scratch.file(name, &Tiff { across, down: 1, ..Tiff::default() }.bytes());
        assert_eq!(tiles(&session, &path), across as usize, "{name}");
    }
    let path = scratch.file("a c.tif", &Tiff { across: 9, down: 1, ..Tiff::default() }.bytes());
    assert_eq!(tiles(&session, &format!("file://{}", path.replace(' ', "%20"))), 9);
    assert_eq!(tiles(&session, &format!("file://localhost{}", path.replace(' ', "%20"))), 9);
    let dotted = path.replace("a c.tif", "./ü/../a c.tif");
    assert_eq!(tiles(&session, &dotted), 9);
    #[cfg(unix)]
    {
        let link = scratch.path("link.tif");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(tiles(&session, link.to_str().unwrap()), 9);
    }
}

#[test]
fn relative_paths() {
    // Tests run in the folder of their package.
    let session = session(&[]);
    assert!(error(&session, "Cargo.toml").starts_with("Cargo.toml: "));
    assert!(error(&session, "./src/lib.rs").starts_with("./src/lib.rs: "));
}

#[test]
fn size_and_date_come_from_the_file() {
    let (scratch, session) = (Scratch::new("date"), session(&[]));
    let path = scratch.file("a.tif", &Tiff { min_size: 70_000, ..Tiff::default() }.bytes());
    let file = session.headers(&[&path]).remove(0).unwrap();
    assert_eq!((file.version.size, file.version.etag), (Some(70_000), None));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    let age = i64::try_from(now).unwrap() - file.version.last_modified.unwrap();
    assert!((0..60_000_000).contains(&age), "{age}");
}

#[test]
fn a_file_that_changed_is_read_again() {
    let (scratch, session) = (Scratch::new("changed"), session(&[]));
    let path = scratch.file("a.tif", &Tiff { across: 3, down: 1, min_size: 1000, ..Tiff::default() }.bytes());
    assert_eq!(tiles(&session, &path), 3);
    scratch.file("a.tif", &Tiff { across: 5, down: 1, min_size: 2000, ..Tiff::default() }.bytes());
    assert_eq!(tiles(&session, &path), 5);
    // The same size with another modification time.
    scratch.file("a.tif", &Tiff { across: 7, down: 1, min_size: 2000, ..Tiff::default() }.bytes());
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(2);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    assert_eq!(tiles(&session, &path), 7);
    std::fs::remove_file(&path).unwrap();
    assert!(error(&session, &path).ends_with(": no such file or directory"));
}

#[test]
fn paths_that_are_not_files() {
    let (scratch, session) = (Scratch::new("none"), session(&[]));
    let missing = scratch.path("none.tif");
    assert_eq!(error(&session, missing.to_str().unwrap()), format!("{}: no such file or directory", missing.display()));
    let directory = scratch.path("").to_str().unwrap().to_owned();
    assert_eq!(error(&session, &directory), format!("{directory}: expected a file, found a directory"));
    let path = scratch.file("a.tif", b"");
    assert!(error(&session, &format!("{path}/b.tif")).ends_with(": no such file or directory"));
    assert!(error(&session, &path).starts_with(&path));
    assert!(!error(&session, "none.tif?sv=1&sig=SECRET").contains("SECRET"));
    assert!(StoreError::NoSuchFile.is_not_found());
}

#[test]
fn large_tables_anywhere() {
    let (scratch, session) = (Scratch::new("large"), session(&[]));
    for ifd_at_end in [false, true] {
        let tiff = Tiff { across: 500, down: 500, overviews: 4, ifd_at_end, ..Tiff::default() };
        let path = scratch.file("a.tif", &tiff.bytes());
        let file = session.headers(&[&path]).remove(0).unwrap();
        assert_eq!((file.header.image.tile_offsets.len(), file.header.overviews.len()), (250_000, 4));
    }
}

#[test]
fn ranges_of_local_files() {
    let (scratch, session) = (Scratch::new("ranges"), session(&[]));
    let path = scratch.file("a.bin", b"0123456789");
    session
        .block_on(async {
            let object = session.open(&path).await.unwrap();
            assert_eq!(&object.range(2..5).await.unwrap()[..], b"234");
            assert_eq!(object.size().await.unwrap(), 10);
            assert_eq!(&object.tail(100).await.unwrap().0[..], b"0123456789");
            let got = object.ranges(&[8..10, 0..1], rasteret_io::CoalesceConfig::default()).await.unwrap();
            assert_eq!((&got[0][..], &got[1][..]), (&b"89"[..], &b"0"[..]));
            for beyond in [5..11, 10..11, 20..30] {
                let error = object.range(beyond).await.unwrap_err().to_string();
                assert!(error.ends_with("beyond the end of the file of 10 bytes"), "{error}");
            }
        })
        .unwrap();
}

#[test]
fn globs() {
    let (scratch, session) = (Scratch::new("globs"), session(&[]));
    for name in ["b.tif", "a.tif", "c.txt", "x/d.tif", "x/y/e.tif", ".hidden.tif", "lit[1].tif"] {
        scratch.file(name, b"");
    }
    let root = scratch.path("").to_str().unwrap().to_owned();
    let files = |pattern: &str| -> Vec<String> {
        let found = session.files(&[&format!("{root}{pattern}")]).unwrap();
        found.into_iter().map(|path| path.strip_prefix(&root).unwrap().to_owned()).collect()
    };
    assert_eq!(files("*.tif"), [".hidden.tif", "a.tif", "b.tif", "lit[1].tif"]);
    assert_eq!(files("[ab].tif"), ["a.tif", "b.tif"]);
    assert_eq!(files("?.tif"), ["a.tif", "b.tif"]);
    assert_eq!(files("x/*.tif"), ["x/d.tif"]);
    assert_eq!(files("*/*.tif"), ["x/d.tif"]);
    assert_eq!(files("**/*.tif"), [".hidden.tif", "a.tif", "b.tif", "lit[1].tif", "x/d.tif", "x/y/e.tif"]);
    assert_eq!(files("x/**"), ["x/d.tif", "x/y/e.tif"]);
    // Literal names are returned unchanged, whether they exist or not.
    assert_eq!(files("lit[1].tif"), ["lit[1].tif"]);
    assert_eq!(files("none.tif"), ["none.tif"]);
    let several = session.files(&[&format!("{root}b.tif"), &format!("{root}*.tif")]).unwrap();
    assert_eq!(several.len(), 5);
    assert_eq!(session.files(&[&format!("file://{root}?.tif")]).unwrap().len(), 2);

    let error = session.files(&[&format!("{root}*.png")]).unwrap_err().to_string();
    assert_eq!(error, format!("no files found that match the pattern: '{root}*.png'"));
    let error = session.files(&[&format!("{root}[.tif")]).unwrap_err().to_string();
    assert!(error.starts_with("not a glob: "), "{error}");
}
