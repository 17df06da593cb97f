//! The sidecar's HTTP server: four paths. A client that sends slowly, too much or no HTTP loses its connection; others are not affected.
//!
//! A connection has one request, which has no body, and one answer. httparse reads the request's head, as it does for hyper; what a server
//! built on hyper or axum would add (connections that stay open, bodies, upgrades, routes) is not used here, and the limits below, which
//! protect the run beside it, would be written all the same.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::io;
use std::time::{Duration, SystemTime};

use httparse::{EMPTY_HEADER, Error as Malformed, Header, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::metrics;
use super::status::SharedStatus;

/// The most connections at a time; one more closes the oldest, so that idle clients never block a probe.
const MOST_CONNECTIONS: usize = 64;
/// How long a request may take to arrive.
const REQUEST_TIME: Duration = Duration::from_secs(2);
/// How long a connection may last, with its one request and answer.
const CONNECTION_TIME: Duration = Duration::from_secs(5);
/// The largest request head, in bytes.
const REQUEST_BYTES: usize = 8192;
/// The most headers.
const REQUEST_HEADERS: usize = 64;
/// The pause after a failed accept, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves requests until it is dropped, which closes every connection.
pub(crate) async fn serve(listener: TcpListener, status: &SharedStatus) -> Infallible {
    let mut tasks = JoinSet::new();
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                while tasks.try_join_next().is_some() {}
                open.retain(|connection| !connection.is_finished());
                if open.len() >= MOST_CONNECTIONS
                    && let Some(oldest) = open.pop_front()
                {
                    oldest.abort();
                }
                open.push_back(tasks.spawn(serve_connection(stream, status.clone())));
            }
            Err(error) => {
                debug!(%error, "no connection accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn serve_connection(mut stream: TcpStream, status: SharedStatus) {
    match timeout(CONNECTION_TIME, serve_request(&mut stream, &status)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "a connection ended early"),
        Err(_) => debug!("a connection took too long"),
    }
}

async fn serve_request(stream: &mut TcpStream, status: &SharedStatus) -> io::Result<()> {
    let (response, wants_body) = match timeout(REQUEST_TIME, read_head(stream)).await?? {
        Ok(RequestLine { method, path }) => (respond(&method, &path, status), method != "HEAD"),
        Err(refusal) => (refusal, true),
    };
    stream.write_all(response.message(wants_body).as_bytes()).await?;
    stream.shutdown().await?;
    // Read what else the client sends: closing with unread data resets the connection, and the response is lost (RFC 9112, 9.6).
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// Reads the head of a request; or returns the response that refuses it.
async fn read_head(stream: &mut TcpStream) -> io::Result<Result<RequestLine, Response>> {
    let mut head = Vec::with_capacity(REQUEST_BYTES);
    loop {
        match parse_request(&head) {
            Ok(Some(request)) => return Ok(Ok(request)),
            Ok(None) if head.len() < REQUEST_BYTES => {}
            Ok(None) | Err(Malformed::TooManyHeaders) => {
                return Ok(Err(Response::text("431 Request Header Fields Too Large", "the request's head is too large\n")));
            }
            Err(error) => return Ok(Err(Response::text("400 Bad Request", &format!("{error}\n")))),
        }
        let room = REQUEST_BYTES - head.len();
        if (&mut *stream).take(room as u64).read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Method and path of a request.
struct RequestLine {
    method: String,
    path: String,
}

/// Parses the head of a request; `None` while it is incomplete.
fn parse_request(head: &[u8]) -> Result<Option<RequestLine>, Malformed> {
    let mut headers = [EMPTY_HEADER; REQUEST_HEADERS];
    let mut request = Request::new(&mut headers);
    if request.parse(head)?.is_partial() {
        return Ok(None);
    }
    let method = request.method.unwrap_or_default();
    // No request may have a body.
    let is_body = |header: &Header<'_>| match header.name.to_ascii_lowercase().as_str() {
        "transfer-encoding" => true,
        "content-length" => header.value != b"0",
        _ => false,
    };
    if ["GET", "HEAD"].contains(&method) && request.headers.iter().any(is_body) {
        return Err(Malformed::HeaderValue);
    }
    let target = request.path.unwrap_or_default();
    // The absolute form, which proxies get (RFC 9112, 3.2.2).
    let target = target.strip_prefix("http://").map_or(target, |rest| rest.find('/').map_or("/", |slash| &rest[slash..]));
    let path = target.split('?').next().unwrap_or_default();
    Ok(Some(RequestLine { method: method.to_owned(), path: path.to_owned() }))
}

/// An HTTP response.
struct Response {
    /// `200 OK`.
    status: &'static str,
    kind: &'static str,
    body: String,
}

const OK: &str = "200 OK";
const NOT_ALLOWED: &str = "405 Method Not Allowed";

impl Response {
    fn text(status: &'static str, body: &str) -> Self {
        Self { status, kind: TEXT, body: body.to_owned() }
    }

    /// As bytes on the wire.
    fn message(&self, wants_body: bool) -> String {
        let Self { status, kind, body } = self;
        let date = httpdate::fmt_http_date(SystemTime::now());
        let mut message = format!(
            "HTTP/1.1 {status}\r\ndate: {date}\r\ncontent-type: {kind}\r\ncache-control: no-store\r\ncontent-length: {}\r\nconnection: close\r\n",
            body.len()
        );
        if *status == NOT_ALLOWED {
            message += "allow: GET, HEAD\r\n";
        }
        let _ = write!(message, "\r\n{}", if wants_body { body.as_str() } else { "" });
        message
    }
}

fn respond(method: &str, path: &str, status: &SharedStatus) -> Response {
    match (method, path) {
        ("GET" | "HEAD", "/livez") => Response::text(OK, "alive\n"),
        ("GET" | "HEAD", "/readyz") => readiness(status),
        ("GET" | "HEAD", "/status") => match serde_json::to_string_pretty(&status.snapshot()) {
            Ok(json) => Response { status: OK, kind: JSON, body: json + "\n" },
            Err(error) => internal_error(&error),
        },
        ("GET" | "HEAD", "/metrics") => match metrics::text(status) {
            Ok(text) => Response { status: OK, kind: OPEN_METRICS, body: text },
            Err(error) => internal_error(&error),
        },
        (_, "/livez" | "/readyz" | "/status" | "/metrics") => Response::text(NOT_ALLOWED, "read with GET\n"),
        _ => Response::text("404 Not Found", "there are /livez, /readyz, /status and /metrics\n"),
    }
}

fn internal_error(error: &dyn std::error::Error) -> Response {
    Response::text("500 Internal Server Error", &format!("{error}\n"))
}

fn readiness(status: &SharedStatus) -> Response {
    let snapshot = status.snapshot();
    match (snapshot.ready, snapshot.reason) {
        (true, _) => Response::text(OK, &format!("ready: at {}\n", snapshot.current.join(", "))),
        (false, reason) => {
            Response::text("503 Service Unavailable", &format!("{}: {}\n", snapshot.condition.word(), reason.unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_understood_when_all_of_it_is_there() {
        let whole = "GET http://sidecar:8080/readyz?verbose HTTP/1.1\r\nHost: sidecar\r\n\r\n";
        for length in 0..whole.len() {
            assert!(matches!(parse_request(&whole.as_bytes()[..length]), Ok(None)), "{length}");
        }
        let Ok(Some(RequestLine { method, path })) = parse_request(whole.as_bytes()) else { panic!("not understood") };
        assert_eq!((method.as_str(), path.as_str()), ("GET", "/readyz"));
        assert!(parse_request(b"GET /livez HTTP/1.1\r\ncontent-length: 0\r\n\r\n").is_ok());
        assert!(parse_request(b"GET /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }
}
