//! Invalid values of cloud variables and names of buckets are errors or have no effect, and never panic.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod support;

use support::server::{Reply, Server};
use support::session;

const ODD: &[&str] = &[
    "localhost:1",
    "minio",
    "http://",
    "http:///h",
    "https://",
    "ftp://h",
    "http://[::1",
    "http://a b",
    "://",
    "//h",
    ":80",
    "http://127.0.0.1:99999",
    "http://user:hidden@127.0.0.1:1/",
    "http://127.0.0.1:1?x=y",
    "http://127.0.0.1:1#f",
    "http://127.0.0.1:1/%zz/{}",
    "http://\u{fc}:1/",
    "\u{e9}",
    "a\nb",
    "a\tb",
    "\u{1}",
    " ",
    "0",
    "-1",
    "1e400",
    "NaN",
    "true",
    "{}",
    "{\"private_key\": \"hidden\", \"client_email\": \"a\\nb\", \"private_key_id\": \"x\"}",
    "/nonexistent",
    "/dev/null",
    "/",
    "%zz",
    "?a=b#c",
    "..",
    "*",
    "a/b",
    "a@b",
    "a\\b",
];

/// A cloud replaced by a local server: an object, its configuration, and the variables to test.
struct Cloud {
    href: &'static str,
    variables: &'static [(&'static str, &'static str)],
    tried: &'static [&'static str],
}

const CLOUDS: &[Cloud] = &[
    Cloud {
        href: "s3://b/a.tif",
        variables: &[("AWS_ENDPOINT_URL", "{server}"), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")],
        tried: &[
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_S3",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_REQUEST_PAYER",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
            "AWS_SKIP_SIGNATURE",
        ],
    },
    Cloud {
        href: "s3://b/a.tif",
        variables: &[
            ("AWS_ENDPOINT_URL", "{server}"),
            ("RASTERET_AWS_CREDENTIALS", "imds"),
            ("AWS_METADATA_ENDPOINT", "{server}"),
        ],
        tried: &[
            "AWS_METADATA_ENDPOINT",
            "AWS_IMDSV1_FALLBACK",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        ],
    },
    Cloud {
        href: "s3://b/a.tif",
        variables: &[
            ("AWS_ENDPOINT_URL", "{server}"),
            ("RASTERET_AWS_CREDENTIALS", "imds"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "Cargo.toml"),
            ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"),
            ("AWS_ENDPOINT_URL_STS", "{server}"),
        ],
        tried: &["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_ENDPOINT_URL_STS"],
    },
    Cloud {
        href: "gs://b/a.tif",
        variables: &[("STORAGE_EMULATOR_HOST", "{server}")],
        tried: &[
            "STORAGE_EMULATOR_HOST",
            "GOOGLE_SERVICE_ACCOUNT",
            "GOOGLE_SERVICE_ACCOUNT_PATH",
            "GOOGLE_SERVICE_ACCOUNT_KEY",
            "GOOGLE_APPLICATION_CREDENTIALS",
        ],
    },
    Cloud {
        href: "az://c/a.tif",
        variables: &[("AZURE_STORAGE_ENDPOINT", "{server}"), ("AZURE_STORAGE_ACCOUNT_NAME", "acc")],
        tried: &[
            "AZURE_STORAGE_ENDPOINT",
            "AZURE_ENDPOINT",
            "AZURE_STORAGE_ACCOUNT_NAME",
            "AZURE_STORAGE_ACCOUNT",
            "AZURE_STORAGE_ACCOUNT_KEY",
            "AZURE_STORAGE_ACCESS_KEY",
            "AZURE_STORAGE_KEY",
            "AZURE_STORAGE_SAS_TOKEN",
            "AZURE_STORAGE_SAS_KEY",
            "AZURE_STORAGE_TOKEN",
        ],
    },
    Cloud {
        href: "az://c/a.tif",
        variables: &[
            ("AZURE_STORAGE_ENDPOINT", "{server}"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "acc"),
            ("AZURE_CLIENT_ID", "id"),
            ("AZURE_CLIENT_SECRET", "secret"),
            ("AZURE_TENANT_ID", "tenant"),
        ],
        tried: &["AZURE_STORAGE_CLIENT_ID", "AZURE_STORAGE_CLIENT_SECRET", "AZURE_STORAGE_TENANT_ID"],
    },
];

/// Returns the errors of one object and of a listing.
fn errors(href: &str, variables: &[(&str, &str)]) -> [String; 2] {
    let limits = [("RASTERET_MAX_RETRIES", "0"), ("RASTERET_TIMEOUT", "2"), ("RASTERET_CONNECT_TIMEOUT", "1")];
    let session = session(&[variables, &limits].concat());
    let one = session.headers(&[href]).remove(0).unwrap_err();
    let listing = session.files(&[&href.replace("a.tif", "*.tif")]).unwrap_err();
    [one.to_string(), listing.to_string()]
}

#[test]
fn values_do_not_panic_and_are_not_shown() {
    let server = Server::start(|_, _| Reply::Status(404, String::new(), String::new()));
    let endpoint = server.url("").trim_end_matches('/').to_owned();
    let long = "x".repeat(70_000);
    for cloud in CLOUDS {
        for name in cloud.tried {
            for value in ODD.iter().copied().chain([long.as_str()]) {
                let mut variables: Vec<(&str, &str)> = vec![(name, value)];
                let others = cloud.variables.iter().filter(|(other, _)| other != name);
                variables.extend(others.map(|(other, value)| match *value {
                    "{server}" => (*other, endpoint.as_str()),
                    value => (*other, value),
                }));
                for error in errors(cloud.href, &variables) {
                    let case = format!("{name}={:?}: {error}", &value[..value.len().min(60)]);
                    assert!(!error.contains("internal") && !error.contains("panic"), "{case}");
                    assert!(!error.contains("hidden") && error.len() < 400, "{case}");
                }
            }
        }
    }
}

#[test]
fn errors_of_invalid_values_name_the_variable() {
    let [one, listing] = errors("s3://b/a.tif", &[("AWS_ENDPOINT_URL", "localhost:9000")]);
    assert_eq!(one, "s3://b/a.tif: environment variable AWS_ENDPOINT_URL: expected a URL such as https://host:port");
    assert_eq!(
        listing,
        "environment variable AWS_ENDPOINT_URL: expected a URL such as https://host:port: 's3://b/*.tif'"
    );
}

#[test]
fn invalid_names_of_buckets() {
    let server = Server::start(|_, _| Reply::Status(404, String::new(), String::new()));
    let endpoint = server.url("").trim_end_matches('/').to_owned();
    let variables = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("STORAGE_EMULATOR_HOST", endpoint.as_str()),
        ("AZURE_STORAGE_ENDPOINT", endpoint.as_str()),
        ("AZURE_STORAGE_ACCOUNT_NAME", "acc"),
    ];
    for scheme in ["s3", "gs", "az"] {
        for name in ["..", "a b", "{}", "%zz", "a\\b", "\u{fc}", "a\"b", "a|b", "a^b", "a#b"] {
            for error in errors(&format!("{scheme}://{name}/a.tif"), &variables) {
                assert!(
                    error.contains("not a valid name") || error.contains("expected an account"),
                    "{scheme} {name}: {error}"
                );
            }
        }
    }
    assert!(server.log().is_empty(), "{:?}", server.log());
}
