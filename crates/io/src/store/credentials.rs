//! The clouds' credentials, read from the environment once.
//!
//! A value that no request can be made with is an error for all files of its cloud (see [`environment`]).
//!
//! Owns which variables count. Nothing is read from profile files or metadata services. `Debug` shows none of it.
//!
//! | cloud | signed when | also read |
//! |---|---|---|
//! | S3 | `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (and `AWS_SESSION_TOKEN`), or `RASTERET_AWS_CREDENTIALS=imds` | `AWS_REGION`, `AWS_DEFAULT_REGION`, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, `AWS_REQUEST_PAYER`, `AWS_VIRTUAL_HOSTED_STYLE_REQUEST`; never signed with `AWS_NO_SIGN_REQUEST` or `AWS_SKIP_SIGNATURE` |
//! | GCS | `GOOGLE_SERVICE_ACCOUNT`, `GOOGLE_SERVICE_ACCOUNT_PATH`, `GOOGLE_SERVICE_ACCOUNT_KEY` or `GOOGLE_APPLICATION_CREDENTIALS` | `STORAGE_EMULATOR_HOST` |
//! | Azure | `AZURE_STORAGE_ACCOUNT_KEY`, `AZURE_STORAGE_ACCESS_KEY`, `AZURE_STORAGE_SAS_TOKEN`, `AZURE_STORAGE_SAS_KEY`, `AZURE_STORAGE_TOKEN`, or client id, secret and tenant | `AZURE_STORAGE_ACCOUNT_NAME`, `AZURE_STORAGE_ACCOUNT`, `AZURE_STORAGE_ENDPOINT` |

use std::fmt;

use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};

use crate::StoreError;
use crate::store::environment::{self, Unusable};
use crate::types::location::StoreKey;

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
    pub(crate) azure: Azure,
    unusable: Unusable,
}

#[derive(Clone, Default)]
pub(crate) enum Aws {
    #[default]
    Anonymous,
    Keys {
        id: String,
        secret: String,
        token: Option<String>,
    },
    /// Whatever object_store finds, with these variables for it.
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

/// Variables of the chain that `RASTERET_AWS_CREDENTIALS=imds` opens, as object_store names them.
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

impl Credentials {
    /// From the variables that `variable` knows; empty ones count as unset.
    pub(crate) fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| variable(name).filter(|value| !value.is_empty());
        let first = |names: &[&str]| names.iter().find_map(|name| get(name));
        let flag = |name: &str| get(name).is_some_and(|value| is_yes(&value));
        Self {
            aws: match (get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")) {
                _ if flag("AWS_NO_SIGN_REQUEST") || flag("AWS_SKIP_SIGNATURE") => Aws::Anonymous,
                (Some(id), Some(secret)) => Aws::Keys { id, secret, token: get("AWS_SESSION_TOKEN") },
                _ if get("RASTERET_AWS_CREDENTIALS").is_some_and(|value| value.eq_ignore_ascii_case("imds")) => {
                    Aws::Chain(AWS_CHAIN.iter().filter_map(|name| Some(((*name).to_owned(), get(name)?))).collect())
                }
                _ => Aws::Anonymous,
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
            azure: Azure {
                account: first(&["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"]),
                endpoint: first(&["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"]),
                secrets: some(collect(
                    &get,
                    &[
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
                    ],
                ))
                // An id without its secret would cause a request to the metadata service.
                .filter(|secrets| has_secret(secrets))
                .map(AzureSecrets),
            },
            unusable: environment::check(get),
        }
    }

    /// Fails if a variable of the bucket's or container's cloud cannot be used.
    pub(crate) fn check(&self, store: &StoreKey) -> Result<(), StoreError> {
        let unusable = match store {
            StoreKey::S3 { .. } => &self.unusable.aws,
            StoreKey::Gcs { .. } => &self.unusable.google,
            StoreKey::Azure { .. } => &self.unusable.azure,
        };
        unusable.clone().map_or(Ok(()), |what| Err(StoreError::Other(what)))
    }

    /// Whether requests to this bucket or container are signed.
    pub(crate) fn cover(&self, store: &StoreKey) -> bool {
        match store {
            StoreKey::S3 { .. } => !matches!(self.aws, Aws::Anonymous),
            StoreKey::Gcs { .. } => self.google.is_some(),
            StoreKey::Azure { account, .. } => account
                .as_deref()
                .or(self.azure.account.as_deref())
                .is_some_and(|name| self.azure.of_account(name).is_some()),
        }
    }
}

impl Google {
    pub(crate) fn apply(&self, builder: GoogleCloudStorageBuilder) -> GoogleCloudStorageBuilder {
        self.0.iter().fold(builder, |builder, (key, value)| builder.with_config(*key, value))
    }
}

impl Azure {
    /// The secrets for an account: only those of the account named by `AZURE_STORAGE_ACCOUNT_NAME`. Without that
    /// variable their owner is unknown, and an href may name any account.
    pub(crate) fn of_account(&self, account: &str) -> Option<&AzureSecrets> {
        let is_its = self.account.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(account));
        self.secrets.as_ref().filter(|_| is_its)
    }
}

impl AzureSecrets {
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
        || (has(AzureConfigKey::ClientId) && has(AzureConfigKey::ClientSecret) && has(AzureConfigKey::AuthorityId))
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
        Credentials::from_variables(|name| Some(known.iter().find(|(own, _)| own == name)?.1.clone()))
    }

    fn s3() -> StoreKey {
        StoreKey::S3 { bucket: "b".to_owned(), region: None }
    }

    fn azure(account: &str) -> StoreKey {
        StoreKey::Azure { account: Some(account.to_owned()), container: "c".to_owned() }
    }

    const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "SECRET")];

    #[test]
    fn s3_is_signed_with_both_keys_only() {
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
    fn azure_secrets_are_for_their_account() {
        let of_one = with(&[("AZURE_STORAGE_ACCOUNT_NAME", "one"), ("AZURE_STORAGE_SAS_TOKEN", "sig=SECRET")]);
        assert!(of_one.cover(&azure("one")) && !of_one.cover(&azure("two")));
        for name in ["AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_TOKEN"] {
            assert!(!with(&[(name, "SECRET")]).cover(&azure("one")), "{name}");
        }
        assert!(!with(&[("AZURE_CLIENT_ID", "id")]).cover(&azure("one")));
    }

    #[test]
    fn gcs_is_signed_when_asked_to() {
        let gcs = StoreKey::Gcs { bucket: "b".to_owned() };
        assert!(!with(&[]).cover(&gcs));
        assert!(with(&[("GOOGLE_APPLICATION_CREDENTIALS", "/x.json")]).cover(&gcs));
    }

    #[test]
    fn nothing_of_it_is_shown() {
        assert!(!format!("{:#?}", with(&KEYS)).contains("SECRET"));
    }
}
