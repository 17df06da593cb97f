//! A program that migrates its own database before it starts: `cargo run --example embed -- URL FOLDER`.

use std::process::ExitCode;

use pgmarch::error::Error;
use pgmarch::exit::Explain;
use pgmarch::host::{Event, LockWait};
use pgmarch::{Goal, Runner};

/// Brings the database to the newest revision of the folder. Returns the version.
pub(crate) async fn migrate(url: &str, folder: &str) -> Result<String, Error> {
    let settings = [("PGMARCH_DATABASE_URL", url), ("PGMARCH_MIGRATIONS", folder), ("PGMARCH_RUN_LOCK_TIMEOUT", "1m")];
    let runner = Runner::from_settings(settings)?.with_observer(report);
    let revisions = runner.load_revisions()?;
    let goal = Goal::upgrade("head")?;

    let plan = runner.plan(&revisions, &goal).await?;
    for step in &plan.steps {
        println!("pending: {} {}", step.revision, step.message);
    }
    let outcome = runner.apply(&revisions, &goal).await?;
    Ok(outcome.current.join(", "))
}

/// Prints what an operator wants to know.
fn report(event: &Event<'_>) {
    if let Event::RevisionDone { revision, duration, .. } = event {
        println!("applied {revision} in {duration:?}");
    } else if let Event::WaitingForLock { reason: LockWait::Holder(holder), .. } = event {
        println!("waiting for another run: {holder}");
    } else if let Event::RevisionBlocked { revision, blockers, .. } = event {
        println!("{revision} is blocked by {}", blockers.unwrap_or("another session"));
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, folder] = words.as_slice() else {
        eprintln!("usage: embed URL FOLDER");
        return ExitCode::FAILURE;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(migrate(url, folder)) {
        Ok(version) => {
            println!("at {version}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}; {}", error.next_step());
            error.exit().code().into()
        }
    }
}
