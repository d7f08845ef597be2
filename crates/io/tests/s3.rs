//! Tests signed and anonymous reads from an S3 server: `scripts/s3-server cargo test -p rasteret-io --test s3 -- --ignored`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, reason = "tests fail by panicking")]

mod support;

use std::path::Path;

use rasteret_io::Session;
use support::session;
use support::tiff::Tiff;

/// The servers of the script, from environment variables.
struct Servers {
    endpoint: String,
    access_key: String,
    secret_key: String,
    anonymous_endpoint: String,
    root: String,
}

impl Servers {
    fn running() -> Self {
        let variable = |name: &str| {
            let name = format!("RASTERET_TEST_S3_{name}");
            std::env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: run this through scripts/s3-server"))
        };
        Self {
            endpoint: variable("ENDPOINT"),
            access_key: variable("ACCESS_KEY"),
            secret_key: variable("SECRET_KEY"),
            anonymous_endpoint: variable("ANONYMOUS_ENDPOINT"),
            root: variable("ROOT"),
        }
    }

    /// Creates a bucket with these objects.
    fn bucket(&self, name: &str, objects: &[(&str, &[u8])]) {
        for (key, bytes) in objects {
            let path = Path::new(&self.root).join(name).join(key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    fn signed(&self) -> Session {
        self.signed_with(&self.secret_key)
    }

    fn signed_with(&self, secret_key: &str) -> Session {
        session(&[
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_ACCESS_KEY_ID", &self.access_key),
            ("AWS_SECRET_ACCESS_KEY", secret_key),
            ("AWS_REGION", "us-east-1"),
            ("RASTERET_MAX_RETRIES", "0"),
        ])
    }

    fn anonymous(&self, endpoint: &str) -> Session {
        session(&[("AWS_ENDPOINT_URL", endpoint), ("RASTERET_MAX_RETRIES", "0")])
    }
}

fn error(session: &Session, href: &str) -> String {
    let error = session.headers(&[href]).remove(0).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    error.to_string()
}

#[test]
#[ignore = "needs the servers of scripts/s3-server"]
fn signed() {
    let servers = Servers::running();
    let tiff = Tiff::default().bytes();
    servers.bucket("signed", &[("dir/a.tif", &tiff), ("dir/a b+c%20ü#1.tif", &tiff)]);
    let session = servers.signed();
    for key in ["dir/a.tif", "dir/a b+c%20ü#1.tif"] {
        let file = session.headers(&[&format!("s3://signed/{key}")]).remove(0).unwrap();
        assert_eq!(file.version.size, Some(tiff.len() as u64), "{key}");
        assert!(file.version.last_modified.is_some(), "{key}");
    }
    session.headers(&["/vsis3/signed/dir/a.tif"]).remove(0).unwrap();
}

#[test]
#[ignore = "needs the servers of scripts/s3-server"]
fn large_tables_are_read_with_a_signed_range() {
    let servers = Servers::running();
    let tiff = Tiff { across: 100, down: 100, ..Tiff::default() }.bytes();
    servers.bucket("tables", &[("a.tif", &tiff)]);
    let file = servers.signed().headers(&["s3://tables/a.tif"]).remove(0).unwrap();
    assert_eq!(file.header.image.tile_offsets.len(), 10_000);
}

#[test]
#[ignore = "needs the servers of scripts/s3-server"]
fn anonymous() {
    let servers = Servers::running();
    let tiff = Tiff::default().bytes();
    servers.bucket("anonymous", &[("a.tif", &tiff)]);
    let session = servers.anonymous(&servers.anonymous_endpoint);
    let file = session.headers(&["s3://anonymous/a.tif"]).remove(0).unwrap();
    assert_eq!(file.version.size, Some(tiff.len() as u64));
}

#[test]
#[ignore = "needs the servers of scripts/s3-server"]
fn missing() {
    let servers = Servers::running();
    servers.bucket("missing", &[("a.tif", b"")]);
    for session in [servers.signed(), servers.anonymous(&servers.anonymous_endpoint)] {
        let no_key = error(&session, "s3://missing/none.tif");
        assert!(no_key.starts_with("s3://missing/none.tif: not found (HTTP 404)"), "{no_key}");
        let no_bucket = error(&session, "s3://no-such-bucket/a.tif");
        assert!(no_bucket.starts_with("s3://no-such-bucket/a.tif: not found (HTTP 404)"), "{no_bucket}");
    }
}

#[test]
#[ignore = "needs the servers of scripts/s3-server"]
fn forbidden() {
    let servers = Servers::running();
    servers.bucket("forbidden", &[("a.tif", &Tiff::default().bytes())]);
    let unsigned = error(&servers.anonymous(&servers.endpoint), "s3://forbidden/a.tif");
    assert!(unsigned.starts_with("s3://forbidden/a.tif: forbidden (HTTP 403)"), "{unsigned}");
    let wrong_key = error(&servers.signed_with("another-secret"), "s3://forbidden/a.tif");
    assert!(wrong_key.starts_with("s3://forbidden/a.tif: forbidden (HTTP 403)"), "{wrong_key}");
}

#[test]
#[ignore = "needs the servers of scripts/s3-server"]
fn listed() {
    let servers = Servers::running();
    servers.bucket("listed", &[("p/b.tif", b""), ("p/a.tif", b""), ("p/q/c.tif", b""), ("p/d.txt", b"")]);
    for session in [servers.signed(), servers.anonymous(&servers.anonymous_endpoint)] {
        assert_eq!(session.files(&["s3://listed/p/*.tif"]).unwrap(), ["s3://listed/p/a.tif", "s3://listed/p/b.tif"]);
        assert_eq!(session.files(&["s3://listed/**/*.tif"]).unwrap().len(), 3);
    }
    let refused = servers.anonymous(&servers.endpoint).files(&["s3://listed/p/*.tif"]).unwrap_err().to_string();
    assert!(refused.starts_with("forbidden (HTTP 403)"), "{refused}");
}

#[test]
#[ignore = "needs the servers of scripts/s3-server"]
fn written() {
    use rasteret_cog::tiff::{Compression, DataType};
    use rasteret_cog::write::CogOptions;
    use rasteret_io::write::{CogDescription, PixelWindow};

    let servers = Servers::running();
    servers.bucket("written", &[("before.tif", b"")]);
    let side = 3000_u32;
    let data: Vec<u8> = (0..side * side).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let write = |session: &Session| {
        let options = CogOptions { compression: Compression::None, ..CogOptions::default() };
        let folder = std::env::temp_dir();
        let mut writer =
            session.write_cog("s3://written/dir/a b+ü.tif", options, CogDescription::default(), Some(&folder))?;
        writer.push(&PixelWindow {
            width: side,
            height: side,
            col_off: 0,
            row_off: 0,
            bands: 1,
            dtype: DataType::Uint8,
            transform: None,
            crs: None,
            nodata: None,
            data: &data,
            mask: &vec![255; data.len()],
        })?;
        writer.finish()
    };
    let session = servers.signed();
    let written = write(&session).unwrap();
    let file = session.headers(&["s3://written/dir/a b+ü.tif"]).remove(0).unwrap();
    assert_eq!(file.version.size, Some(written.bytes));
    assert_eq!((file.header.image.image_width, file.header.overviews.len()), (side, 3));
    let path = Path::new(&servers.root).join("written/dir/a b+ü.tif");
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.len() as u64, written.bytes);
    std::fs::remove_file(&path).unwrap();
    let refused = write(&servers.signed_with("another-secret")).unwrap_err().to_string();
    assert!(refused.starts_with("s3://written/dir/a b+ü.tif: forbidden (HTTP 403)"), "{refused}");
    assert!(refused.contains("signed with AWS_ACCESS_KEY_ID"), "{refused}");
    assert!(!path.exists());
}
