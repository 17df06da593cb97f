//! The connection breaks, or goes silent, after every single message.

use super::Case;
use super::story::{Way, assert_complete, disturbed, project};
use crate::support::{Database, EVERY, Project, Proxy, Side};

pub(crate) fn cuts_up() -> Vec<Case> {
    cases(Way::Up, Fault::Cut)
}

pub(crate) fn cuts_down() -> Vec<Case> {
    cases(Way::Down, Fault::Cut)
}

pub(crate) fn hangs_up() -> Vec<Case> {
    let mut cases = cases(Way::Up, Fault::Silence);
    cases.push(Case::new("a silent lock is given up by the server after a minute", lease));
    cases
}

pub(crate) fn hangs_down() -> Vec<Case> {
    cases(Way::Down, Fault::Silence)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Cut,
    Silence,
}

/// Which connections are affected, and whose message triggers it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Which {
    /// The one that is to hold the lock.
    Lock,
    /// The one that works.
    Worker,
    /// The one that looks for poolers and watches.
    Watcher,
    /// All at once, after a message of the one that works.
    All,
    /// Each that is ever made, after a message of its own.
    Each,
}

impl Which {
    /// The number of the connection whose messages count. Going down, the first one is there to show what will go.
    fn number(self, way: Way) -> usize {
        let earlier = usize::from(way == Way::Down);
        match self {
            Which::Lock => earlier + 1,
            Which::Worker | Which::All => earlier + 2,
            Which::Watcher => earlier + 3,
            Which::Each => EVERY,
        }
    }
}

impl Fault {
    fn befall(self, proxy: Proxy, which: Which, way: Way, side: Side, n: usize) -> Proxy {
        let proxy = match self {
            Fault::Cut => proxy.cut_after(side, which.number(way), n),
            Fault::Silence => proxy.hang_after(side, which.number(way), n),
        };
        if which == Which::All { proxy.everywhere() } else { proxy }
    }
}

const SIDES: [Side; 2] = [Side::Client, Side::Server];

impl Which {
    /// Between the moments that are tried: the lock's connection and the worker's meet every one. What befalls both at once is
    /// seldom more than what befalls one of them, and the whole has to end in twenty minutes.
    fn step(self) -> usize {
        match self {
            Which::Lock | Which::Worker => 1,
            Which::All => 3,
            Which::Watcher | Which::Each => 5,
        }
    }
}

/// After the n-th message of the client and of the server, for every n.
fn cases(way: Way, fault: Fault) -> Vec<Case> {
    let project = project();
    let database = way.start(&project);
    let proxy = Proxy::to(&database);
    way.words(disturbed(&proxy.url_for(&database), &project)).run().exits(0);
    let mut cases = Vec::new();
    for which in [Which::Lock, Which::Worker, Which::Watcher, Which::All, Which::Each] {
        for side in SIDES {
            let of = |connection| proxy.messages(side, connection);
            let count = if which == Which::Each { (1..=proxy.connections()).map(of).max().unwrap_or(0) } else { of(which.number(way)) };
            for n in (0..=count).step_by(which.step()) {
                let name = format!("{fault:?} after message {n} of the {side:?}: {which:?}");
                cases.push(Case::new(name, move || disturb(way, fault, which, side, n)));
            }
        }
    }
    cases
}

fn disturb(way: Way, fault: Fault, which: Which, side: Side, n: usize) {
    let project = project();
    let database = way.start(&project);
    let proxy = fault.befall(Proxy::to(&database), which, way, side, n);
    let mut program = disturbed(&proxy.url_for(&database), &project);
    if fault == Fault::Silence && which != Which::Worker && which != Which::Watcher {
        // The server releases the lock of a dead connection after a minute; this run need not wait for that.
        program = program.env("PGMARCH_RUN_LOCK_TIMEOUT", "3s");
    }
    if which == Which::Each {
        // Every attempt meets it: only the timeout ends the run.
        program = program.env("PGMARCH_WAIT_TIMEOUT", "1s").env("PGMARCH_RETRY_FOR", "1s").env("PGMARCH_RUN_LOCK_TIMEOUT", "5s");
    }
    let outcome = way.words(program).run();
    drop(proxy);
    let codes: &[Option<i32>] = match which {
        // A connection that is cut loses its lock at once; one that is silent keeps it on the server for a minute.
        Which::Lock if fault == Fault::Cut => &[Some(0)],
        Which::Lock | Which::All | Which::Each => &[Some(0), Some(4), Some(5)],
        Which::Worker | Which::Watcher => &[Some(0)],
    };
    way.survived(outcome, codes, &database, &project);
}

fn lease() {
    let (project, way) = (project(), Way::Up);
    let database = way.start(&project);
    let proxy = Fault::Silence.befall(Proxy::to(&database), Which::All, way, Side::Client, 12);
    let program = disturbed(&proxy.url_for(&database), &project).env("PGMARCH_RUN_LOCK_TIMEOUT", "2m").env("PGMARCH_RETRY_FOR", "2m");
    let outcome = program.run().stderr_contains("waiting for another run to end");
    drop(proxy);
    way.survived(outcome, &[Some(0)], &database, &project);
}

/// A revision fails while others are in flight after it, and the network fails as well.
pub(crate) fn behind_failures() -> Vec<Case> {
    let mut cases = Vec::new();
    let failures: [(&str, Failing); 2] = [("an error", fails), ("a lock timeout", meets_a_lock)];
    for (what, act) in failures {
        let undisturbed = act(None);
        for side in SIDES {
            // The messages in between are covered by the other kinds, one by one.
            for n in (0..=undisturbed.messages(side, Which::Worker.number(Way::Up))).step_by(4) {
                for fault in [Fault::Cut, Fault::Silence] {
                    let name = format!("{what}, and {fault:?} after message {n} of the {side:?}");
                    cases.push(Case::new(name, move || drop(act(Some(Meeting { fault, side, n })))));
                }
            }
        }
    }
    cases
}

/// A run that fails, with or without what befalls it.
type Failing = fn(Option<Meeting>) -> Proxy;

/// What befalls the connection that works.
struct Meeting {
    fault: Fault,
    side: Side,
    n: usize,
}

fn proxy_with(meeting: Option<Meeting>, database: &Database) -> Proxy {
    let proxy = Proxy::to(database);
    match meeting {
        Some(Meeting { fault, side, n }) => fault.befall(proxy, Which::Worker, Way::Up, side, n),
        None => proxy,
    }
}

/// Six revisions, of which the third does this.
fn third(sql: &str) -> Project {
    let plain = |number: usize| format!("CREATE TABLE t{number} (id int);");
    (1..=6).fold(Project::new(), |project, number| {
        project.revision(&format!("00{number}"), &if number == 3 { sql.to_string() } else { plain(number) }, "SELECT 1;")
    })
}

fn fails(meeting: Option<Meeting>) -> Proxy {
    let (project, database) = (third("SELECT 1/0;"), Database::new());
    let proxy = proxy_with(meeting, &database);
    disturbed(&proxy.url_for(&database), &project).run().exits(6).stderr_contains("22012");
    assert_eq!(database.one("SELECT string_agg(version_num, ',') FROM alembic_version"), "002");
    project.write("003_test.sql", &project.read("003_test.sql").replace("1/0", "1"));
    proxy.cut();
    assert_complete(&database, &project, &Database::new());
    proxy
}

fn meets_a_lock(meeting: Option<Meeting>) -> Proxy {
    let project = third("ALTER TABLE wanted ADD COLUMN a int;");
    let [database, fresh] = [(); 2].map(|()| Database::new());
    for database in [&database, &fresh] {
        database.execute("CREATE TABLE wanted (id int)");
    }
    let other = database.session();
    other.execute("BEGIN; LOCK TABLE wanted IN ACCESS SHARE MODE");
    let proxy = proxy_with(meeting, &database);
    let running = disturbed(&proxy.url_for(&database), &project).env("PGMARCH_LOCK_TIMEOUT", "300ms").spawn();
    // It retries, or makes a new plan: either way it prints how much longer.
    running.wait_for_log(" left");
    other.execute("COMMIT");
    running.wait().exits(0);
    proxy.cut();
    assert_complete(&database, &project, &fresh);
    proxy
}
