//! Validates the environment variables of the clouds. `object_store` writes them to URLs and headers and panics if that fails; here
//! unusable values are errors that name the variable. Values are not shown, because endpoints may contain passwords.

use crate::types::location::StoreKey;
use crate::types::url_text::{URL_PART_MAX, is_endpoint, is_label, is_project, is_url_text, with_scheme};

/// Bytes of a secret. SAS tokens are part of a URL; the longest ones, like bearer tokens, have some kilobytes.
const SECRET_MAX: usize = 16 << 10;

/// Errors in the variables of each cloud.
#[derive(Clone, Default)]
pub(crate) struct Unusable {
    pub(crate) aws: Option<String>,
    pub(crate) google: Option<String>,
    pub(crate) azure: Option<String>,
}

/// The form that a variable must have.
#[derive(Clone, Copy)]
enum Form {
    /// `http://` or `https://`, a host, and perhaps a port and a path.
    Endpoint,
    /// A URL whose `http://` may be omitted.
    Host,
    /// A host, and perhaps a port.
    Authority,
    /// A path on a host.
    Path,
    /// A part of a host's name or of a path.
    Label,
    /// A name in a query string.
    Name,
    /// The id of a project of Google.
    Project,
    /// The value of a header or a query string.
    Secret,
}

use Form::{Authority, Endpoint, Host, Label, Name, Path, Project, Secret};

const AWS: &[(&str, Form)] = &[
    ("AWS_ENDPOINT_URL_S3", Endpoint),
    ("AWS_ENDPOINT_URL", Endpoint),
    ("AWS_ENDPOINT_URL_STS", Endpoint),
    ("AWS_METADATA_ENDPOINT", Endpoint),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", Endpoint),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Path),
    ("AWS_REGION", Label),
    ("AWS_DEFAULT_REGION", Label),
    ("AWS_ROLE_ARN", Name),
    ("AWS_ROLE_SESSION_NAME", Name),
    ("AWS_ACCESS_KEY_ID", Name),
    ("AWS_SECRET_ACCESS_KEY", Secret),
    ("AWS_SESSION_TOKEN", Secret),
];

const GOOGLE: &[(&str, Form)] = &[
    ("STORAGE_EMULATOR_HOST", Host),
    ("GS_USER_PROJECT", Project),
    ("GCE_METADATA_HOST", Authority),
    ("GCE_METADATA_ROOT", Authority),
    ("GCE_METADATA_IP", Authority),
];

const AZURE: &[(&str, Form)] = &[
    ("AZURE_STORAGE_ENDPOINT", Endpoint),
    ("AZURE_ENDPOINT", Endpoint),
    ("AZURE_AUTHORITY_HOST", Endpoint),
    ("AZURE_STORAGE_ACCOUNT_NAME", Label),
    ("AZURE_STORAGE_ACCOUNT", Label),
    ("AZURE_STORAGE_CLIENT_ID", Name),
    ("AZURE_CLIENT_ID", Name),
    ("AZURE_STORAGE_TENANT_ID", Label),
    ("AZURE_TENANT_ID", Label),
    ("AZURE_STORAGE_ACCOUNT_KEY", Secret),
    ("AZURE_STORAGE_ACCESS_KEY", Secret),
    ("AZURE_STORAGE_KEY", Secret),
    ("AZURE_STORAGE_SAS_TOKEN", Secret),
    ("AZURE_STORAGE_SAS_KEY", Secret),
    ("AZURE_STORAGE_TOKEN", Secret),
    ("AZURE_STORAGE_CLIENT_SECRET", Secret),
    ("AZURE_CLIENT_SECRET", Secret),
];

/// Checks the variables returned by `get`.
pub(crate) fn check(get: impl Fn(&str) -> Option<String>) -> Unusable {
    check_if(get, |_| true)
}

/// Checks those that are part of URLs, which are used with the credentials of a rule, too.
pub(crate) fn check_addresses(get: impl Fn(&str) -> Option<String>) -> Unusable {
    check_if(get, |form| matches!(form, Endpoint | Host | Authority | Path | Label))
}

fn check_if(get: impl Fn(&str) -> Option<String>, is_checked: impl Fn(Form) -> bool) -> Unusable {
    let first = |variables: &[(&str, Form)]| {
        variables.iter().filter(|(_, form)| is_checked(*form)).find_map(|(name, form)| {
            let expected = form.mismatch(&get(name)?)?;
            Some(format!("environment variable {name}: expected {expected}"))
        })
    };
    Unusable { aws: first(AWS), google: first(GOOGLE), azure: first(AZURE) }
}

impl Unusable {
    /// The error of the cloud of a bucket or container.
    pub(crate) fn of(self, store: &StoreKey) -> Option<String> {
        match store {
            StoreKey::S3 { .. } => self.aws,
            StoreKey::Gcs { .. } => self.google,
            StoreKey::Azure { .. } => self.azure,
        }
    }
}

impl Form {
    /// The expected form if a value has another one.
    fn mismatch(self, value: &str) -> Option<&'static str> {
        let (is_valid, form) = match self {
            Endpoint => (is_endpoint(value), "a URL such as https://host:port"),
            Host => (is_endpoint(&with_scheme(value)), "host:port, or a URL such as http://host:port"),
            Authority => (is_endpoint(&format!("http://{value}")) && !value.contains('/'), "host or host:port"),
            Path => (value.starts_with('/') && is_url_text(value), "a path such as /v2/credentials"),
            Label => (is_label(value), "letters, digits, dots, hyphens and underscores"),
            Name => (value.len() <= URL_PART_MAX && is_visible(value), "at most 2048 visible ASCII characters"),
            Project => (is_project(value), "the id of a project: letters, digits, hyphens, dots and colons"),
            Secret => (value.len() <= SECRET_MAX && is_visible(value), "at most 16384 visible ASCII characters"),
        };
        (!is_valid).then_some(form)
    }
}

fn is_visible(text: &str) -> bool {
    text.trim() == text && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, value: &str) -> Option<String> {
        let unusable = check(|known| (known == name).then(|| value.to_owned()));
        unusable.aws.or(unusable.google).or(unusable.azure)
    }

    #[test]
    fn all_variables_are_validated() {
        for (name, form) in [AWS, GOOGLE, AZURE].concat() {
            let long = "x".repeat(SECRET_MAX + 1);
            for value in ["two\nlines", "nul\0", "caf\u{e9}", "tab\t", " ", &long] {
                let text = of(name, value).unwrap_or_default();
                assert!(text.contains(name) && !text.contains("lines") && text.len() < 200, "{name} {value:?}: {text}");
            }
            let good = match form {
                Endpoint => ["http://localhost:9000", "https://s3.example.com/path", "http://[::1]:1"],
                Host => ["localhost:4443", "http://localhost", "https://h:1"],
                Authority => ["localhost:4443", "169.254.169.254", "[::1]:80"],
                Path => ["/v2/credentials/0-1", "/", "/get?role=a%20b"],
                Label => ["eu-central-1", "devstoreaccount1", "x"],
                Name => ["AKIA/+=", "arn:aws:iam::1:role/a b", "x"],
                Project => ["my-project", "example.com:mine", "123"],
                Secret => ["AKIA/+=", "?sv=2022&sig=a%2B", &long[1..]],
            };
            for value in good {
                assert_eq!(of(name, value), None);
            }
        }
    }

    #[test]
    fn endpoints_must_be_urls() {
        for value in [
            "localhost:9000",
            "minio",
            "http://",
            "http:///h",
            "ftp://host",
            "http://a b",
            "//host",
            "http://h:99999",
            "http://[::1",
            "http://h/{}",
            "http://h\\a",
            "http://h?x=y",
            "http://h#f",
        ] {
            assert!(of("AWS_ENDPOINT_URL", value).is_some(), "{value}");
        }
        for value in ["http://", "//h", "/dev/null", "{}", "a b"] {
            assert!(of("STORAGE_EMULATOR_HOST", value).is_some(), "{value}");
        }
        for value in ["/path", "//h", "http://h", "h/x", "h:99999"] {
            assert!(of("GCE_METADATA_HOST", value).is_some(), "{value}");
        }
        assert!(of("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "%zz").is_some());
        assert!(of("AWS_REGION", "eu/central").is_some());
    }
}
