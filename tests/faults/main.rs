//! Runs that nothing can break: each case disturbs a run, runs it again, and looks for the least trace of the disturbance.
//!
//! `cargo test --test faults` takes a sample of each kind; with `PGMARCH_FAULTS=all` (`make faults`) it takes them all. Runs
//! without the run lock are among them with `--features test-support`.
//! Words after `--` choose kinds. Every case has a database of its own; the table at the end is the result.

mod builds;
mod clients;
mod daemon;
mod exits;
mod failover;
mod limits;
mod network;
mod poolers;
mod proxies;
mod races;
mod resources;
mod servers;
mod story;
#[path = "../support/mod.rs"]
mod support;
mod watching;

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// One disturbance: what it is called, and what happens. It panics if the run did not survive.
pub(crate) struct Case {
    name: String,
    run: Box<dyn Fn() + Send + Sync>,
}

impl Case {
    fn new(name: impl Into<String>, run: impl Fn() + Send + Sync + 'static) -> Case {
        Case { name: name.into(), run: Box::new(run) }
    }
}

/// A kind of disturbance.
struct Kind {
    name: &'static str,
    lane: Lane,
    /// How many run side by side: many where they mostly wait.
    side_by_side: usize,
    /// How many of its cases a sample has.
    sample: usize,
    cases: fn() -> Vec<Case>,
}

/// Two kinds run at a time: one whose cases work, one whose cases mostly wait.
#[derive(Clone, Copy, PartialEq)]
enum Lane {
    Works,
    Waits,
}

const KINDS: &[Kind] = &[
    Kind { name: "connection cut, up", lane: Lane::Works, side_by_side: 8, sample: 24, cases: network::cuts_up },
    Kind { name: "connection cut, down", lane: Lane::Works, side_by_side: 6, sample: 12, cases: network::cuts_down },
    Kind { name: "network silent, up", lane: Lane::Waits, side_by_side: 60, sample: 10, cases: network::hangs_up },
    Kind { name: "network silent, down", lane: Lane::Waits, side_by_side: 60, sample: 4, cases: network::hangs_down },
    Kind { name: "network fails behind a failure", lane: Lane::Waits, side_by_side: 12, sample: 8, cases: network::behind_failures },
    Kind { name: "SIGKILL", lane: Lane::Works, side_by_side: 8, sample: 8, cases: clients::kills },
    Kind { name: "SIGTERM", lane: Lane::Waits, side_by_side: 8, sample: 8, cases: clients::terms },
    Kind { name: "backend killed or terminated", lane: Lane::Works, side_by_side: 6, sample: 6, cases: clients::backends },
    Kind { name: "server crash", lane: Lane::Works, side_by_side: 2, sample: 2, cases: servers::crashes },
    Kind { name: "server killed right after exit 0", lane: Lane::Works, side_by_side: 4, sample: 10, cases: exits::crashes },
    Kind { name: "races", lane: Lane::Works, side_by_side: 1, sample: 4, cases: races::all },
    Kind { name: "resources", lane: Lane::Waits, side_by_side: 2, sample: 7, cases: resources::all },
    Kind { name: "concurrent index builds", lane: Lane::Waits, side_by_side: 3, sample: 5, cases: builds::all },
    Kind { name: "long statements watched", lane: Lane::Waits, side_by_side: 4, sample: 4, cases: watching::all },
    Kind { name: "PgBouncer", lane: Lane::Waits, side_by_side: 2, sample: 5, cases: poolers::all },
    Kind { name: "proxies", lane: Lane::Waits, side_by_side: 6, sample: 9, cases: proxies::all },
    Kind { name: "limits", lane: Lane::Works, side_by_side: 2, sample: 5, cases: limits::all },
    Kind { name: "failover", lane: Lane::Waits, side_by_side: 2, sample: 2, cases: failover::all },
];

thread_local! {
    static WHY: RefCell<String> = const { RefCell::new(String::new()) };
}

fn main() -> ExitCode {
    #[cfg(feature = "test-support")]
    if std::env::var_os(races::LOCKLESS).is_some() {
        return pgmarch::main_without_lock(std::env::args_os());
    }
    let all = std::env::var("PGMARCH_FAULTS").is_ok_and(|which| which == "all");
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    let chosen: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(|place| format!("{}:{}: ", place.file(), place.line())).unwrap_or_default();
        let message = info.payload().downcast_ref::<String>().cloned();
        let message = message.or(info.payload().downcast_ref::<&str>().map(|message| (*message).to_string())).unwrap_or_default();
        WHY.with_borrow_mut(|why| *why = format!("{place}{message}"));
    }));
    let started = Instant::now();
    let mut table = vec![["kind".to_string(), "cases".to_string(), "survived".to_string()]];
    let (mut total, mut survivors) = (0, 0);
    let is_chosen = |kind: &&Kind| chosen.is_empty() || chosen.iter().any(|word| kind.name.contains(word.as_str()));
    let kinds: Vec<&Kind> = KINDS.iter().filter(is_chosen).collect();
    let results: Vec<Mutex<(usize, usize)>> = kinds.iter().map(|_| Mutex::default()).collect();
    thread::scope(|scope| {
        for lane in [Lane::Works, Lane::Waits] {
            let (kinds, results) = (&kinds, &results);
            scope.spawn(move || {
                for (kind, result) in kinds.iter().zip(results).filter(|(kind, _)| kind.lane == lane) {
                    *result.lock().expect("a result") = try_out(kind, all);
                }
            });
        }
    });
    for (kind, result) in kinds.iter().zip(results) {
        let (cases, survived) = result.into_inner().expect("a result");
        total += cases;
        survivors += survived;
        table.push([kind.name.to_string(), cases.to_string(), survived.to_string()]);
    }
    table.push(["all".to_string(), total.to_string(), survivors.to_string()]);
    println!();
    for [kind, cases, survived] in &table {
        println!("{kind:<30} {cases:>6} {survived:>9}");
    }
    println!("\n{:.0} s on {}", started.elapsed().as_secs_f64(), story::server_version());
    if survivors == total { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the cases of a kind: how many there were, and how many survived.
fn try_out(kind: &Kind, all: bool) -> (usize, usize) {
    let began = Instant::now();
    let mut cases = (kind.cases)();
    if !all {
        cases = sample(cases, kind.sample);
    }
    if let Ok(only) = std::env::var("PGMARCH_FAULTS_CASE") {
        cases.retain(|case| case.name.contains(&only));
    }
    let survived = run(&cases, kind.side_by_side);
    eprintln!("{}: {survived} of {} in {:.1} s", kind.name, cases.len(), began.elapsed().as_secs_f64());
    (cases.len(), survived)
}

/// Evenly spread, so that each part of a run has some.
fn sample(cases: Vec<Case>, wanted: usize) -> Vec<Case> {
    let all = cases.len();
    let chosen = |number: usize| all <= wanted || (number * wanted) / all != ((number + 1) * wanted) / all;
    cases.into_iter().enumerate().filter(|(number, _)| chosen(*number)).map(|(_, case)| case).collect()
}

/// Runs cases in parallel, and prints each that did not survive; returns how many did.
fn run(cases: &[Case], side_by_side: usize) -> usize {
    let (next, survived) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let output_lock = Mutex::new(());
    thread::scope(|scope| {
        for _ in 0..side_by_side.min(cases.len()) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if panic::catch_unwind(AssertUnwindSafe(&case.run)).is_ok() {
                        survived.fetch_add(1, Ordering::SeqCst);
                    } else {
                        let _guard = output_lock.lock();
                        eprintln!("not survived: {}\n{}\n", case.name, WHY.with_borrow(String::clone));
                    }
                }
            });
        }
    });
    survived.into_inner()
}
