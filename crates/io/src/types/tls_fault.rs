//! Descriptions of failed TLS handshakes: the issuer, host names and expiry of the certificate.

use std::time::{Duration, SystemTime};

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, Error};

/// The reason; None if there is only the message of the library.
pub(crate) fn why(error: &Error) -> Option<String> {
    Some(match error {
        // Errors of our verifier.
        Error::General(what) => what.clone(),
        Error::InvalidCertificate(error) => certificate(error)?,
        Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            "the server speaks another version of TLS".to_owned()
        }
        Error::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::BadCertificate | AlertDescription::AccessDenied,
        ) => "the server expects a certificate of the client".to_owned(),
        Error::InvalidMessage(_) => "the server does not speak TLS on this port".to_owned(),
        Error::PeerIncompatible(_) => "the server speaks another version of TLS".to_owned(),
        _ => return None,
    })
}

fn certificate(error: &CertificateError) -> Option<String> {
    Some(match error {
        CertificateError::Expired => "the certificate has expired".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the certificate expired on {}", date(*not_after))
        }
        CertificateError::NotValidYet => "the certificate is not valid yet".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate is not valid before {}", date(*not_before))
        }
        CertificateError::Revoked => "the certificate has been revoked".to_owned(),
        CertificateError::UnknownIssuer => "the issuer of the certificate is not trusted".to_owned(),
        CertificateError::NotValidForName => "the certificate is for another host".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<String> = presented.iter().take(5).map(|name| shown(name)).collect();
            format!("the certificate is not for {} but for {}", name(expected), names.join(", "))
        }
        CertificateError::BadSignature => "the certificate is not signed by its issuer".to_owned(),
        CertificateError::BadEncoding => "the certificate is malformed".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not one for servers".to_owned()
        }
        _ => return None,
    })
}

fn name(expected: &ServerName<'_>) -> String {
    expected.to_str().into_owned()
}

/// `DnsName("localhost")` of the library as `localhost`, without control characters.
fn shown(presented: &str) -> String {
    let name = presented.split('"').nth(1).unwrap_or(presented);
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

fn date(time: UnixTime) -> String {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs().min(1 << 40));
    chrono::DateTime::<chrono::Utc>::from(time).format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The common name, otherwise the organisation, of the issuer of a certificate in DER (RFC 5280, section 4.1).
pub(crate) fn issuer(certificate: &[u8]) -> Option<String> {
    let (_, certificate, _) = element(certificate)?;
    let (_, body, _) = element(certificate)?;
    let (tag, _, rest) = element(body)?;
    // The version is optional; the serial number and the algorithm follow.
    let after_serial = if tag == 0xa0 { element(rest)?.2 } else { rest };
    let (_, _, rest) = element(after_serial)?;
    let (_, issuer, _) = element(rest)?;
    // 2.5.4.3 and 2.5.4.10.
    [[0x55, 0x04, 0x03], [0x55, 0x04, 0x0a]].iter().find_map(|wanted| attribute(issuer, wanted))
}

/// An attribute of a distinguished name: a sequence of sets of sequences of an identifier and a text.
fn attribute(mut name: &[u8], wanted: &[u8]) -> Option<String> {
    while !name.is_empty() {
        let (_, set, rest) = element(name)?;
        let (_, pair, _) = element(set)?;
        let (_, identifier, value) = element(pair)?;
        if identifier == wanted {
            let (_, text, _) = element(value)?;
            let text = String::from_utf8_lossy(text);
            return Some(text.chars().filter(|c| !c.is_control()).take(100).collect());
        }
        name = rest;
    }
    None
}

/// Tag and content of the first element, and the remaining bytes.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_of_a_certificate() {
        let attribute = |identifier: u8, text: &[u8]| {
            let pair = [&[0x06, 3, 0x55, 4, identifier, 0x0c, u8::try_from(text.len()).unwrap()][..], text].concat();
            let sequence = [&[0x30, u8::try_from(pair.len()).unwrap()][..], &pair].concat();
            [&[0x31, u8::try_from(sequence.len()).unwrap()][..], &sequence].concat()
        };
        let wrapped =
            |tag: u8, content: &[u8]| [&[tag, 0x81, u8::try_from(content.len()).unwrap()][..], content].concat();
        let name = wrapped(0x30, &[attribute(10, b"Org"), attribute(3, b"My\n CA")].concat());
        let (version, serial, algorithm) = ([0xa0, 3, 2, 1, 2], [2, 1, 7], [0x30, 0]);
        let body = [&version[..], &serial, &algorithm, &name].concat();
        let certificate = wrapped(0x30, &wrapped(0x30, &body));
        assert_eq!(issuer(&certificate).as_deref(), Some("My CA"));
        // Without a version, and without a common name.
        let body = [&serial[..], &algorithm, &wrapped(0x30, &attribute(10, b"Org"))].concat();
        assert_eq!(issuer(&wrapped(0x30, &wrapped(0x30, &body))).as_deref(), Some("Org"));
        for length in 0..certificate.len() {
            assert_eq!(issuer(&certificate[..length]), None);
        }
        assert_eq!(issuer(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }

    #[test]
    fn reasons() {
        let expired = CertificateError::ExpiredContext {
            time: UnixTime::since_unix_epoch(Duration::from_secs(2)),
            not_after: UnixTime::since_unix_epoch(Duration::from_secs(1)),
        };
        let text = why(&Error::InvalidCertificate(expired)).unwrap();
        assert_eq!(text, "the certificate expired on 1970-01-01 00:00:01 UTC");
        let other = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("a.org").unwrap(),
            presented: vec!["DnsName(\"b.org\")".to_owned()],
        };
        assert_eq!(why(&Error::InvalidCertificate(other)).unwrap(), "the certificate is not for a.org but for b.org");
    }
}
