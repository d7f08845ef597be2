//! Cookies of a login (RFC 6265), stored for the session and only sent to the host that set them.
//!
//! The `Domain` attribute is ignored.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};
use url::Url;

/// Cookies of one host, and hosts, as browsers bound them.
const COOKIES_MAX: usize = 50;
const HOSTS_MAX: usize = 100;

/// Bytes of one cookie.
const BYTES_MAX: usize = 8 << 10;

/// Cookies by the origin's scheme, host and port.
#[derive(Default)]
pub(crate) struct Jar(HashMap<String, Vec<Cookie>>);

struct Cookie {
    name: String,
    value: String,
    path: String,
    expires: Option<SystemTime>,
}

impl Jar {
    /// Takes the cookies of a response. Returns whether there were any.
    pub(crate) fn take(&mut self, url: &Url, headers: &HeaderMap) -> bool {
        let mut any = false;
        for header in headers.get_all(SET_COOKIE) {
            let Some(cookie) =
                header.to_str().ok().filter(|text| text.len() <= BYTES_MAX).and_then(|text| Cookie::parse(url, text))
            else {
                continue;
            };
            let origin = url.origin().ascii_serialization();
            if self.0.len() >= HOSTS_MAX && !self.0.contains_key(&origin) {
                continue;
            }
            let cookies = self.0.entry(origin).or_default();
            cookies.retain(|known| (&known.name, &known.path) != (&cookie.name, &cookie.path));
            if cookie.is_live() && cookies.len() < COOKIES_MAX {
                any = true;
                cookies.push(cookie);
            }
        }
        any
    }

    /// The `Cookie` header of a request.
    pub(crate) fn header(&self, url: &Url) -> Option<HeaderValue> {
        let cookies = self.0.get(&url.origin().ascii_serialization())?;
        let sent = cookies.iter().filter(|cookie| cookie.is_live() && cookie.is_for(url.path()));
        let text: Vec<String> = sent.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        let mut value = HeaderValue::try_from(text.join("; ")).ok().filter(|value| !value.is_empty())?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Drops all cookies. Returns whether there were any.
    pub(crate) fn clear(&mut self) -> bool {
        let any = !self.0.is_empty();
        self.0.clear();
        any
    }
}

impl Cookie {
    fn parse(url: &Url, text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        if name.is_empty() {
            return None;
        }
        // RFC 6265, section 5.1.4.
        let folder = url.path().rsplit_once('/').map_or("/", |(folder, _)| folder);
        let mut cookie =
            Self { name: name.to_owned(), value: value.to_owned(), path: folder.to_owned(), expires: None };
        let mut age = None;
        for part in parts {
            let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
            match attribute.to_ascii_lowercase().as_str() {
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "max-age" => age = value.parse::<i64>().ok(),
                "expires" => {
                    let date = chrono::DateTime::parse_from_rfc2822(&value.replace('-', " ")).ok();
                    cookie.expires = date.map(SystemTime::from);
                }
                _ => {}
            }
        }
        if let Some(age) = age {
            let age = Duration::from_secs(u64::try_from(age).unwrap_or(0));
            cookie.expires = SystemTime::now().checked_add(age);
        }
        Some(cookie)
    }

    fn is_live(&self) -> bool {
        self.expires.is_none_or(|expires| expires > SystemTime::now())
    }

    fn is_for(&self, path: &str) -> bool {
        let folder = self.path.trim_end_matches('/');
        path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(url: &str, cookies: &[&str]) -> Jar {
        let mut jar = Jar::default();
        let headers = cookies.iter().map(|cookie| (SET_COOKIE, HeaderValue::try_from(*cookie).unwrap())).collect();
        jar.take(&Url::parse(url).unwrap(), &headers);
        jar
    }

    fn sent(jar: &Jar, url: &str) -> String {
        let header = jar.header(&Url::parse(url).unwrap());
        header.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn cookies_are_sent_to_their_host_and_path() {
        let cookies = ["a=1; Path=/; Domain=.h.org; Secure; HttpOnly", "b=2", "c=3; Path=/x"];
        let jar = jar("https://data.h.org/login/oauth?code=1", &cookies);
        assert_eq!(sent(&jar, "https://data.h.org/login/next"), "a=1; b=2");
        assert_eq!(sent(&jar, "https://data.h.org/x/y.tif"), "a=1; c=3");
        assert_eq!(sent(&jar, "https://data.h.org/xy.tif"), "a=1");
        for other in ["https://h.org/", "http://data.h.org/", "https://data.h.org:8443/", "https://evil.h.org/"] {
            assert_eq!(sent(&jar, other), "", "{other}");
        }
    }

    #[test]
    fn cookies_expire() {
        let past = "a=1; Expires=Thu, 01-Jan-1970 00:00:01 GMT";
        for gone in [past, "a=1; Max-Age=0", "a=1; Max-Age=-1", "=1", "a"] {
            assert_eq!(sent(&jar("https://h/", &[gone]), "https://h/"), "", "{gone}");
        }
        let jar = jar("https://h/", &["a=1; Max-Age=60", "b=2; Expires=Fri, 01 Jan 2100 00:00:00 GMT", "a=2"]);
        assert_eq!(sent(&jar, "https://h/"), "b=2; a=2");
    }
}
