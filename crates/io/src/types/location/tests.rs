use super::*;

fn shown(href: &str) -> String {
    Location::parse(href).unwrap().to_string()
}

fn key(href: &str) -> String {
    Location::parse(href).unwrap().key().to_owned()
}

fn object(href: &str) -> (StoreKey, String) {
    let location = Location::parse(href).unwrap();
    match location.kind() {
        LocationKind::Object { store, path } | LocationKind::Url { object: Some((store, path)), .. } => {
            (store.clone(), path.to_string())
        }
        _ => panic!("{href} is no object"),
    }
}

fn file(href: &str) -> PathBuf {
    match Location::parse(href).unwrap().kind() {
        LocationKind::File(path) => path.clone(),
        _ => panic!("{href} is no file"),
    }
}

fn url(href: &str) -> String {
    match Location::parse(href).unwrap().kind() {
        LocationKind::Url { url, .. } => url.to_string(),
        _ => panic!("{href} is no URL"),
    }
}

fn s3(bucket: &str, region: Option<&str>) -> StoreKey {
    StoreKey::S3 { bucket: bucket.to_owned(), region: region.map(str::to_owned) }
}

fn azure(account: Option<&str>, container: &str) -> StoreKey {
    StoreKey::Azure { account: account.map(str::to_owned), container: container.to_owned(), sas: None }
}

#[test]
fn local_files() {
    assert_eq!(file("a/b c%20#?.tif"), PathBuf::from("a/b c%20#?.tif"));
    assert_eq!(file("/a/ü.tif"), PathBuf::from("/a/ü.tif"));
    assert_eq!(file("file:///a/b%20c%23.tif"), PathBuf::from("/a/b c#.tif"));
    assert_eq!(file("file:/a/b.tif"), PathBuf::from("/a/b.tif"));
    assert_eq!(file("file://localhost/a/b.tif"), PathBuf::from("/a/b.tif"));
    assert_eq!(file("file:odd"), PathBuf::from("file:odd"));
    assert_eq!(file("/vsirtual/a.tif"), PathBuf::from("/vsirtual/a.tif"));
    assert_eq!(file("C://a.tif"), PathBuf::from("C://a.tif"));
}

#[test]
fn paths_for_the_file_system_of_the_host() {
    let path = |href: &str| Location::parse(href).unwrap().host_path().map(Cow::into_owned);
    assert_eq!(path("s3a://b/a b.tif").unwrap(), "s3://b/a b.tif");
    assert_eq!(path("az://a.blob.core.windows.net/c/d/e.tif").unwrap(), "az://a.blob.core.windows.net/c/d/e.tif");
    assert_eq!(
        path("az://a.blob.core.windows.net/c/d/e f#.tif?sv=1&sig=a%2Bb").unwrap(),
        "https://a.blob.core.windows.net/c/d/e%20f%23.tif?sv=1&sig=a%2Bb"
    );
    assert_eq!(
        path("abfss://c@a.dfs.core.windows.net/d.tif?sv=1&sig=b").unwrap(),
        "https://a.blob.core.windows.net/c/d.tif?sv=1&sig=b"
    );
    assert!(path("az://c/d.tif?sv=1&sig=SECRET").unwrap_err().to_string().contains("name of the account"));
}

#[test]
fn objects() {
    assert_eq!(object("s3://b/dir/a b+c%20#?.tif"), (s3("b", None), "dir/a b+c%20#?.tif".to_owned()));
    assert_eq!(object("S3A://b/ü.tif"), (s3("b", None), "ü.tif".to_owned()));
    assert_eq!(object("gs://b/a.tif"), (StoreKey::Gcs { bucket: "b".to_owned() }, "a.tif".to_owned()));
    assert_eq!(object("az://c/d/a.tif"), (azure(None, "c"), "d/a.tif".to_owned()));
    assert_eq!(object("az://acc.blob.core.windows.net/c/d/a.tif"), (azure(Some("acc"), "c"), "d/a.tif".to_owned()));
    assert_eq!(object("abfss://c@acc.dfs.core.windows.net/d/a.tif"), (azure(Some("acc"), "c"), "d/a.tif".to_owned()));
    assert_eq!(object("abfss://acc.dfs.core.windows.net/c/a.tif"), (azure(Some("acc"), "c"), "a.tif".to_owned()));
}

#[test]
fn urls_of_clouds() {
    let key = "d/a b.tif".to_owned();
    for (host, region) in [
        ("b.s3.amazonaws.com", None),
        ("b.s3.us-west-2.amazonaws.com", Some("us-west-2")),
        ("b.s3-us-west-2.amazonaws.com", Some("us-west-2")),
        ("b.s3.dualstack.us-west-2.amazonaws.com", Some("us-west-2")),
    ] {
        assert_eq!(object(&format!("https://{host}/d/a%20b.tif")), (s3("b", region), key.clone()), "{host}");
    }
    assert_eq!(object("https://b.c.s3.eu-west-1.amazonaws.com/k"), (s3("b.c", Some("eu-west-1")), "k".to_owned()));
    assert_eq!(object("https://s3.us-west-2.amazonaws.com/b/k"), (s3("b", Some("us-west-2")), "k".to_owned()));
    assert_eq!(object("https://s3.amazonaws.com/b/k"), (s3("b", None), "k".to_owned()));
    let gcs = StoreKey::Gcs { bucket: "b".to_owned() };
    assert_eq!(object("https://storage.googleapis.com/b/d/a%20b.tif"), (gcs.clone(), key.clone()));
    assert_eq!(object("https://b.storage.googleapis.com/d/a%20b.tif"), (gcs, key.clone()));
    assert_eq!(object("https://acc.blob.core.windows.net/c/d/a%20b.tif"), (azure(Some("acc"), "c"), key));
}

#[test]
fn urls_that_stay_urls() {
    for href in [
        "https://example.com/b/k.tif",
        "http://b.s3.amazonaws.com/k.tif",
        "https://b.s3.amazonaws.com:8443/k.tif",
        "https://b.s3-website-us-east-1.amazonaws.com/k.tif",
        "https://s3.evil.com/b/k.tif",
        "https://amazonaws.com/b/k.tif",
        // Signed URLs must be sent unchanged.
        "https://b.s3.amazonaws.com/k.tif?X-Amz-Signature=abc",
        "https://acc.blob.core.windows.net/c/k.tif?sv=1&sig=a%2Fb%3D",
    ] {
        let location = Location::parse(href).unwrap();
        assert!(matches!(location.kind(), LocationKind::Url { object: None, .. }), "{href}");
        assert_eq!(url(href), href);
    }
}

#[test]
fn gdal_prefixes() {
    assert_eq!(url("/vsicurl/https://h/a.tif?sig=x"), "https://h/a.tif?sig=x");
    assert_eq!(url("/vsicurl?pc_url_signing=yes&url=https%3A%2F%2Fh%2Fa.tif"), "https://h/a.tif");
    assert_eq!(object("/vsis3/b/k.tif"), (s3("b", None), "k.tif".to_owned()));
    assert_eq!(object("/vsis3_streaming/b/k.tif"), (s3("b", None), "k.tif".to_owned()));
    assert_eq!(object("/vsigs/b/k.tif").0, StoreKey::Gcs { bucket: "b".to_owned() });
    assert_eq!(object("/vsiaz/c/k.tif").0, azure(None, "c"));
    for (href, what) in [
        ("/vsizip/a.zip/b.tif", "/vsizip: only GDAL's prefixes"),
        ("/vsicurl?empty=1", "expected url="),
        ("/vsicurl//vsis3/b/k", "another /vsi prefix"),
    ] {
        let error = Location::parse(href).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn displayed_locations_contain_no_secrets() {
    for (href, expected) in [
        ("https://h/a%20b.tif?sv=1&sig=SECRET", "https://h/a%20b.tif"),
        ("https://h:8080/a.tif#SECRET", "https://h:8080/a.tif"),
        ("https://user:SECRET@h/a.tif", "https://h/a.tif"),
        ("https://SECRET@h/a@b.tif?SECRET", "https://h/a@b.tif"),
        ("/vsicurl/https://h/a.tif?sig=SECRET", "https://h/a.tif"),
        ("/vsicurl?url=https%3A%2F%2Fh%2Fa.tif%3Fsig%3DSECRET", "https://h/a.tif"),
        ("s3://b/k.tif?sig=SECRET", "s3://b/k.tif"),
        ("az://c/k.tif?sig=SECRET", "az://c/k.tif"),
        ("abfss://c@acc.dfs.core.windows.net/k.tif?sig=SECRET", "abfss://c@acc.dfs.core.windows.net/k.tif"),
        ("./B04.tif?sv=1&sig=SECRET", "./B04.tif"),
        ("file:///a/b.tif?sig=SECRET", "/a/b.tif"),
        ("a/b?.tif", "a/b?.tif"),
        ("a/b.tif?SECRET", "a/b.tif"),
        ("a@b/c:d.tif", "a@b/c:d.tif"),
        ("http:user:SECRET@h/a.tif", "h/a.tif"),
        ("http:SECRET@h/a.tif", "h/a.tif"),
        ("http:/SECRET@h/a.tif", "http:/h/a.tif"),
        ("//user:SECRET@h/a.tif", "//h/a.tif"),
        ("//SECRET@h/a.tif", "//h/a.tif"),
        ("https//user:SECRET@h/a.tif", "https//h/a.tif"),
        ("https//SECRET@h/a.tif", "https//h/a.tif"),
        (" http://user:SECRET@h/a.tif?sig=SECRET", " http://h/a.tif"),
        (" https://SECRET@h/a.tif", " https://h/a.tif"),
        ("http:///user:SECRET@h/a.tif?sig=SECRET", "http:///h/a.tif"),
        ("http:///SECRET@h/a.tif", "http:///h/a.tif"),
        (r"http:\\user:SECRET@h\a.tif", r"http:\\h\a.tif"),
        ("http://a@user:SECRET@h/a.tif", "http://h/a.tif"),
        ("https://h/a.tif;sig=SECRET", "https://h/a.tif"),
        ("https://h/a.tif&sig=SECRET", "https://h/a.tif"),
        ("https://h/a.tif%3Fsig%3DSECRET", "https://h/a.tif"),
        (r"C:\a.tif?sig=SECRET", r"C:\a.tif"),
        ("a\n\u{1b}[31mb.tif", "a\u{fffd}\u{fffd}[31mb.tif"),
    ] {
        let location = Location::parse(href).unwrap();
        assert_eq!(location.to_string(), expected);
        assert!(!format!("{location:?} {location:#?}").contains("SECRET"), "{location:?}");
    }
}

#[test]
fn errors_contain_no_secrets() {
    for href in [
        "ftp://user:SECRET@host/a.tif?sig=SECRET",
        "https://user:SECRET@:bad:/a.tif?sig=SECRET",
        "https://?sig=SECRET",
        "http://user:SECRET@[bad/a.tif?sig=SECRET",
        "file://user:SECRET@h/a.tif",
        "ftp://user%3ASECRET%40h/a.tif",
        "s3://key:SECRET@bucket/a.tif",
        "s3://bucket?sig=SECRET",
        "s3://bucket/a//b.tif?sig=SECRET",
        "s3:///k?sig=SECRET",
        "abfss://c:SECRET@acc.dfs.core.windows.net/k",
        "az://acc.example.com/c/k?sig=SECRET",
        "file://host/a.tif?sig=SECRET",
        "/vsicurl?sig=SECRET",
    ] {
        let error = Location::parse(href).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
    }
    assert!(Location::parse("").unwrap_err().to_string().contains("empty string"));
}

#[test]
fn keys() {
    assert_eq!(key("https://H/a.tif#x"), "https://h/a.tif");
    // Different signatures are different keys.
    for other in ["https://me:pw@h/a.tif", "https://me@h/a.tif", "https://h/a.tif?sv=1&sig=3"] {
        assert_ne!(key(other), key("https://h/a.tif"), "{other}");
    }
    assert_ne!(key("https://h/a.tif?sv=1&sig=3"), key("https://h/a.tif?sv=1&sig=4"));
    assert_ne!(key("https://me:pw@h/a.tif"), key("https://me:other@h/a.tif"));
    assert_eq!(key("s3://b/k"), key("s3a://b/k"));
    assert_ne!(key("s3://b/k"), key("gs://b/k"));
    assert_eq!(key("/a/b"), key("file:///a/b"));
    assert_ne!(key("./a"), key("/a"));
    assert_eq!(shown("s3a://b/k"), "s3a://b/k");
}

#[test]
fn resources() {
    let resource = |href: &str| Location::parse(href).unwrap().resource().to_owned();
    assert_eq!(resource("https://h/a.tif"), "https://h/a.tif");
    assert_eq!(resource("https://me:pw@H/a.tif#x"), "https://h/a.tif");
    assert_eq!(resource("https://h/a.tif?sv=1&se=2&sig=3"), "https://h/a.tif");
    assert_eq!(resource("https://h/a.tif?id=5&X-Amz-Date=1&X-Amz-Signature=2"), "https://h/a.tif?id=5");
    assert_eq!(resource("https://h/a.tif?Expires=1&Signature=2&Key-Pair-Id=3"), "https://h/a.tif");
    // Without a signature, parameters named like those of a signature belong to the server.
    assert_eq!(resource("https://h/a.tif?sv=1&se=2"), "https://h/a.tif?sv=1&se=2");
    assert_eq!(resource("s3://b/k"), key("s3a://b/k"));
}

#[test]
fn the_length_of_hrefs_is_limited() {
    for head in ["", "s3://bucket/", "https://host/", "file:///", "/vsicurl/https://host/"] {
        let longest = format!("{head}{}", "a".repeat((1 << 16) - head.len()));
        assert!(Location::parse(&longest).is_ok(), "{head}");
        let error = Location::parse(&format!("{longest}a")).unwrap_err().to_string();
        assert_eq!(error, "expected a path or a URL of at most 65536 bytes, found one of 65537");
    }
}
