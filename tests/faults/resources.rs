//! Something that the server needs is short, or the role may not have it.

use std::process::Command;

use super::Case;
use super::story::{arrived, assert_complete, clean, disturbed, project};
use crate::support::{Database, Project, Server, Session, pgmarch};

pub(crate) fn all() -> Vec<Case> {
    let mut cases = vec![
        Case::new("the disk is full in the middle of a revision", || {
            disk_full("CREATE TABLE big2 TABLESPACE small AS SELECT g, repeat('x', 100) FROM generate_series(1, 200000) g;", "")
        }),
        Case::new("the disk is full in the middle of a concurrent index build", || {
            disk_full("CREATE INDEX CONCURRENTLY big_i ON big (g, t) TABLESPACE small;", " transaction:false");
        }),
        Case::new("max_connections is reached before the run", || connections(0)),
        Case::new("max_connections leaves one connection", || connections(1)),
        Case::new("max_connections leaves two connections and none to watch with", || connections(2)),
        Case::new("a read-only database", read_only),
        Case::new("rights revoked in the middle", revoked),
    ];
    let settings = [
        "statement_timeout = '80ms'",
        "lock_timeout = '80ms'",
        "idle_in_transaction_session_timeout = '80ms'",
        "idle_session_timeout = '1s'",
        "transaction_timeout = '80ms'",
        "default_transaction_isolation = 'serializable'",
    ];
    let known = Database::new().query("SELECT name FROM pg_settings");
    let is_known = |setting: &&str| known.iter().any(|row| setting.starts_with(&format!("{} ", row[0])));
    for setting in settings.into_iter().filter(is_known) {
        cases.push(Case::new(format!("{setting} on the role"), move || on_the_role(setting)));
    }
    cases
}

fn mount(options: &str, folder: &std::path::Path) {
    let status = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder).status().expect("run mount");
    assert!(status.success(), "mount a tmpfs on {}: this case needs root", folder.display());
}

struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

fn disk_full(sql: &str, mode: &str) {
    let server = Server::start_own(&[]);
    let [database, fresh] = [(); 2].map(|()| Database::on(&server));
    let folder = server.folder().join("small");
    std::fs::create_dir(&folder).expect("make a folder for the tablespace");
    let options = |size: &str| format!("size={size},uid={},mode=700", owner(&server));
    mount(&options("6m"), &folder);
    let _mounted = Mounted(folder.clone());
    database.execute("CREATE TABLE filler AS SELECT g, repeat(md5(g::text), 4) AS t FROM generate_series(1, 100000) g");
    fresh.execute("CREATE TABLE filler (g int, t text)");
    Session::open(&database.url()).try_query(&format!("CREATE TABLESPACE small LOCATION '{}'", folder.display())).expect("a tablespace");
    let project = Project::new()
        .revision("001", "ALTER TABLE filler RENAME TO big;", "SELECT 1;")
        .file("002_full.sql", &format!("-- migrate:up{mode}\n{sql}\n"));
    disturbed(&database.url(), &project).run().exits(4).stderr_contains("53100");
    assert_eq!(database.one("SELECT string_agg(version_num, ',') FROM alembic_version"), "001");
    clean(&database.session());
    mount(&options("100m").replacen("size", "remount,size", 1), &folder);
    assert_complete(&database, &project, &fresh);
}

fn owner(server: &Server) -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(server.folder()).expect("look at the server's folder").uid()
}

fn connections(left: usize) {
    let server =
        Server::start_own(&["max_connections = 6", "superuser_reserved_connections = 0", "autovacuum = off", "max_wal_senders = 0"]);
    let database = Database::on(&server);
    let project = project();
    let mut taken = Vec::new();
    while taken.len() < 6 - left {
        taken.push(Session::open(&database.url()));
    }
    let outcome = disturbed(&database.url(), &project).env("PGMARCH_WAIT_TIMEOUT", "1s").env("PGMARCH_RETRY_FOR", "1s");
    if left == 2 {
        outcome.run().exits(0);
    } else {
        outcome.run().exits(4).stderr_contains("53300");
        let running = disturbed(&database.url(), &project).spawn();
        running.wait_for_log("53300");
        taken.clear();
        running.wait().exits(0);
    }
    taken.clear();
    arrived(&database);
}

fn on_the_role(setting: &str) {
    let database = Database::new();
    let role = database.role("limited", &[&format!("ALL ON DATABASE {}", database.name()), "ALL ON SCHEMA public"]);
    database.execute(&format!("ALTER ROLE {} SET {setting}", role.name));
    let project = project();
    let name = "002_test.sql";
    let text = project.read(name);
    project.write(name, &text.replace("-- migrate:up\n", "-- migrate:up\nSELECT pg_sleep(0.4);\n"));
    disturbed(&role.url, &project).run().exits(0);
    disturbed(&role.url, &project).run().exits(0);
    database.execute(&format!("REASSIGN OWNED BY {0} TO postgres; DROP OWNED BY {0}", role.name));
    arrived(&database);
}

fn read_only() {
    let database = Database::new();
    let project = project();
    database.execute(&format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name()));
    disturbed(&database.url(), &project).env("PGMARCH_WAIT_TIMEOUT", "1s").run().exits(4).stderr_contains("read-only");
    let running = disturbed(&database.url(), &project).spawn();
    running.wait_for_log("read-only");
    // A session that is open already may still write to the catalog.
    Session::open(&database.url().replace(database.name(), "postgres"))
        .execute(&format!("ALTER DATABASE {} RESET default_transaction_read_only", database.name()));
    running.wait().exits(0);
    arrived(&database);
}

fn revoked() {
    let database = Database::new();
    let role = database.role("robbed", &[&format!("ALL ON DATABASE {}", database.name()), "ALL ON SCHEMA public"]);
    let project = project();
    pgmarch(&database, &project).args(["upgrade", "001"]).run().exits(0);
    let grant = format!(
        "GRANT USAGE ON SCHEMA pgmarch TO {0}; GRANT ALL ON ALL TABLES IN SCHEMA pgmarch TO {0}; GRANT ALL ON alembic_version, witness, t TO {0}; ALTER TABLE t OWNER TO {0}; ALTER TABLE alembic_version OWNER TO postgres",
        role.name
    );
    database.execute(&grant);
    let name = "004_test.sql";
    let text = project.read(name);
    project.write(name, &text.replace("-- migrate:up\n", "-- migrate:up\nSELECT pg_sleep(1);\n"));
    let running = disturbed(&role.url, &project).spawn();
    running.wait_for_log("applied 003");
    database.execute(&format!("REVOKE ALL ON pgmarch.journal FROM {}", role.name));
    running.wait().exits(8).stderr_contains("42501").stderr_contains("GRANT");
    assert_eq!(database.one("SELECT to_regclass('t004') IS NULL"), "t", "the revision was rolled back");
    database.execute(&grant);
    disturbed(&role.url, &project).run().exits(0);
    database.execute(&format!("REASSIGN OWNED BY {0} TO postgres; DROP OWNED BY {0}", role.name));
    pgmarch(&database, &project).run().exits(0);
    arrived(&database);
}
