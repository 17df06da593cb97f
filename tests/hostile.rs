//! A server that is none, or means harm: no panic, no hang, no memory without end.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use crate::garbage::library_targets;
use crate::support::{Outcome, Program, Project};

/// What a run may take in memory for its data, in KiB; more ends it.
const MEMORY: u32 = 64 << 10;

/// Serves every connection in the same way until the test process ends.
fn serve(talk: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that has had enough is what the test is for.
            stream.and_then(|mut stream| talk(&mut stream)).ok();
        }
    });
    port
}

fn run(port: u16, more: &str) -> Outcome {
    let project = Project::new().revision("001", "SELECT 1;", "SELECT 1;");
    let program = Program::at("/bin/sh").args(["-c", &format!("ulimit -d {MEMORY}; exec {} status", env!("CARGO_BIN_EXE_pgmarch"))]);
    let program = program.env("PGMARCH_MIGRATIONS", &project.path().to_string_lossy()).env("PGMARCH_LOG_FORMAT", "text");
    let url = format!("postgres://u:p@127.0.0.1:{port}/d?sslmode=disable{more}");
    program.url(&url).env("PGMARCH_WAIT_TIMEOUT", "1s").env("PGMARCH_RETRY_FOR", "0").deadline(Duration::from_secs(30)).run()
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("small").to_be_bytes();
    [&[tag], length.as_slice(), body].concat()
}

/// The way into a session: no password, ready.
fn greeting() -> Vec<u8> {
    [message(b'R', &[0; 4]), message(b'K', &[0; 8]), message(b'Z', b"I")].concat()
}

/// Reads some bytes from the client.
fn hear(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.read(&mut [0; 4096]).map(drop)
}

/// Reads the client's startup, greets, and reads its first statement.
fn greet(stream: &mut TcpStream) -> std::io::Result<()> {
    hear(stream)?;
    stream.write_all(&greeting())?;
    hear(stream)
}

#[test]
fn a_different_service_at_the_port_is_detected() {
    let web = |stream: &mut TcpStream| {
        hear(stream)?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    };
    run(serve(web), "&sslmode=prefer").exits(8).stderr_contains("is not PostgreSQL, or not yet: it answered 0x48");
    run(serve(web), "").exits(8);
    let tls = |stream: &mut TcpStream| {
        hear(stream)?;
        stream.write_all(b"Sthis is no handshake at all")
    };
    run(serve(tls), "&sslmode=require").exits(8).stderr_contains("does not speak TLS");
    let trouble = |stream: &mut TcpStream| {
        hear(stream)?;
        stream.write_all(b"Ecould not fork new process for connection\0")
    };
    run(serve(trouble), "&sslmode=require").exits(4).stderr_contains("failed before the TLS handshake");
    let closing = |stream: &mut TcpStream| stream.read(&mut [0; 8]).map(drop);
    run(serve(closing), "").exits(4);
}

#[test]
fn talk_without_an_end_is_cut_short() {
    let endless = |start: Vec<u8>, again: Vec<u8>| {
        serve(move |stream: &mut TcpStream| {
            hear(stream)?;
            stream.write_all(&start)?;
            loop {
                stream.write_all(&again)?;
            }
        })
    };
    let notice = message(b'N', &[b"SNOTICE\0C00000\0M".as_slice(), &[b'x'; 30_000], b"\0\0"].concat());
    run(endless(message(b'R', &[0; 4]), notice), "").exits(8).stderr_contains("a greeting that does not end");
    run(endless(vec![b'R', 0x7f, 0xff, 0xff, 0xff], vec![0; 8192]), "").exits(8).stderr_contains("a greeting that does not end");
    let report = |number: u32| message(b'S', format!("a.b{number}\0{}\0", "x".repeat(20_000)).as_bytes());
    run(endless(message(b'R', &[0; 4]), (0..50).flat_map(report).collect()), "").exits(8).stderr_contains("a greeting that does not end");
    let rows = serve(|stream: &mut TcpStream| {
        greet(stream)?;
        stream.write_all(&message(b'T', &[&[0, 1], b"a\0".as_slice(), &[0; 18]].concat()))?;
        let row = message(b'D', &[&[0, 1, 0, 0, 0, 4], b"many".as_slice()].concat()).repeat(500);
        loop {
            stream.write_all(&row)?;
        }
    });
    run(rows, "").exits(8).stderr_contains("larger than 16 MiB");
    let large = serve(|stream: &mut TcpStream| {
        greet(stream)?;
        stream.write_all(&message(b'T', &[&[0, 1], b"a\0".as_slice(), &[0; 18]].concat()))?;
        stream.write_all(&[b'D', 0x3f, 0xff, 0xff, 0xff])?;
        loop {
            stream.write_all(&[0; 65_536])?;
        }
    });
    run(large, "").exits(8).stderr_contains("larger than 16 MiB");
}

#[test]
fn rows_that_do_not_fit_their_description_are_no_panic() {
    for row in [vec![0, 0], vec![0, 3, 0, 0, 0, 1, b'x'], vec![0, 1, 0xff, 0xff, 0xff, 0xfe], vec![0]] {
        let port = serve(move |stream: &mut TcpStream| {
            greet(stream)?;
            stream.write_all(&message(b'T', &[&[0, 1], b"a\0".as_slice(), &[0; 18]].concat()))?;
            stream.write_all(&message(b'D', &row))?;
            stream.write_all(&message(b'Z', b"I"))
        });
        let outcome = run(port, "");
        assert!(matches!(outcome.code(), Some(4 | 8)), "{outcome}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_conversation_panics_or_hangs(
        greeted in any::<bool>(),
        messages in proptest::collection::vec(
            (proptest::sample::select(b"RKZSNETDCIGHWAcd3nt".to_vec()), proptest::collection::vec(prop_oneof![Just(0), Just(1), Just(10), any::<u8>()], 0..24)),
            0..8
        ),
        tail in proptest::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut bytes = if greeted { greeting() } else { Vec::new() };
        for (tag, body) in messages {
            bytes.extend(message(tag, &body));
        }
        bytes.extend(tail);
        library_targets::server(&bytes);
    }
}
