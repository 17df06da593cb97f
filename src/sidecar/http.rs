//! The sidecar's four paths. Whoever speaks slowly, too much or nonsense loses the connection, and nobody else notices.

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

use super::board::Board;
use super::metrics;

/// Most connections at a time; one more ends the oldest, so that those who only hold theirs never keep a probe out.
const MOST_CONNECTIONS: usize = 64;
/// How long a request may take to arrive.
const REQUEST_TIME: Duration = Duration::from_secs(2);
/// How long a connection may last, with its one request and answer.
const CONNECTION_TIME: Duration = Duration::from_secs(5);
/// How many bytes a request's head may have.
const REQUEST_BYTES: usize = 8192;
/// How many headers.
const REQUEST_HEADERS: usize = 64;
/// What to do when the process may open no more files.
const PAUSE: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers for ever; dropped, it ends every connection.
pub async fn serve(listener: TcpListener, board: &Board) -> Infallible {
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
                open.push_back(tasks.spawn(converse(stream, board.clone())));
            }
            Err(error) => {
                debug!(%error, "no connection accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn converse(mut stream: TcpStream, board: Board) {
    match timeout(CONNECTION_TIME, one_request(&mut stream, &board)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "a connection ended early"),
        Err(_) => debug!("a connection took too long"),
    }
}

async fn one_request(stream: &mut TcpStream, board: &Board) -> io::Result<()> {
    let (answer, wants_body) = match timeout(REQUEST_TIME, head(stream)).await?? {
        Ok(Asked { method, path }) => (answer(&method, &path, board), method != "HEAD"),
        Err(refusal) => (refusal, true),
    };
    stream.write_all(answer.message(wants_body).as_bytes()).await?;
    stream.shutdown().await?;
    // Whatever else it says is heard, and not minded: to close before would take the answer back (RFC 9112, 9.6).
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// Reads the head of a request; or says how it is refused.
async fn head(stream: &mut TcpStream) -> io::Result<Result<Asked, Answer>> {
    let mut head = Vec::with_capacity(REQUEST_BYTES);
    loop {
        match asked(&head) {
            Ok(Some(asked)) => return Ok(Ok(asked)),
            Ok(None) if head.len() < REQUEST_BYTES => {}
            Ok(None) | Err(Malformed::TooManyHeaders) => {
                return Ok(Err(Answer::text("431 Request Header Fields Too Large", "the request's head is too large\n")));
            }
            Err(error) => return Ok(Err(Answer::text("400 Bad Request", &format!("{error}\n")))),
        }
        let room = REQUEST_BYTES - head.len();
        if (&mut *stream).take(room as u64).read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// What a request asks for.
struct Asked {
    method: String,
    path: String,
}

/// Understands the head of a request; nothing while some of it is missing.
fn asked(head: &[u8]) -> Result<Option<Asked>, Malformed> {
    let mut headers = [EMPTY_HEADER; REQUEST_HEADERS];
    let mut request = Request::new(&mut headers);
    if request.parse(head)?.is_partial() {
        return Ok(None);
    }
    let method = request.method.unwrap_or_default();
    // A body is read by nobody here.
    let is_body = |header: &Header<'_>| match header.name.to_ascii_lowercase().as_str() {
        "transfer-encoding" => true,
        "content-length" => header.value != b"0",
        _ => false,
    };
    if ["GET", "HEAD"].contains(&method) && request.headers.iter().any(is_body) {
        return Err(Malformed::HeaderValue);
    }
    let target = request.path.unwrap_or_default();
    // As proxies are asked (RFC 9112, 3.2.2).
    let target = target.strip_prefix("http://").map_or(target, |rest| rest.find('/').map_or("/", |slash| &rest[slash..]));
    let path = target.split('?').next().unwrap_or_default();
    Ok(Some(Asked { method: method.to_owned(), path: path.to_owned() }))
}

/// What is answered.
struct Answer {
    /// `200 OK`.
    status: &'static str,
    kind: &'static str,
    body: String,
}

const OK: &str = "200 OK";
const NOT_ALLOWED: &str = "405 Method Not Allowed";

impl Answer {
    fn text(status: &'static str, body: &str) -> Self {
        Self { status, kind: TEXT, body: body.to_owned() }
    }

    /// As it is sent.
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

fn answer(method: &str, path: &str, board: &Board) -> Answer {
    match (method, path) {
        ("GET" | "HEAD", "/livez") => Answer::text(OK, "alive\n"),
        ("GET" | "HEAD", "/readyz") => readiness(board),
        ("GET" | "HEAD", "/status") => match serde_json::to_string_pretty(&board.sight()) {
            Ok(json) => Answer { status: OK, kind: JSON, body: json + "\n" },
            Err(error) => broken(&error),
        },
        ("GET" | "HEAD", "/metrics") => match metrics::text(board) {
            Ok(text) => Answer { status: OK, kind: OPEN_METRICS, body: text },
            Err(error) => broken(&error),
        },
        (_, "/livez" | "/readyz" | "/status" | "/metrics") => Answer::text(NOT_ALLOWED, "read with GET\n"),
        _ => Answer::text("404 Not Found", "there are /livez, /readyz, /status and /metrics\n"),
    }
}

fn broken(error: &dyn std::error::Error) -> Answer {
    Answer::text("500 Internal Server Error", &format!("{error}\n"))
}

fn readiness(board: &Board) -> Answer {
    let sight = board.sight();
    match (sight.ready, sight.reason) {
        (true, _) => Answer::text(OK, &format!("ready: at {}\n", sight.current.join(", "))),
        (false, reason) => {
            Answer::text("503 Service Unavailable", &format!("{}: {}\n", sight.condition.word(), reason.unwrap_or_default()))
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
            assert!(matches!(asked(&whole.as_bytes()[..length]), Ok(None)), "{length}");
        }
        let Ok(Some(Asked { method, path })) = asked(whole.as_bytes()) else { panic!("not understood") };
        assert_eq!((method.as_str(), path.as_str()), ("GET", "/readyz"));
        assert!(asked(b"GET /livez HTTP/1.1\r\ncontent-length: 0\r\n\r\n").is_ok());
        assert!(asked(b"GET /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }
}
