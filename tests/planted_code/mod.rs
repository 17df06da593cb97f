//! Our statements call nothing that others have planted: every command runs in a database where an ordinary role has made
//! functions, operators, types and views of the names that our statements use, in a schema of the search path.

mod log;
mod plant;
mod situations;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crate::support::{Database, Server};

use self::situations::{SITUATIONS, Situation, Stage};

/// Where the migrating role finds names, and what it may do.
struct Variant {
    name: &'static str,
    search_path: &'static str,
    superuser: bool,
    planted_in: &'static str,
    /// Whether also the signatures that match better than pg_catalog's are planted.
    overloads: bool,
}

/// Before pg_catalog, where a planted object of the same signature is called; behind it, where only one that matches better is.
const VARIANTS: [Variant; 2] = [
    Variant {
        name: "before pg_catalog",
        search_path: "app, evil, public, pg_catalog",
        superuser: true,
        planted_in: "evil",
        overloads: false,
    },
    Variant { name: "behind pg_catalog", search_path: "\"$user\", public", superuser: false, planted_in: "public", overloads: true },
];

#[test]
fn our_statements_call_nothing_that_others_have_planted() {
    let server = Server::start_own(&["log_statement = 'all'", "log_line_prefix = '%m [%p] %a %u@%d '"]);
    // A key derivation for each connection of a debug build would be half of the time.
    server.logins("local all all trust\nhost all all 127.0.0.1/32 trust\n");
    server.reload();
    let harness = Database::on(&server);
    harness.execute("ALTER ROLE postgres SET search_path = pg_catalog; CREATE ROLE mallory LOGIN");

    let clean = Stage::new(Database::on(&server), VARIANTS[0].search_path, true);
    for (name, situation) in SITUATIONS {
        eprintln!("without planted objects: {name}");
        clean.clear();
        situation(&clean);
    }
    let statements = log::statements(&server.log());
    let found = plant::found(&harness, &statements);

    let changed: Vec<String> = thread::scope(|scope| {
        let runs = VARIANTS.each_ref().map(|variant| {
            let (server, found) = (&server, &found);
            scope.spawn(move || runs_differently(variant, &planted_stage(server, variant, found)))
        });
        runs.into_iter().flat_map(|run| run.join().expect("a variant's thread")).collect()
    });
    let calls = log::planted_calls(&server.log());
    assert!(calls.is_empty() && changed.is_empty(), "{}", report(&calls, &changed));
}

/// A database with planted objects.
fn planted_stage(server: &Server, variant: &Variant, found: &plant::Found) -> Stage {
    let database = Database::on(server);
    plant::plant(&database, variant.planted_in, variant.overloads, found);
    Stage::new(database, variant.search_path, variant.superuser)
}

/// The situations that end otherwise than in a database without planted objects.
fn runs_differently(variant: &Variant, stage: &Stage) -> Vec<String> {
    let differs = |(name, situation): &Situation| {
        stage.clear();
        catch_unwind(AssertUnwindSafe(|| situation(stage))).is_err().then(|| format!("{name} ({})", variant.name))
    };
    SITUATIONS.iter().filter_map(differs).collect()
}

fn report(calls: &BTreeMap<(String, String), usize>, changed: &[String]) -> String {
    let mut text = format!("{} planted objects were called:\n", calls.len());
    for ((signature, statement), count) in calls {
        text += &format!("{signature}, {count} times\n    {statement}\n");
    }
    text += &format!("{} situations ended differently:\n  {}", changed.len(), changed.join("\n  "));
    text
}
