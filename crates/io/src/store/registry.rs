//! One client per bucket or container, made when first needed and shared by all threads.
//!
//! Owns the choice of credentials. Public buckets are read unsigned unless the environment names credentials
//! explicitly. The metadata service of cloud machines is used only with `RASTERET_AWS_CREDENTIALS=imds`, because a
//! request to it hangs on any other machine.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use tokio::sync::OnceCell;

use crate::store::credentials::{Aws, Credentials};
use crate::store::environment::{is_label, with_scheme};
use crate::store::object::Source;
use crate::store::transport::Transport;
use crate::types::location::{LocationKind, StoreKey};
use crate::{Error, Location, Result, StoreError};

type Slot = Arc<OnceCell<Arc<dyn ObjectStore>>>;

/// Shared by all threads of a session.
pub(crate) struct Registry {
    transport: Transport,
    credentials: Credentials,
    stores: Mutex<HashMap<StoreKey, Slot>>,
}

impl Registry {
    pub(crate) fn new(transport: Transport, credentials: Credentials) -> Self {
        Self { transport, credentials, stores: Mutex::default() }
    }

    /// Serves a bucket or container from a store of the caller's.
    pub(crate) fn insert(&self, key: StoreKey, store: Arc<dyn ObjectStore>) {
        self.stores
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, Arc::new(OnceCell::new_with(Some(store))));
    }

    /// Credentials that requests are signed with.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The client under all stores.
    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The client that serves the file. The first use of a public S3 bucket requests its region.
    pub(crate) async fn source(&self, location: &Location) -> Result<Source> {
        let (store, path) = match location.kind() {
            LocationKind::File(path) => return Ok(Source::File(path.clone())),
            LocationKind::Other(_) => return Err(location.unreadable()),
            LocationKind::Object { store, path } => (store, path),
            // The URL is used as it is, and is only parsed into bucket and key if it has to be signed.
            LocationKind::Url { object: Some((store, path)), .. } if self.credentials.cover(store) => (store, path),
            LocationKind::Url { url, .. } => {
                return Ok(Source::Url { transport: self.transport.clone(), url: url.clone() });
            }
        };
        let store = self.store(store).await.map_err(|fault| at(location, fault))?;
        Ok(Source::Store { store, path: path.clone() })
    }

    /// The store that a bucket or container is read through.
    pub(crate) async fn store(&self, key: &StoreKey) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let slot = self.stores.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default().clone();
        // A failure leaves the slot empty: the next file of the bucket tries again.
        slot.get_or_try_init(|| self.build(key)).await.cloned()
    }

    async fn build(&self, key: &StoreKey) -> Result<Arc<dyn ObjectStore>, StoreError> {
        self.credentials.check(key)?;
        check_names(key)?;
        match key {
            StoreKey::S3 { bucket, region } => self.s3(bucket, region.as_deref()).await,
            StoreKey::Gcs { bucket } => self.gcs(bucket),
            StoreKey::Azure { account, container } => self.azure(account.as_deref(), container),
        }
    }

    async fn s3(&self, bucket: &str, region: Option<&str>) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let credentials = &self.credentials;
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_retry(no_retries())
            .with_http_connector(self.transport.clone())
            .with_request_payer(credentials.aws_request_payer);
        builder = match &credentials.aws {
            Aws::Anonymous => builder.with_skip_signature(true),
            Aws::Keys { id, secret, token } => {
                let builder = builder.with_access_key_id(id).with_secret_access_key(secret);
                match token {
                    Some(token) => builder.with_token(token),
                    None => builder,
                }
            }
            // The remaining sources are those of object_store: web identity, container, and the instance's metadata
            // service.
            Aws::Chain(settings) => settings.iter().fold(builder, |builder, (name, value)| {
                match name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                    Ok(key) => builder.with_config(key, value),
                    Err(_) => builder,
                }
            }),
        };
        let (endpoint, region) = match (&credentials.aws_endpoint, region) {
            (Some(endpoint), _) => (Some(endpoint), credentials.aws_region.clone()),
            (None, Some(region)) => (None, Some(region.to_owned())),
            // AWS_REGION is where the user computes, not where somebody's public bucket is.
            (None, None) => {
                (None, self.transport.bucket_region(bucket).await?.or_else(|| credentials.aws_region.clone()))
            }
        };
        builder = builder.with_region(region.as_deref().unwrap_or("us-east-1"));
        builder = match endpoint {
            Some(endpoint) => builder
                .with_endpoint(endpoint)
                .with_allow_http(true)
                .with_virtual_hosted_style_request(credentials.aws_virtual_hosted),
            // The certificate of *.s3.amazonaws.com covers one label: buckets with dots stay in the path.
            None => builder.with_virtual_hosted_style_request(!bucket.contains('.')),
        };
        built(builder.build())
    }

    fn gcs(&self, bucket: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let builder = GoogleCloudStorageBuilder::new()
            .with_bucket_name(bucket)
            .with_retry(no_retries())
            .with_http_connector(self.transport.clone());
        let builder = match &self.credentials.google_endpoint {
            Some(endpoint) => builder.with_base_url(&with_scheme(endpoint)),
            None => builder,
        };
        let builder = match &self.credentials.google {
            Some(settings) => settings.apply(builder),
            None => builder.with_skip_signature(true),
        };
        built(builder.build())
    }

    fn azure(&self, account: Option<&str>, container: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let credentials = &self.credentials.azure;
        let Some(account) = account.or(credentials.account.as_deref()) else {
            return Err(StoreError::Other(
                "no storage account: expected az://account.blob.core.windows.net/container/key, or AZURE_STORAGE_ACCOUNT_NAME set"
                    .to_owned(),
            ));
        };
        let mut builder = MicrosoftAzureBuilder::new()
            .with_account(account)
            .with_container_name(container)
            .with_retry(no_retries())
            .with_http_connector(self.transport.clone());
        if let Some(endpoint) = &credentials.endpoint {
            builder = builder.with_endpoint(endpoint.clone()).with_allow_http(true);
        }
        let builder = match credentials.of_account(account) {
            Some(settings) => settings.apply(builder),
            None => builder.with_skip_signature(true),
        };
        built(builder.build())
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Stores print their settings, secrets among them.
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

/// Buckets, containers and accounts become part of a URL, which `object_store` panics on where it is none.
fn check_names(key: &StoreKey) -> Result<(), StoreError> {
    let (what, names) = match key {
        StoreKey::S3 { bucket, .. } | StoreKey::Gcs { bucket } => ("a bucket", [Some(bucket), None]),
        StoreKey::Azure { account, container } => ("an account or container", [Some(container), account.as_ref()]),
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

/// Errors of the builders print their settings, secrets among them.
fn built<S: ObjectStore>(store: object_store::Result<S>) -> Result<Arc<dyn ObjectStore>, StoreError> {
    match store {
        Ok(store) => Ok(Arc::new(store)),
        Err(_) => {
            Err(StoreError::Other("the credentials or the endpoint in the environment cannot be used".to_owned()))
        }
    }
}

fn at(location: &Location, fault: StoreError) -> Error {
    Error::Store { location: location.clone(), range: None, fault }
}
