//! What is fed with garbage: each takes any bytes, and must neither panic nor hang. The ordinary tests feed them too
//! (tests/garbage.rs); `make fuzz` does it for longer, led by what the bytes reach.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use pgmarch::config;
use pgmarch::connect::conninfo::Conninfo;
use pgmarch::connect::link::{Link, Ready};
use pgmarch::connect::target::Target;
use pgmarch::connect::watch::Policy;
use pgmarch::environment::{Environment, PROGRAM};
use pgmarch::revision::{checksum, format, name, statement};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio_postgres::config::{SslMode, SslNegotiation};

/// Variables of the environment, one `NAME=value` a line.
pub(crate) fn settings(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    // What other files say is not for garbage to choose.
    let pairs = pairs.filter(|(name, _)| !name.contains("FILE") && *name != "HOME" && *name != "PGSYSCONFDIR");
    let Ok(environment) = Environment::new(PROGRAM, pairs.map(|(name, value)| (OsString::from(name), OsString::from(value)))) else {
        return;
    };
    let (_, decided) = config::decide::decide(&environment);
    if let Err(faults) = decided {
        faults.iter().for_each(|fault| assert!(!fault.to_string().is_empty()));
    }
    if let Err(faults) = Target::of(&environment) {
        faults.iter().for_each(|fault| assert!(!fault.to_string().is_empty()));
    }
}

/// A connection string: what it says stays the same when it is written as key=value.
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
        drop(Target::decide(&conninfo));
    }
}

/// A revision's file.
pub(crate) fn revision(bytes: &[u8]) {
    match format::parse(Path::new("001_fuzz.sql"), bytes.to_vec()) {
        Ok(_) => {}
        Err(faults) => faults.iter().for_each(|fault| assert!(!fault.to_string().is_empty())),
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        drop(name::RevisionName::parse(text));
    }
}

/// SQL to be split: the statements are parts of it, in order.
pub(crate) fn statements(bytes: &[u8]) {
    let Ok(sql) = std::str::from_utf8(bytes) else { return };
    let mut end = 0;
    for statement in statement::split(sql).statements {
        assert!(statement.range.start >= end && sql.get(statement.range.clone()).is_some_and(|text| !text.trim().is_empty()));
        end = statement.range.end;
    }
    drop(checksum::semantic_checksum(sql));
}

/// All that a server says to a login and a statement.
pub(crate) fn server(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let talk = async {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
        let said = bytes.to_vec();
        let speaker = tokio::spawn(async move {
            drop(theirs.write_all(&said).await);
            drop(theirs.shutdown().await);
        });
        let mut config = tokio_postgres::Config::new();
        config.user("u").password("p").ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        let link = Link::over(ours, Policy { has_password: true, ..Policy::default() });
        if let Ok((client, connection)) = config.connect_raw(link, Ready).await {
            let driver = tokio::spawn(connection);
            if let Ok(messages) = client.simple_query("SELECT 1").await {
                for message in &messages {
                    if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                        (0..row.len()).for_each(|column| {
                            let _ = row.get(column);
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
