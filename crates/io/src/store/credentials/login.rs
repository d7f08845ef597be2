//! Credentials of URLs: headers, `.netrc` with the cookies of its logins, shared access signatures.
//!
//! Headers and signatures are sent to URLs below the prefix of the rule; a login of `.netrc` to the host that the file names, also after a
//! redirect, as with `curl --location --netrc`; a cookie to the host that set it. Credentials of an `https` prefix are never sent over plain
//! HTTP.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Request;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue};
use tokio::sync::OwnedMutexGuard;
use url::Url;

use super::cookies::Jar;
use super::netrc::{self, Netrc};
use super::renewal::Renewal;
use super::sas::SasTokens;
use super::variables::Variables;
use crate::StoreError;
use crate::store::transport::{Authorize, Transport};
use crate::types::credentials::of_url;
use crate::types::credentials::rule::{Header, Rule, Source};
use crate::types::location::{Address, StoreKey};

/// The credentials of one rule, shared by all requests of a session.
pub(crate) struct UrlLogin {
    rule: Arc<Rule>,
    variables: Variables,
    jar: Mutex<Jar>,
    netrc: Mutex<Option<Arc<Netrc>>>,
    sas: Option<SasTokens>,
    renewal: Renewal,
    /// Origins with a login or an attempt: the first request logs in alone, and others use its cookie.
    entered: Mutex<HashSet<String>>,
    entering: Arc<tokio::sync::Mutex<()>>,
}

impl UrlLogin {
    /// The credentials of a rule; None if the rule is not for URLs.
    pub(crate) fn new(rule: &Arc<Rule>, variables: &Variables, transport: &Transport) -> Option<Self> {
        let sas = SasTokens::new(&rule.source, variables, transport);
        let is_for_urls = sas.is_some() || matches!(rule.source, Source::Headers(_) | Source::Netrc(_));
        is_for_urls.then(|| Self {
            rule: Arc::clone(rule),
            variables: variables.clone(),
            jar: Mutex::default(),
            netrc: Mutex::default(),
            sas,
            renewal: Renewal::default(),
            entered: Mutex::default(),
            entering: Arc::default(),
        })
    }

    fn covers(&self, url: &Url) -> bool {
        of_url(url).is_some_and(|name| self.rule.covers(&name))
    }

    async fn netrc(&self) -> Result<Arc<Netrc>, StoreError> {
        if let Some(netrc) = &*self.netrc.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Arc::clone(netrc));
        }
        let Source::Netrc(file) = &self.rule.source else {
            return Ok(Arc::default());
        };
        let usual = || netrc::usual_file(|name| self.variables.get(name));
        let path = file.clone().or_else(usual);
        let path =
            path.ok_or_else(|| StoreError::Other("expected a .netrc in the home directory, found no HOME".to_owned()))?;
        let read = tokio::task::spawn_blocking(move || Netrc::read(&path)).await;
        let netrc =
            Arc::new(read.map_err(|_| StoreError::Other("internal error: a reading thread panicked".to_owned()))??);
        *self.netrc.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&netrc));
        Ok(netrc)
    }

    /// Basic authentication for the request's host. The default entry is for hosts below the prefix only.
    async fn login(&self, request: &mut Request) -> Result<(), StoreError> {
        let netrc = self.netrc().await?;
        let login = request.url().host_str().and_then(|host| netrc.of_machine(host));
        let Some(login) = login.or_else(|| netrc.fallback().filter(|_| self.covers(request.url()))) else {
            return Ok(());
        };
        let value = basic(&login.user, &login.password)?;
        request.headers_mut().entry(AUTHORIZATION).or_insert(value);
        Ok(())
    }

    fn set_headers(&self, request: &mut Request, headers: &[Header]) -> Result<(), StoreError> {
        for Header { name, scheme, variable } in headers {
            let value = HeaderValue::try_from(format!("{scheme}{}", self.variables.required(variable)?));
            let mut value =
                value.map_err(|_| StoreError::Other(format!("{variable}: expected visible ASCII characters")))?;
            value.set_sensitive(true);
            request.headers_mut().entry(name.clone()).or_insert(value);
        }
        Ok(())
    }

    async fn sign(&self, sas: &SasTokens, request: &mut Request) -> Result<(), StoreError> {
        let url = request.url_mut();
        let is_signed = url.query_pairs().any(|(name, _)| name == "sig");
        if is_signed {
            return Ok(());
        }
        let mut plain = url.clone();
        plain.set_query(None);
        let (account, container) = match Address::of_url(&plain).map(|address| address.store) {
            Some(StoreKey::Azure { account, container, .. }) => (account, Some(container)),
            _ => (None, None),
        };
        let token = sas.token(account.as_deref(), container.as_deref()).await?;
        let query = match url.query().filter(|query| !query.is_empty()) {
            Some(query) => format!("{query}&{token}"),
            None => token.to_string(),
        };
        url.set_query(Some(&query));
        Ok(())
    }
}

#[async_trait]
impl Authorize for UrlLogin {
    async fn enter(&self, url: &Url) -> Result<Option<OwnedMutexGuard<()>>, StoreError> {
        if !matches!(self.rule.source, Source::Netrc(_)) {
            return Ok(None);
        }
        let netrc = self.netrc().await?;
        // A host with its own login needs no redirect.
        if url.host_str().is_some_and(|host| netrc.of_machine(host).is_some()) {
            return Ok(None);
        }
        if self.jar.lock().unwrap_or_else(PoisonError::into_inner).header(url).is_some() {
            return Ok(None);
        }
        let guard = Arc::clone(&self.entering).lock_owned().await;
        let origin = url.origin().ascii_serialization();
        let is_first = self.entered.lock().unwrap_or_else(PoisonError::into_inner).insert(origin);
        Ok(is_first.then_some(guard))
    }

    async fn authorize(&self, request: &mut Request) -> Result<(), StoreError> {
        let is_downgraded = request.url().scheme() == "http" && !self.rule.prefix.starts_with("http://");
        if is_downgraded {
            return Ok(());
        }
        match (&self.rule.source, &self.sas) {
            (Source::Netrc(_), _) => self.login(request).await?,
            (Source::Headers(headers), _) if self.covers(request.url()) => self.set_headers(request, headers)?,
            (_, Some(sas)) if self.covers(request.url()) => self.sign(sas, request).await?,
            _ => return Ok(()),
        }
        let cookies = self.jar.lock().unwrap_or_else(PoisonError::into_inner).header(request.url());
        if let Some(cookies) = cookies {
            request.headers_mut().insert(COOKIE, cookies);
        }
        Ok(())
    }

    fn observe(&self, url: &Url, headers: &HeaderMap) {
        if self.sas.is_none() {
            self.jar.lock().unwrap_or_else(PoisonError::into_inner).take(url, headers);
        }
    }

    fn generation(&self) -> u64 {
        self.renewal.generation()
    }

    async fn renew(&self, generation: u64) -> bool {
        let renew = || async {
            let had_cookies = self.jar.lock().unwrap_or_else(PoisonError::into_inner).clear();
            self.entered.lock().unwrap_or_else(PoisonError::into_inner).clear();
            let had_netrc = self.netrc.lock().unwrap_or_else(PoisonError::into_inner).take().is_some();
            let had_token = self.sas.as_ref().is_some_and(SasTokens::forget);
            had_cookies || had_netrc || had_token
        };
        self.renewal.renew(generation, renew).await
    }

    fn described(&self) -> String {
        format!("the request was made with {}", self.rule.source.described())
    }
}

/// `Basic` with user and password encoded by RFC 7617.
fn basic(user: &str, password: &str) -> Result<HeaderValue, StoreError> {
    let value = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))));
    let mut value = value.map_err(|_| StoreError::Other("a login of .netrc cannot be sent".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for UrlLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrlLogin").finish_non_exhaustive()
    }
}
