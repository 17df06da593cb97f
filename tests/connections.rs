//! Getting in: authentication, several hosts, secrets from files, and what ends at once because waiting would not help.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::certificate::write_secret;
use crate::support::{
    Authority, CertificateOptions, Database, EVERY, LOCAL, Outcome, Program, Project, Proxy, Server, Session, Side, pgmarch, pgmarch_at,
    pgmarch_without_database,
};

pub(crate) const SECRET: &str = "open-sesame-4711";

fn project() -> Project {
    Project::marchproxy()
}

/// `status`, with half a minute for what must end at once.
fn status(conninfo: &str) -> Program {
    pgmarch_without_database(&project()).in_folder(Path::new("/")).args(["status"]).url(conninfo).env("PGMARCH_WAIT_TIMEOUT", "30s")
}

/// The server's log line about a login by the user `name`.
fn login(server: &Server, name: &str) -> String {
    let log = server.log();
    let mut lines = log.lines().filter(|line| line.contains("connection authorized") && line.contains(&format!("application_name={name}")));
    lines.next_back().unwrap_or_default().to_string()
}

fn account() -> String {
    let output = Command::new("id").arg("-un").output().expect("run id");
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_string()
}

/// One server that asks each role for a proof in another way.
pub(crate) fn strict_server(authority: &Authority) -> Server {
    let server = Server::reserve(&["log_connections = on"]);
    let settings = authority.serve(&server, "server");
    let ca = server.folder().join("ca.crt");
    fs::copy(authority.root(), &ca).expect("copy the root");
    server.own(&ca, 0o600);
    server.set(&settings.iter().map(String::as_str).collect::<Vec<_>>());
    server.set(&[&format!("ssl_ca_file = '{}'", ca.display())]);
    let ways = ["trust", "password", "md5", "scram-sha-256", "reject"];
    let lines: String = ways.map(|way| format!("host all by_{} all {way}\n", way.replace('-', "_"))).concat();
    server.logins(&format!(
        "local all postgres trust\nlocal all all peer\nhost all postgres all trust\n{lines}hostssl all by_cert all cert\n"
    ));
    server.start();
    let session = Session::open(&server.url("postgres"));
    for role in ways {
        let role = role.replace('-', "_");
        let encryption = if role == "md5" { "md5" } else { "scram-sha-256" };
        session.execute(&format!("SET password_encryption = '{encryption}'; CREATE ROLE by_{role} LOGIN PASSWORD '{SECRET}'"));
    }
    session.execute(&format!("CREATE ROLE by_cert LOGIN; CREATE ROLE \"{}\" LOGIN; CREATE ROLE somebody LOGIN", account()));
    server
}

#[test]
fn each_way_to_prove_who_one_is_works_and_a_wrong_proof_ends_at_once() {
    let authority = Authority::new("ours");
    authority.issue("server", &LOCAL);
    authority.issue("client", &CertificateOptions { common: "by_cert", ..LOCAL });
    authority.issue("other", &CertificateOptions { common: "by_somebody", ..LOCAL });
    let server = strict_server(&authority);
    let base = format!("host=localhost hostaddr=127.0.0.1 port={} dbname=postgres sslrootcert={}", server.port(), authority.root());
    for role in ["by_trust", "by_password", "by_md5", "by_scram_sha_256"] {
        for mode in ["disable", "verify-full"] {
            status(&format!("{base} user={role} password={SECRET} sslmode={mode}")).run().exits(0);
        }
    }
    let refused = |outcome: Outcome, text: &str| outcome.exits(8).stderr_contains(text).stderr_lacks("wrong-sesame");
    for role in ["by_password", "by_md5", "by_scram_sha_256"] {
        let outcome = status(&format!("{base} user={role} password=wrong-sesame")).run();
        refused(outcome, "password authentication failed").stderr_contains("28P01");
        refused(status(&format!("{base} user={role}")).run(), "asks for a password, and none is given");
    }
    refused(status(&format!("{base} user=by_reject password={SECRET}")).run(), "pg_hba.conf rejects connection");
    refused(status(&format!("{base} user=unheard_of password={SECRET}")).run(), "no pg_hba.conf entry");

    let with = |name: &str| format!("sslcert={} sslkey={}", authority.path(&format!("{name}.crt")), authority.path(&format!("{name}.key")));
    status(&format!("{base} user=by_cert sslmode=verify-full {}", with("client"))).run().exits(0);
    refused(status(&format!("{base} user=by_cert sslmode=verify-full {}", with("other"))).run(), "certificate authentication failed");
    refused(status(&format!("{base} user=by_cert sslmode=require")).run(), "valid client certificate");
    let mixed =
        format!("{base} user=by_cert sslmode=require sslcert={} sslkey={}", authority.path("client.crt"), authority.path("other.key"));
    status(&mixed).run().exits(2).stderr_contains("not that of the certificate in sslcert");
    fs::set_permissions(authority.path("client.key"), fs::Permissions::from_mode(0o644)).expect("open the key to all");
    status(&format!("{base} user=by_cert sslmode=require {}", with("client"))).run().exits(2).stderr_contains("others may read the key");
    status(&format!("{base} user=by_trust sslmode=require sslcertmode=disable {}", with("client"))).run().exits(0);
    status(&format!("{base} user=by_trust sslmode=require sslcertmode=require")).run().exits(0);

    let local = format!("host={} port={} dbname=postgres", server.folder().display(), server.port());
    status(&format!("{local} user={}", account())).run().exits(0);
    // TLS is nothing for a socket, so no sslmode asks for it there.
    status(&format!("{local} sslmode=require")).run().exits(0);
    refused(status(&format!("{local} user=somebody")).run(), "Peer authentication failed");
    refused(status(&format!("{local} requirepeer=nobody-else")).run(), "requirepeer");
    let runs_as = Command::new("stat").args(["-c", "%U"]).arg(server.folder()).output().expect("run stat").stdout;
    status(&format!("{local} requirepeer={}", String::from_utf8_lossy(&runs_as).trim())).run().exits(0);

    let scram = format!("{base} user=by_scram_sha_256 password={SECRET}");
    status(&format!("{scram} sslmode=require channel_binding=require")).run().exits(0);
    refused(status(&format!("{scram} sslmode=disable channel_binding=require")).run(), "channel_binding=require");
    refused(status(&format!("{base} user=by_trust sslmode=require channel_binding=require")).run(), "channel_binding=require");
    status(&format!("{scram} require_auth=scram-sha-256")).run().exits(0);
    let weak = format!("{base} user=by_password password={SECRET} require_auth=!password,!md5");
    refused(status(&weak).run(), "authentication by password, which require_auth does not allow");
}

#[test]
fn channel_binding_holds_with_each_hash_of_a_certificate() {
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384] {
        let authority = Authority::new("ours");
        authority.self_sign_by("server", &LOCAL, algorithm);
        let server = strict_server(&authority);
        let conninfo = format!(
            "host=127.0.0.1 port={} dbname=postgres user=by_scram_sha_256 password={SECRET} sslmode=verify-full sslrootcert={} channel_binding=require",
            server.port(),
            authority.path("server.crt")
        );
        status(&conninfo).run().exits(0);
    }
}

#[test]
fn failures_of_tls_say_which_check_it_was_and_which_setting_decides() {
    let authority = Authority::new("ours");
    let stranger = Authority::new("stranger");
    authority.issue("server", &CertificateOptions { names: &["db.example", "*.db.example"], ..LOCAL });
    authority.issue("expired", &CertificateOptions { expired: true, ..LOCAL });
    let server = strict_server(&authority);
    let base = format!("host=localhost hostaddr=127.0.0.1 port={} user=postgres dbname=postgres", server.port());
    let (ours, theirs) = (authority.root(), stranger.root());
    for (more, code, text) in [
        (
            format!("sslmode=verify-ca sslrootcert={theirs}"),
            8,
            format!("leads to none of the roots in sslrootcert={theirs} (checked by sslmode=verify-ca)"),
        ),
        (
            format!("sslmode=verify-full sslrootcert={ours}"),
            8,
            "is for db.example, *.db.example, not for `localhost` (checked by sslmode=verify-full".into(),
        ),
        (format!("sslrootcert={ours} sslmode=verify-full sslcrl={}", authority.path("revoked.crl")), 8, "is revoked (sslcrl)".into()),
        ("sslmode=verify-full sslrootcert=/nowhere/root.crt".into(), 2, "`sslrootcert`: /nowhere/root.crt: it is not there".into()),
        ("sslmode=verify-ca".into(), 2, "/.postgresql/root.crt: it is not there".into()),
        ("sslrootcert=builtin".into(), 8, "leads to none of the roots in sslrootcert=builtin".into()),
        ("sslmode=require ssl_max_protocol_version=TLSv1.1".into(), 2, "ssl_max_protocol_version".into()),
        (format!("sslmode=require sslcrl={ours}"), 0, String::new()),
        (format!("sslmode=require sslcrl={ours} sslrootcert={ours}"), 2, "`sslcrl`".into()),
    ] {
        let outcome = status(&format!("{base} {more}")).env("HOME", "").run();
        outcome.exits(code).stderr_contains(&text);
    }
    server.stop();
    server.set(&authority.serve(&server, "expired").iter().map(String::as_str).collect::<Vec<_>>());
    server.start();
    status(&format!("{base} sslmode=verify-ca sslrootcert={ours}")).run().exits(8).stderr_contains("has expired");
    let database = Database::new();
    let plain = format!("{}?sslmode=require", database.url());
    status(&plain).run().exits(8).stderr_contains("the server does not speak TLS, which sslmode=require wants");
}

#[test]
fn a_direct_handshake_works_where_the_server_knows_it() {
    let authority = Authority::new("ours");
    authority.issue("server", &LOCAL);
    let server = strict_server(&authority);
    let conninfo = format!(
        "host=localhost hostaddr=127.0.0.1 port={} user=postgres dbname=postgres sslmode=verify-full sslrootcert={} sslnegotiation=direct",
        server.port(),
        authority.root()
    );
    let number: u32 = Session::open(&server.url("postgres")).one("SHOW server_version_num").parse().expect("a number");
    let outcome = status(&conninfo).env("PGMARCH_WAIT_TIMEOUT", "1s").run();
    // An older server closes the connection on what it takes for nonsense.
    let expected = if number >= 170_000 { 0 } else { 4 };
    outcome.exits(expected);
}

#[test]
fn a_statement_is_cancelled_through_tls_where_nothing_else_is_let_in() {
    let authority = Authority::new("ours");
    authority.issue("server", &LOCAL);
    let server = Server::reserve(&[]);
    server.set(&authority.serve(&server, "server").iter().map(String::as_str).collect::<Vec<_>>());
    server.logins("local all all trust\nhostssl all all all trust\n");
    server.start();
    let socket = format!("postgresql://postgres@{}:{}/postgres", server.folder().display().to_string().replace('/', "%2F"), server.port());
    let slow = Project::new().revision("001", "SELECT pg_sleep(60);", "SELECT 1;");
    let down = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let conninfo = format!(
        "host=localhost,localhost hostaddr=127.0.0.1,127.0.0.1 port={down},{} user=postgres dbname=postgres sslmode=verify-full sslrootcert={}",
        server.port(),
        authority.root()
    );
    let running = pgmarch_at(&conninfo, &slow).args(["upgrade"]).spawn();
    const SLEEPERS: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    let watcher = Session::open(&socket);
    watcher.eventually(SLEEPERS, "1");
    running.signal("TERM");
    running.wait().exits(143);
    watcher.eventually(SLEEPERS, "0");
    assert!(server.log().contains("canceling statement due to user request"), "{}", server.log());
}

#[test]
fn the_first_host_that_is_what_is_wanted_serves() {
    let primary = Server::start_own(&["log_connections = on"]);
    let standby = primary.standby();
    standby.set(&["log_connections = on"]);
    standby.reload();
    let on = |servers: [&Server; 2], wanted: &str| {
        let ports = servers.map(|server| server.port().to_string()).join(",");
        status(&format!(
            "host=127.0.0.1,127.0.0.1 port={ports} user=postgres dbname=postgres target_session_attrs={wanted} application_name={wanted}-{}",
            servers[0].port()
        ))
    };
    for (wanted, expected) in [
        ("read-write", Some(&primary)),
        ("primary", Some(&primary)),
        ("read-only", Some(&standby)),
        ("standby", Some(&standby)),
        ("prefer-standby", Some(&standby)),
        ("any", None),
    ] {
        for order in [[&primary, &standby], [&standby, &primary]] {
            on(order, wanted).run().exits(0);
            let name = format!("{wanted}-{}", order[0].port());
            let served = expected.unwrap_or(order[0]);
            // To see what a server is, one has to log in; so the one that serves is the one that was asked last.
            let last = [&primary, &standby]
                .into_iter()
                .filter(|server| !login(server, &name).is_empty())
                .max_by_key(|server| login(server, &name)[..23].to_string());
            assert_eq!(last.map(|server| server.port()), Some(served.port()), "{name}");
        }
    }
    on([&primary, &primary], "prefer-standby").run().exits(0);
    let never = on([&primary, &primary], "standby").env("PGMARCH_WAIT_TIMEOUT", "500ms").run();
    never.exits(4).stderr_contains("the server is not what target_session_attrs=standby wants");
    let waiting = on([&standby, &standby], "primary").spawn();
    waiting.wait_for_log("target_session_attrs=primary");
    primary.crash();
    standby.promote();
    waiting.wait().exits(0);
}

#[test]
fn hosts_are_gone_through_in_order_or_at_random() {
    let servers = [Server::start_own(&["log_connections = on"]), Server::start_own(&["log_connections = on"])];
    let ports = format!("{},{}", servers[0].port(), servers[1].port());
    let conninfo = format!("host=127.0.0.1,localhost port={ports} user=postgres dbname=postgres");
    let logins =
        |server: &Server, name: &str| server.log().lines().filter(|line| line.contains(&format!("application_name={name}"))).count();
    for _ in 0..3 {
        status(&format!("{conninfo} application_name=in-order")).run().exits(0);
    }
    assert_eq!((logins(&servers[0], "in-order"), logins(&servers[1], "in-order")), (3, 0));
    for _ in 0..16 {
        status(&format!("{conninfo} application_name=shuffled load_balance_hosts=random")).run().exits(0);
    }
    assert!(logins(&servers[0], "shuffled") > 0 && logins(&servers[1], "shuffled") > 0);

    // A host that never answers holds up the next for connect_timeout; one that refuses the password for good is the last.
    let hung = Proxy::to(&servers[0]).hang_after(Side::Client, EVERY, 0);
    let (_, silent_port) = hung.place().rsplit_once(':').map(|(host, port)| (host.to_string(), port.to_string())).expect("host:port");
    status(&format!(
        "host=127.0.0.1,127.0.0.1 port={silent_port},{} user=postgres dbname=postgres connect_timeout=1 application_name=second",
        servers[1].port()
    ))
    .run()
    .exits(0);
    assert_eq!(logins(&servers[1], "second"), 1);
    Session::open(&servers[0].url("postgres")).execute(&format!("CREATE ROLE me LOGIN PASSWORD '{SECRET}'"));
    Session::open(&servers[1].url("postgres")).execute("CREATE ROLE me LOGIN PASSWORD 'another-sesame'");
    let outcome = status(&format!("{conninfo} user=me password=another-sesame")).run().exits(8);
    outcome.stderr_contains(&format!("127.0.0.1:{}: FATAL: password authentication failed", servers[0].port()));
    let nobody = status("host=127.0.0.1,name.invalid port=1 user=me dbname=postgres").env("PGMARCH_WAIT_TIMEOUT", "300ms").run();
    nobody.exits(4).stderr_contains("127.0.0.1:1: ").stderr_contains("name.invalid does not resolve");
}

#[test]
fn a_secret_comes_from_the_file_that_a_setting_names() {
    let database = Database::new();
    let role = database.role("filed", &[]);
    let parts = role.url.split(['/', ':', '@']).filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let [_, user, _, host, port, name] = parts[..] else { panic!("{parts:?}") };
    let folder = tempfile::tempdir().expect("a folder");
    let base = || {
        pgmarch_without_database(&project())
            .in_folder(Path::new("/"))
            .args(["status"])
            .env("PGUSER", user)
            .env("PGHOST", host)
            .env("PGPORT", port)
            .env("PGDATABASE", name)
    };
    let with = |file: &Path| base().env("PGPASSWORD_FILE", file.to_str().expect("UTF-8"));
    // As Kubernetes mounts a secret: links into a folder that all may write, the file itself for its owner alone.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("open the folder");
    fs::create_dir(folder.path().join("..2026")).expect("a folder");
    symlink("..2026", folder.path().join("..data")).expect("a link");
    symlink("..data/password", folder.path().join("password")).expect("a link");
    for mode in [0o644, 0o640, 0o440, 0o400] {
        let file = folder.path().join("..2026/password");
        fs::remove_file(&file).ok();
        write_secret(&file, &format!("{SECRET}\n"), mode);
        with(&folder.path().join("password")).run().exits(0);
    }
    for mode in [0o666, 0o660, 0o602] {
        let file = folder.path().join("open");
        write_secret(&file, SECRET, mode);
        with(&file).run().exits(2).stderr_contains(&format!("has mode {mode:04o}: others could write")).stderr_contains("chmod go-w");
    }
    with(&folder.path().join("missing")).run().exits(2).stderr_contains("can't be read");
    with(&folder.path().join("password")).env("PGPASSWORD", SECRET).run().exits(2).stderr_contains("both set");

    let url = folder.path().join("url");
    write_secret(&url, &format!("{}\r\n", role.url), 0o600);
    let by_url = |name: &str| {
        pgmarch_without_database(&project()).in_folder(Path::new("/")).args(["status"]).env(name, url.to_str().expect("UTF-8"))
    };
    by_url("DATABASE_URL_FILE").run().exits(0);
    by_url("PGMARCH_DATABASE_URL_FILE").env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/pooler").run().exits(0);

    let passfile = folder.path().join("pgpass");
    write_secret(&passfile, &format!("{host}:{port}:*:{user}:{SECRET}\n"), 0o600);
    base().env("PGPASSFILE", passfile.to_str().expect("UTF-8")).run().exits(0);
    base().env("HOME", folder.path().to_str().expect("UTF-8")).run().exits(8).stderr_contains("none is given");
    fs::rename(&passfile, folder.path().join(".pgpass")).expect("move");
    base().env("HOME", folder.path().to_str().expect("UTF-8")).run().exits(0);
    fs::set_permissions(folder.path().join(".pgpass"), fs::Permissions::from_mode(0o640)).expect("open the file");
    let outcome = base().env("HOME", folder.path().to_str().expect("UTF-8")).run().exits(8);
    outcome.stderr_contains("is not read: its mode 0640 lets group or world access it").stderr_contains("none is given");
    for filter in ["pgmarch=warn", "pgmarch::connect=debug", "error,pg_connect=warn"] {
        let outcome = base().env("HOME", folder.path().to_str().expect("UTF-8")).env("PGMARCH_LOG", filter).run().exits(8);
        outcome.stderr_contains("is not read: its mode 0640");
    }
}

/// Replaces a file at once, as a rotation does.
fn rotate(folder: &TempDir, name: &str, text: &str) {
    let new = folder.path().join("new");
    write_secret(&new, text, 0o600);
    fs::rename(new, folder.path().join(name)).expect("replace the file");
}

#[test]
fn a_password_that_is_replaced_during_the_wait_is_picked_up() {
    let database = Database::new();
    let role = database.role("rotated", &[]);
    let without = role.url.replace(&format!(":{SECRET}"), "");
    let folder = tempfile::tempdir().expect("a folder");
    let pgpass = |password: &str| format!("*:*:*:*:{password}\n");
    rotate(&folder, "password", "wrong-sesame\n");
    rotate(&folder, "pgpass", &pgpass("wrong-sesame"));
    for (variable, file, right) in [("PGPASSWORD_FILE", "password", format!("{SECRET}\n")), ("PGPASSFILE", "pgpass", pgpass(SECRET))] {
        let path = folder.path().join(file);
        let program = status(&without).env(variable, path.to_str().expect("UTF-8"));
        let running = program.env("PGMARCH_WAIT_FOR", "password").spawn();
        running.wait_for_log("password authentication failed");
        rotate(&folder, file, &right);
        running.wait().exits(0);
    }
}

#[test]
fn a_server_that_never_says_a_word_is_given_up_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let outcome =
        status(&format!("host=127.0.0.1 port={port} user=me dbname=d connect_timeout=0")).env("PGMARCH_WAIT_TIMEOUT", "300ms").run();
    outcome.exits(4).stderr_contains("no answer within").within(Duration::from_secs(20));
    let (mut first, _) = listener.accept().expect("a connection");
    let mut request = [0; 8];
    first.read_exact(&mut request).expect("the offer of TLS");
    assert_eq!(request[4..], [4, 210, 22, 47]);
}

#[test]
fn a_role_is_taken_and_the_search_path_and_ledger_are_where_settings_say() {
    let database = Database::new();
    database.execute("CREATE SCHEMA app");
    let owner = format!("owner_of_{}", database.name());
    let owner = &owner[..owner.len().min(63)];
    let login = database.role("deployer", &[]);
    database.execute(&format!("CREATE ROLE {owner} NOLOGIN; ALTER ROLE {} NOINHERIT; GRANT {owner} TO {}", login.name, login.name));
    database.execute(&format!("GRANT CREATE ON DATABASE {} TO {owner}; GRANT CREATE, USAGE ON SCHEMA app TO {owner}", database.name()));
    let project = Project::new().revision("001", "CREATE TABLE things (id int);", "DROP TABLE things;");
    let run = || {
        pgmarch_at(&login.url, &project)
            .env("PGMARCH_ROLE", owner)
            .env("PGMARCH_SEARCH_PATH", "app")
            .env("PGMARCH_LEDGER_SCHEMA", "books")
            .args(["upgrade"])
            .run()
    };
    run().exits(0).stdout_contains("at 001");
    run().exits(0).stdout_contains("nothing to do");
    let owners = "SELECT string_agg(n.nspname || '.' || c.relname || ' ' || pg_get_userbyid(c.relowner), ', ' ORDER BY 1) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname IN ('app', 'books', 'public')";
    let expected = ["app.alembic_version", "app.things", "books.catalog", "books.format", "books.journal", "books.revision"]
        .map(|table| format!("{table} {owner}"));
    let found = database.one(&owners.replace("ORDER BY 1", "ORDER BY n.nspname, c.relname"));
    assert_eq!(found, expected.join(", "));
    let outcome = pgmarch(&database, &project).env("PGMARCH_ROLE", "unheard_of").args(["status"]).run();
    outcome.exits(8).stderr_contains("unheard_of");
    database.execute(&format!("DROP OWNED BY {owner}; DROP ROLE {owner}"));
}
