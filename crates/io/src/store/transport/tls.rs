//! TLS as configured by reqwest, except that the system's certificates are read at the first handshake.
//!
//! On many systems they are hundreds of files, which take longer to read than a header takes to fetch. Plain HTTP never needs them.
//!
//! Certificates are verified by `rustls-platform-verifier`, signatures by the cryptography provider.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::types::tls_fault;

/// TLS settings for HTTP/1.1 and the certificate authorities of the system.
pub(super) fn config() -> Result<ClientConfig, Error> {
    let default = || Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let provider = CryptoProvider::get_default().cloned().unwrap_or_else(default);
    let trust = SystemTrust { provider: provider.clone(), verifier: OnceLock::new() };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trust))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Variables with files of certificates in PEM, which are trusted in addition to those of the system.
const BUNDLES: [&str; 2] = ["AWS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// The certificates of those files.
fn bundles() -> Result<Vec<CertificateDer<'static>>, Error> {
    let mut certificates = Vec::new();
    for name in BUNDLES {
        let Some(path) = std::env::var_os(name).filter(|path| !path.is_empty()) else {
            continue;
        };
        let fail = |_| unusable(name);
        let known = certificates.len();
        for certificate in CertificateDer::pem_file_iter(path).map_err(fail)? {
            certificates.push(certificate.map_err(fail)?);
        }
        if certificates.len() == known {
            return Err(unusable(name));
        }
    }
    Ok(certificates)
}

fn unusable(variable: &str) -> Error {
    Error::General(format!("environment variable {variable}: expected a file of certificates in PEM"))
}

/// The variables that certificates are read from, for the error if there are none.
fn no_certificates(error: Error) -> Error {
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|path| !path.is_empty());
    match ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().find(is_set) {
        Some(name) if matches!(error, Error::General(_)) => {
            Error::General(format!("environment variable {name}: found no certificates in PEM there"))
        }
        _ => error,
    }
}

/// The system's certificate authorities, loaded with the first handshake.
#[derive(Debug)]
struct SystemTrust {
    provider: Arc<CryptoProvider>,
    verifier: OnceLock<Verifier>,
}

impl ServerCertVerifier for SystemTrust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verifier = match self.verifier.get() {
            Some(verifier) => verifier,
            // A failure is not cached, because it may be a lack of descriptors.
            None => {
                let made =
                    Verifier::new_with_extra_roots(bundles()?, self.provider.clone()).map_err(no_certificates)?;
                self.verifier.get_or_init(|| made)
            }
        };
        let verified = verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verified.map_err(|error| match &error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                // The issuer of the last certificate is missing.
                let last = intermediates.last().unwrap_or(end_entity);
                match tls_fault::issuer(last) {
                    Some(issuer) => Error::General(format!(
                        "the issuer '{issuer}' of the certificate is not trusted (SSL_CERT_FILE, AWS_CA_BUNDLE or CURL_CA_BUNDLE name others)"
                    )),
                    None => error,
                }
            }
            _ => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
