//! A small web server with configurable responses, which logs all requests.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A received request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query string.
    pub(crate) target: String,
    /// `a..b` of `bytes=a-(b-1)`.
    pub(crate) range: Option<Range<u64>>,
    /// `n` of `bytes=-n`.
    pub(crate) suffix: Option<u64>,
    pub(crate) head: String,
}

/// A response.
pub(crate) enum Reply {
    /// 206 with a range, 200 without, 416 beyond the end; with entity tag and date.
    File(Vec<u8>),
    /// Like `File`, without entity tag and date, and with `*` as the size.
    Anonymous(Vec<u8>),
    /// 200 with the whole file for all requests.
    Whole(Vec<u8>),
    /// A status, further header lines (each with its line end) and a body.
    Status(u16, String, String),
    /// Like `Status`, with a body of bytes.
    Bytes(u16, String, Vec<u8>),
    /// The headers of the whole response and half of its bytes; then the connection is closed.
    Cut(Vec<u8>),
    /// Like `File`, but waits for a notification before sending the last bytes, whose number is given.
    Halting(Vec<u8>, usize, Arc<Notify>),
    /// No response for this duration.
    Silence(Duration),
    /// A response after a delay.
    Late(Duration, Box<Reply>),
    /// These bytes; then the connection is closed.
    Raw(Vec<u8>),
    /// The first bytes of the response; then the connection is closed or reset.
    Ends(usize, End, Box<Reply>),
    /// The response in pieces of a number of bytes, with a pause in between.
    Drip(usize, Duration, Box<Reply>),
}

/// How a connection ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// Closed normally (FIN).
    Closed,
    /// Reset (RST).
    Reset,
}

type Handler = Arc<dyn Fn(&Request, usize) -> Reply + Send + Sync>;

pub(crate) struct Server {
    pub(crate) port: u16,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Serves on a free port until the process ends; `handler` receives each request and the number of previous requests.
    pub(crate) fn start(handler: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let log: Arc<Mutex<Vec<Request>>> = Arc::default();
        let handler: Handler = Arc::new(handler);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = log.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, handler.clone(), seen.clone()));
                }
            });
        });
        Self { port, log }
    }

    /// Serves one file under every path.
    pub(crate) fn of_file(bytes: Vec<u8>) -> Self {
        Self::start(move |_, _| Reply::File(bytes.clone()))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    pub(crate) fn log(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }

    /// The requested ranges, in order.
    pub(crate) fn ranges(&self) -> Vec<Range<u64>> {
        self.log().into_iter().filter_map(|request| request.range).collect()
    }
}

async fn serve(mut stream: TcpStream, handler: Handler, log: Arc<Mutex<Vec<Request>>>) {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(read) => buffer.extend_from_slice(&chunk[..read]),
            }
        };
        let head = String::from_utf8(buffer.drain(..end + 4).collect()).unwrap();
        let request = parse(head);
        let before = {
            let mut log = log.lock().unwrap();
            log.push(request.clone());
            log.len() - 1
        };
        if !answer(&mut stream, handler(&request, before), &request).await {
            return;
        }
    }
}

/// Sends a response; returns whether the connection is kept open.
async fn answer(stream: &mut TcpStream, reply: Reply, request: &Request) -> bool {
    match reply {
        Reply::Late(wait, then) => {
            tokio::time::sleep(wait).await;
            stream.write_all(&whole(*then, request)).await.is_ok()
        }
        Reply::Silence(wait) => {
            tokio::time::sleep(wait).await;
            false
        }
        Reply::Cut(file) => {
            let whole = of_file(request, &file, true);
            let _ = stream.write_all(&whole[..whole.len() - file.len().min(32768) / 2]).await;
            false
        }
        Reply::Halting(file, last, go_on) => {
            let mut whole = of_file(request, &file, true);
            let rest = whole.split_off(whole.len() - last);
            if stream.write_all(&whole).await.is_err() {
                return false;
            }
            go_on.notified().await;
            stream.write_all(&rest).await.is_ok()
        }
        Reply::Raw(bytes) => {
            let _ = stream.write_all(&bytes).await;
            false
        }
        Reply::Ends(length, end, reply) => {
            let whole = whole(*reply, request);
            let _ = stream.write_all(&whole[..length.min(whole.len())]).await;
            if matches!(end, End::Reset) {
                // Sent bytes should arrive before the reset.
                tokio::time::sleep(Duration::from_millis(20)).await;
                stream.set_zero_linger().unwrap();
            }
            false
        }
        Reply::Drip(length, pause, reply) => {
            for bytes in whole(*reply, request).chunks(length) {
                if stream.write_all(bytes).await.is_err() {
                    return false;
                }
                tokio::time::sleep(pause).await;
            }
            true
        }
        reply => stream.write_all(&whole(reply, request)).await.is_ok(),
    }
}

/// All bytes of a response that is sent at once.
fn whole(reply: Reply, request: &Request) -> Bytes {
    match reply {
        Reply::File(file) => of_file(request, &file, true),
        Reply::Anonymous(file) => of_file(request, &file, false),
        Reply::Whole(file) => head_and_body("200 OK", "", &file),
        Reply::Status(status, lines, body) => head_and_body(&format!("{status} X"), &lines, body.as_bytes()),
        Reply::Bytes(status, lines, body) => head_and_body(&format!("{status} X"), &lines, &body),
        _ => unreachable!("replies that take time are not nested"),
    }
}

fn parse(head: String) -> Request {
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    let range = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let (first, last) = value.trim().strip_prefix("bytes=")?.split_once('-')?;
        let range = first.parse().ok()?..last.parse::<u64>().ok()? + 1;
        name.eq_ignore_ascii_case("range").then_some(range)
    });
    let suffix = head.lines().find_map(|line| line.split_once("bytes=-")?.1.trim().parse().ok());
    Request { method, target, range, suffix, head }
}

fn of_file(request: &Request, file: &[u8], known: bool) -> Bytes {
    let version = match known {
        true => "ETag: \"v1\"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n",
        false => "",
    };
    let total = match known {
        true => file.len().to_string(),
        false => "*".to_owned(),
    };
    let suffix = request.suffix.map(|length| (file.len() as u64).saturating_sub(length)..file.len() as u64);
    match &request.range.clone().or(suffix) {
        Some(range) if range.start >= file.len() as u64 => {
            head_and_body("416 X", &format!("Content-Range: bytes */{}\r\n", file.len()), b"")
        }
        Some(range) => {
            let end = (range.end as usize).min(file.len());
            let part = &file[range.start as usize..end];
            let lines = format!("{version}Content-Range: bytes {}-{}/{total}\r\n", range.start, end - 1);
            head_and_body("206 X", &lines, part)
        }
        None if request.method == "HEAD" => {
            Bytes::from(format!("HTTP/1.1 200 X\r\n{version}Content-Length: {}\r\n\r\n", file.len()))
        }
        None => head_and_body("200 X", version, file),
    }
}

fn head_and_body(status: &str, lines: &str, body: &[u8]) -> Bytes {
    let mut bytes = format!("HTTP/1.1 {status}\r\n{lines}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes.into()
}
