//! Host names to addresses, by the resolver of the C library.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use thiserror::Error;

use crate::file::{self, FileContent, LARGEST_SETTING};
use crate::words::limit;

/// Why a host name has no address, now. Another attempt may succeed: names of services come and go.
#[derive(Debug, Error)]
pub enum ResolveError {
    /// There is no such name.
    #[error("the host name {host} does not resolve{}", reason(.lookup))]
    Unknown {
        /// `host`.
        host: String,
        /// The resolver's error. Its text is part of the message.
        lookup: io::Error,
    },
    /// No resolver answered in time.
    #[error("no resolver answered for the host name {host} within {}: is the name server in /etc/resolv.conf reachable?", limit(*.within))]
    NoAnswer {
        /// `host`.
        host: String,
        /// How long the attempt waited.
        within: Duration,
    },
}

/// What the resolver adds to "does not resolve": nothing if it says just that.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    // The standard library's prefix, and musl's and glibc's words for a name that does not exist.
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    match text {
        "Name does not resolve" | "Name or service not known" => String::new(),
        // EAI_AGAIN, by musl and by glibc.
        "Try again" | "Temporary failure in name resolution" => format!(": no name server answered for it ({text})"),
        other => format!(": {other}"),
    }
}

/// The addresses of a host name.
pub(super) async fn resolve(host: &str, port: u16, timeout: Duration) -> Result<Vec<SocketAddr>, ResolveError> {
    if is_localhost(host) && !is_in_hosts_file(host).await {
        // RFC 6761, 6.3: such names are those of this machine, and no name server is asked.
        return Ok(vec![(Ipv6Addr::LOCALHOST, port).into(), (Ipv4Addr::LOCALHOST, port).into()]);
    }
    looked_up(host, timeout, async { tokio::net::lookup_host((host, port)).await.map(Iterator::collect) }).await
}

/// The outcome of a lookup within a time. A lookup that takes longer ends by itself, in its thread.
async fn looked_up(
    host: &str,
    timeout: Duration,
    lookup: impl Future<Output = io::Result<Vec<SocketAddr>>>,
) -> Result<Vec<SocketAddr>, ResolveError> {
    let unknown = |lookup| ResolveError::Unknown { host: host.to_owned(), lookup };
    match tokio::time::timeout(timeout, lookup).await {
        Ok(Ok(found)) if found.is_empty() => Err(unknown(io::Error::other("it has no address"))),
        Ok(outcome) => outcome.map_err(unknown),
        Err(_) => Err(ResolveError::NoAnswer { host: host.to_owned(), within: timeout }),
    }
}

/// `localhost`, and names below it.
fn is_localhost(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether `/etc/hosts`, which an image without a base may lack, has the name: then it decides the address.
async fn is_in_hosts_file(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_owned();
    let read = || file::read(Path::new("/etc/hosts"), LARGEST_SETTING).and_then(FileContent::text);
    let text = tokio::task::spawn_blocking(read).await.ok().and_then(Result::ok).unwrap_or_default();
    has_name(&text, &host)
}

fn has_name(hosts: &str, host: &str) -> bool {
    let names = hosts.lines().map(|line| line.split('#').next().unwrap_or("")).flat_map(|line| line.split_whitespace().skip(1));
    names.into_iter().any(|name| name.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_name_that_no_resolver_answers_for_is_a_cause_of_its_own() {
        let limit = Duration::from_millis(1);
        let error = looked_up("db", limit, pending()).await.expect_err("no answer");
        assert!(error.to_string().starts_with("no resolver answered for the host name db within 1ms"), "{error}");
        let failed = |text: &str| ready(Err(io::Error::other(text.to_owned())));
        for (text, expected) in [
            ("failed to lookup address information: Name does not resolve", "the host name db does not resolve"),
            ("failed to lookup address information: Name or service not known", "the host name db does not resolve"),
            (
                "failed to lookup address information: Try again",
                "the host name db does not resolve: no name server answered for it (Try again)",
            ),
            ("anything", "the host name db does not resolve: anything"),
        ] {
            let error = looked_up("db", Duration::from_secs(60), failed(text)).await.expect_err(text);
            assert_eq!(error.to_string(), expected);
            assert_eq!(crate::words::chain(&crate::error::ConnectError::from(error)), expected, "said once");
        }
        let none = looked_up("db", Duration::from_secs(60), ready(Ok(Vec::new()))).await.expect_err("no address");
        assert_eq!(none.to_string(), "the host name db does not resolve: it has no address");
    }

    #[tokio::test]
    async fn names_of_this_machine_need_no_name_server() {
        for name in ["localhost", "LocalHost.", "db.localhost", "a.b.LOCALHOST"] {
            assert!(is_localhost(name), "{name}");
        }
        for name in ["localhost.example.com", "mylocalhost", "127.0.0.1", ""] {
            assert!(!is_localhost(name), "{name}");
        }
        let found = resolve("nothing-like-it.localhost", 5432, Duration::from_secs(60)).await.expect("addresses");
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["[::1]:5432", "127.0.0.1:5432"]);
        assert!(has_name("127.0.0.1 localhost # x\n10.0.0.1\tdb.localhost db", "DB.localhost"));
        assert!(!has_name("127.0.0.1 localhost # db.localhost", "db.localhost"));
    }
}
