//! Environment variables with credentials, read when they are needed.

use std::fmt;
use std::sync::Arc;

use crate::StoreError;
use crate::types::credentials::rule::Variable;

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The variables of a session: those of the process, or a test's.
#[derive(Clone)]
pub(crate) struct Variables(Arc<Lookup>);

impl Variables {
    pub(crate) fn new(variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(variable))
    }

    /// The value of a variable; None if it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// The value of a variable of a rule.
    pub(crate) fn required(&self, variable: &Variable) -> Result<String, StoreError> {
        let value = self.get(variable.name()).map(|value| value.trim().to_owned());
        value.filter(|value| !value.is_empty()).ok_or_else(|| StoreError::Other(format!("{variable} is not set")))
    }
}

impl Default for Variables {
    fn default() -> Self {
        Self::new(|_| None)
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables")
    }
}
