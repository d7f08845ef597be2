//! Reasons why a store returned no bytes.
//!
//! Converts the errors of other libraries. Those of reqwest and object_store print whole URLs, including signatures,
//! and whole responses of servers: their text is dropped, and only a [`StoreError`] remains.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

/// Codes of S3 and STS for credentials that are valid no longer.
const EXPIRED: [&str; 4] = ["ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired"];

/// Why a store returned no bytes. Displays as text: `not found (HTTP 404)`, `connection refused`, `no response within 30
/// s`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// No such local file or directory.
    NoSuchFile,
    /// The operating system denies the local file.
    PermissionDenied,
    /// A lock of the host forbids it; in the host's words.
    Denied(String),
    /// Neither the process nor the system may open another file or connection.
    NoDescriptors,
    /// The local path is a directory.
    IsDirectory,
    /// An HTTP status that is not a success, with the store's own code if it sent one: `AccessDenied`.
    Http {
        /// Status code, 300 to 599.
        status: u16,
        /// Letters and digits only.
        code: Option<String>,
    },
    /// An HTTP status for missing or rejected credentials.
    Refusal {
        /// Status code.
        status: u16,
        /// Letters and digits only.
        code: Option<String>,
        /// Kind of credentials of the request, if any, and its destination.
        how: String,
    },
    /// The bucket is in another region than that of the request.
    OtherRegion {
        /// Status code.
        status: u16,
        /// Letters and digits only.
        code: Option<String>,
        /// The region of the bucket.
        region: String,
    },
    /// An endpoint gave no token.
    Token {
        /// Its host.
        host: String,
        /// Status code.
        status: u16,
        /// Its own code: `invalid_grant`.
        code: Option<String>,
    },
    /// No complete response within the timeout.
    Timeout(Duration),
    /// No connection within the connect timeout.
    Unreachable(Duration),
    /// The connection was refused.
    Refused,
    /// The host name has no address.
    UnknownHost,
    /// The TLS handshake failed, with the reason if known.
    Tls(Option<String>),
    /// The connection ended before the response did.
    Interrupted,
    /// The server responded to a range request with the whole file.
    RangeIgnored,
    /// The range ends beyond the end of the file, with its size if known.
    BeyondEnd(Option<u64>),
    /// Parts of the file that were read one after the other are of different versions; how they differ.
    Changed(String),
    /// Any other reason, as text without a URL.
    Other(String),
}

impl StoreError {
    /// The file does not exist: nothing to retry, and `gone` in `rasteret_refresh`.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NoSuchFile | Self::Http { status: 404 | 410, .. })
    }

    /// Whether the same request may succeed a moment later. False for a timeout, which has waited long enough.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Http { status, .. } => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
            Self::Refused | Self::UnknownHost | Self::Interrupted => true,
            _ => false,
        }
    }

    /// Whether the server rejected the request because of missing or invalid credentials.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Http { status: 401 | 403, .. } | Self::Refusal { .. } => true,
            // S3 and STS reject expired credentials with these codes.
            Self::Http { status: 400, code: Some(code) } => EXPIRED.contains(&code.as_str()),
            _ => false,
        }
    }

    /// Adds a description of the credentials of the request to an error if they were rejected.
    pub(crate) fn explained(self, how: impl FnOnce() -> String) -> Self {
        match self {
            Self::Http { status, code } if Self::is_refusal(&Self::Http { status, code: code.clone() }) => {
                Self::Refusal { status, code, how: how() }
            }
            fault => fault,
        }
    }

    /// The error of this crate in the sources of another error.
    pub(crate) fn of_source(error: &(dyn StdError + 'static)) -> Option<Self> {
        chain(error).find_map(known)
    }

    /// The error for the status of a response.
    pub(crate) fn status(status: u16) -> Self {
        Self::Http { status, code: None }
    }

    /// A fault of the operating system with a local file.
    pub(crate) fn of_file(error: &io::Error) -> Self {
        if is_exhausted(error) {
            return Self::NoDescriptors;
        }
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NoSuchFile,
            io::ErrorKind::PermissionDenied => Self::PermissionDenied,
            io::ErrorKind::IsADirectory => Self::IsDirectory,
            io::ErrorKind::UnexpectedEof => Self::BeyondEnd(None),
            // Only the message of the operating system: "file name too long (os error 36)" without the path.
            _ => Self::Other(error.to_string().to_ascii_lowercase()),
        }
    }

    /// An error of the HTTP client, with its timeouts.
    pub(crate) fn of_client(error: &reqwest::Error, timeout: Duration, connect_timeout: Duration) -> Self {
        if error.is_timeout() {
            return if error.is_connect() { Self::Unreachable(connect_timeout) } else { Self::Timeout(timeout) };
        }
        if error.is_redirect() {
            return Self::Other("too many redirects".to_owned());
        }
        if let Some(fault) = chain(error).find_map(known) {
            return fault;
        }
        if error.is_connect() {
            // Connection errors other than those of sockets are failures of the handshake.
            let tls = error.url().is_some_and(|url| url.scheme() == "https");
            if chain(error).any(|error| error.to_string().starts_with("tunnel error")) {
                return Self::Other("no connection through the proxy".to_owned());
            }
            return if tls { Self::Tls(None) } else { Self::Other("no connection".to_owned()) };
        }
        if error.is_builder() {
            return Self::Other("not a valid URL for a request".to_owned());
        }
        Self::Interrupted
    }

    /// A fault of an object store. The transport's own fault is found again inside of it.
    pub(crate) fn of_store(error: &object_store::Error) -> Self {
        if let Some(fault) = chain(error).find_map(known) {
            return fault;
        }
        match error {
            object_store::Error::NotFound { .. } => Self::status(404),
            object_store::Error::PermissionDenied { .. } => Self::status(403),
            object_store::Error::Unauthenticated { .. } => Self::status(401),
            object_store::Error::InvalidPath { .. } => Self::Other("not a valid key of the store".to_owned()),
            object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. } => {
                Self::Other("not supported by the store".to_owned())
            }
            object_store::Error::Generic { store, .. } => Self::Other(format!("no usable response from {store}")),
            _ => Self::Other("no usable response from the store".to_owned()),
        }
    }
}

/// The error and its sources, outermost first.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| inner(*error))
}

/// The error that an error wraps. An `io::Error` that wraps another error skips it in `source()`.
fn inner<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

fn known(error: &(dyn StdError + 'static)) -> Option<StoreError> {
    if let Some(fault) = error.downcast_ref::<StoreError>() {
        return Some(fault.clone());
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(StoreError::Tls(super::tls_fault::why(error)));
    }
    let error = error.downcast_ref::<io::Error>()?;
    if is_exhausted(error) {
        return Some(StoreError::NoDescriptors);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(StoreError::Refused),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected => Some(StoreError::Interrupted),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Some(StoreError::Other("host unreachable".to_owned()))
        }
        _ => None,
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchFile => f.write_str("no such file or directory"),
            Self::PermissionDenied => f.write_str("permission denied"),
            Self::NoDescriptors => {
                f.write_str("too many open files: the limit of file descriptors is reached (ulimit -n)")
            }
            Self::IsDirectory => f.write_str("expected a file, found a directory"),
            Self::Http { status, code } => f.write_str(&status_text(*status, code.as_deref())),
            Self::Refusal { status, code, how } => write!(f, "{}; {how}", status_text(*status, code.as_deref())),
            Self::OtherRegion { status, code, region } => {
                write!(f, "{}; the bucket is in region {region}", status_text(*status, code.as_deref()))
            }
            Self::Token { host, status, code } => {
                write!(f, "no token from {host}: {}", status_text(*status, code.as_deref()))
            }
            Self::Timeout(limit) => write!(f, "no response within {} s", limit.as_secs_f64()),
            Self::Unreachable(limit) => write!(f, "no connection within {} s", limit.as_secs_f64()),
            Self::Refused => f.write_str("connection refused"),
            Self::UnknownHost => f.write_str("unknown host"),
            Self::Tls(None) => f.write_str("no secure connection (TLS handshake failed)"),
            Self::Tls(Some(why)) => write!(f, "no secure connection (TLS handshake failed): {why}"),
            Self::Interrupted => f.write_str("connection closed before the response was complete"),
            Self::RangeIgnored => f.write_str("the server does not support range requests (answered with HTTP 200)"),
            Self::BeyondEnd(Some(size)) => write!(f, "beyond the end of the file of {size} bytes"),
            Self::BeyondEnd(None) => f.write_str("beyond the end of the file"),
            Self::Changed(difference) => write!(f, "the file changed while it was read: {difference}"),
            Self::Denied(what) | Self::Other(what) => f.write_str(what),
        }
    }
}

/// A status in words, and the store's code.
fn status_text(status: u16, code: Option<&str>) -> String {
    let words = match status {
        300..=399 => "redirected elsewhere",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not found",
        410 => "gone",
        429 => "too many requests",
        500..=599 => "server error",
        _ => "request refused",
    };
    match code {
        Some(code) => format!("{words} (HTTP {status}), {code}"),
        None => format!("{words} (HTTP {status})"),
    }
}

impl StdError for StoreError {}

/// Whether the process or the system has no more descriptors.
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    // EMFILE and ENFILE; on Windows WSAEMFILE and ERROR_TOO_MANY_OPEN_FILES.
    let codes = if cfg!(windows) { [10024, 4] } else { [24, 23] };
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}
