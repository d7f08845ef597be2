//! Values of the clouds' variables that no request can be made with. The clients below turn them into headers and URLs, and
//! panic where that fails; here they are errors that name the variable, and show no secret.

use url::Url;

use crate::registry::with_scheme;

/// For each cloud, what is wrong with its variables.
#[derive(Clone, Default)]
pub(crate) struct Unusable {
    pub(crate) aws: Option<String>,
    pub(crate) google: Option<String>,
    pub(crate) azure: Option<String>,
}

/// What a variable must be.
#[derive(Clone, Copy)]
enum Form {
    /// `http://` or `https://` and a host.
    Endpoint,
    /// The same, where `http://` may be left out.
    Host,
    /// A part of a host's name.
    Label,
    /// What a header can hold: visible ASCII, and blanks within.
    Header,
}

use Form::{Endpoint, Header, Host, Label};

const AWS: &[(&str, Form)] = &[
    ("AWS_ENDPOINT_URL_S3", Endpoint),
    ("AWS_ENDPOINT_URL", Endpoint),
    ("AWS_ENDPOINT_URL_STS", Endpoint),
    ("AWS_METADATA_ENDPOINT", Endpoint),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", Endpoint),
    ("AWS_REGION", Label),
    ("AWS_DEFAULT_REGION", Label),
    ("AWS_ACCESS_KEY_ID", Header),
    ("AWS_SECRET_ACCESS_KEY", Header),
    ("AWS_SESSION_TOKEN", Header),
    ("AWS_ROLE_ARN", Header),
    ("AWS_ROLE_SESSION_NAME", Header),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Header),
];

const GOOGLE: &[(&str, Form)] = &[("STORAGE_EMULATOR_HOST", Host)];

const AZURE: &[(&str, Form)] = &[
    ("AZURE_STORAGE_ENDPOINT", Endpoint),
    ("AZURE_ENDPOINT", Endpoint),
    ("AZURE_STORAGE_ACCOUNT_NAME", Label),
    ("AZURE_STORAGE_ACCOUNT", Label),
    ("AZURE_STORAGE_ACCOUNT_KEY", Header),
    ("AZURE_STORAGE_ACCESS_KEY", Header),
    ("AZURE_STORAGE_KEY", Header),
    ("AZURE_STORAGE_SAS_TOKEN", Header),
    ("AZURE_STORAGE_SAS_KEY", Header),
    ("AZURE_STORAGE_TOKEN", Header),
    ("AZURE_STORAGE_CLIENT_ID", Header),
    ("AZURE_CLIENT_ID", Header),
    ("AZURE_STORAGE_CLIENT_SECRET", Header),
    ("AZURE_CLIENT_SECRET", Header),
    ("AZURE_STORAGE_TENANT_ID", Header),
    ("AZURE_TENANT_ID", Header),
];

/// Looks at the variables that `get` knows.
pub(crate) fn check(get: impl Fn(&str) -> Option<String>) -> Unusable {
    let first = |variables: &[(&str, Form)]| {
        variables.iter().find_map(|(name, form)| {
            let expected = form.refuses(&get(name)?)?;
            Some(format!("environment variable {name}: expected {expected}"))
        })
    };
    Unusable { aws: first(AWS), google: first(GOOGLE), azure: first(AZURE) }
}

impl Form {
    /// What is expected instead of a value; None where that is as it should be. Values are not shown: endpoints may hold
    /// passwords.
    fn refuses(self, value: &str) -> Option<&'static str> {
        let is_url = |text: &str| {
            is_visible(text)
                && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        };
        match self {
            Endpoint => (!is_url(value)).then_some("a URL such as https://host:port"),
            Host => (!is_url(&with_scheme(value))).then_some("host:port, or a URL such as http://host:port"),
            Label => {
                let is_label = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
                (!is_label).then_some("letters, digits and hyphens")
            }
            Header => (!is_visible(value)).then_some("visible ASCII characters"),
        }
    }
}

fn is_visible(text: &str) -> bool {
    text.trim() == text && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, value: &str) -> Option<String> {
        let unusable = check(|asked| (asked == name).then(|| value.to_owned()));
        unusable.aws.or(unusable.google).or(unusable.azure)
    }

    #[test]
    fn every_variable_is_checked_and_named() {
        for (name, form) in [AWS, GOOGLE, AZURE].concat() {
            for value in ["two\nlines", "nul\0", "caf\u{e9}", "tab\t", " "] {
                let text = of(name, value).unwrap_or_default();
                assert!(text.contains(name) && !text.contains("lines"), "{name} {value:?}: {text}");
            }
            let good = match form {
                Endpoint => ["http://localhost:9000", "https://s3.example.com/path", "http://[::1]:1"],
                Host => ["localhost:4443", "http://localhost", "https://h:1"],
                Label => ["eu-central-1", "devstoreaccount1", "x"],
                Header => ["AKIA/+=", "arn:aws:iam::1:role/a b", "?sv=2022&sig=a%2B"],
            };
            for value in good {
                assert_eq!(of(name, value), None);
            }
        }
    }

    #[test]
    fn endpoints_have_a_scheme_and_a_host() {
        for value in ["localhost:9000", "minio", "http://", "ftp://host", "http://a b", "//host", "http://h:99999"] {
            assert!(of("AWS_ENDPOINT_URL", value).is_some(), "{value}");
        }
        assert!(of("STORAGE_EMULATOR_HOST", "http://").is_some());
        assert!(of("AWS_REGION", "eu central").is_some());
    }
}
