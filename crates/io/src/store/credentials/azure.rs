//! Connection strings of Azure, and credentials of its stores that are resolved per request.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::azure::AzureCredential;
use object_store::gcp::GcpCredential;
use url::Url;

use super::sas::{SasTokens, pairs};
use super::variables::Variables;
use crate::StoreError;
use crate::types::credentials::rule::Variable;
use crate::types::url_text::is_endpoint;

/// The account of Azurite and of the older emulator, which is public.
const DEVELOPMENT: &str = "AccountName=devstoreaccount1;BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// The parts of a connection string that matter to reading.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ConnectionString {
    pub(crate) account: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) sas: Option<String>,
}

impl ConnectionString {
    /// Reads `Name=value;…`. Errors contain the missing part, but not the text.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let get = |wanted: &str| {
            let found = text.split(';').filter_map(|part| part.trim().split_once('='));
            let value = found
                .filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))
                .map(|(_, value)| value.trim())
                .next();
            value.filter(|value| !value.is_empty())
        };
        if get("UseDevelopmentStorage").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Self::parse(DEVELOPMENT);
        }
        let endpoint = get("BlobEndpoint").map(|endpoint| endpoint.trim_end_matches('/').to_owned());
        let of_endpoint = || {
            let url = Url::parse(endpoint.as_deref()?).ok()?;
            match url.path().trim_matches('/') {
                "" => url.host_str()?.split('.').next().map(str::to_owned),
                account => Some(account.to_owned()),
            }
        };
        let account =
            get("AccountName").map(str::to_owned).or_else(of_endpoint).ok_or("expected AccountName or BlobEndpoint")?;
        let (key, sas) = (get("AccountKey"), get("SharedAccessSignature"));
        if key.or(sas).is_none() {
            return Err("expected AccountKey or SharedAccessSignature");
        }
        let endpoint = endpoint.or_else(|| {
            let suffix = get("EndpointSuffix").filter(|suffix| *suffix != "core.windows.net")?;
            let scheme = get("DefaultEndpointsProtocol").unwrap_or("https");
            Some(format!("{scheme}://{account}.blob.{suffix}"))
        });
        if endpoint.as_deref().is_some_and(|endpoint| !is_endpoint(endpoint)) {
            return Err("BlobEndpoint: expected a URL such as https://host:port");
        }
        Ok(Self {
            account,
            endpoint,
            key: key.map(str::to_owned),
            sas: sas.map(|sas| sas.trim_start_matches('?').to_owned()),
        })
    }
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionString")
    }
}

/// Provides an Azure client with signatures, which are renewed.
#[derive(Debug)]
pub(crate) struct SasProvider {
    pub(crate) tokens: SasTokens,
    pub(crate) account: String,
    pub(crate) container: String,
}

#[async_trait]
impl CredentialProvider for SasProvider {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        let token = self.tokens.token(Some(&self.account), Some(&self.container)).await;
        let token = token.map_err(|fault| failed("MicrosoftAzure", fault))?;
        Ok(Arc::new(AzureCredential::SASToken(pairs(&token).collect())))
    }
}

/// Provides a client with the current bearer token of a variable.
#[derive(Debug)]
pub(crate) struct BearerProvider {
    pub(crate) variables: Variables,
    pub(crate) variable: Variable,
}

impl BearerProvider {
    fn token(&self, store: &'static str) -> object_store::Result<String> {
        let token = self.variables.required(&self.variable).and_then(|token| {
            let is_sendable = token.bytes().all(|byte| byte.is_ascii_graphic());
            is_sendable
                .then_some(token)
                .ok_or_else(|| StoreError::Other(format!("{}: expected visible ASCII characters", self.variable)))
        });
        token.map_err(|fault| failed(store, fault))
    }
}

/// The same for both clouds that take bearer tokens.
#[derive(Debug)]
pub(crate) struct AzureBearer(pub(crate) BearerProvider);

#[derive(Debug)]
pub(crate) struct GoogleBearer(pub(crate) BearerProvider);

#[async_trait]
impl CredentialProvider for AzureBearer {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        Ok(Arc::new(AzureCredential::BearerToken(self.0.token("MicrosoftAzure")?)))
    }
}

#[async_trait]
impl CredentialProvider for GoogleBearer {
    type Credential = GcpCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<GcpCredential>> {
        Ok(Arc::new(GcpCredential { bearer: self.0.token("GCS")? }))
    }
}

fn failed(store: &'static str, fault: StoreError) -> object_store::Error {
    object_store::Error::Generic { store, source: Box::new(fault) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_strings() {
        let parse = |text: &str| ConnectionString::parse(text);
        let usual =
            parse("DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=a+b/c==;EndpointSuffix=core.windows.net")
                .unwrap();
        assert_eq!((usual.account.as_str(), usual.key.as_deref(), usual.endpoint), ("acct", Some("a+b/c=="), None));
        let sas =
            parse("BlobEndpoint=https://acct.blob.core.windows.net/;SharedAccessSignature=?sv=1&sig=x%3D").unwrap();
        assert_eq!((sas.account.as_str(), sas.sas.as_deref()), ("acct", Some("sv=1&sig=x%3D")));
        let china = parse("AccountName=a;AccountKey=k;EndpointSuffix=core.chinacloudapi.cn").unwrap();
        assert_eq!(china.endpoint.as_deref(), Some("https://a.blob.core.chinacloudapi.cn"));
        let local = parse("UseDevelopmentStorage=true").unwrap();
        assert_eq!(local.endpoint.as_deref(), Some("http://127.0.0.1:10000/devstoreaccount1"));
        assert_eq!(parse("BlobEndpoint=http://127.0.0.1:1/one;SharedAccessSignature=sig=x").unwrap().account, "one");
        let of_endpoint = |endpoint| format!("AccountName=a;AccountKey=SECRET;BlobEndpoint={endpoint}");
        let bad = ["localhost:80", "http://", "http://h:99999"].map(of_endpoint);
        for odd in
            ["", "AccountName=a", "AccountKey=SECRET", "SECRET"].into_iter().chain(bad.iter().map(String::as_str))
        {
            assert!(!parse(odd).unwrap_err().contains("SECRET"));
        }
        assert!(!format!("{usual:?}", usual = parse("AccountName=a;AccountKey=SECRET")).contains("SECRET"));
    }
}
