//! A server whose client leaves without a word has that in its log: no run of ours does.

use crate::support::{Authority, Database, LOCAL, Outcome, Project, Server, pgmarch, pgmarch_at};

/// PostgreSQL's log message about a client that disconnected without `Terminate`.
const COMPLAINTS: [&str; 4] =
    ["unexpected EOF", "could not receive data from client", "could not send data to client", "connection to client lost"];

fn project() -> Project {
    (1..=5).fold(Project::new(), |project, number| {
        project.revision(&number.to_string(), &format!("CREATE TABLE t{number} (id int PRIMARY KEY)"), &format!("DROP TABLE t{number}"))
    })
}

/// Runs that end in different ways.
fn story(run: impl Fn(&Project) -> Outcome, server: &Server, database: &Database) {
    let project = project();
    run(&project).exits(0).stdout_contains("5 applied").stderr_lacks("no snapshot");
    run(&project).exits(0).stdout_contains("nothing to do");
    run(&project.copied().revision("6", "SELECT 1/0", "SELECT 1")).exits(6);
    let gone = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name LIKE 'pgmarch%'";
    database.eventually(gone, "0");
    assert_eq!(
        database.one("SELECT count(*) FROM pgmarch.catalog WHERE rows LIKE '%t5%'"),
        "1",
        "the snapshot was saved before the run ended"
    );
    let log = server.log();
    let complaint = log.lines().find(|line| COMPLAINTS.iter().any(|complaint| line.contains(complaint)));
    assert_eq!(complaint, None);
}

#[test]
fn a_server_reads_a_goodbye_over_the_network() {
    let server = Server::start_own(&[]);
    let database = Database::on(&server);
    story(|project| pgmarch(&database, project).env("PGMARCH_SNAPSHOT", "on").run(), &server, &database);
}

#[test]
fn a_server_reads_a_goodbye_through_tls() {
    let authority = Authority::new("goodbye");
    authority.issue("server", &LOCAL);
    let server = Server::reserve(&[]);
    server.set(&authority.serve(&server, "server").iter().map(String::as_str).collect::<Vec<_>>());
    server.start();
    let database = Database::on(&server);
    let url = format!("{}?sslmode=require", database.url());
    story(|project| pgmarch_at(&url, project).env("PGMARCH_SNAPSHOT", "on").run(), &server, &database);
}

#[test]
fn a_server_reads_a_goodbye_through_its_socket() {
    let server = Server::start_own(&[]);
    let database = Database::on(&server);
    let url = format!("postgresql://postgres@/{}?host={}&port={}", database.name(), server.folder().display(), server.port());
    story(|project| pgmarch_at(&url, project).env("PGMARCH_SNAPSHOT", "on").run(), &server, &database);
}
