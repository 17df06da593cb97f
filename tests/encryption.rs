//! TLS: every sslmode against every kind of server ends as psql ends there, and failures say which check it was.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::support::{Authority, CertificateOptions, LOCAL, Outcome, Project, Server, certificate, installation, pgmarch_without_database};

/// Any login over the network, encrypted or not.
const OPEN: &str = "local all all trust\nhost all all all trust\n";
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// A server, and the result for roots and certificates with each sslmode.
struct Row<'r> {
    what: &'r str,
    certificate: &'r str,
    settings: &'r [&'r str],
    logins: &'r str,
    said: Vec<(&'static str, String)>,
}

/// A file of the certificates that are made as PostgreSQL's manual makes them.
fn manual(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/manual_certificates").join(name)
}

/// A server with the certificate `name` (none, or the manual's), more settings, and its logins.
fn serving(authority: &Authority, name: &str, settings: &[&str], logins: &str) -> Server {
    let server = Server::reserve(&["log_connections = on"]);
    let certificate = match name {
        "" => Vec::new(),
        "manual" => certificate::install(&server, &manual("server.crt"), &manual("server.key")),
        name => authority.serve(&server, name),
    };
    server.set(&certificate.iter().map(String::as_str).chain(settings.iter().copied()).collect::<Vec<_>>());
    server.logins(logins);
    server.start();
    server
}

fn conninfo(server: &Server, more: &str) -> String {
    format!("host=localhost hostaddr=127.0.0.1 port={} user=postgres dbname=postgres {more}", server.port())
}

/// `status` on a server, with no revisions to apply.
fn status(conninfo: &str, home: &str) -> Outcome {
    let project = Project::new().revision("001", "SELECT 1;", "SELECT 1;");
    let program = pgmarch_without_database(&project).args(["status"]).env("HOME", home).url(conninfo);
    program.env("PGMARCH_WAIT_TIMEOUT", "5s").run()
}

/// How a client that called itself `name` got in: `plain`, `TLS`, or not at all.
fn entered(server: &Server, name: &str) -> &'static str {
    let log = server.log();
    let entry =
        log.lines().filter(|line| line.contains("connection authorized")).find(|line| line.contains(&format!("application_name={name}")));
    match entry {
        Some(line) if line.contains("SSL enabled") => "TLS",
        Some(_) => "plain",
        None => "refused",
    }
}

/// What psql and pgmarch come to with the same settings.
fn compare(server: &Server, label: &str, more: &str, home: &str) -> Result<&'static str, String> {
    let name = |who: &str| format!("{who}_{}", label.replace([' ', '='], "_"));
    let mut psql = Command::new(installation::binary("psql"));
    psql.env_clear().env("HOME", home).arg(conninfo(server, &format!("{more} application_name={}", name("psql"))));
    let psql = psql.args(["-X", "-c", "SELECT 1"]).output().expect("run psql");
    let ours = status(&conninfo(server, &format!("{more} application_name={}", name("pgmarch"))), home);
    // `status` may find a database without anything of ours; only a failure to get in counts here.
    let (theirs, mine) = (entered(server, &name("psql")), entered(server, &name("pgmarch")));
    let consistent = (ours.code() == Some(0)) == (mine != "refused") && psql.status.success() == (theirs != "refused");
    if theirs == mine && consistent {
        return Ok(mine);
    }
    Err(format!("{label}: psql {theirs}, pgmarch {mine}\n{}\n{ours}", String::from_utf8_lossy(&psql.stderr)))
}

#[test]
fn every_sslmode_on_every_server_ends_as_in_psql() {
    let authority = Authority::new("ours");
    let stranger = Authority::new("stranger");
    authority.issue("good", &LOCAL);
    authority.issue("other", &CertificateOptions { names: &["elsewhere.example"], common: "localhost", ..LOCAL });
    authority.issue("common", &CertificateOptions { names: &[], common: "localhost", ..LOCAL });
    authority.issue("wild", &CertificateOptions { names: &["*.example", "*"], ..LOCAL });
    authority.issue("expired", &CertificateOptions { expired: true, ..LOCAL });
    authority.issue("client", &CertificateOptions { common: "postgres", ..LOCAL });
    stranger.issue("client", &CertificateOptions { common: "postgres", ..LOCAL });
    authority.self_sign("self", &LOCAL);
    let ca = [format!("ssl_ca_file = '{}'", authority.root())];
    let ca = [ca[0].as_str()];
    let fixture_root = manual("root.crt");
    let home = tempfile::tempdir().expect("an empty home");
    let home = home.path().to_str().expect("UTF-8");
    let (ours, theirs) = (format!("sslrootcert={}", authority.root()), format!("sslrootcert={}", stranger.root()));
    let own = |authority: &Authority| format!("sslcert={} sslkey={}", authority.path("client.crt"), authority.path("client.key"));
    let with_client = format!("{ours} {}", own(&authority));
    let with_stranger = format!("{ours} {}", own(&stranger));
    let selfsigned = format!("sslrootcert={}", authority.path("self.crt"));
    let manual_root = format!("sslrootcert={}", fixture_root.display());
    let (listed, unlisted) =
        (format!("{ours} sslcrl={}", authority.path("revoked.crl")), format!("{ours} sslcrl={}", authority.path("nobody.crl")));
    let row = |what, certificate, settings, logins, said: &[(&'static str, &str)]| {
        let said = said.iter().map(|(label, more)| (*label, (*more).to_string())).collect();
        Row { what, certificate, settings, logins, said }
    };
    let none: &[&str] = &[];
    let table = [
        row("no TLS", "", none, OPEN, &[("no roots", ""), ("roots", &ours)]),
        row(
            "a chain",
            "good",
            none,
            OPEN,
            &[
                ("no roots", ""),
                ("roots", &ours),
                ("wrong roots", &theirs),
                ("missing roots", "sslrootcert=/nowhere"),
                ("revoked", &listed),
                ("a list", &unlisted),
            ],
        ),
        row("TLS only", "good", none, "local all all trust\nhostssl all all all trust\n", &[("no roots", "")]),
        row("plain only", "good", none, "local all all trust\nhostnossl all all all trust\n", &[("no roots", "")]),
        row("self-signed", "self", none, OPEN, &[("no roots", ""), ("roots", &ours), ("itself", &selfsigned)]),
        row("wrong name", "other", none, OPEN, &[("roots", &ours)]),
        row("common name", "common", none, OPEN, &[("roots", &ours)]),
        row("wild", "wild", none, OPEN, &[("roots", &ours)]),
        row("expired", "expired", none, OPEN, &[("no roots", ""), ("roots", &ours)]),
        row(
            "client certificate",
            "good",
            &ca,
            "local all all trust\nhostssl all all all trust clientcert=verify-ca\n",
            &[("no certificate", &ours), ("certificate", &with_client), ("foreign", &with_stranger)],
        ),
        row(
            "TLS 1.2",
            "good",
            &["ssl_max_protocol_version = 'TLSv1.2'"],
            OPEN,
            &[("roots", &ours), ("at least 1.3", "ssl_min_protocol_version=TLSv1.3")],
        ),
        row("TLS 1.3", "good", &["ssl_min_protocol_version = 'TLSv1.3'"], OPEN, &[("at most 1.2", "ssl_max_protocol_version=TLSv1.2")]),
        row("the manual", "manual", none, OPEN, &[("no roots", ""), ("roots", &manual_root), ("wrong roots", &ours)]),
    ];
    let outcomes: Vec<Result<&str, String>> = thread::scope(|scope| {
        let rows: Vec<_> = table
            .iter()
            .map(|row| {
                let authority = &authority;
                scope.spawn(move || {
                    let server = serving(authority, row.certificate, row.settings, row.logins);
                    let modes = |(label, more): &(&str, String)| {
                        MODES.map(|mode| (format!("{} {label} {mode}", row.what), format!("sslmode={mode} {more}")))
                    };
                    let all = row.said.iter().flat_map(modes);
                    all.map(|(label, more)| compare(&server, &label, &more, home)).collect::<Vec<_>>()
                })
            })
            .collect();
        rows.into_iter().flat_map(|row| row.join().expect("a row of the table")).collect()
    });
    let differences: Vec<&String> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(differences.is_empty(), "{} differ\n{differences:#?}", differences.len());
    for expected in ["TLS", "plain", "refused"] {
        let count = outcomes.iter().filter(|outcome| **outcome == Ok(expected)).count();
        assert!(count > 20, "{count} of {} {expected}", outcomes.len());
    }
}
