//! Logins of `.netrc`, by host (the file of ftp(1), as curl reads it).
//!
//! The grammar is `machine HOST`, `default`, `login NAME`, `password TEXT`, `account TEXT`, `macdef` up to an empty line; tokens are separated
//! by white space and may be quoted; `#` begins a comment.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::StoreError;

/// Bytes of a file: those of people have a few lines.
const BYTES_MAX: u64 = 1 << 20;

/// A user and a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// The logins of a file.
#[derive(Debug, Default)]
pub(crate) struct Netrc {
    machines: Vec<(String, Login)>,
    fallback: Option<Login>,
}

impl Netrc {
    /// Reads the file. Blocks.
    pub(crate) fn read(path: &Path) -> Result<Self, StoreError> {
        let fail = |what: &str| {
            StoreError::Other(format!(
                "credentials file {}: {what}",
                crate::types::location::redacted(&path.to_string_lossy())
            ))
        };
        let size = std::fs::metadata(path).map_err(|error| fail(&StoreError::of_file(&error).to_string()))?;
        if !size.is_file() || size.len() > BYTES_MAX {
            return Err(fail("expected a file of at most 1 MiB"));
        }
        let bytes = std::fs::read(path).map_err(|error| fail(&StoreError::of_file(&error).to_string()))?;
        Ok(Self::parse(&String::from_utf8_lossy(&bytes)))
    }

    fn parse(text: &str) -> Self {
        let mut netrc = Self::default();
        // None: before the first entry. Some(None): the default entry.
        let mut entry: Option<(Option<String>, Login)> = None;
        let mut tokens = Tokens(text);
        while let Some(token) = tokens.next() {
            match token.as_str() {
                "machine" => {
                    netrc.push(entry.take());
                    entry = tokens.next().map(|host| (Some(host), Login::empty()));
                }
                "default" => {
                    netrc.push(entry.take());
                    entry = Some((None, Login::empty()));
                }
                "login" | "password" | "account" => {
                    let (value, is_login) = (tokens.next().unwrap_or_default(), token == "login");
                    match &mut entry {
                        Some((_, login)) if is_login => login.user = value,
                        Some((_, login)) if token == "password" => login.password = value,
                        _ => {}
                    }
                }
                "macdef" => tokens.skip_macro(),
                _ => {}
            }
        }
        netrc.push(entry);
        netrc
    }

    fn push(&mut self, entry: Option<(Option<String>, Login)>) {
        match entry {
            Some((Some(host), login)) => self.machines.push((host, login)),
            Some((None, login)) => self.fallback = Some(login),
            None => {}
        }
    }

    /// The login of a host.
    pub(crate) fn of_machine(&self, host: &str) -> Option<&Login> {
        self.machines.iter().find(|(machine, _)| machine.eq_ignore_ascii_case(host)).map(|(_, login)| login)
    }

    /// The login of any other host.
    pub(crate) fn fallback(&self) -> Option<&Login> {
        self.fallback.as_ref()
    }
}

/// The file that curl reads: that of `NETRC`, else `.netrc` in the home directory, else `_netrc` on Windows.
pub(crate) fn usual_file(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if let Some(file) = variable("NETRC").filter(|file| !file.is_empty()) {
        return Some(file.into());
    }
    let home = PathBuf::from(variable("HOME").or_else(|| variable("USERPROFILE")).filter(|home| !home.is_empty())?);
    let file = home.join(".netrc");
    match cfg!(windows) && !file.exists() {
        true => Some(home.join("_netrc")),
        false => Some(file),
    }
}

impl Login {
    fn empty() -> Self {
        Self { user: String::new(), password: String::new() }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

/// The rest of the text.
struct Tokens<'a>(&'a str);

impl Tokens<'_> {
    fn next(&mut self) -> Option<String> {
        loop {
            self.0 = self.0.trim_start();
            match self.0.chars().next()? {
                '#' => self.0 = self.0.split_once('\n').map_or("", |(_, rest)| rest),
                '"' => return Some(self.quoted()),
                _ => {
                    let end = self.0.find(char::is_whitespace).unwrap_or(self.0.len());
                    let (token, rest) = self.0.split_at(end);
                    self.0 = rest;
                    return Some(token.to_owned());
                }
            }
        }
    }

    /// A token in quotes, in which quotes and backslashes are escaped by a backslash.
    fn quoted(&mut self) -> String {
        let mut token = String::new();
        let mut characters = self.0.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.0 = &self.0[at + 1..];
                    return token;
                }
                '\\' => token.extend(characters.next().map(|(_, escaped)| escaped)),
                other => token.push(other),
            }
        }
        self.0 = "";
        token
    }

    /// A macro ends at the next empty line.
    fn skip_macro(&mut self) {
        let end = ["\n\n", "\n\r\n"].iter().filter_map(|mark| self.0.find(mark)).min();
        self.0 = end.map_or("", |end| &self.0[end..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(netrc: &Netrc, host: &str) -> Option<(String, String)> {
        netrc.of_machine(host).map(|login| (login.user.clone(), login.password.clone()))
    }

    #[test]
    fn entries() {
        let netrc = Netrc::parse(
            "# comment\nmachine urs.earthdata.nasa.gov login me password p#ss\n\nmachine b.org\n\tpassword \"a \\\"b\\\\\"\n  login you\n\
             macdef init\nmachine evil.org login x password y\n\nmachine c.org login only\ndefault login anonymous password guest\n",
        );
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(login(&netrc, "URS.earthdata.nasa.gov"), pair("me", "p#ss"));
        assert_eq!(login(&netrc, "b.org"), pair("you", "a \"b\\"));
        assert_eq!(login(&netrc, "c.org"), pair("only", ""));
        assert_eq!(login(&netrc, "evil.org"), None);
        assert_eq!(login(&netrc, "earthdata.nasa.gov"), None);
        assert_eq!(netrc.fallback().map(|login| login.user.as_str()), Some("anonymous"));
        assert!(!format!("{netrc:?}").contains("guest"));
        for odd in ["", "machine", "machine h login", "login x password y", "\"", "machine \"h", "macdef", "default"] {
            assert!(login(&Netrc::parse(odd), "x").is_none(), "{odd}");
        }
    }
}
