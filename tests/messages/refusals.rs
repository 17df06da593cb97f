//! Servers that are not there, and servers that refuse: exit 4 and 8.

use std::net::TcpListener;

use super::{Setup, message};
use crate::support::{Authority, CertificateOptions, Database, LOCAL, Project, Role, Server, pgmarch, pgmarch_at};

fn project() -> Project {
    Project::new().revision("001", "CREATE TABLE services (name text);", "DROP TABLE services;")
}

/// A run at another URL that is not waited for.
fn at(url: &str) -> Setup {
    let project = project();
    Setup::of(pgmarch_at(url, &project)).and("PGMARCH_WAIT_TIMEOUT", "0").keep(project)
}

fn migrated() -> (Database, Project) {
    let (database, project) = (Database::new(), project());
    pgmarch(&database, &project).run().exits(0);
    (database, project)
}

/// A command of a role that may do too little.
fn role_runs(words: &str, rights: &[&str]) -> Setup {
    let (database, project) = migrated();
    let role = database.role("reader", rights);
    as_role(&role, &project).say(words).keep((database, project))
}

fn as_role(role: &Role, project: &Project) -> Setup {
    Setup::of(pgmarch_at(&role.url, project)).and("PGMARCH_WAIT_TIMEOUT", "1s").hide(&role.name, "reader")
}

#[test]
fn nothing_listens() {
    message("connection-refused", 4, || at("postgres://app@127.0.0.1:1/shop"));
}

#[test]
fn a_status_of_a_server_that_is_down() {
    message("status-of-a-server-that-is-down", 4, || {
        let project = project();
        Setup::of(pgmarch_at("postgres://app@127.0.0.1:1/shop", &project)).say("status").keep(project)
    });
}

#[test]
fn a_name_that_does_not_resolve() {
    message("unknown-host", 4, || at("postgres://app@no-such-host.invalid:5432/shop"));
}

#[test]
fn a_server_that_does_not_answer() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("postgres://app@{}/shop", silent.local_addr().expect("an address"));
    message("no-answer", 4, || at(&url).and("PGMARCH_WAIT_TIMEOUT", "1s"));
}

#[test]
fn a_server_of_another_kind() {
    message("wrong-server-kind", 4, || {
        let database = Database::new();
        at(&format!("{}?target_session_attrs=standby", database.url())).hide(database.name(), "DATABASE").keep(database)
    });
}

#[test]
fn a_full_server() {
    let server = Server::start_own(&["max_connections = 4", "superuser_reserved_connections = 0", "max_wal_senders = 0"]);
    let database = Database::on(&server);
    let _others: Vec<_> = (0..4).map(|_| database.session()).collect();
    message("too-many-connections", 4, || at(&database.url()).and("PGMARCH_WAIT_TIMEOUT", "1s"));
}

#[test]
fn a_server_that_is_read_only() {
    message("read-only", 4, || {
        let (database, project) = (Database::new(), project());
        database.execute(&format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name()));
        Setup::of(pgmarch(&database, &project)).and("PGMARCH_WAIT_TIMEOUT", "1s").keep((database, project))
    });
}

#[test]
fn a_wrong_password() {
    message("wrong-password", 8, || {
        let database = Database::new();
        let role = database.role("app", &[]);
        let url = role.url.replacen(&format!("{}:", role.name), &format!("{}:not-it-", role.name), 1);
        at(&url).hide(&role.name, "app").keep(database)
    });
}

#[test]
fn a_password_that_is_missing() {
    message("no-password", 8, || {
        let database = Database::new();
        let role = database.role("app", &[]);
        let (_, address) = role.url.split_once('@').expect("an address");
        at(&format!("postgres://{}@{address}", role.name)).and("HOME", "/nowhere").hide(&role.name, "app").keep(database)
    });
}

#[test]
fn a_database_that_does_not_exist() {
    message("no-such-database", 8, || {
        let database = Database::new();
        at(&database.url().replace(database.name(), "nowhere")).keep(database)
    });
}

#[test]
fn a_login_that_is_not_allowed() {
    let server = Server::start_own(&[]);
    let database = Database::on(&server);
    server.logins("local all all trust\nhost all postgres 127.0.0.1/32 reject\nhost postgres all 127.0.0.1/32 trust\n");
    server.reload();
    let url = database.url().replace("postgres:", "app:");
    message("login-not-allowed", 8, || at(&url));
}

#[test]
fn a_server_without_tls() {
    message("no-tls", 8, || {
        let database = Database::new();
        at(&format!("{}?sslmode=require", database.url())).hide(database.name(), "DATABASE").keep(database)
    });
}

/// A server with a certificate for another name.
fn tls(name: &str, options: &str, root: impl Fn(&Authority, &Authority) -> String) {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    ours.issue("server", &CertificateOptions { names: &["db.example"], ..LOCAL });
    let server = Server::start_own(&[]);
    server.stop();
    server.set(&ours.serve(&server, "server").iter().map(String::as_str).collect::<Vec<_>>());
    server.start();
    let root = root(&ours, &other);
    let conninfo =
        format!("host=localhost hostaddr=127.0.0.1 port={} user=postgres dbname=postgres {options} sslrootcert={root}", server.port());
    message(name, 8, || at(&conninfo).hide(&root, "/certificates/root.crt").hide(server.port(), "PORT"));
}

#[test]
fn a_certificate_for_another_name() {
    tls("certificate-for-another-name", "sslmode=verify-full", |ours, _| ours.root());
}

#[test]
fn a_certificate_of_another_authority() {
    tls("certificate-of-another-authority", "sslmode=verify-ca", |_, other| other.root());
}

#[test]
fn a_login_without_the_right_to_connect() {
    message("no-right-to-connect", 8, || {
        let (database, project) = (Database::new(), project());
        database.execute(&format!("REVOKE CONNECT ON DATABASE {} FROM PUBLIC", database.name()));
        let role = database.role("reader", &[]);
        as_role(&role, &project).keep((database, project))
    });
}

#[test]
fn a_first_run_without_rights() {
    message("no-right-to-create", 8, || {
        let (database, project) = (Database::new(), project());
        database.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
        let role = database.role("reader", &[]);
        as_role(&role, &project).keep((database, project))
    });
}

#[test]
fn a_status_without_rights() {
    message("status-without-rights", 8, || role_runs("status", &[]));
}

#[test]
fn a_wait_without_rights() {
    message("wait-without-rights", 8, || role_runs("wait", &[]));
}

#[test]
fn an_upgrade_without_rights() {
    message("upgrade-without-rights", 8, || role_runs("upgrade", &[]));
}

#[test]
fn a_check_without_rights() {
    message("check-without-rights", 8, || role_runs("check", &[]));
}

#[test]
fn a_status_without_rights_to_the_ledger() {
    message("status-without-rights-to-the-ledger", 8, || role_runs("status", &["USAGE ON SCHEMA public", "SELECT ON alembic_version"]));
}

#[test]
fn a_status_without_rights_to_the_schema() {
    message("status-without-rights-to-the-schema", 8, || {
        let (database, project) = (Database::new(), project());
        database.execute("CREATE SCHEMA \"My Schema\"");
        let program = || pgmarch(&database, &project).env("PGMARCH_VERSION_TABLE", "My Schema.alembic_version");
        program().run().exits(0);
        let role = database.role("reader", &[]);
        as_role(&role, &project).and("PGMARCH_VERSION_TABLE", "My Schema.alembic_version").say("status").keep((database, project))
    });
}

#[test]
fn rows_that_are_hidden() {
    message("row-security", 8, || {
        let (database, project) = migrated();
        database.execute("ALTER TABLE alembic_version ENABLE ROW LEVEL SECURITY");
        let role =
            database.role("reader", &["USAGE ON SCHEMA public, pgmarch", "SELECT ON alembic_version, pgmarch.revision, pgmarch.journal"]);
        as_role(&role, &project).say("status").keep((database, project))
    });
}

#[test]
fn no_right_to_create_databases() {
    message("no-right-to-create-databases", 8, || {
        let (database, project) = migrated();
        project.write("schema.sql", "CREATE TABLE services (name text);\n");
        let role =
            database.role("reader", &["USAGE ON SCHEMA public, pgmarch", "SELECT ON alembic_version, pgmarch.revision, pgmarch.journal"]);
        as_role(&role, &project).say("diff").keep((database, project))
    });
}
