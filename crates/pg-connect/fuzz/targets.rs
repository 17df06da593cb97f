//! The fuzz targets of the library: each takes any bytes, and must neither panic nor hang. Ordinary tests run them too (the
//! program's tests/garbage.rs, with the committed corpus); `make fuzz` runs them longer, guided by coverage.

use std::ffi::OsString;
use std::time::Duration;

use pg_connect::protocol::AuthPolicy;
use pg_connect::stream::{PgStream, PreTls};
use pg_connect::tls::{CertificateDer, ParsedCertificate, end_point};
use pg_connect::{ConnectTarget, Conninfo, Environment, Program};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio_postgres::config::{SslMode, SslNegotiation};

/// Environment variables, one `NAME=value` a line.
pub(crate) fn environment(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    // The fuzzer must not choose which files are read.
    let pairs = pairs.filter(|(name, _)| !name.contains("FILE") && *name != "HOME" && *name != "PGSYSCONFDIR");
    let pairs = pairs.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let Ok(environment) = Environment::new(Program::default(), pairs) else { return };
    if let Err(faults) = ConnectTarget::of(&environment) {
        faults.iter().for_each(|fault| assert!(!fault.to_string().is_empty()));
    }
}

/// A connection string: its settings stay the same when they are written as key=value.
pub(crate) fn url(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(conninfo) = Conninfo::parse(text) else { return };
    drop(conninfo.address());
    let quoted = |value: &str| value.replace('\\', "\\\\").replace('\'', "\\'");
    let written: Vec<String> = conninfo.values().map(|(keyword, value)| format!("{keyword}='{}'", quoted(value.reveal()))).collect();
    if written.is_empty() {
        return;
    }
    let again = Conninfo::parse(&written.join(" ")).expect("what was read can be written");
    assert!(conninfo.values().eq(again.values()), "{text}");
    if !text.contains("file") {
        drop(ConnectTarget::decide(&conninfo));
    }
}

/// A certificate in DER, as a server presents it before anything about it is verified: it has each of the names that it lists.
pub(crate) fn certificate(bytes: &[u8]) {
    let der = CertificateDer::from(bytes);
    let end_point = end_point(&der);
    let Some(certificate) = ParsedCertificate::read(&der) else {
        assert_eq!(end_point, None);
        return;
    };
    let names = certificate.names();
    assert!(!names.list().is_empty());
    for host in names.hosts.iter().cloned().chain(names.addresses.iter().map(ToString::to_string)) {
        assert!(names.include(&host), "{host} is not in {names:?}");
    }
    std::hint::black_box((certificate.is_version_1(), certificate.is_self_issued(), certificate.validity(Duration::ZERO)));
}

/// All that a server sends to a login and a statement.
pub(crate) fn server(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let talk = async {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
        let sent = bytes.to_vec();
        let speaker = tokio::spawn(async move {
            drop(theirs.write_all(&sent).await);
            drop(theirs.shutdown().await);
        });
        let mut config = tokio_postgres::Config::new();
        config.user("u").password("p").ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        let stream = PgStream::over(ours, AuthPolicy { has_password: true, ..AuthPolicy::default() });
        if let Ok((client, connection)) = config.connect_raw(stream, PreTls).await {
            let driver = tokio::spawn(connection);
            if let Ok(messages) = client.simple_query("SELECT 1").await {
                for message in &messages {
                    if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                        (0..row.len()).for_each(|column| {
                            let _ = row.try_get(column);
                        });
                    }
                }
            }
            drop(client);
            drop(driver.await.expect("no panic"));
        }
        drop(speaker.await);
    };
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), talk).await.expect("an end") });
}
