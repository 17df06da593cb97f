//! Logins at a server that the test plays: what the library sends, and what it makes of the answers.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pg_connect::{
    ConnectError, ConnectOptions, ConnectRefusal, ConnectTarget, Environment, OpenConnection, Program, RetryVerdict, connect,
};

const PID: u32 = 4711;
const SECRET: u32 = 42;

/// A message with its type and length (PostgreSQL manual, 54.7).
fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message").to_be_bytes();
    [&[tag], length.as_slice(), body].concat()
}

fn authentication(code: u32, rest: &[u8]) -> Vec<u8> {
    message(b'R', &[&code.to_be_bytes(), rest].concat())
}

fn error(code: &str) -> Vec<u8> {
    message(b'E', format!("SFATAL\0VFATAL\0C{code}\0Mno\0\0").as_bytes())
}

/// `AuthenticationOk`, `BackendKeyData`, `ReadyForQuery`.
fn session() -> Vec<u8> {
    let key = [PID.to_be_bytes(), SECRET.to_be_bytes()].concat();
    [authentication(0, b""), message(b'K', &key), message(b'Z', b"I")].concat()
}

/// What a client sends first: a startup message or a cancel request, without its length.
fn read_startup(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("a length");
    let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).expect("a length") - 4];
    stream.read_exact(&mut body).expect("a startup message");
    body
}

fn read_message(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut tag = [0];
    stream.read_exact(&mut tag).expect("a message");
    (tag[0], read_startup(stream))
}

/// A server that the test plays in a thread of its own.
fn serve<T: Send + 'static>(connection: impl FnOnce(&TcpListener) -> T + Send + 'static) -> (u16, JoinHandle<T>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (port, thread::spawn(move || connection(&listener)))
}

fn target(port: u16) -> ConnectTarget {
    target_for(port, "connect_timeout=0")
}

fn target_for(port: u16, parameters: &str) -> ConnectTarget {
    let url = format!("postgres://user:password@127.0.0.1:{port}/database?sslmode=disable&{parameters}");
    let variables = [(OsString::from("EXAMPLE_URL"), OsString::from(url))];
    let program = Program { name: "example", prefix: "EXAMPLE_", connection_strings: &["EXAMPLE_URL"] };
    let environment = Environment::new(program, variables).expect("UTF-8");
    ConnectTarget::of(&environment).expect("sound settings")
}

const OPTIONS: ConnectOptions<'_> =
    ConnectOptions { application_name: "example", timeout: Duration::from_secs(10), deadline: None, on_notice: |_| {} };

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[test]
fn a_session_is_cancelled_and_terminated_through_its_handle() {
    let (port, server) = serve(|listener| {
        let (mut stream, _) = listener.accept().expect("a client");
        let startup = read_startup(&mut stream);
        stream.write_all(&session()).expect("sent");
        let query = read_message(&mut stream);
        stream.write_all(&[message(b'C', b"SELECT 1\0"), message(b'Z', b"I")].concat()).expect("sent");
        let cancel = read_startup(&mut listener.accept().expect("a cancel request").0);
        (startup, query, cancel, read_message(&mut stream))
    });
    runtime().block_on(async {
        let OpenConnection { client, connection, handle } = connect(&target(port), OPTIONS).await.expect("a session");
        let driver = tokio::spawn({
            let handle = handle.clone();
            async move { handle.drive(connection, |_| {}).await }
        });
        client.simple_query("SELECT").await.expect("an answer");
        assert_eq!(handle.backend_pid().await, i32::try_from(PID).ok());
        assert!(!handle.is_local() && handle.violation().is_none());
        handle.cancel().await.expect("a cancel request");
        handle.terminate();
        driver.await.expect("no panic");
    });
    let (startup, query, cancel, last) = server.join().expect("no panic");
    let startup = String::from_utf8_lossy(&startup).into_owned();
    for parameter in ["user\0user\0", "database\0database\0", "application_name\0example\0"] {
        assert!(startup.contains(parameter), "{startup:?}");
    }
    assert_eq!(query, (b'Q', b"SELECT\0".to_vec()));
    assert_eq!(cancel, [80_877_102_u32.to_be_bytes(), PID.to_be_bytes(), SECRET.to_be_bytes()].concat());
    assert_eq!(last, (b'X', Vec::new()));
}

#[test]
fn certificates_are_read_once_for_all_hosts() {
    let folder = tempfile::tempdir().expect("a folder");
    let roots = folder.path().join("roots.crt");
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    fs::write(&roots, certificate.cert.pem()).expect("written");
    // Both accept TLS, and close the connection when the handshake begins. Until then the files are read.
    let accept_tls = |replaced: Option<std::path::PathBuf>| {
        serve(move |listener| {
            let (mut stream, _) = listener.accept().expect("a client");
            let _request = read_startup(&mut stream);
            stream.write_all(b"S").expect("sent");
            stream.read_exact(&mut [0]).expect("a handshake");
            if let Some(path) = replaced {
                fs::write(path, "no certificate").expect("written");
            }
        })
    };
    let ((first, one), (second, other)) = (accept_tls(Some(roots.clone())), accept_tls(None));
    let settings = format!("host=127.0.0.1,127.0.0.1 port={first},{second} user=u sslmode=require sslrootcert={}", roots.display());
    let conninfo = pg_connect::Conninfo::parse(&settings).expect("sound");
    let target = ConnectTarget::decide(&conninfo).expect("sound");
    let error = runtime().block_on(connect(&target, OPTIONS)).err().expect("no session");
    one.join().expect("no panic");
    other.join().expect("no panic");
    let ConnectError::Hosts(failed) = &error else { panic!("{error:?}") };
    assert!(failed.len() == 2 && failed.iter().all(|(_, error)| matches!(error, ConnectError::Endpoint(_))), "{error:?}");
}

/// The error of a login that the server answers with `answers`, one for each message of the client.
fn failed_login(answers: Vec<Vec<u8>>) -> ConnectError {
    let (port, server) = serve(move |listener| {
        let (mut stream, _) = listener.accept().expect("a client");
        let _startup = read_startup(&mut stream);
        for (number, answer) in answers.iter().enumerate() {
            if number > 0 {
                read_message(&mut stream);
            }
            stream.write_all(answer).expect("sent");
        }
        // Until the client closes, so that it reads everything; unless it waits for more.
        if !answers.is_empty() {
            stream.read_to_end(&mut Vec::new()).ok();
        }
    });
    let error = runtime().block_on(connect(&target(port), OPTIONS)).err().expect("no session");
    server.join().expect("no panic");
    error
}

#[test]
fn each_login_failure_is_classified_without_its_text() {
    use ConnectRefusal::{Database, Other, Password};
    use RetryVerdict::{Refused, Wait};
    let scram = || authentication(10, b"SCRAM-SHA-256\0\0");
    for (what, answers, expected) in [
        ("no database", vec![error("3D000")], Refused(Database)),
        ("starting up", vec![error("57P03")], Wait),
        ("closed", vec![], Wait),
        ("no mechanism that is known", vec![authentication(10, b"OTHER\0\0")], Refused(Password)),
        ("mechanisms that can't be read", vec![authentication(10, b"\xff\0\0")], Refused(Other)),
        ("not the nonce of the client", vec![scram(), authentication(11, b"r=other,s=c2FsdA==,i=4096")], Refused(Password)),
        ("a message out of place", vec![scram(), message(b'Z', b"I")], Refused(Other)),
        ("an error without fields", vec![message(b'E', b"\0")], Refused(Other)),
        ("a method that is not supported", vec![authentication(7, b"")], Refused(Password)),
        ("no PostgreSQL", vec![message(b'N', &[0; 70_000])], Refused(Other)),
    ] {
        let error = failed_login(answers);
        assert_eq!(error.retry_verdict(), expected, "{what}: {error:?}");
    }
}

/// The error of a SCRAM login whose last message of the server, and all that follows it, come at once.
fn failed_scram(end: &'static [u8]) -> ConnectError {
    let (port, server) = serve(move |listener| {
        let (mut stream, _) = listener.accept().expect("a client");
        let _startup = read_startup(&mut stream);
        stream.write_all(&authentication(10, b"SCRAM-SHA-256\0\0")).expect("sent");
        let first = String::from_utf8_lossy(&read_message(&mut stream).1).into_owned();
        let (_, nonce) = first.split_once("r=").expect("a nonce");
        stream.write_all(&authentication(11, format!("r={nonce}server,s=c2FsdA==,i=4096").as_bytes())).expect("sent");
        read_message(&mut stream);
        stream.write_all(&[authentication(12, end), session()].concat()).expect("sent");
        stream.read_to_end(&mut Vec::new()).ok();
    });
    let error = runtime().block_on(connect(&target(port), OPTIONS)).err().expect("no session");
    server.join().expect("no panic");
    error
}

#[test]
fn a_server_that_does_not_know_the_password_is_refused_even_if_it_sends_the_whole_login_at_once() {
    for end in ["v=eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg=", "e=other-error", "nonsense"] {
        let error = failed_scram(end.as_bytes());
        assert_eq!(error.retry_verdict(), RetryVerdict::Refused(ConnectRefusal::Password), "{end}: {error:?}");
    }
}

#[test]
fn an_answer_to_the_question_for_the_kind_of_server_that_cannot_be_read_is_refused() {
    let column = [b"a\0".as_slice(), &[0; 18]].concat();
    let one_column =
        [message(b'T', &[&[0, 1], column.as_slice()].concat()), message(b'D', b"\0\x01\0\0\0\x01t"), message(b'C', b"SELECT 1\0")].concat();
    for answer in [message(b'T', b"\0\x01x"), message(b'C', b"no end"), message(b'E', b"Mno end"), one_column] {
        let (port, server) = serve(move |listener| {
            let (mut stream, _) = listener.accept().expect("a client");
            let _startup = read_startup(&mut stream);
            stream.write_all(&session()).expect("sent");
            read_message(&mut stream);
            stream.write_all(&[answer, message(b'Z', b"I")].concat()).expect("sent");
            stream.read_to_end(&mut Vec::new()).ok();
        });
        let error = runtime().block_on(connect(&target_for(port, "target_session_attrs=primary"), OPTIONS)).err().expect("no session");
        server.join().expect("no panic");
        assert_eq!(error.retry_verdict(), RetryVerdict::Refused(ConnectRefusal::Other), "{error:?}");
    }
}
