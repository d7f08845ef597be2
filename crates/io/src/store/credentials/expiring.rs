//! Credentials that expire: cached, and renewed some time before their expiry by a single request for all callers.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use crate::StoreError;

/// Credentials are renewed this long before they expire, or a tenth of their lifetime before if that is less.
const MARGIN: Duration = Duration::from_secs(300);

/// Credentials that have expired already are used this long: their source, perhaps a program, is not to run for each request.
const EXPIRED_USE: Duration = Duration::from_millis(500);

/// The credentials that are in use.
pub(crate) struct Expiring<T> {
    current: RwLock<Option<Current<T>>>,
    resolving: tokio::sync::Mutex<()>,
}

struct Current<T> {
    credential: Arc<T>,
    renew_at: Option<SystemTime>,
    expires: Option<SystemTime>,
}

impl<T> Expiring<T> {
    /// The credentials in use, or those returned by `resolve`, with their expiry.
    pub(crate) async fn get<F>(&self, resolve: impl FnOnce() -> F) -> Result<Arc<T>, StoreError>
    where
        F: Future<Output = Result<(T, Option<SystemTime>), StoreError>>,
    {
        if let Some(credential) = self.before(|current| current.renew_at) {
            return Ok(credential);
        }
        let _resolving = self.resolving.lock().await;
        if let Some(credential) = self.before(|current| current.renew_at) {
            return Ok(credential);
        }
        match resolve().await {
            Ok((credential, expires)) => {
                let now = SystemTime::now();
                let margin = |expires: SystemTime| MARGIN.min(expires.duration_since(now).unwrap_or_default() / 10);
                let renew_at = expires.map(|expires| match expires > now {
                    true => expires - margin(expires),
                    false => now + EXPIRED_USE,
                });
                let credential = Arc::new(credential);
                let current = Current { credential: Arc::clone(&credential), renew_at, expires };
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(current);
                Ok(credential)
            }
            // A credential that has not expired is used in spite of the failure.
            Err(fault) => self.before(|current| current.expires).ok_or(fault),
        }
    }

    /// The credentials in use, unless the instant is over.
    fn before(&self, instant: impl Fn(&Current<T>) -> Option<SystemTime>) -> Option<Arc<T>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let current = current.as_ref()?;
        instant(current).is_none_or(|instant| SystemTime::now() < instant).then(|| Arc::clone(&current.credential))
    }
}

impl<T> Default for Expiring<T> {
    fn default() -> Self {
        Self { current: RwLock::default(), resolving: tokio::sync::Mutex::default() }
    }
}

impl<T> fmt::Debug for Expiring<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Expiring")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn values_are_renewed_before_they_expire_and_kept_until_then() {
        let (expiring, now) = (Expiring::default(), SystemTime::now());
        let fail = || async { Err(StoreError::Refused) };
        assert_eq!(expiring.get(fail).await, Err(StoreError::Refused));
        let until = |value: u8, millis| move || async move { Ok((value, Some(now + Duration::from_millis(millis)))) };
        assert_eq!(expiring.get(until(1, 300)).await.as_deref(), Ok(&1));
        assert_eq!(expiring.get(until(2, 300)).await.as_deref(), Ok(&1));
        tokio::time::sleep(Duration::from_millis(310)).await;
        assert_eq!(expiring.get(fail).await, Err(StoreError::Refused));
        assert_eq!(expiring.get(until(3, 60_000)).await.as_deref(), Ok(&3));
        assert_eq!(expiring.get(fail).await.as_deref(), Ok(&3));
        let expired = Expiring::default();
        let past = |value: u8| move || async move { Ok((value, Some(SystemTime::UNIX_EPOCH))) };
        assert_eq!(expired.get(past(1)).await.as_deref(), Ok(&1));
        assert_eq!(expired.get(past(2)).await.as_deref(), Ok(&1));
        tokio::time::sleep(EXPIRED_USE).await;
        assert_eq!(expired.get(past(3)).await.as_deref(), Ok(&3));
    }
}
