//! One entry of `rasteret_credentials`: a prefix, and the credentials of the locations below it.
//!
//! A value is the name of a profile, a variable or a file, or an endpoint, and never contains a secret. Errors do not show values that cannot be parsed,
//! because they may be secrets.
//!
//! ```text
//! value    = term *( "," term )
//! term     = source | option
//! source   = "anonymous" | "environment" | "metadata_service" | "azure_cli"
//!          | "profile=" NAME | "credentials_file=" FILE | "netrc" [ "=" FILE ]
//!          | "bearer_env=" VARIABLE | "header_env=" HEADER ":" VARIABLE
//!          | "sas_env=" VARIABLE | "sas_url=" URL | "account_key_env=" VARIABLE | "connection_string_env=" VARIABLE
//! option   = "requester_pays" | "region=" NAME | "endpoint=" URL | "user_project=" NAME
//! ```
//!
//! A value has one source, or several headers. Without a source the environment is used.

use std::path::PathBuf;

use reqwest::header::HeaderName;
use url::Url;

use crate::types::url_text::{is_endpoint, is_label, is_project};

/// The service of the prefix, which determines valid values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    S3,
    Gcs,
    Azure,
    Http,
}

/// The credentials of the locations below one prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The canonical prefix, without a slash at its end.
    pub(crate) prefix: String,
    pub(crate) service: Service,
    pub(crate) source: Source,
    pub(crate) requester_pays: bool,
    /// The project of Google that pays for the requests.
    pub(crate) user_project: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
}

/// Source of credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// No credentials are sent.
    Anonymous,
    /// The cloud's own variables and files, as without a rule.
    Environment,
    MetadataService,
    AzureCli,
    /// A profile of AWS.
    Profile(String),
    /// A JSON file of Google.
    File(PathBuf),
    /// None: the file that curl reads.
    Netrc(Option<PathBuf>),
    Headers(Vec<Header>),
    SasEnv(Variable),
    SasUrl(String),
    AccountKey(Variable),
    ConnectionString(Variable),
}

/// A header whose value is in a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: HeaderName,
    /// Before the value: `Bearer `.
    pub(crate) scheme: &'static str,
    pub(crate) variable: Variable,
}

/// The name of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable(String);

/// Headers that describe the request or the connection.
const RESERVED_HEADERS: [&str; 9] = [
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "if-none-match",
    "proxy-authorization",
    "range",
    "te",
    "transfer-encoding",
];

impl Service {
    /// The valid forms of a value.
    fn forms(self) -> &'static str {
        match self {
            Self::S3 => {
                "anonymous, environment, profile=NAME, metadata_service, requester_pays, region=NAME, endpoint=URL"
            }
            Self::Gcs => {
                "anonymous, environment, credentials_file=FILE, bearer_env=VARIABLE, metadata_service, user_project=NAME"
            }
            Self::Azure => {
                "anonymous, environment, connection_string_env=VARIABLE, account_key_env=VARIABLE, sas_env=VARIABLE, sas_url=URL, \
                 bearer_env=VARIABLE, azure_cli, metadata_service"
            }
            Self::Http => {
                "anonymous, bearer_env=VARIABLE, header_env=NAME:VARIABLE, netrc, netrc=FILE, sas_env=VARIABLE, sas_url=URL"
            }
        }
    }

    fn takes(self, source: &Source) -> bool {
        use Source as S;
        match source {
            S::Anonymous => true,
            S::Environment | S::MetadataService => self != Self::Http,
            S::Profile(_) => self == Self::S3,
            S::File(_) => self == Self::Gcs,
            S::Netrc(_) => self == Self::Http,
            S::Headers(headers) => match self {
                Self::Http => true,
                Self::Gcs | Self::Azure => matches!(headers.as_slice(), [header] if !header.scheme.is_empty()),
                Self::S3 => false,
            },
            S::SasEnv(_) | S::SasUrl(_) => matches!(self, Self::Azure | Self::Http),
            S::AccountKey(_) | S::ConnectionString(_) | S::AzureCli => self == Self::Azure,
        }
    }
}

impl Rule {
    /// The rule of an empty value.
    fn of_environment(prefix: String, service: Service) -> Self {
        let source = Source::Environment;
        Self { prefix, service, source, requester_pays: false, user_project: None, region: None, endpoint: None }
    }

    /// The rule of a canonical prefix. The error has no part of the value that could be a secret.
    pub(crate) fn parse(prefix: String, service: Service, value: &str) -> Result<Self, String> {
        let mut rule = Self::of_environment(prefix, service);
        let (mut source, mut headers) = (None, Vec::new());
        for term in value.split(',').map(str::trim) {
            let (name, text) = match term.split_once('=') {
                Some((name, text)) => (name.trim(), Some(text.trim()).filter(|text| !text.is_empty())),
                None => (term, None),
            };
            let found = match (name, text) {
                ("requester_pays", None) if service == Service::S3 => {
                    rule.requester_pays = true;
                    continue;
                }
                ("user_project", Some(text)) if service == Service::Gcs && is_project(text) => {
                    rule.user_project = Some(text.to_owned());
                    continue;
                }
                ("region", Some(text)) if service == Service::S3 && is_label(text) => {
                    rule.region = Some(text.to_owned());
                    continue;
                }
                ("endpoint", Some(text)) if service == Service::S3 && is_endpoint(text) => {
                    rule.endpoint = Some(text.to_owned());
                    continue;
                }
                ("bearer_env" | "header_env", Some(text)) => {
                    headers.push(Header::parse(name, text).ok_or_else(|| service.unknown(name, text))?);
                    continue;
                }
                _ => Source::parse(name, text).ok_or_else(|| service.unknown(name, text.unwrap_or_default()))?,
            };
            if source.replace(found).is_some() {
                return Err(format!(
                    "expected one source of credentials, found several (valid are {})",
                    service.forms()
                ));
            }
        }
        rule.source = match (source, headers.is_empty()) {
            (Some(source), true) => source,
            (None, false) => Source::Headers(headers),
            (None, true) => Source::Environment,
            (Some(_), false) => {
                return Err(format!(
                    "expected one source of credentials, found several (valid are {})",
                    service.forms()
                ));
            }
        };
        if !service.takes(&rule.source) {
            return Err(format!("expected {} for this kind of location", service.forms()));
        }
        rule.check_reach()?;
        Ok(rule)
    }

    /// A secret that is sent unchanged requires a prefix with its host.
    fn check_reach(&self) -> Result<(), String> {
        let has_secret = !matches!(self.source, Source::Anonymous | Source::Netrc(_) | Source::ConnectionString(_));
        let names_host = match self.service {
            Service::Http => self.prefix.split_once("://").is_some_and(|(_, host)| !host.is_empty()),
            Service::Azure => self.source == Source::Environment || self.prefix.contains(".blob.core.windows.net"),
            Service::S3 | Service::Gcs => true,
        };
        match !has_secret || names_host {
            true => Ok(()),
            false => {
                Err("expected a prefix that names the account or the host, because its secrets are sent there"
                    .to_owned())
            }
        }
    }

    /// Whether a location with this canonical name is below the prefix.
    pub(crate) fn covers(&self, name: &str) -> bool {
        match name.strip_prefix(self.prefix.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with('/') || self.prefix.ends_with("://"),
            None => false,
        }
    }
}

impl Source {
    /// The credentials in words, for errors.
    pub(crate) fn described(&self) -> String {
        match self {
            Self::Anonymous => "no credentials".to_owned(),
            Self::Environment => "the credentials of the environment".to_owned(),
            Self::MetadataService => "the credentials of the metadata service".to_owned(),
            Self::AzureCli => "a token of the Azure CLI".to_owned(),
            Self::Profile(name) => format!("the credentials of profile '{name}'"),
            Self::File(path) => {
                format!("the credentials of {}", crate::types::location::redacted(&path.to_string_lossy()))
            }
            Self::Netrc(_) => "the login of .netrc".to_owned(),
            Self::Headers(headers) => match headers.as_slice() {
                [Header { scheme: "", name, variable }] => format!("the header {name} of {variable}"),
                [Header { variable, .. }] => format!("the bearer token of {variable}"),
                _ => "the headers of the credential map".to_owned(),
            },
            Self::SasEnv(variable) => format!("the SAS of {variable}"),
            Self::SasUrl(url) => format!("a SAS of {}", crate::types::location::redacted(url)),
            Self::AccountKey(variable) => format!("the account key of {variable}"),
            Self::ConnectionString(variable) => format!("the connection string of {variable}"),
        }
    }

    fn parse(name: &str, text: Option<&str>) -> Option<Self> {
        Some(match (name, text) {
            ("anonymous", None) => Self::Anonymous,
            ("environment", None) => Self::Environment,
            ("metadata_service", None) => Self::MetadataService,
            ("azure_cli", None) => Self::AzureCli,
            ("netrc", None) => Self::Netrc(None),
            ("netrc", Some(file)) => Self::Netrc(Some(file.into())),
            ("profile", Some(name)) => Self::Profile(name.to_owned()),
            ("credentials_file", Some(file)) => Self::File(file.into()),
            ("sas_env", Some(variable)) => Self::SasEnv(Variable::parse(variable)?),
            ("account_key_env", Some(variable)) => Self::AccountKey(Variable::parse(variable)?),
            ("connection_string_env", Some(variable)) => Self::ConnectionString(Variable::parse(variable)?),
            ("sas_url", Some(url)) => {
                let is_url =
                    Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
                is_url.then(|| Self::SasUrl(url.to_owned()))?
            }
            _ => return None,
        })
    }
}

impl Header {
    fn parse(term: &str, text: &str) -> Option<Self> {
        if term == "bearer_env" {
            let name = reqwest::header::AUTHORIZATION;
            return Some(Self { name, scheme: "Bearer ", variable: Variable::parse(text)? });
        }
        let (name, variable) = text.split_once(':')?;
        let name: HeaderName = name.trim().parse().ok()?;
        let is_allowed = !RESERVED_HEADERS.contains(&name.as_str());
        is_allowed.then_some(Self { name, scheme: "", variable: Variable::parse(variable.trim())? })
    }
}

impl Service {
    /// An unknown term. The word before `=` is only shown if it cannot be a secret.
    fn unknown(self, name: &str, text: &str) -> String {
        let is_word = name.len() <= 24 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let found = match is_word && !text.is_empty() {
            true => format!("found '{name}=' with another value"),
            false => "found another value".to_owned(),
        };
        format!("expected {}, {found}", self.forms())
    }
}

impl Variable {
    fn parse(name: &str) -> Option<Self> {
        let is_name = name.len() <= 128
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_name.then(|| Self(name.to_owned()))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }
}

/// A token instead of the name of a variable is not shown.
impl std::fmt::Display for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let is_upper = self.0.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        let is_words = self.0.contains('_') || !self.0.bytes().any(|byte| byte.is_ascii_digit());
        match is_upper && is_words && self.0.len() <= 64 {
            true => write!(f, "environment variable {}", self.0),
            false => f.write_str("the environment variable that its value names"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(service: Service, value: &str) -> Result<Rule, String> {
        let prefix = match service {
            Service::S3 => "s3://b",
            Service::Gcs => "gs://b",
            Service::Azure => "az://a.blob.core.windows.net/c",
            Service::Http => "https://h",
        };
        Rule::parse(prefix.to_owned(), service, value)
    }

    #[test]
    fn values() {
        let rule = parse(Service::S3, "profile=work, requester_pays,region=eu-west-1").unwrap();
        assert_eq!(rule.source, Source::Profile("work".to_owned()));
        assert!(rule.requester_pays && rule.region.as_deref() == Some("eu-west-1"));
        assert_eq!(parse(Service::S3, "requester_pays").unwrap().source, Source::Environment);
        let rule = parse(Service::Gcs, "credentials_file=/a.json, user_project=example.com:mine-1").unwrap();
        assert_eq!(rule.user_project.as_deref(), Some("example.com:mine-1"));
        assert!(parse(Service::Gcs, "user_project=two words").is_err());
        assert!(parse(Service::S3, "user_project=mine").is_err());
        assert_eq!(parse(Service::Http, "netrc=/a/b").unwrap().source, Source::Netrc(Some("/a/b".into())));
        let headers = parse(Service::Http, "header_env=X-Api-Key:API_KEY,bearer_env=TOKEN").unwrap().source;
        let Source::Headers(headers) = headers else { panic!("{headers:?}") };
        assert_eq!((headers[0].name.as_str(), headers[0].scheme, headers[1].scheme), ("x-api-key", "", "Bearer "));
        assert!(parse(Service::Azure, "sas_url=https://h/token/{account}/{container}").is_ok());
        assert!(parse(Service::Gcs, "bearer_env=TOKEN").is_ok());
    }

    #[test]
    fn invalid_values_are_errors_without_secrets() {
        for (service, value) in [
            (Service::S3, ""),
            (Service::S3, "SECRET"),
            (Service::S3, "secret"),
            (Service::S3, "profile="),
            (Service::S3, "profile=a,anonymous"),
            (Service::S3, "bearer_env=SECRET"),
            (Service::S3, "endpoint=SECRET"),
            (Service::Http, "bearer=SECRET"),
            (Service::Http, "bearer_env=eyJ.SECRET"),
            (Service::Http, "header_env=SECRET"),
            (Service::Http, "header_env=Host:SECRET"),
            (Service::Http, "Authorization: Bearer SECRET"),
            (Service::Http, "sas_url=sv=1&sig=SECRET"),
            (Service::Http, "profile=SECRET"),
            (Service::Gcs, "header_env=X:SECRET"),
            (Service::Azure, "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=SECRET"),
            (Service::Http, "SECRET=x"),
        ] {
            let error = parse(service, value).unwrap_err();
            assert!(error.contains("expected") && !error.to_ascii_uppercase().contains("SECRET"), "{value}: {error}");
        }
        let error = parse(Service::Http, "bearer=SECRET").unwrap_err();
        assert!(
            error.contains("bearer_env=VARIABLE") && error.ends_with("found 'bearer=' with another value"),
            "{error}"
        );
    }

    #[test]
    fn secrets_require_a_prefix_with_a_host() {
        let wide = |service, prefix: &str, value: &str| Rule::parse(prefix.to_owned(), service, value);
        assert!(wide(Service::Http, "https://", "bearer_env=TOKEN").is_err());
        assert!(wide(Service::Http, "https://", "netrc").is_ok());
        assert!(wide(Service::Azure, "az://", "sas_env=SAS").is_err());
        assert!(wide(Service::Azure, "az://", "anonymous").is_ok());
        assert!(wide(Service::S3, "s3://", "profile=work").is_ok());
    }

    #[test]
    fn prefixes_match_whole_segments() {
        let rule = parse(Service::S3, "anonymous").unwrap();
        assert!(rule.covers("s3://b/k") && rule.covers("s3://b") && !rule.covers("s3://bb/k"));
        let all = Rule::parse("s3://".to_owned(), Service::S3, "anonymous").unwrap();
        assert!(all.covers("s3://b/k") && !all.covers("gs://b/k"));
    }

    #[test]
    fn a_token_instead_of_a_variable_is_not_shown() {
        let shown = |name: &str| Variable(name.to_owned()).to_string();
        assert!(shown("EDL_TOKEN").ends_with(" EDL_TOKEN") && shown("TOKEN").ends_with(" TOKEN"));
        for secret in ["AKIAIOSFODNN7EXAMPLE", "abcdef0123456789", "wJalrXUtnFEMI"] {
            assert!(!shown(secret).contains(secret));
        }
    }
}
