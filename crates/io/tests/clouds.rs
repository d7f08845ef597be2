//! Requests to cloud storage, recorded by a local server.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod support;

use support::server::{Reply, Server};
use support::session;
use support::tiff::Tiff;

/// Reads `href` with `variables` that configure a local server as endpoint; returns the single request.
fn request(href: &str, variables: &[(&str, &str)]) -> String {
    let server = Server::of_file(Tiff::default().bytes());
    let endpoint = server.url("");
    let endpoint = endpoint.trim_end_matches('/');
    let named: Vec<(&str, String)> =
        variables.iter().map(|(name, value)| (*name, value.replace("{server}", endpoint))).collect();
    let named: Vec<(&str, &str)> = named.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let file = session(&named).headers(&[href]).remove(0).unwrap();
    assert_eq!(file.version.size, Some(100_000));
    assert_eq!(file.version.last_modified, Some(1_767_225_600_000_000));
    let log = server.log();
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].range == Some(0..32_768), "{log:?}");
    log[0].head.clone()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) =
        head.lines().filter_map(|line| line.split_once(": ")).find(|(own, _)| own.eq_ignore_ascii_case(name))?;
    Some(value)
}

#[test]
fn s3_unsigned_is_one_request() {
    let head = request("s3://b/d/a b.tif", &[("AWS_ENDPOINT_URL", "{server}")]);
    assert!(head.starts_with("GET /b/d/a%20b.tif HTTP/1.1"), "{head}");
    assert_eq!(header(&head, "authorization"), None);
}

#[test]
fn s3_signed_contains_region_and_request_payer() {
    let head = request(
        "s3://b/a.tif",
        &[
            ("AWS_ENDPOINT_URL", "{server}"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "key"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_REQUEST_PAYER", "requester"),
        ],
    );
    let authorization = header(&head, "authorization").unwrap();
    assert!(authorization.contains("Credential=id/") && authorization.contains("/eu-central-1/s3/"), "{authorization}");
    assert_eq!(header(&head, "x-amz-security-token"), Some("token"));
    assert_eq!(header(&head, "x-amz-request-payer"), Some("requester"));
}

#[test]
fn azure_unsigned_is_one_request() {
    let variables = [("AZURE_STORAGE_ACCOUNT_NAME", "acc"), ("AZURE_STORAGE_ENDPOINT", "{server}")];
    let head = request("az://c/d/a b.tif", &variables);
    assert!(head.starts_with("GET /c/d/a%20b.tif HTTP/1.1"), "{head}");
    assert_eq!(header(&head, "authorization"), None);
}

#[test]
fn azure_sends_a_sas_and_hides_it_in_errors() {
    let variables = [
        ("AZURE_STORAGE_ACCOUNT_NAME", "acc"),
        ("AZURE_STORAGE_ENDPOINT", "{server}"),
        ("AZURE_STORAGE_SAS_TOKEN", "sv=2024&sig=SECRET%2B"),
    ];
    let head = request("az://acc.blob.core.windows.net/c/a.tif", &variables);
    assert!(head.starts_with("GET /c/a.tif?sv=2024&sig=SECRET%2B HTTP/1.1"), "{head}");

    let server = Server::start(|_, _| Reply::Status(403, String::new(), String::new()));
    let endpoint = server.url("");
    let session = session(&[variables[0], ("AZURE_STORAGE_ENDPOINT", endpoint.trim_end_matches('/')), variables[2]]);
    let error = session.headers(&["az://c/a.tif"]).remove(0).unwrap_err();
    let host = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let expected = format!(
        "az://c/a.tif: forbidden (HTTP 403); the request was signed with a SAS of the environment, host {host}"
    );
    assert_eq!(error.to_string(), expected);
    assert!(!format!("{error:?} {session:?}").contains("SECRET"));
}

#[test]
fn gcs_unsigned_is_one_request() {
    let head = request("gs://b/d/a b.tif", &[("STORAGE_EMULATOR_HOST", "{server}")]);
    // object_store percent-encodes as much as possible; the service decodes it.
    assert!(head.starts_with("GET /b/d%2Fa%20b%2Etif HTTP/1.1"), "{head}");
    assert_eq!(header(&head, "authorization"), None);
}

#[test]
fn stores_use_the_retry_settings() {
    let bytes = Tiff::default().bytes();
    let server = Server::start(move |_, before| match before {
        0 => Reply::Status(503, String::new(), "<Error><Code>SlowDown</Code></Error>".to_owned()),
        1 => Reply::Cut(bytes.clone()),
        _ => Reply::File(bytes.clone()),
    });
    let session = session(&[("AWS_ENDPOINT_URL", server.url("").trim_end_matches('/'))]);
    session.headers(&["s3://b/a.tif"]).remove(0).unwrap();
    assert_eq!(server.log().len(), 3);
}

#[test]
fn stores_use_the_timeout() {
    let server = Server::start(|_, _| Reply::Silence(std::time::Duration::from_secs(60)));
    let session = session(&[("AWS_ENDPOINT_URL", server.url("").trim_end_matches('/')), ("RASTERET_TIMEOUT", "0.3")]);
    let error = session.headers(&["s3://b/a.tif"]).remove(0).unwrap_err();
    assert_eq!(error.to_string(), "s3://b/a.tif: no response within 0.3 s");
    assert_eq!(server.log().len(), 1);
}
