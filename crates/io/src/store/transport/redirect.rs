//! Follows redirects one by one: each target is checked against the access restrictions of the query, and secrets are sent only to the
//! server that they are for.
//!
//! | request | is followed to |
//! |---|---|
//! | signed, or one whose query is not known (listings, tokens) | the same scheme, host and port |
//! | any other | every `http(s)` URL that the query may open |
//!
//! Another server receives the range and the accepted content types, but no credentials, cookies or headers of a
//! caller.
//!
//! A [`Login`] adds credentials to each request of a chain by its URL.

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, IF_NONE_MATCH, LOCATION, RANGE,
    TRANSFER_ENCODING, USER_AGENT,
};
use reqwest::{Client, Method, Request, Response, StatusCode};
use url::Url;

use super::Login;
use crate::StoreError;
use crate::store::access::Access;
use crate::store::stats;

/// Redirects of one request, as in browsers and curl some dozens; archives use up to four (login, session, signed URL).
const MAX_REDIRECTS: usize = 10;

/// Headers that another server may see.
const PUBLIC: [HeaderName; 5] = [ACCEPT, CONTENT_TYPE, IF_NONE_MATCH, RANGE, USER_AGENT];

/// Parameters of a query string that sign a request.
const SIGNING: [&str; 4] = ["sig", "signature", "x-amz-signature", "x-goog-signature"];

/// Permitted targets of redirects.
#[derive(Clone, Copy)]
pub(super) enum Follow<'a> {
    /// All URLs that the query may open.
    Allowed(&'a Access),
    /// The same server.
    SameOrigin(Option<&'a Access>),
}

impl<'a> Follow<'a> {
    /// For a request of a store, whose headers and query string may be signed.
    pub(super) fn of_store(url: &Url, headers: &HeaderMap, access: Option<&'a Access>) -> Self {
        match access {
            Some(access) if !is_signed(url, headers) => Self::Allowed(access),
            access => Self::SameOrigin(access),
        }
    }
}

fn is_signed(url: &Url, headers: &HeaderMap) -> bool {
    let secret = |name: &HeaderName| {
        *name == AUTHORIZATION
            || ["token", "secret", "key", "signature", "auth"].iter().any(|word| name.as_str().contains(word))
    };
    let signs = |name: &str| SIGNING.iter().any(|known| known.eq_ignore_ascii_case(name));
    headers.keys().any(secret) || url.query_pairs().any(|(name, _)| signs(&name))
}

/// The reason for a missing response.
pub(super) enum Failure {
    Client(reqwest::Error),
    StoreError(StoreError),
}

/// Sends a request and follows its redirects; a redirect that may not be followed is the response.
pub(super) async fn send(
    client: &Client,
    mut request: Request,
    follow: Follow<'_>,
    login: Login<'_>,
) -> Result<Response, Failure> {
    let _entering = match login {
        Some(login) => login.enter(request.url()).await.map_err(Failure::StoreError)?,
        None => None,
    };
    let counters = stats::current();
    for _ in 0..=MAX_REDIRECTS {
        // Without the headers of a login, which are added to each request.
        let again = request.try_clone();
        let url = request.url().clone();
        if let Some(login) = login {
            login.authorize(&mut request).await.map_err(Failure::StoreError)?;
        }
        counters.add_request();
        let response = client.execute(request).await.map_err(Failure::Client)?;
        if let Some(login) = login {
            login.observe(&url, response.headers());
        }
        let redirect = is_redirect(response.status()).then(|| target(&url, response.headers())).flatten();
        let Some((target, again)) = redirect.zip(again) else {
            return Ok(response);
        };
        let is_same = target.origin() == url.origin();
        match follow {
            Follow::SameOrigin(_) if !is_same => return Ok(response),
            Follow::Allowed(access) | Follow::SameOrigin(Some(access)) => {
                access.permit_url(&target).map_err(Failure::StoreError)?;
            }
            Follow::SameOrigin(None) => {}
        }
        request = redirected(again, target, response.status(), is_same);
    }
    Err(Failure::StoreError(StoreError::Other("too many redirects".to_owned())))
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The target of a redirect. User and password in it are those of the server, not of the caller, and are removed.
pub(super) fn target(url: &Url, headers: &HeaderMap) -> Option<Url> {
    let text = headers.get(LOCATION)?.to_str().ok()?;
    let mut target = url.join(text).ok().filter(|target| matches!(target.scheme(), "http" | "https"))?;
    // URLs of these schemes have a host and so take both calls.
    let _ = (target.set_username(""), target.set_password(None));
    target.set_fragment(None);
    Some(target)
}

/// The request to the target (RFC 9110, section 15.4).
fn redirected(mut request: Request, target: Url, status: StatusCode, is_same: bool) -> Request {
    let becomes_get = match status {
        StatusCode::SEE_OTHER => *request.method() != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *request.method() == Method::POST,
        _ => false,
    };
    if becomes_get {
        *request.method_mut() = Method::GET;
        *request.body_mut() = None;
        for name in [CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING] {
            request.headers_mut().remove(name);
        }
    }
    if !is_same {
        let headers = std::mem::take(request.headers_mut());
        for name in PUBLIC {
            for value in headers.get_all(&name) {
                request.headers_mut().append(name.clone(), value.clone());
            }
        }
    }
    *request.url_mut() = target;
    request
}
