//! Helpers for the tests of this crate: synthetic TIFFs, and a web server and an object store that log requests.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a failed assertion is what a test is for")]

pub(crate) mod raster;
pub(crate) mod server;
pub(crate) mod store;
pub(crate) mod tiff;

use rasteret_io::Session;

/// A session with only these variables.
pub(crate) fn session(variables: &[(&str, &str)]) -> Session {
    let known: Vec<(String, String)> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Session::from_variables(move |name| Some(known.iter().find(|(own, _)| own == name)?.1.clone())).unwrap()
}

/// A directory that is removed at the end.
pub(crate) struct Scratch(std::path::PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rasteret-io-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.join(name)
    }

    /// Writes a file and returns its path.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
