//! Credentials of the clouds, read from the environment once.
//!
//! An unusable value is an error for all files of its cloud (see [`environment`]).
//!
//! The order is: variables, then the clouds' own files (profiles of AWS, the login of Google's tools), else none. Metadata services are used
//! only if `RASTERET_AWS_CREDENTIALS` or a rule of `rasteret_credentials` selects them. `Debug` shows no credentials.
//!
//! | module | contains |
//! |---|---|
//! | [`login`], [`netrc`], [`cookies`] | credentials of URLs |
//! | [`aws`] | profiles, roles, single sign-on |
//! | [`azure`], [`sas`] | connection strings, shared access signatures |
//! | [`google`] | tokens of users and of other identity providers |
//! | [`expiring`], [`renewal`] | renewal of credentials |
//!
//! | cloud | signed when | also read |
//! |---|---|---|
//! | S3 | `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (and `AWS_SESSION_TOKEN`), `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN`, or `RASTERET_AWS_CREDENTIALS=imds` | `AWS_REGION`, `AWS_DEFAULT_REGION`, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, `AWS_REQUEST_PAYER`, `AWS_VIRTUAL_HOSTED_STYLE_REQUEST`; never signed with `AWS_NO_SIGN_REQUEST` or `AWS_SKIP_SIGNATURE` |
//! | GCS | `GOOGLE_SERVICE_ACCOUNT`, `GOOGLE_SERVICE_ACCOUNT_PATH`, `GOOGLE_SERVICE_ACCOUNT_KEY` or `GOOGLE_APPLICATION_CREDENTIALS` | `STORAGE_EMULATOR_HOST`, `GS_USER_PROJECT` |
//! | Azure | `AZURE_STORAGE_ACCOUNT_KEY`, `AZURE_STORAGE_ACCESS_KEY`, `AZURE_STORAGE_SAS_TOKEN`, `AZURE_STORAGE_SAS_KEY`, `AZURE_STORAGE_TOKEN`, `AZURE_STORAGE_CONNECTION_STRING`, or client id and tenant with a secret or `AZURE_FEDERATED_TOKEN_FILE` | `AZURE_STORAGE_ACCOUNT_NAME`, `AZURE_STORAGE_ACCOUNT`, `AZURE_STORAGE_ENDPOINT` |

pub(crate) mod aws;
mod azure;
mod cookies;
mod expiring;
mod google;
mod login;
mod netrc;
mod renewal;
mod sas;
mod variables;

use std::fmt;
use std::sync::{Arc, OnceLock};

use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};

use crate::StoreError;
use crate::store::environment::{self, Unusable};
use crate::types::location::StoreKey;

pub(crate) use azure::{AzureBearer, BearerProvider, ConnectionString, GoogleBearer, SasProvider};
pub(crate) use google::{Kind as GoogleKind, shown as shown_path, well_known_file};
pub(crate) use login::UrlLogin;
pub(crate) use renewal::Renewal;
pub(crate) use sas::{SasTokens, pairs as sas_pairs};
pub(crate) use variables::Variables;

/// Credentials for signing requests; anonymous by default.
#[derive(Clone, Default)]
pub(crate) struct Credentials {
    pub(crate) aws: Aws,
    pub(crate) aws_region: Option<String>,
    pub(crate) aws_endpoint: Option<String>,
    pub(crate) aws_request_payer: bool,
    pub(crate) aws_virtual_hosted: bool,
    pub(crate) google: Option<Google>,
    pub(crate) google_endpoint: Option<String>,
    pub(crate) google_user_project: Option<String>,
    pub(crate) azure: Azure,
    pub(crate) variables: Variables,
    unusable: Unusable,
    usual: Arc<Usual>,
}

/// Whether the configuration files of clouds have credentials. Determined on first use.
#[derive(Default)]
struct Usual {
    aws: OnceLock<bool>,
    google: OnceLock<bool>,
}

#[derive(Clone, Default)]
pub(crate) enum Aws {
    /// No variable has keys, but profile files may.
    #[default]
    Files,
    /// Requests are not signed, even if files have credentials.
    Anonymous,
    Keys {
        id: String,
        secret: String,
        token: Option<String>,
    },
    /// The credential chain of object_store, with these variables.
    Chain(Vec<(String, String)>),
}

#[derive(Clone)]
pub(crate) struct Google(Vec<(GoogleConfigKey, String)>);

#[derive(Clone, Default)]
pub(crate) struct Azure {
    pub(crate) account: Option<String>,
    pub(crate) endpoint: Option<String>,
    secrets: Option<AzureSecrets>,
}

#[derive(Clone)]
pub(crate) struct AzureSecrets(Vec<(AzureConfigKey, String)>);

/// Variables of the credential chain enabled by `RASTERET_AWS_CREDENTIALS=imds`, with the names of object_store.
const AWS_CHAIN: &[&str] = &[
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_METADATA_ENDPOINT",
    "AWS_IMDSV1_FALLBACK",
];

/// Variables with secrets of Azure.
const AZURE_SECRETS: &[(&str, AzureConfigKey)] = &[
    ("AZURE_STORAGE_ACCOUNT_KEY", AzureConfigKey::AccessKey),
    ("AZURE_STORAGE_ACCESS_KEY", AzureConfigKey::AccessKey),
    ("AZURE_STORAGE_KEY", AzureConfigKey::AccessKey),
    ("AZURE_STORAGE_SAS_TOKEN", AzureConfigKey::SasKey),
    ("AZURE_STORAGE_SAS_KEY", AzureConfigKey::SasKey),
    ("AZURE_STORAGE_TOKEN", AzureConfigKey::Token),
    ("AZURE_STORAGE_CLIENT_ID", AzureConfigKey::ClientId),
    ("AZURE_CLIENT_ID", AzureConfigKey::ClientId),
    ("AZURE_STORAGE_CLIENT_SECRET", AzureConfigKey::ClientSecret),
    ("AZURE_CLIENT_SECRET", AzureConfigKey::ClientSecret),
    ("AZURE_STORAGE_TENANT_ID", AzureConfigKey::AuthorityId),
    ("AZURE_TENANT_ID", AzureConfigKey::AuthorityId),
    ("AZURE_FEDERATED_TOKEN_FILE", AzureConfigKey::FederatedTokenFile),
    ("AZURE_AUTHORITY_HOST", AzureConfigKey::AuthorityHost),
];

impl Credentials {
    /// From these variables; empty ones count as unset.
    pub(crate) fn from_variables(variables: Variables) -> Self {
        let get = |name: &str| variables.get(name);
        let connection = get("AZURE_STORAGE_CONNECTION_STRING").map(|text| ConnectionString::parse(&text));
        let mut unusable = environment::check(get);
        if let (Some(Err(what)), None) = (&connection, &unusable.azure) {
            unusable.azure = Some(format!("environment variable AZURE_STORAGE_CONNECTION_STRING: {what}"));
        }
        let connection = connection.and_then(Result::ok);
        let first = |names: &[&str]| names.iter().find_map(|name| get(name));
        let flag = |name: &str| get(name).is_some_and(|value| is_yes(&value));
        Self {
            aws: match (get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")) {
                _ if flag("AWS_NO_SIGN_REQUEST") || flag("AWS_SKIP_SIGNATURE") => Aws::Anonymous,
                (Some(id), Some(secret)) => Aws::Keys { id, secret, token: get("AWS_SESSION_TOKEN") },
                _ if get("RASTERET_AWS_CREDENTIALS").is_some_and(|value| value.eq_ignore_ascii_case("imds")) => {
                    Aws::Chain(aws_chain(&variables))
                }
                _ => Aws::Files,
            },
            aws_region: first(&["AWS_REGION", "AWS_DEFAULT_REGION"]),
            aws_endpoint: first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]),
            // AWS writes `requester`, object_store and others `true`.
            aws_request_payer: get("AWS_REQUEST_PAYER").is_some_and(|value| is_yes(&value) || value == "requester"),
            aws_virtual_hosted: flag("AWS_VIRTUAL_HOSTED_STYLE_REQUEST"),
            google: some(collect(
                &get,
                &[
                    ("GOOGLE_SERVICE_ACCOUNT", GoogleConfigKey::ServiceAccount),
                    ("GOOGLE_SERVICE_ACCOUNT_PATH", GoogleConfigKey::ServiceAccount),
                    ("GOOGLE_SERVICE_ACCOUNT_KEY", GoogleConfigKey::ServiceAccountKey),
                    ("GOOGLE_APPLICATION_CREDENTIALS", GoogleConfigKey::ApplicationCredentials),
                ],
            ))
            .map(Google),
            google_endpoint: get("STORAGE_EMULATOR_HOST"),
            google_user_project: get("GS_USER_PROJECT"),
            azure: Azure::new(
                first(&["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"]),
                first(&["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"]),
                some(collect(&get, AZURE_SECRETS))
                    // An id without its secret would cause a request to the metadata service.
                    .filter(|secrets| has_secret(secrets))
                    .map(AzureSecrets),
                connection,
            ),
            variables: variables.clone(),
            unusable,
            usual: Arc::default(),
        }
    }

    /// Fails if a variable of the bucket's or container's cloud cannot be used.
    pub(crate) fn check(&self, store: &StoreKey) -> Result<(), StoreError> {
        self.unusable.clone().of(store).map_or(Ok(()), |what| Err(StoreError::Other(what)))
    }

    /// Fails if an address in the variables of the bucket's or container's cloud cannot be used, also by a rule.
    pub(crate) fn check_addresses(&self, store: &StoreKey) -> Result<(), StoreError> {
        let get = |name: &str| self.variables.get(name);
        let unusable = environment::check_addresses(get).of(store);
        unusable.map_or(Ok(()), |what| Err(StoreError::Other(what)))
    }

    /// Whether requests to this bucket or container are signed.
    pub(crate) fn cover(&self, store: &StoreKey) -> bool {
        match store {
            StoreKey::S3 { .. } => match self.aws {
                Aws::Anonymous => false,
                Aws::Keys { .. } | Aws::Chain(_) => true,
                Aws::Files => self.has_aws_files(),
            },
            StoreKey::Gcs { .. } => self.google.is_some() || self.has_google_file(),
            StoreKey::Azure { account, .. } => account
                .as_deref()
                .or(self.azure.account.as_deref())
                .is_some_and(|name| self.azure.of_account(name).is_some()),
        }
    }
}

impl Credentials {
    /// Whether a profile or a web identity of AWS is to be used. Unreadable files are included: the first request returns their error.
    fn has_aws_files(&self) -> bool {
        let look = || {
            self.variables.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some()
                || match aws::Profiles::read(&self.variables).and_then(|profiles| profiles.usual(&self.variables)) {
                    Ok(profile) => profile.is_some_and(|profile| profile.has_credentials()),
                    Err(_) => true,
                }
        };
        *self.usual.aws.get_or_init(look)
    }

    fn has_google_file(&self) -> bool {
        *self.usual.google.get_or_init(|| well_known_file(&self.variables).is_some())
    }
}

/// The variables of the chain that ends at the metadata service.
pub(crate) fn aws_chain(variables: &Variables) -> Vec<(String, String)> {
    AWS_CHAIN.iter().filter_map(|name| Some(((*name).to_owned(), variables.get(name)?))).collect()
}

impl Google {
    /// The file defined by the variables.
    pub(crate) fn file(&self) -> Option<&str> {
        let is_file = |key: &GoogleConfigKey| {
            matches!(key, GoogleConfigKey::ServiceAccount | GoogleConfigKey::ApplicationCredentials)
        };
        match self.0.iter().any(|(key, _)| *key == GoogleConfigKey::ServiceAccountKey) {
            true => None,
            false => self.0.iter().find(|(key, _)| is_file(key)).map(|(_, path)| path.as_str()),
        }
    }

    pub(crate) fn apply(&self, builder: GoogleCloudStorageBuilder) -> GoogleCloudStorageBuilder {
        self.0.iter().fold(builder, |builder, (key, value)| builder.with_config(*key, value))
    }
}

impl Azure {
    /// A connection string is used if no other variable has a secret.
    fn new(
        account: Option<String>,
        endpoint: Option<String>,
        secrets: Option<AzureSecrets>,
        connection: Option<ConnectionString>,
    ) -> Self {
        match connection.filter(|_| secrets.is_none()) {
            Some(connection) => {
                let secrets = AzureSecrets::of_connection(&connection);
                let endpoint = endpoint.or(connection.endpoint);
                Self { account: Some(connection.account), endpoint, secrets: Some(secrets) }
            }
            None => Self { account, endpoint, secrets },
        }
    }

    /// The secrets for an account: only those of the account named by `AZURE_STORAGE_ACCOUNT_NAME`. Without that
    /// variable their owner is unknown, and an href may name any account.
    pub(crate) fn of_account(&self, account: &str) -> Option<&AzureSecrets> {
        let is_its = self.account.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(account));
        self.secrets.as_ref().filter(|_| is_its)
    }
}

impl AzureSecrets {
    pub(crate) fn of_connection(connection: &ConnectionString) -> Self {
        let pair = |key, value: &Option<String>| value.clone().map(|value| (key, value));
        let key = pair(AzureConfigKey::AccessKey, &connection.key);
        Self(key.or_else(|| pair(AzureConfigKey::SasKey, &connection.sas)).into_iter().collect())
    }

    /// Whether they are exchanged for tokens, which may become invalid before their expiry.
    pub(crate) fn are_renewable(&self) -> bool {
        let has = |wanted| self.0.iter().any(|(key, _)| *key == wanted);
        has(AzureConfigKey::ClientId) && !has(AzureConfigKey::Token) && !has(AzureConfigKey::AccessKey)
    }

    /// The secret that requests are signed with, in words.
    pub(crate) fn described(&self) -> &'static str {
        let has = |wanted| self.0.iter().any(|(key, _)| *key == wanted);
        if has(AzureConfigKey::Token) {
            "a bearer token of the environment"
        } else if has(AzureConfigKey::AccessKey) {
            "the account key of the environment"
        } else if has(AzureConfigKey::FederatedTokenFile) {
            "the workload identity of AZURE_FEDERATED_TOKEN_FILE"
        } else if has(AzureConfigKey::ClientSecret) {
            "the service principal of AZURE_CLIENT_ID"
        } else {
            "a SAS of the environment"
        }
    }

    pub(crate) fn apply(&self, builder: MicrosoftAzureBuilder) -> MicrosoftAzureBuilder {
        self.0.iter().fold(builder, |builder, (key, value)| builder.with_config(*key, value))
    }
}

fn collect<K: Copy>(get: &impl Fn(&str) -> Option<String>, known: &[(&str, K)]) -> Vec<(K, String)> {
    known.iter().filter_map(|(name, key)| Some((*key, get(name)?))).collect()
}

fn some<T>(items: Vec<T>) -> Option<Vec<T>> {
    (!items.is_empty()).then_some(items)
}

fn has_secret(settings: &[(AzureConfigKey, String)]) -> bool {
    let has = |wanted| settings.iter().any(|(key, _)| *key == wanted);
    has(AzureConfigKey::AccessKey)
        || has(AzureConfigKey::SasKey)
        || has(AzureConfigKey::Token)
        || (has(AzureConfigKey::ClientId)
            && has(AzureConfigKey::AuthorityId)
            && (has(AzureConfigKey::ClientSecret) || has(AzureConfigKey::FederatedTokenFile)))
}

fn is_yes(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "yes" | "true" | "1" | "on")
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Credentials {
        let known: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Credentials::from_variables(Variables::new(move |name| {
            Some(known.iter().find(|(own, _)| own == name)?.1.clone())
        }))
    }

    fn s3() -> StoreKey {
        StoreKey::S3 { bucket: "b".to_owned(), region: None }
    }

    fn azure(account: &str) -> StoreKey {
        StoreKey::Azure { account: Some(account.to_owned()), container: "c".to_owned(), sas: None }
    }

    const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "SECRET")];

    #[test]
    fn s3_is_signed_only_with_both_keys() {
        assert!(with(&KEYS).cover(&s3()));
        for unsigned in [&[][..], &KEYS[..1], &[KEYS[0], ("AWS_SECRET_ACCESS_KEY", "")]] {
            assert!(!with(unsigned).cover(&s3()), "{unsigned:?}");
        }
        assert!(!with(&[KEYS[0], KEYS[1], ("AWS_NO_SIGN_REQUEST", "YES")]).cover(&s3()));
        // Variables that cloud machines set by default.
        assert!(!with(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x"), ("AWS_REGION", "eu-west-1")]).cover(&s3()));
        assert!(with(&[("RASTERET_AWS_CREDENTIALS", "imds")]).cover(&s3()));
        assert!(!with(&[("RASTERET_AWS_CREDENTIALS", "no")]).cover(&s3()));
    }

    #[test]
    fn other_settings_of_s3() {
        assert!(with(&[("AWS_REQUEST_PAYER", "requester")]).aws_request_payer);
        assert!(!with(&[("AWS_REQUEST_PAYER", "")]).aws_request_payer);
        let endpoint = with(&[("AWS_ENDPOINT_URL", "http://a"), ("AWS_ENDPOINT_URL_S3", "http://b")]).aws_endpoint;
        assert_eq!(endpoint.as_deref(), Some("http://b"));
        assert_eq!(with(&[("AWS_DEFAULT_REGION", "eu-west-1")]).aws_region.as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn azure_secrets_are_only_used_for_their_account() {
        let of_one = with(&[("AZURE_STORAGE_ACCOUNT_NAME", "one"), ("AZURE_STORAGE_SAS_TOKEN", "sig=SECRET")]);
        assert!(of_one.cover(&azure("one")) && !of_one.cover(&azure("two")));
        for name in ["AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_TOKEN"] {
            assert!(!with(&[(name, "SECRET")]).cover(&azure("one")), "{name}");
        }
        assert!(!with(&[("AZURE_CLIENT_ID", "id")]).cover(&azure("one")));
    }

    #[test]
    fn gcs_is_signed_on_request() {
        let gcs = StoreKey::Gcs { bucket: "b".to_owned() };
        assert!(!with(&[]).cover(&gcs));
        assert!(with(&[("GOOGLE_APPLICATION_CREDENTIALS", "/x.json")]).cover(&gcs));
    }

    #[test]
    fn debug_output_contains_no_secrets() {
        assert!(!format!("{:#?}", with(&KEYS)).contains("SECRET"));
    }
}
