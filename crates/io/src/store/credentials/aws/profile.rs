//! Profiles of AWS: `~/.aws/config` and `~/.aws/credentials`, or the files in `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE`.

use std::collections::HashMap;
use std::path::PathBuf;

use super::ini::Ini;
use crate::StoreError;
use crate::store::credentials::variables::Variables;

/// Bytes of a file.
const BYTES_MAX: u64 = 4 << 20;

/// The profiles of this machine.
pub(crate) struct Profiles {
    config: Ini,
    credentials: Ini,
}

/// One profile: the settings of both files, of which those of the credentials file count more.
#[derive(Clone)]
pub(crate) struct Profile {
    pub(crate) name: String,
    settings: HashMap<String, String>,
}

impl Profiles {
    /// Reads both files. Blocks. A file that is not there has no profiles.
    pub(crate) fn read(variables: &Variables) -> Result<Self, StoreError> {
        let home = variables.get("HOME").or_else(|| variables.get("USERPROFILE"));
        let read = |variable: &str, name: &str| -> Result<Ini, StoreError> {
            let usual = home.as_deref().map(|home| PathBuf::from(home).join(".aws").join(name));
            let Some(path) = variables.get(variable).map(|path| expanded(&path, home.as_deref())).or(usual) else {
                return Ok(Ini::default());
            };
            let fail = |what: String| {
                StoreError::Other(format!(
                    "AWS profile file {}: {what}",
                    crate::types::location::redacted(&path.to_string_lossy())
                ))
            };
            match std::fs::metadata(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Ini::default()),
                Err(error) => return Err(fail(StoreError::of_file(&error).to_string())),
                Ok(metadata) if !metadata.is_file() || metadata.len() > BYTES_MAX => {
                    return Err(fail("expected a file of at most 4 MiB".to_owned()));
                }
                Ok(_) => {}
            }
            let bytes = std::fs::read(&path).map_err(|error| fail(StoreError::of_file(&error).to_string()))?;
            Ok(Ini::parse(&String::from_utf8_lossy(&bytes)))
        };
        Ok(Self {
            config: read("AWS_CONFIG_FILE", "config")?,
            credentials: read("AWS_SHARED_CREDENTIALS_FILE", "credentials")?,
        })
    }

    /// The profile in `AWS_PROFILE`; by default the one named `default`, if it exists.
    pub(crate) fn usual(&self, variables: &Variables) -> Result<Option<Profile>, StoreError> {
        match variables.get("AWS_PROFILE").or_else(|| variables.get("AWS_DEFAULT_PROFILE")) {
            Some(name) => self.named(&name).map(Some),
            None => Ok(self.find("default")),
        }
    }

    pub(crate) fn named(&self, name: &str) -> Result<Profile, StoreError> {
        self.find(name)
            .ok_or_else(|| StoreError::Other(format!("no AWS profile '{name}' in the config and credentials files")))
    }

    fn find(&self, name: &str) -> Option<Profile> {
        let section = format!("profile {name}");
        let config = self.config.section(&section).or_else(|| self.config.section(name).filter(|_| name == "default"));
        let credentials = self.credentials.section(name);
        if config.is_none() && credentials.is_none() {
            return None;
        }
        let mut settings = config.cloned().unwrap_or_default();
        settings.extend(credentials.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
        Some(Profile { name: name.to_owned(), settings })
    }

    /// A setting of `[sso-session NAME]` or `[services NAME]`.
    pub(super) fn setting(&self, kind: &str, name: &str, setting: &str) -> Option<&str> {
        let value = self.config.section(&format!("{kind} {name}"))?.get(setting)?;
        (!value.is_empty()).then_some(value)
    }

    /// The endpoint that a profile sets for a service.
    pub(crate) fn endpoint(&self, profile: &Profile, service: &str) -> Option<String> {
        if profile.get("ignore_configured_endpoint_urls").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return None;
        }
        let of_service =
            profile.get("services").and_then(|name| self.setting("services", name, &format!("{service}.endpoint_url")));
        of_service.or_else(|| profile.get("endpoint_url")).map(str::to_owned)
    }
}

impl Profile {
    /// A setting that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, StoreError> {
        self.get(name).ok_or_else(|| self.fault(&format!("expected {name}")))
    }

    /// Whether it defines a source of credentials.
    pub(crate) fn has_credentials(&self) -> bool {
        [
            "aws_access_key_id",
            "role_arn",
            "credential_process",
            "sso_session",
            "sso_start_url",
            "web_identity_token_file",
        ]
        .iter()
        .any(|name| self.get(name).is_some())
    }

    pub(crate) fn fault(&self, what: &str) -> StoreError {
        StoreError::Other(format!("AWS profile '{}': {what}", self.name))
    }
}

/// `~/` as the shell has it.
fn expanded(path: &str, home: Option<&str>) -> PathBuf {
    match path.strip_prefix("~/").zip(home) {
        Some((rest, home)) => PathBuf::from(home).join(rest),
        None => path.into(),
    }
}
