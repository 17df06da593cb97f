//! How often a run waits for the network: counted by the proxy, never timed.

use std::time::Duration;

use crate::support::{Database, Project, Proxy, pgmarch_at};

/// Long enough that no answer comes before all of a flight is sent.
const LINK: Duration = Duration::from_millis(15);

fn tables(count: usize) -> Project {
    let name = |number: usize| format!("{number:03}");
    (1..=count).fold(Project::new(), |project, number| {
        project.revision(&name(number), &format!("CREATE TABLE t{number} (id int)"), &format!("DROP TABLE t{number}"))
    })
}

/// The messages of a client between two answers, connection by connection; without `Terminate`, which has no answer.
fn round_trips(proxy: &Proxy) -> Vec<usize> {
    let is_round_trip = |turn: &&str| turn.starts_with('>') && turn.trim_start_matches('>') != "X";
    proxy.to_string().lines().map(|connection| connection.split(' ').filter(is_round_trip).count()).collect()
}

#[test]
fn nothing_to_do_takes_a_tls_request_a_login_and_one_query() {
    for revisions in [1, 150] {
        let database = Database::new();
        let project = tables(revisions);
        pgmarch_at(&database.url(), &project).run().exits(0);
        let proxy = Proxy::to(&database).delay(LINK);
        pgmarch_at(&proxy.url_for(&database), &project).run().exits(0).stdout_contains("nothing to do");
        assert_eq!(round_trips(&proxy), [3], "{proxy}");
    }
}

#[test]
fn nothing_to_do_takes_as_much_where_other_projects_wrote_last() {
    let database = Database::new();
    let (ours, theirs) = (tables(2), Project::new().revision("001", "SELECT 1", "SELECT 1"));
    pgmarch_at(&database.url(), &ours).run().exits(0);
    pgmarch_at(&database.url(), &theirs).env("PGMARCH_VERSION_TABLE", "theirs").run().exits(0).stdout_contains("1 applied");
    let proxy = Proxy::to(&database).delay(LINK);
    pgmarch_at(&proxy.url_for(&database), &ours).run().exits(0).stdout_contains("at 002, nothing to do");
    assert_eq!(round_trips(&proxy), [3], "{proxy}");
}

#[test]
fn a_window_of_revisions_takes_as_many_round_trips_as_one_revision() {
    for revisions in [1, 10, 60] {
        let database = Database::new();
        let project = tables(revisions);
        let proxy = Proxy::to(&database).delay(LINK);
        pgmarch_at(&proxy.url_for(&database), &project).run().exits(0).stdout_contains(&format!("{revisions} applied"));
        // Each begins with a wish for TLS and a login. The lock's: look, take, give back. The worker's: is the lock to be seen, look,
        // which backend, all revisions, the version rows behind them.
        assert_eq!(round_trips(&proxy), [5, 7], "{revisions} revisions\n{proxy}");
    }
}

#[test]
fn quick_statements_of_a_transaction_false_revision_share_round_trips() {
    let counted = [100, 400].map(|count| {
        let database = Database::new();
        let inserts: String = (0..count).map(|number| format!("INSERT INTO t VALUES ({number});\n")).collect();
        let text = format!("-- migrate:up transaction:false\nCREATE TABLE t (id int);\n{inserts}\n-- migrate:down\nDROP TABLE t;\n");
        let proxy = Proxy::to(&database).delay(LINK);
        pgmarch_at(&proxy.url_for(&database), &Project::new().file("001_a.sql", &text)).run().exits(0);
        assert_eq!(database.one("SELECT count(DISTINCT id) FROM t"), count.to_string());
        let progress = "SELECT count(*) FROM pgmarch.journal WHERE statement IS NOT NULL AND outcome = 'finished'";
        assert_eq!(database.one(progress), (count + 1).to_string());
        round_trips(&proxy).into_iter().max().unwrap_or_default()
    });
    assert!(counted[0] < 60 && counted[1] < 150, "{counted:?}");
}

#[test]
fn a_comparison_takes_as_many_round_trips_for_many_tables_as_for_one() {
    let counted = [1, 150].map(|count| {
        let database = Database::new();
        let table =
            |number: usize| format!("CREATE TABLE t{number} (id serial PRIMARY KEY, other int REFERENCES t{number}, x text UNIQUE);\n");
        let tables: String = (0..count).map(table).collect();
        let project = Project::new().revision("001", &tables, "SELECT 1").file("schema.sql", &tables);
        let proxy = Proxy::to(&database).delay(LINK);
        pgmarch_at(&proxy.url_for(&database), &project).args(["check"]).run().exits(0).stdout_contains("nothing found");
        let mut counts = round_trips(&proxy);
        counts.sort_unstable();
        counts
    });
    assert_eq!(counted[0], counted[1]);
}
