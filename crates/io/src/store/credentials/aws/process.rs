//! `credential_process`: a command that prints credentials as JSON.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::profile::Profile;
use super::resolved::Resolved;
use crate::StoreError;

/// Timeout of a command: some send requests to an identity provider.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Timeout of its output after its end.
const CLOSING_TIME: Duration = Duration::from_secs(5);

/// Bytes that it may print.
const OUTPUT_MAX: u64 = 1 << 20;

/// Runs the command of a profile. Blocks. Its output is shown in no error.
pub(super) fn run(profile: &Profile, command: &str) -> Result<Resolved, StoreError> {
    let fail = |what: &str| profile.fault(&format!("credential_process {what}"));
    let (shell, flag) = if cfg!(windows) { ("cmd.exe", "/C") } else { ("/bin/sh", "-c") };
    let mut child = Command::new(shell)
        .args([flag, command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|_| fail("could not be started"))?;
    let output = child.stdout.take();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let read = output.map(|output| output.take(OUTPUT_MAX).read_to_end(&mut text));
        // The receiver may have given up.
        let _ = sender.send(read.is_some_and(|read| read.is_ok()).then_some(text));
    });
    let started = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if started.elapsed() < TIME_LIMIT => std::thread::sleep(Duration::from_millis(5)),
            _ => {
                // Failures to end it change nothing: its output is not waited for.
                let _ = child.kill().and_then(|()| child.wait());
                return Err(fail(&format!("did not end within {} s", TIME_LIMIT.as_secs())));
            }
        }
    };
    if !status.success() {
        return Err(fail(&format!("failed ({status})")));
    }
    // A program that it has started may keep its output open.
    let text = receiver.recv_timeout(CLOSING_TIME).map_err(|_| fail("ended, but its output is still open"))?;
    let text = text.ok_or_else(|| fail("printed nothing that can be read"))?;
    let json: Value = serde_json::from_slice(&text).map_err(|_| fail("printed no JSON"))?;
    if json.get("Version").and_then(Value::as_i64) != Some(1) {
        return Err(fail("printed no credentials of Version 1"));
    }
    Resolved::from_json(&json, ["AccessKeyId", "SecretAccessKey", "SessionToken"], json.get("Expiration"))
        .ok_or_else(|| fail("printed no AccessKeyId and SecretAccessKey"))
}
