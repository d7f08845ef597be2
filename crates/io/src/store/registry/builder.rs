//! Clients of buckets and containers, with the credentials of a rule or the environment.

use std::path::Path;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::{ObjectStore, StaticCredentialProvider};
use reqwest::header::HeaderValue;
use url::Url;

use crate::StoreError;
use crate::store::credentials::aws::{AwsProvider, AwsSource, Profile, Profiles, Resolver};
use crate::store::credentials::{
    Aws, AzureBearer, AzureSecrets, BearerProvider, ConnectionString, Credentials, GoogleBearer, GoogleKind,
    SasProvider, SasTokens, aws_chain, sas_pairs, shown_path, well_known_file,
};
use crate::store::transport::{Billed, Transport};
use crate::types::credentials::rule::{Header, Rule, Source};
use crate::types::location::{Sas, StoreKey};
use crate::types::url_text::{is_endpoint, is_label, with_scheme};

/// Creates clients.
pub(super) struct StoreBuilder {
    pub(super) transport: Transport,
    pub(super) credentials: Credentials,
}

/// A client, and the description of its requests.
pub(super) struct Built {
    pub(super) store: Arc<dyn ObjectStore>,
    /// For errors: `signed with profile 'work', region eu-west-1, host …`.
    pub(super) how: String,
    pub(super) region: Option<String>,
    /// Whether creating a new client may provide other credentials.
    pub(super) is_renewable: bool,
}

impl std::fmt::Debug for Built {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Clients print their settings.
        write!(f, "Built({})", self.how)
    }
}

/// Credentials of S3, and the settings of the service in a profile.
#[derive(Default)]
struct AwsPlan {
    how: String,
    region: Option<String>,
    endpoint: Option<String>,
    addressing: Option<String>,
    is_renewable: bool,
}

impl StoreBuilder {
    /// Creates a client for a rule or the environment, with the region reported by a server, if any.
    pub(super) async fn build(
        &self,
        key: &StoreKey,
        rule: Option<&Rule>,
        region: Option<String>,
    ) -> Result<Built, StoreError> {
        let source = rule.map_or(&Source::Environment, |rule| &rule.source);
        match source {
            Source::Environment => self.credentials.check(key)?,
            _ => self.credentials.check_addresses(key)?,
        }
        check_names(key)?;
        match key {
            StoreKey::S3 { bucket, region: named } => {
                self.s3(bucket, region.or_else(|| named.clone()), rule, source).await
            }
            StoreKey::Gcs { bucket } => self.gcs(bucket, rule, source).await,
            StoreKey::Azure { account, container, sas } => {
                self.azure(account.as_deref(), container, sas.as_ref(), source)
            }
        }
    }

    async fn s3(
        &self,
        bucket: &str,
        region: Option<String>,
        rule: Option<&Rule>,
        source: &Source,
    ) -> Result<Built, StoreError> {
        let credentials = &self.credentials;
        let builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_retry(no_retries())
            .with_http_connector(self.transport.clone())
            .with_request_payer(rule.is_some_and(|rule| rule.requester_pays) || credentials.aws_request_payer);
        let (builder, plan) = self.aws_credentials(builder, source).await?;
        // A rule, including its profile, takes precedence over a variable.
        let of_profile = |value: Option<String>| value.filter(|_| matches!(source, Source::Profile(_)));
        let endpoint = rule.and_then(|rule| rule.endpoint.clone());
        let endpoint =
            endpoint.or_else(|| of_profile(plan.endpoint.clone())).or_else(|| credentials.aws_endpoint.clone());
        let endpoint = endpoint.or(plan.endpoint);
        let own = rule.and_then(|rule| rule.region.clone()).or_else(|| of_profile(plan.region.clone()));
        let own = own.or_else(|| credentials.aws_region.clone()).or(plan.region);
        let region = match (&endpoint, region) {
            (_, Some(region)) => Some(region),
            (Some(_), None) => own,
            (None, None) => match rule.and_then(|rule| rule.region.clone()) {
                Some(region) => Some(region),
                // AWS_REGION is the region of the user's machine, not that of a public bucket.
                None => self.transport.bucket_region(bucket).await?.or(own),
            },
        };
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        let is_virtual = match plan.addressing.as_deref() {
            Some("virtual") => true,
            Some("path") => false,
            _ => credentials.aws_virtual_hosted,
        };
        let (builder, host) = addressed(builder, endpoint.as_deref(), bucket, &region, is_virtual);
        let store = built(builder.with_region(&region).build())?;
        let how = format!("the request was {}, region {region}, host {host}", plan.how);
        Ok(Built { store, how, region: Some(region), is_renewable: plan.is_renewable })
    }

    async fn aws_credentials(
        &self,
        builder: AmazonS3Builder,
        source: &Source,
    ) -> Result<(AmazonS3Builder, AwsPlan), StoreError> {
        match (source, &self.credentials.aws) {
            (Source::Anonymous, _) | (Source::Environment, Aws::Anonymous) => Ok(unsigned(builder)),
            (Source::Profile(name), _) => {
                let profiles = self.profiles().await?;
                let profile = profiles.named(name)?;
                self.profile(builder, profiles, profile)
            }
            (Source::MetadataService, _) => Ok(chained(builder, &aws_chain(&self.credentials.variables))),
            (_, Aws::Chain(settings)) => Ok(chained(builder, settings)),
            (_, Aws::Keys { id, secret, token }) => {
                let builder = builder.with_access_key_id(id).with_secret_access_key(secret);
                let builder = match token {
                    Some(token) => builder.with_token(token),
                    None => builder,
                };
                let how = match token {
                    Some(_) => "signed with AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN",
                    None => "signed with AWS_ACCESS_KEY_ID",
                };
                Ok((builder, AwsPlan { how: how.to_owned(), ..AwsPlan::default() }))
            }
            (_, Aws::Files | Aws::Anonymous) => self.aws_files(builder).await,
        }
    }

    /// The usual profile, else the web identity of the environment, else none.
    async fn aws_files(&self, builder: AmazonS3Builder) -> Result<(AmazonS3Builder, AwsPlan), StoreError> {
        let variables = &self.credentials.variables;
        let profiles = self.profiles().await?;
        match profiles.usual(variables)? {
            Some(profile) if profile.has_credentials() => self.profile(builder, profiles, profile),
            _ if variables.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some() => {
                let how = "signed with the web identity of AWS_ROLE_ARN".to_owned();
                let builder = builder.with_credentials(self.provider(AwsSource::WebIdentity));
                Ok((builder, AwsPlan { how, is_renewable: true, ..AwsPlan::default() }))
            }
            // A profile without credentials may define an endpoint.
            Some(profile) => {
                let (_, plan) = self.profile(AmazonS3Builder::new(), profiles, profile)?;
                let (builder, AwsPlan { how, .. }) = unsigned(builder);
                Ok((builder, AwsPlan { how, is_renewable: false, ..plan }))
            }
            None => Ok(unsigned(builder)),
        }
    }

    async fn profiles(&self) -> Result<Arc<Profiles>, StoreError> {
        let variables = self.credentials.variables.clone();
        let read = tokio::task::spawn_blocking(move || Profiles::read(&variables)).await;
        read.map_err(|_| StoreError::Other("internal error: a reading thread panicked".to_owned()))?.map(Arc::new)
    }

    fn profile(
        &self,
        builder: AmazonS3Builder,
        profiles: Arc<Profiles>,
        profile: Profile,
    ) -> Result<(AmazonS3Builder, AwsPlan), StoreError> {
        let (region, endpoint) = (profile.get("region"), profiles.endpoint(&profile, "s3"));
        // The endpoint may contain a password.
        if endpoint.as_deref().is_some_and(|endpoint| !is_endpoint(endpoint)) {
            return Err(profile.fault("endpoint_url: expected a URL such as https://host:port"));
        }
        if region.is_some_and(|region| !is_label(region)) {
            return Err(profile.fault("region: expected letters, digits, dots, hyphens and underscores"));
        }
        let plan = AwsPlan {
            how: format!("signed with AWS profile '{}'", profile.name),
            region: region.map(str::to_owned),
            endpoint,
            addressing: profile.get("s3.addressing_style").map(str::to_owned),
            is_renewable: true,
        };
        Ok((builder.with_credentials(self.provider(AwsSource::Profile(profiles, profile))), plan))
    }

    fn provider(&self, source: AwsSource) -> Arc<AwsProvider> {
        let resolver = Resolver { transport: self.transport.clone(), variables: self.credentials.variables.clone() };
        Arc::new(AwsProvider::new(source, resolver))
    }

    async fn gcs(&self, bucket: &str, rule: Option<&Rule>, source: &Source) -> Result<Built, StoreError> {
        let credentials = &self.credentials;
        let user_project =
            rule.and_then(|rule| rule.user_project.as_ref()).or(credentials.google_user_project.as_ref());
        let project = user_project.map(|project| HeaderValue::try_from(project.as_str())).transpose();
        let project = project.map_err(|_| StoreError::Other("not a valid name of a project of Google".to_owned()))?;
        let builder = GoogleCloudStorageBuilder::new()
            .with_bucket_name(bucket)
            .with_retry(no_retries())
            .with_http_connector(Billed { transport: self.transport.clone(), project });
        let (builder, host) = match &credentials.google_endpoint {
            Some(endpoint) => (builder.with_base_url(&with_scheme(endpoint)), host_of(&with_scheme(endpoint))),
            None => (builder, "storage.googleapis.com".to_owned()),
        };
        let mut is_renewable = false;
        let (builder, how) = match source {
            Source::File(path) => {
                is_renewable = true;
                self.google_file(builder, path).await?
            }
            Source::Headers(headers) => {
                (builder.with_credentials(Arc::new(GoogleBearer(self.bearer(headers)?))), described(source))
            }
            Source::MetadataService => {
                // Without a file, object_store uses the metadata service, and renews its token.
                let builder = match well_known_file(&credentials.variables) {
                    Some(_) => {
                        return Err(StoreError::Other(
                            "metadata_service: Google's well-known credentials file is in its way".to_owned(),
                        ));
                    }
                    None => builder,
                };
                (builder, "signed with the token of the metadata service".to_owned())
            }
            Source::Environment => match (&credentials.google, well_known_file(&credentials.variables)) {
                (Some(google), _) => match google.file() {
                    Some(path) => {
                        is_renewable = true;
                        self.google_file(builder, Path::new(path)).await?
                    }
                    None => (google.apply(builder), "signed with the service account of the environment".to_owned()),
                },
                (None, Some(path)) => {
                    is_renewable = true;
                    self.google_file(builder, &path).await?
                }
                (None, None) => unsigned_google(builder),
            },
            _ => unsigned_google(builder),
        };
        let how = format!("the request was {how}, host {host}");
        Ok(Built { store: built(builder.build())?, how, region: None, is_renewable })
    }

    async fn google_file(
        &self,
        builder: GoogleCloudStorageBuilder,
        path: &Path,
    ) -> Result<(GoogleCloudStorageBuilder, String), StoreError> {
        let (transport, owned) = (self.transport.clone(), path.to_owned());
        let read = tokio::task::spawn_blocking(move || GoogleKind::read(&owned, &transport)).await;
        let kind = read.map_err(|_| StoreError::Other("internal error: a reading thread panicked".to_owned()))??;
        let how = format!("signed with the credentials of {}", shown_path(path));
        Ok(match kind {
            GoogleKind::ServiceAccount => (builder.with_service_account_path(path.to_string_lossy()), how),
            GoogleKind::Tokens(tokens) => (builder.with_credentials(tokens), how),
        })
    }

    fn bearer(&self, headers: &[Header]) -> Result<BearerProvider, StoreError> {
        let variable = headers.first().map(|header| header.variable.clone());
        let variable = variable.ok_or_else(|| StoreError::Other("expected a bearer token".to_owned()))?;
        Ok(BearerProvider { variables: self.credentials.variables.clone(), variable })
    }

    fn azure(
        &self,
        account: Option<&str>,
        container: &str,
        sas: Option<&Sas>,
        source: &Source,
    ) -> Result<Built, StoreError> {
        let credentials = &self.credentials.azure;
        let connection = match source {
            Source::ConnectionString(variable) => {
                let text = self.credentials.variables.required(variable)?;
                Some(ConnectionString::parse(&text).map_err(|what| StoreError::Other(format!("{variable}: {what}")))?)
            }
            _ => None,
        };
        let own = connection.as_ref().map(|connection| connection.account.as_str());
        let Some(account) = account.or(own).or(credentials.account.as_deref()) else {
            return Err(StoreError::Other(
                "no storage account: expected az://account.blob.core.windows.net/container/key, or AZURE_STORAGE_ACCOUNT_NAME set"
                    .to_owned(),
            ));
        };
        if own.is_some_and(|own| !own.eq_ignore_ascii_case(account)) {
            return Err(StoreError::Other(format!("the connection string is of another account than {account}")));
        }
        let endpoint = connection.as_ref().map_or(&credentials.endpoint, |connection| &connection.endpoint);
        let host = endpoint.as_deref().map_or_else(|| format!("{account}.blob.core.windows.net"), host_of);
        let mut builder = MicrosoftAzureBuilder::new()
            .with_account(account)
            .with_container_name(container)
            .with_retry(no_retries())
            .with_http_connector(self.transport.clone());
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint.clone()).with_allow_http(true);
        }
        let (builder, how) = match sas {
            Some(Sas(sas)) => {
                let pairs: Vec<_> = sas_pairs(sas).collect();
                (builder.with_sas_authorization(pairs), "signed with the SAS in the location".to_owned())
            }
            None => self.azure_credentials(builder, account, container, source, connection.as_ref())?,
        };
        let how = format!("the request was {how}, host {host}");
        let is_renewable = match source {
            _ if sas.is_some() => false,
            Source::Anonymous | Source::AccountKey(_) => false,
            Source::Environment => credentials.of_account(account).is_some_and(AzureSecrets::are_renewable),
            _ => true,
        };
        Ok(Built { store: built(builder.build())?, how, region: None, is_renewable })
    }

    fn azure_credentials(
        &self,
        builder: MicrosoftAzureBuilder,
        account: &str,
        container: &str,
        source: &Source,
        connection: Option<&ConnectionString>,
    ) -> Result<(MicrosoftAzureBuilder, String), StoreError> {
        let (credentials, variables) = (&self.credentials.azure, &self.credentials.variables);
        Ok(match (source, connection) {
            (Source::ConnectionString(_), Some(connection)) => {
                (AzureSecrets::of_connection(connection).apply(builder), described(source))
            }
            (Source::AccountKey(variable), _) => {
                (builder.with_access_key(variables.required(variable)?), described(source))
            }
            (Source::SasEnv(_) | Source::SasUrl(_), _) => {
                let tokens = SasTokens::new(source, variables, &self.transport);
                let tokens = tokens.ok_or_else(|| StoreError::Other("expected a SAS".to_owned()))?;
                let provider = SasProvider { tokens, account: account.to_owned(), container: container.to_owned() };
                (builder.with_credentials(Arc::new(provider)), described(source))
            }
            (Source::Headers(headers), _) => {
                (builder.with_credentials(Arc::new(AzureBearer(self.bearer(headers)?))), described(source))
            }
            (Source::AzureCli, _) => (builder.with_use_azure_cli(true), described(source)),
            (Source::MetadataService, _) => (builder, described(source)),
            (Source::Environment, _) => match credentials.of_account(account) {
                Some(secrets) => (secrets.apply(builder), format!("signed with {}", secrets.described())),
                None => (builder.with_skip_signature(true), "not signed".to_owned()),
            },
            _ => (builder.with_skip_signature(true), "not signed".to_owned()),
        })
    }
}

fn unsigned(builder: AmazonS3Builder) -> (AmazonS3Builder, AwsPlan) {
    (builder.with_skip_signature(true), AwsPlan { how: "not signed".to_owned(), ..AwsPlan::default() })
}

/// With an empty token, which is not sent: uploads would request one from the metadata service.
fn unsigned_google(builder: GoogleCloudStorageBuilder) -> (GoogleCloudStorageBuilder, String) {
    let none = StaticCredentialProvider::new(GcpCredential { bearer: String::new() });
    (builder.with_skip_signature(true).with_credentials(Arc::new(none)), "not signed".to_owned())
}

/// Leaves the credentials to object_store's own chain: web identity, container, then the instance's metadata service.
fn chained(builder: AmazonS3Builder, settings: &[(String, String)]) -> (AmazonS3Builder, AwsPlan) {
    let builder = settings.iter().fold(builder, |builder, (name, value)| {
        match name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            Ok(key) => builder.with_config(key, value),
            Err(_) => builder,
        }
    });
    let how = "signed with the credentials of the metadata service".to_owned();
    (builder, AwsPlan { how, is_renewable: true, ..AwsPlan::default() })
}

fn described(source: &Source) -> String {
    format!("signed with {}", source.described())
}

fn host_of(endpoint: &str) -> String {
    let url = Url::parse(endpoint).ok();
    let host = url.as_ref().and_then(|url| Some((url.host_str()?, url.port())));
    match host {
        Some((host, Some(port))) => format!("{host}:{port}"),
        Some((host, None)) => host.to_owned(),
        None => "unknown".to_owned(),
    }
}

/// The builder with an endpoint, or with AWS' own, and the host that its requests go to.
fn addressed(
    builder: AmazonS3Builder,
    endpoint: Option<&str>,
    bucket: &str,
    region: &str,
    is_virtual: bool,
) -> (AmazonS3Builder, String) {
    let Some(endpoint) = endpoint else {
        // The certificate of *.s3.amazonaws.com covers one label: buckets with dots stay in the path.
        let is_virtual = !bucket.contains('.');
        let host = if is_virtual {
            format!("{bucket}.s3.{region}.amazonaws.com")
        } else {
            format!("s3.{region}.amazonaws.com")
        };
        return (builder.with_virtual_hosted_style_request(is_virtual), host);
    };
    let hosted = virtual_hosted(endpoint, bucket);
    // An address takes no bucket before it: such endpoints have the bucket in the path.
    let is_virtual = is_virtual && is_endpoint(&hosted);
    let endpoint = if is_virtual { hosted } else { endpoint.to_owned() };
    let host = host_of(&endpoint);
    let builder = builder.with_endpoint(endpoint).with_allow_http(true);
    (builder.with_virtual_hosted_style_request(is_virtual), host)
}

/// The endpoint with the bucket before its host, unless it is there already.
fn virtual_hosted(endpoint: &str, bucket: &str) -> String {
    let Some((scheme, rest)) = endpoint.split_once("://") else {
        return endpoint.to_owned();
    };
    match rest.starts_with(&format!("{bucket}.")) {
        true => endpoint.to_owned(),
        false => format!("{scheme}://{bucket}.{rest}"),
    }
}

/// Errors of the builders print their settings, secrets among them.
fn built<S: ObjectStore>(store: object_store::Result<S>) -> Result<Arc<dyn ObjectStore>, StoreError> {
    match store {
        Ok(store) => Ok(Arc::new(store)),
        Err(_) => {
            Err(StoreError::Other("the credentials or the endpoint in the environment cannot be used".to_owned()))
        }
    }
}

/// Buckets, containers and accounts become part of a URL, which `object_store` panics on where it is none.
fn check_names(key: &StoreKey) -> Result<(), StoreError> {
    let (what, names) = match key {
        StoreKey::S3 { bucket, .. } | StoreKey::Gcs { bucket } => ("a bucket", [Some(bucket), None]),
        StoreKey::Azure { account, container, .. } => ("an account or container", [Some(container), account.as_ref()]),
    };
    match names.into_iter().flatten().all(|name| is_label(name)) {
        true => Ok(()),
        false => Err(StoreError::Other(format!("not a valid name of {what}"))),
    }
}

/// The transport repeats requests; see there.
fn no_retries() -> object_store::RetryConfig {
    object_store::RetryConfig { max_retries: 0, ..Default::default() }
}
