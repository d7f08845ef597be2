//! Pages of listings, sent by a server for a glob.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;

use rasteret_io::{Options, Session};

/// The first page of the server; the next one is the last.
static PAGE: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Sessions that use the server as S3 and as Azure; None if no port is free.
static SESSIONS: LazyLock<Option<[Session; 2]>> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").ok()?;
    let endpoint = format!("http://{}", listener.local_addr().ok()?);
    thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(thread::spawn(|| serve(stream)))));
    let session = |own: Vec<(&'static str, String)>| {
        let variable = move |name: &str| own.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        Session::from_variables(variable).ok().map(|session| {
            let mut options = Options::default();
            options.max_retries = 0;
            session.with_options(options)
        })
    };
    let s3 = session(vec![
        ("AWS_ENDPOINT_URL", endpoint.clone()),
        ("AWS_REGION", "eu-central-1".to_owned()),
        ("AWS_NO_SIGN_REQUEST", "true".to_owned()),
    ])?;
    let azure = session(vec![
        ("AZURE_STORAGE_ACCOUNT_NAME", "account".to_owned()),
        ("AZURE_STORAGE_ENDPOINT", endpoint),
        ("AZURE_SKIP_SIGNATURE", "true".to_owned()),
    ])?;
    Some([s3, azure])
});

/// Responds to requests with pages.
fn serve(stream: TcpStream) {
    let Ok(reading) = stream.try_clone() else { return };
    let (mut reader, mut stream) = (BufReader::new(reading), stream);
    let mut line = String::new();
    while reader.by_ref().take(1 << 16).read_line(&mut line).is_ok_and(|length| length > 0) {
        // Requests for later pages have a token.
        let is_first = !line.contains("continuation-token=") && !line.contains("marker=");
        let mut header = String::new();
        while reader.by_ref().take(1 << 16).read_line(&mut header).is_ok_and(|length| length > 2) {
            header.clear();
        }
        let page = match is_first {
            true => PAGE.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            false => b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>".to_vec(),
        };
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n", page.len());
        if stream.write_all(&[head.as_bytes(), &page].concat()).is_err() {
            return;
        }
        line.clear();
    }
}

/// Checks that files found by a glob are below its directory, for any listing of the server.
pub(crate) fn listing(data: &[u8]) {
    let Some(sessions) = &*SESSIONS else { return };
    *PAGE.lock().unwrap_or_else(PoisonError::into_inner) = data.to_vec();
    for (session, patterns) in sessions.iter().zip([
        ["s3://bucket/dir/*.tif", "s3://bucket/dir/**", "s3://bucket/d\u{e9}/**/x*/**/*.tif"],
        ["az://container/dir/*.tif", "az://container/dir/**", "az://container/d\u{e9}/**/x*/**/*.tif"],
    ]) {
        for pattern in patterns {
            let Ok(files) = session.files(&[pattern]) else { continue };
            let head = pattern.split('*').next().unwrap_or_default();
            for file in files.iter().filter(|file| *file != pattern) {
                assert!(file.starts_with(head), "{file} is not below {head}");
            }
        }
    }
}
