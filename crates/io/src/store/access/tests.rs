use std::path::PathBuf;

use super::*;

fn allowing(directories: &[&str], paths: &[&str]) -> Access {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    let allowed = AllowedFiles { directories: texts(directories), paths: texts(paths) };
    Access::default().with_policy(&AccessPolicy { allowed: Some(allowed), disabled: Vec::new() })
}

fn is_allowed(access: &Access, href: &str) -> bool {
    match access.check(&Location::parse(href).unwrap()) {
        Ok(()) => true,
        Err(Error::Store { fault: StoreError::Denied(_), .. }) => false,
        Err(error) => panic!("{href}: {error}"),
    }
}

#[test]
fn everything_by_default() {
    let access = Access::default();
    assert!(!access.is_restricted());
    assert!(is_allowed(&access, "/etc/passwd") && is_allowed(&access, "https://h/a.tif"));
}

#[test]
fn urls() {
    let access = allowing(&["https://h/ok/", "http://Host:80/b", "/cwd/http:/joined/ok/"], &["https://h/x?y=1"]);
    for (href, expected) in [
        ("https://h/ok/a.tif", true),
        ("HTTPS://H:443/ok/a.tif?sig=1#f", true),
        ("https://h/no/../ok/a.tif", true),
        ("https://h//ok//a.tif", true),
        ("http://host/b/c.tif", true),
        ("http://joined/ok/a.tif", true),
        ("https://h/x?y=1", true),
        ("/vsicurl/https://h/ok/a.tif", true),
        ("https://h/x", false),
        ("https://h/x?y=2", false),
        ("https://h/ok", false),
        ("https://h/OK/a.tif", false),
        ("https://h/okay/a.tif", false),
        ("https://h/ok/../no/a.tif", false),
        ("https://h/ok/%2e%2e/no/a.tif", false),
        ("https://h/ok/%2E./no/a.tif", false),
        ("https://h/ok/..%2fno/a.tif", false),
        ("https://h/ok/..%5cno/a.tif", false),
        ("https://h/ok/%252e%252e/no/a.tif", false),
        ("https://h/ok/.%252e%252fno/a.tif", false),
        ("https://h\\ok\\..\\no", false),
        ("http://h/ok/a.tif", false),
        ("https://h:444/ok/a.tif", false),
        ("https://h.evil/ok/a.tif", false),
        ("https://h@evil/ok/a.tif", false),
        ("https://user:pw@h/ok/a.tif", false),
        ("https://evil/?https://h/ok/a.tif", false),
        ("http://joined/no/a.tif", false),
        ("/vsicurl/https://h/no/a.tif", false),
        ("/etc/passwd", false),
    ] {
        assert_eq!(is_allowed(&access, href), expected, "{href}");
    }
}

#[test]
fn objects() {
    let access = allowing(&["s3://b/ok", "abfss://c@acc.dfs.core.windows.net/ok/", "gs://g"], &["s3://b/one.tif"]);
    for (href, expected) in [
        ("s3://b/ok/a.tif", true),
        ("S3A://b/ok/a.tif", true),
        ("/vsis3/b/ok/a.tif", true),
        ("s3://b/one.tif", true),
        ("gs://g/any/a.tif", true),
        ("az://acc.blob.core.windows.net/c/ok/a.tif", true),
        ("s3://b/okay.tif", false),
        ("s3://b/one.tif2", false),
        ("s3://bb/ok/a.tif", false),
        ("gs://b/ok/a.tif", false),
        ("az://c/ok/a.tif", false),
        ("az://other.blob.core.windows.net/c/ok/a.tif", false),
        // The same object with another protocol, as in DuckDB.
        ("https://b.s3.amazonaws.com/ok/a.tif", false),
    ] {
        assert_eq!(is_allowed(&access, href), expected, "{href}");
    }
}

#[cfg(unix)]
#[test]
fn local_files() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for name in ["ok/sub", "no"] {
        std::fs::create_dir_all(root.join(name)).unwrap();
    }
    for name in ["ok/a.tif", "no/c.tif", "okay.tif"] {
        std::fs::write(root.join(name), b"x").unwrap();
    }
    for (link, target) in [("ok/out.tif", "../no/c.tif"), ("ok/dir", "../no"), ("in.tif", "ok/a.tif"), ("to", "ok")] {
        std::os::unix::fs::symlink(target, root.join(link)).unwrap();
    }
    let ok = root.join("ok");
    let access = allowing(&[ok.to_str().unwrap()], &[root.join("okay.tif").to_str().unwrap()]);
    for (path, expected) in [
        ("ok/a.tif", true),
        ("ok//sub/.././a.tif", true),
        ("ok/missing.tif", true),
        ("ok/missing/../b.tif", true),
        ("in.tif", true),
        ("to/a.tif", true),
        ("okay.tif", true),
        ("ok/dir/../ok/a.tif", true),
        ("ok", false),
        ("OK/a.tif", false),
        ("ok/out.tif", false),
        ("ok/dir/c.tif", false),
        ("ok/dir/missing.tif", false),
        ("ok/dir/../no/c.tif", false),
        ("ok/../no/c.tif", false),
        ("ok/missing/../../no/c.tif", false),
        ("no/c.tif", false),
        ("okay.tif/x", false),
    ] {
        let whole: PathBuf = root.join(path);
        let whole = whole.to_str().unwrap();
        assert_eq!(is_allowed(&access, whole), expected, "{path}");
        // URLs have no links: `..` is resolved in the text, and refers to another file.
        if !path.contains("dir/..") {
            assert_eq!(is_allowed(&access, &format!("file://{whole}")), expected, "file: {path}");
        }
    }
    // Percent-encoding is decoded where the store decodes it.
    let encoded = format!("file://{}/ok/%2e%2e/no/c.tif", root.display());
    assert!(!is_allowed(&access, &encoded));
    assert!(!is_allowed(&access, "/proc/self/root/etc/passwd"));
}

#[test]
fn disabled_file_systems() {
    let policy = AccessPolicy { allowed: None, disabled: vec![FileSystem::Local, FileSystem::AzureDfs] };
    let access = Access::default().with_policy(&policy);
    for (href, expected) in [
        ("a.tif", false),
        ("file:///a.tif", false),
        ("https://h/a.tif", true),
        ("s3://b/a.tif", true),
        ("az://c/a.tif", true),
        ("abfss://c@acc.dfs.core.windows.net/a.tif", false),
    ] {
        assert_eq!(is_allowed(&access, href), expected, "{href}");
    }
    let error = access.check(&Location::parse("a.tif").unwrap()).unwrap_err();
    assert_eq!(error.denial(), Some("File system LocalFileSystem has been disabled by configuration"));
}

#[test]
fn prefixes_apply_in_addition_to_the_policy() {
    let prefixes = ["https://h/ok/".to_owned(), "/srv/a.tif".to_owned()];
    let session = Access::new(Some(&prefixes));
    let both = session.with_policy(&AccessPolicy {
        allowed: Some(AllowedFiles { directories: vec!["https://h/ok/deep/".to_owned()], paths: Vec::new() }),
        disabled: Vec::new(),
    });
    for (href, alone, with_policy) in [
        ("https://h/ok/a.tif", true, false),
        ("https://h/ok/deep/a.tif", true, true),
        ("/srv/a.tif", true, false),
        ("/srv/a.tiff", false, false),
        ("https://h/no/a.tif", false, false),
    ] {
        assert_eq!(is_allowed(&session, href), alone, "{href}");
        assert_eq!(is_allowed(&both, href), with_policy, "{href}");
    }
    both.set_policy(&AccessPolicy::default());
    assert!(is_allowed(&both, "https://h/ok/a.tif") && !is_allowed(&both, "https://h/no/a.tif"));
}

#[test]
fn denials_contain_no_secrets() {
    let access = allowing(&[], &[]);
    let location = Location::parse("https://user:secret@h/a.tif?sig=secret").unwrap();
    let error = access.check(&location).unwrap_err();
    assert_eq!(
        error.denial(),
        Some("Cannot access file \"https://h/a.tif\" - file system operations are disabled by configuration")
    );
    let fault = access.permit_url(&Url::parse("https://u:secret@h/b?token=secret").unwrap()).unwrap_err();
    assert!(!fault.to_string().contains("secret"), "{fault}");
}

#[test]
fn patterns() {
    let access = allowing(&["s3://b/ok/"], &[]);
    let check = |pattern: &str| {
        let (scheme, rest) = crate::types::location::split_scheme(pattern).unwrap();
        access.check_remote_pattern(pattern, &Address::parse(scheme, rest).unwrap().unwrap())
    };
    assert!(check("s3://b/ok/*.tif").is_ok());
    for pattern in ["s3://b/*/a.tif", "s3://b/o*", "s3://b/ok/../no/*.tif", "s3://c/ok/*.tif"] {
        assert!(check(pattern).is_err(), "{pattern}");
    }
    assert!(access.check_local_pattern("*.tif").is_err());
}
