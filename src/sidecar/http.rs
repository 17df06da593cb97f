//! The sidecar's four paths. Whoever speaks slowly, too much or nonsense loses the connection, and nobody else notices.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
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
/// How many bytes a request's head may have; hyper's least.
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

async fn converse(stream: TcpStream, board: Board) {
    let service =
        service_fn(|request: Request<Incoming>| ready(Ok::<_, Infallible>(answer(request.method(), request.uri().path(), &board))));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .header_read_timeout(REQUEST_TIME)
        .max_headers(REQUEST_HEADERS)
        .max_buf_size(REQUEST_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION_TIME, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "a connection ended early"),
        Err(_) => debug!("a connection took too long"),
    }
}

fn answer(method: &Method, path: &str, board: &Board) -> Response<String> {
    let (status, kind, body) = match (method, path) {
        (&Method::GET | &Method::HEAD, "/livez") => (StatusCode::OK, TEXT, "alive\n".to_owned()),
        (&Method::GET | &Method::HEAD, "/readyz") => readiness(board),
        (&Method::GET | &Method::HEAD, "/status") => match serde_json::to_string_pretty(&board.sight()) {
            Ok(json) => (StatusCode::OK, JSON, json + "\n"),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
        },
        (&Method::GET | &Method::HEAD, "/metrics") => match metrics::text(board) {
            Ok(text) => (StatusCode::OK, OPEN_METRICS, text),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
        },
        (_, "/livez" | "/readyz" | "/status" | "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, TEXT, "read with GET\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, TEXT, "there are /livez, /readyz, /status and /metrics\n".to_owned()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

fn readiness(board: &Board) -> (StatusCode, &'static str, String) {
    let sight = board.sight();
    match (sight.ready, sight.reason) {
        (true, _) => (StatusCode::OK, TEXT, format!("ready: at {}\n", sight.current.join(", "))),
        (false, reason) => (StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{}: {}\n", sight.condition.word(), reason.unwrap_or_default())),
    }
}
