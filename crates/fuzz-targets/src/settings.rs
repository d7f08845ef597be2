//! Settings and credentials from environment variables, one per line.

use rasteret_io::{Location, Session};

/// Checks that variables return a session, or an error without secrets, and that cloud locations have a store.
pub(crate) fn settings(data: &[u8]) {
    const SECRET: &str = "c4n4ry";
    let Ok(text) = std::str::from_utf8(data) else { return };
    let variables: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| {
            let is_secret = ["KEY", "SECRET", "TOKEN", "PASSWORD"].iter().any(|word| name.contains(word));
            (name.to_owned(), if is_secret { format!("{value}{SECRET}") } else { value.to_owned() })
        })
        // Settings that would read local files or run commands are ignored.
        .filter(|(name, _)| !["FILE", "PATH", "PROFILE", "HOME", "CREDENTIALS"].iter().any(|word| name.contains(word)))
        .collect();
    let variable = move |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let shown = match Session::from_variables(variable) {
        Ok(session) => {
            let opened = ["az://container/a.tif", "https://account.blob.core.windows.net/c/a.tif", "gs://bucket/a.tif"]
                .map(|href| session.block_on(async { session.open(href).await.map(|_| ()) }));
            format!("{:?} {opened:?}", session.options())
        }
        Err(error) => format!("{error} {error:?}"),
    };
    assert!(text.contains(SECRET) || !shown.contains(SECRET), "{shown}");
    for line in text.lines() {
        let _ = Location::parse(line);
    }
}
