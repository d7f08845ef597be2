//! Credentials of AWS profiles and web identities, renewed before they expire.
//!
//! The order within a profile is: a role (`role_arn` with `source_profile`, `credential_source` or `web_identity_token_file`), single sign-on,
//! keys, `credential_process`. Requests to STS and single sign-on go through the session's own HTTP client, so that proxies, certificates
//! and time-outs are the same.

mod ini;
mod process;
mod profile;
mod resolved;
mod sso;
mod sts;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use futures::future::BoxFuture;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;

use self::resolved::Resolved;
use self::sts::Role;
use super::expiring::Expiring;
use crate::StoreError;

pub(crate) use profile::{Profile, Profiles};
pub(crate) use resolved::Resolver;

/// Maximum length of a chain of profiles.
const DEPTH_MAX: usize = 8;

/// The origin of credentials.
#[derive(Clone)]
pub(crate) enum AwsSource {
    Profile(Arc<Profiles>, Profile),
    /// `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN`.
    WebIdentity,
}

/// Provides an S3 client with credentials.
#[derive(Debug)]
pub(crate) struct AwsProvider {
    source: AwsSource,
    resolver: Resolver,
    current: Expiring<AwsCredential>,
}

impl AwsProvider {
    pub(crate) fn new(source: AwsSource, resolver: Resolver) -> Self {
        Self { source, resolver, current: Expiring::default() }
    }

    async fn resolve(&self) -> Result<(AwsCredential, Option<SystemTime>), StoreError> {
        let resolved = match &self.source {
            AwsSource::Profile(profiles, profile) => self.resolver.profile(profiles, profile, DEPTH_MAX).await?,
            AwsSource::WebIdentity => self.resolver.web_identity().await?,
        };
        let expires = resolved.expires;
        Ok((resolved.into(), expires))
    }
}

#[async_trait]
impl CredentialProvider for AwsProvider {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let credential = self.current.get(|| self.resolve()).await;
        credential.map_err(|fault| object_store::Error::Generic { store: "S3", source: Box::new(fault) })
    }
}

impl Resolver {
    /// Resolves the credentials of a profile, with at most `depth` source profiles.
    fn profile<'a>(
        &'a self,
        profiles: &'a Profiles,
        profile: &'a Profile,
        depth: usize,
    ) -> BoxFuture<'a, Result<Resolved, StoreError>> {
        Box::pin(async move {
            if depth == 0 {
                return Err(profile.fault("too many profiles behind one another"));
            }
            if let Some(arn) = profile.get("role_arn") {
                return self.role(profiles, profile, arn, depth).await;
            }
            if profile.get("sso_session").or_else(|| profile.get("sso_start_url")).is_some() {
                return sso::resolve(self, profiles, profile).await;
            }
            if profile.get("aws_access_key_id").is_some() {
                return keys(profile);
            }
            match profile.get("credential_process").map(str::to_owned) {
                Some(command) => {
                    let profile = profile.clone();
                    let ran = tokio::task::spawn_blocking(move || process::run(&profile, &command)).await;
                    ran.map_err(|_| StoreError::Other("internal error: a thread panicked".to_owned()))?
                }
                None => Err(profile
                    .fault("expected aws_access_key_id, role_arn, sso_session, sso_start_url or credential_process")),
            }
        })
    }

    async fn role(
        &self,
        profiles: &Profiles,
        profile: &Profile,
        arn: &str,
        depth: usize,
    ) -> Result<Resolved, StoreError> {
        if profile.get("mfa_serial").is_some() {
            return Err(profile.fault("mfa_serial is not supported: use temporary credentials of aws sts assume-role"));
        }
        let region = profile.get("region").map(str::to_owned).or_else(|| self.region());
        let endpoint = self.variables.get("AWS_ENDPOINT_URL_STS").or_else(|| profiles.endpoint(profile, "sts"));
        let role = Role {
            arn,
            session_name: profile.get("role_session_name"),
            external_id: profile.get("external_id"),
            duration: profile.get("duration_seconds"),
            region: region.as_deref(),
            endpoint: endpoint.as_deref(),
        };
        let explained = |fault: StoreError| profile.fault(&fault.to_string());
        if let Some(file) = profile.get("web_identity_token_file") {
            return role.assume_with_token(self, file).await.map_err(explained);
        }
        let with = match (profile.get("source_profile"), profile.get("credential_source")) {
            // A profile may hold the keys that its own role is assumed with.
            (Some(name), _) if name == profile.name => keys(profile)?,
            (Some(name), _) => self.profile(profiles, &profiles.named(name)?, depth - 1).await?,
            (None, Some("Environment")) => self.environment_keys(profile)?,
            (None, Some(_)) => return Err(profile.fault("credential_source: expected Environment")),
            (None, None) => {
                return Err(
                    profile.fault("role_arn: expected source_profile, credential_source or web_identity_token_file")
                );
            }
        };
        role.assume(self, with).await.map_err(explained)
    }

    fn environment_keys(&self, profile: &Profile) -> Result<Resolved, StoreError> {
        let get = |name: &str| self.variables.get(name);
        let keys = get("AWS_ACCESS_KEY_ID").zip(get("AWS_SECRET_ACCESS_KEY"));
        let (id, secret) = keys.ok_or_else(|| {
            profile.fault("credential_source = Environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set")
        })?;
        Ok(Resolved { id, secret, token: get("AWS_SESSION_TOKEN"), expires: None })
    }

    async fn web_identity(&self) -> Result<Resolved, StoreError> {
        let get = |name: &str| self.variables.get(name);
        let unset = || StoreError::Other("expected AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE".to_owned());
        let (arn, file) = get("AWS_ROLE_ARN").zip(get("AWS_WEB_IDENTITY_TOKEN_FILE")).ok_or_else(unset)?;
        let (region, endpoint) = (self.region(), get("AWS_ENDPOINT_URL_STS").or_else(|| get("AWS_ENDPOINT_URL")));
        let session_name = get("AWS_ROLE_SESSION_NAME");
        let role = Role {
            arn: &arn,
            session_name: session_name.as_deref(),
            external_id: None,
            duration: None,
            region: region.as_deref(),
            endpoint: endpoint.as_deref(),
        };
        role.assume_with_token(self, &file).await
    }
}

/// The keys in a profile.
fn keys(profile: &Profile) -> Result<Resolved, StoreError> {
    let token = profile.get("aws_session_token").or_else(|| profile.get("aws_security_token"));
    let resolved = Resolved {
        id: profile.required("aws_access_key_id")?.to_owned(),
        secret: profile.required("aws_secret_access_key")?.to_owned(),
        token: token.map(str::to_owned),
        expires: None,
    };
    match resolved.is_sendable() {
        true => Ok(resolved),
        false => Err(profile.fault("keys: expected visible ASCII characters")),
    }
}

impl fmt::Debug for AwsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsSource")
    }
}
