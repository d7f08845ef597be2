//! Shared access signatures of Azure: from a variable, or from an endpoint that signs, renewed before they expire.
//!
//! The endpoint responds to a GET with the token as text, or with JSON with a `token` and optionally an `msft:expiry`, like that of the
//! Planetary Computer. `{account}` and `{container}` in its URL are replaced by those of the file.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use percent_encoding::percent_decode_str;
use serde_json::Value;
use url::Url;

use super::variables::Variables;
use crate::StoreError;
use crate::store::transport::Transport;
use crate::types::credentials::rule::{Source, Variable};
use crate::types::location::redacted;

/// Tokens are renewed this long before they expire, or a tenth of their lifetime before if that is less.
const MARGIN: Duration = Duration::from_secs(60);

/// Maximum bytes of a token, and of a response with one.
const TOKEN_MAX: usize = 16 << 10;
const ANSWER_MAX: u64 = 64 << 10;

/// The tokens of one rule.
pub(crate) struct SasTokens {
    origin: Origin,
    variables: Variables,
    transport: Transport,
    tokens: std::sync::Mutex<HashMap<String, Slot>>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Token>>>;

enum Origin {
    Variable(Variable),
    Endpoint(String),
}

#[derive(Clone)]
struct Token {
    query: Arc<str>,
    renew_at: Option<SystemTime>,
    expires: Option<SystemTime>,
}

impl SasTokens {
    /// The tokens of a rule's source; None for other sources.
    pub(crate) fn new(source: &Source, variables: &Variables, transport: &Transport) -> Option<Self> {
        let origin = match source {
            Source::SasEnv(variable) => Origin::Variable(variable.clone()),
            Source::SasUrl(url) => Origin::Endpoint(url.clone()),
            _ => return None,
        };
        Some(Self { origin, variables: variables.clone(), transport: transport.clone(), tokens: Default::default() })
    }

    /// A query string that is valid now, for a container.
    pub(crate) async fn token(&self, account: Option<&str>, container: Option<&str>) -> Result<Arc<str>, StoreError> {
        let template = match &self.origin {
            Origin::Variable(variable) => {
                let text = self.variables.required(variable)?;
                let fault = || StoreError::Other(format!("{variable}: expected a SAS token with sig="));
                return query_of(&text).map(Into::into).ok_or_else(fault);
            }
            Origin::Endpoint(template) => template,
        };
        let endpoint = filled(template, account, container)?;
        let slot =
            self.tokens.lock().unwrap_or_else(PoisonError::into_inner).entry(endpoint.clone()).or_default().clone();
        let mut slot = slot.lock().await;
        let now = SystemTime::now();
        if let Some(token) = slot.as_ref().filter(|token| token.renew_at.is_none_or(|at| now < at)) {
            return Ok(token.query.clone());
        }
        match self.fetched(&endpoint).await {
            Ok(token) => Ok(slot.insert(token).query.clone()),
            // A token that is still valid outlasts a short failure of its endpoint.
            Err(fault) => match slot.as_ref().filter(|token| token.expires.is_some_and(|at| now < at)) {
                Some(token) => Ok(token.query.clone()),
                None => Err(fault),
            },
        }
    }

    /// Removes all tokens. Returns whether new ones can be requested.
    pub(crate) fn forget(&self) -> bool {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clear();
        matches!(self.origin, Origin::Endpoint(_))
    }

    async fn fetched(&self, endpoint: &str) -> Result<Token, StoreError> {
        let shown = redacted(endpoint);
        let url = Url::parse(endpoint).map_err(|_| StoreError::Other(format!("sas_url {shown}: not a valid URL")))?;
        let answer = self.transport.token_document(&url, ANSWER_MAX).await;
        let answer = answer.map_err(|fault| StoreError::Other(format!("no SAS token from {shown}: {fault}")))?;
        let token = Token::parse(&String::from_utf8_lossy(&answer), SystemTime::now());
        token.ok_or_else(|| StoreError::Other(format!("no SAS token from {shown}: expected a JSON object with token")))
    }
}

impl Token {
    fn parse(answer: &str, now: SystemTime) -> Option<Self> {
        let (text, expiry) = match serde_json::from_str::<Value>(answer) {
            Ok(Value::Object(members)) => {
                let expiry = members.get("msft:expiry").and_then(Value::as_str).and_then(time);
                (members.get("token")?.as_str()?.to_owned(), expiry)
            }
            Ok(Value::String(text)) => (text, None),
            _ => (answer.trim().to_owned(), None),
        };
        let query = query_of(&text)?;
        let expires = expiry.or_else(|| {
            let (_, end) = pairs(&query).find(|(name, _)| name == "se")?;
            time(&end)
        });
        let renew_at = expires.map(|expires| {
            let lifetime = expires.duration_since(now).unwrap_or_default();
            expires - MARGIN.min(lifetime / 10)
        });
        Some(Self { query: query.into(), renew_at, expires })
    }
}

/// Name and value of each pair of a token, decoded.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    query
        .split('&')
        .filter_map(move |pair| pair.split_once('='))
        .map(move |(name, value)| (decoded(name), decoded(value)))
}

/// A token as a query string; None if it is invalid.
fn query_of(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches('?');
    let is_query =
        text.len() <= TOKEN_MAX && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\"<>".contains(&byte));
    (is_query && pairs(text).any(|(name, _)| name == "sig")).then(|| text.to_owned())
}

/// An instant as Azure and STAC write it; a date is its first moment.
fn time(text: &str) -> Option<SystemTime> {
    let instant = chrono::DateTime::parse_from_rfc3339(text).map(SystemTime::from);
    let date = || {
        let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(SystemTime::from(date.and_hms_opt(0, 0, 0)?.and_utc()))
    };
    instant.ok().or_else(date)
}

fn filled(template: &str, account: Option<&str>, container: Option<&str>) -> Result<String, StoreError> {
    let mut url = template.to_owned();
    for (mark, name) in [("{account}", account), ("{container}", container)] {
        if url.contains(mark) {
            let name = name.ok_or_else(|| {
                StoreError::Other(format!("sas_url: expected a location of Azure, to fill in {mark}"))
            })?;
            url = url.replace(mark, name);
        }
    }
    Ok(url)
}

impl fmt::Debug for SasTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SasTokens").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let json = r#"{"msft:expiry": "2023-11-14T23:13:20Z", "token": "?sv=1&se=2030-01-01&sig=a%2Bb"}"#;
        let token = Token::parse(json, now).unwrap();
        assert_eq!(&*token.query, "sv=1&se=2030-01-01&sig=a%2Bb");
        assert_eq!(token.expires, Some(now + Duration::from_secs(3600)));
        assert_eq!(token.renew_at, Some(now + Duration::from_secs(3540)));
        let short = Token::parse("sv=1&se=2023-11-14T22%3A13%3A40Z&sig=x\n", now).unwrap();
        assert_eq!(short.renew_at, Some(now + Duration::from_secs(18)));
        assert_eq!(Token::parse("\"sig=x\"", now).unwrap().renew_at, None);
        for none in ["", "{}", "[]", r#"{"token": 1}"#, "<html>sig=x</html>", "sv=1", "sig=a b"] {
            assert!(Token::parse(none, now).is_none(), "{none}");
        }
    }

    #[test]
    fn placeholders() {
        let url = filled("https://h/token/{account}/{container}", Some("a"), Some("c")).unwrap();
        assert_eq!(url, "https://h/token/a/c");
        assert!(filled("https://h/{account}", None, None).is_err());
        assert_eq!(filled("https://h/a/c", None, None).unwrap(), "https://h/a/c");
    }
}
