//! One client per bucket or container and rule, created when first needed and shared by all threads.
//!
//! Credentials are those of the longest matching prefix of `rasteret_credentials`, else of the cloud's variables, else of its files; otherwise
//! requests are not signed. Two prefixes with different credentials have two clients, also for one bucket.

mod builder;
mod cloud_store;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::ObjectStore;
use tokio::sync::OnceCell;
use url::Url;

use self::builder::StoreBuilder;
use self::cloud_store::CloudStore;
use crate::store::access::Access;
use crate::store::credentials::{Credentials, UrlLogin};
use crate::store::object::Source;
use crate::store::transport::{Authorize, Transport};
use crate::types::credentials::CredentialMap;
use crate::types::credentials::rule::{Rule, Service, Source as Origin};
use crate::types::location::{Address, LocationKind, StoreKey};
use crate::{Error, Location, Result, StoreError};

type Slot = Arc<OnceCell<Arc<dyn ObjectStore>>>;

/// Shared by all threads of a session.
pub(crate) struct Registry {
    builder: Arc<StoreBuilder>,
    rules: CredentialMap,
    /// Credentials by prefix of their rule.
    logins: HashMap<String, Arc<UrlLogin>>,
    /// Stores by bucket or container, and by prefix of the rule.
    stores: Mutex<HashMap<(StoreKey, Option<String>), Slot>>,
}

impl Registry {
    pub(crate) fn new(transport: Transport, credentials: Credentials, rules: CredentialMap) -> Self {
        let logins = rules.rules().iter().filter_map(|rule| {
            let login = UrlLogin::new(rule, &credentials.variables, &transport)?;
            Some((rule.prefix.clone(), Arc::new(login)))
        });
        let logins = logins.collect();
        Self { builder: Arc::new(StoreBuilder { transport, credentials }), rules, logins, stores: Mutex::default() }
    }

    /// Uses a store of the caller for a bucket or container.
    pub(crate) fn insert(&self, key: StoreKey, store: Arc<dyn ObjectStore>) {
        self.stores
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((key, None), Arc::new(OnceCell::new_with(Some(store))));
    }

    /// The credentials of requests that no rule applies to.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.builder.credentials
    }

    /// The client under all stores.
    pub(crate) fn transport(&self) -> &Transport {
        &self.builder.transport
    }

    /// The source of a file. The first use of a public S3 bucket requests its region once.
    pub(crate) async fn source(&self, location: &Location, access: &Access) -> Result<Source> {
        let account = self.credentials().azure.account.as_deref();
        let rule = self.rules.of_place(location.kind(), account).filter(|_| !is_signed(location.kind()));
        let (store, path) = match location.kind() {
            LocationKind::File(path) => return Ok(Source::File(path.clone())),
            LocationKind::Other(_) => return Err(location.unreadable()),
            LocationKind::Object { store, path } => (store, path),
            // The URL is requested unchanged, and is only parsed if it must be signed.
            LocationKind::Url { object: Some((store, path)), .. } if self.signs(store, rule) => (store, path),
            LocationKind::Url { url, .. } => {
                let login = match rule {
                    Some(rule) => self.login(rule, access).map_err(|fault| at(location, fault))?,
                    None => None,
                };
                return Ok(Source::Url { transport: self.transport().clone(), url: url.clone(), login });
            }
        };
        let store = self.store(store, rule, access).await.map_err(|fault| at(location, fault))?;
        Ok(Source::Store { transport: self.transport().clone(), store, path: path.clone() })
    }

    /// Whether requests for a URL of this bucket or container are to be signed as the cloud does.
    fn signs(&self, store: &StoreKey, rule: Option<&Arc<Rule>>) -> bool {
        match rule.map(|rule| &rule.source) {
            None | Some(Origin::Environment) => self.credentials().cover(store),
            // These are inserted into URLs unchanged.
            Some(Origin::Anonymous | Origin::SasEnv(_) | Origin::SasUrl(_)) => false,
            Some(_) => true,
        }
    }

    /// The credentials for requests of a URL.
    pub(crate) fn login_of(&self, url: &Url, access: &Access) -> Result<Option<Arc<dyn Authorize>>, StoreError> {
        match self.rules.of_url(url) {
            Some(rule) => self.login(rule, access),
            None => Ok(None),
        }
    }

    fn login(&self, rule: &Rule, access: &Access) -> Result<Option<Arc<dyn Authorize>>, StoreError> {
        let login = self.logins.get(&rule.prefix).cloned();
        if login.is_some() {
            permit_origin(rule, access)?;
        } else if rule.service != Service::Http && rule.source != Origin::Anonymous {
            // A URL with a query string, or without an object.
            return Ok(None);
        }
        Ok(login.map(|login| login as Arc<dyn Authorize>))
    }

    /// The store that objects below an address are listed through.
    pub(crate) async fn store_of(
        &self,
        address: &Address,
        access: &Access,
    ) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let account = self.credentials().azure.account.as_deref();
        let head = address.key.split(['*', '?', '[']).next().unwrap_or_default();
        let folder = head.rsplit_once('/').map_or("", |(folder, _)| folder);
        let is_signed = matches!(address.store, StoreKey::Azure { sas: Some(_), .. });
        let rule = self.rules.of_folder(&address.store, folder, account).filter(|_| !is_signed);
        self.store(&address.store, rule, access).await
    }

    /// The store that a bucket or container is read through under a rule.
    async fn store(
        &self,
        key: &StoreKey,
        rule: Option<&Arc<Rule>>,
        access: &Access,
    ) -> Result<Arc<dyn ObjectStore>, StoreError> {
        if let Some(rule) = rule {
            permit_origin(rule, access)?;
        }
        let slot_key = (key.clone(), rule.map(|rule| rule.prefix.clone()));
        let slot = self.stores.lock().unwrap_or_else(PoisonError::into_inner).entry(slot_key).or_default().clone();
        // A failure leaves the slot empty: the next file of the bucket tries again.
        let make = || async {
            let store = CloudStore::new(Arc::clone(&self.builder), key.clone(), rule.cloned()).await?;
            Ok(Arc::new(store) as Arc<dyn ObjectStore>)
        };
        slot.get_or_try_init(make).await.cloned()
    }
}

/// Whether the location has a signature, which takes precedence over a rule.
fn is_signed(place: &LocationKind) -> bool {
    matches!(place, LocationKind::Object { store: StoreKey::Azure { sas: Some(_), .. }, .. })
}

/// Checks the files and endpoints of a rule against the locks of the query.
fn permit_origin(rule: &Rule, access: &Access) -> Result<(), StoreError> {
    if !access.is_restricted() {
        return Ok(());
    }
    match &rule.source {
        Origin::SasUrl(url) => {
            let url = Url::parse(url).map_err(|_| StoreError::Other("sas_url: not a valid URL".to_owned()))?;
            access.permit_url(&url)
        }
        Origin::File(path) | Origin::Netrc(Some(path)) => {
            access.permit(&Location::local(path.clone(), crate::types::location::redacted(&path.to_string_lossy())))
        }
        _ => Ok(()),
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Stores print their settings, secrets among them.
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

fn at(location: &Location, fault: StoreError) -> Error {
    Error::Store { location: location.clone(), range: None, fault }
}
