//! The connection breaks, or goes silent, after every single message.

use super::Case;
use super::story::{Way, disturbed, ended, project};
use crate::support::{EVERY, Proxy, Side};

pub(crate) fn cuts_up() -> Vec<Case> {
    cases(Way::Up, Fault::Cut)
}

pub(crate) fn cuts_down() -> Vec<Case> {
    cases(Way::Down, Fault::Cut)
}

pub(crate) fn hangs_up() -> Vec<Case> {
    cases(Way::Up, Fault::Hang)
}

pub(crate) fn hangs_down() -> Vec<Case> {
    cases(Way::Down, Fault::Hang)
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Cut,
    Hang,
}

/// After the n-th message of the client and of the server, for every n, on the lock's connection (1), the worker's (2),
/// and each one that is made.
fn cases(way: Way, fault: Fault) -> Vec<Case> {
    let counts = undisturbed_messages(way);
    let mut cases = Vec::new();
    for (connection, side, count) in counts {
        // Where every connection meets it, the long tail is that of the worker's alone, and thinned out.
        for n in (0..=count).filter(|n| connection != EVERY || *n <= 60 || n.is_multiple_of(5)) {
            let name = format!(
                "{} after message {n} of the {side:?} on connection {connection}",
                if fault == Fault::Cut { "cut" } else { "silence" }
            );
            cases.push(Case::new(name, move || disturb(way, fault, side, connection, n)));
        }
    }
    cases
}

fn undisturbed_messages(way: Way) -> Vec<(usize, Side, usize)> {
    let project = project();
    let database = way.start(&project);
    let proxy = Proxy::to(&database);
    way.words(disturbed(&proxy.url_for(&database), &project)).run().exits(0);
    let of = |connection| [Side::Client, Side::Server].map(|side| (connection, side, proxy.messages(side, connection)));
    let most = [Side::Client, Side::Server].map(|side| (EVERY, side, proxy.messages(side, 1).max(proxy.messages(side, 2))));
    [of(1), of(2), most].concat()
}

fn disturb(way: Way, fault: Fault, side: Side, connection: usize, n: usize) {
    let project = project();
    let database = way.start(&project);
    let proxy = Proxy::to(&database);
    let proxy = match fault {
        Fault::Cut => proxy.cut_after(side, connection, n),
        Fault::Hang => proxy.hang_after(side, connection, n),
    };
    let mut program = disturbed(&proxy.url_for(&database), &project);
    if connection == 1 && fault == Fault::Hang {
        // The lock whose network went silent is given up by the server after a minute; this run need not wait for that.
        program = program.env("PGMARCH_RUN_LOCK_TIMEOUT", "3s");
    }
    if connection == EVERY {
        // Every try meets it: only the end of patience ends it.
        program = program.env("PGMARCH_WAIT_TIMEOUT", "1s").env("PGMARCH_RETRY_FOR", "1s").env("PGMARCH_RUN_LOCK_TIMEOUT", "5s");
    }
    let outcome = way.words(program).run();
    match connection {
        EVERY => ended(outcome, &[Some(0), Some(4), Some(5)]),
        // The lock is lost: the run stops.
        1 => ended(outcome, &[Some(0), Some(4), Some(5)]),
        _ => ended(outcome, &[Some(0)]),
    }
    drop(proxy);
    way.finish(&database, &project);
}
