//! The command line: each command's arguments and its help. Parses, and does nothing else.

mod arguments;
mod comparison;
mod help;

use std::ffi::OsString;

pub use arguments::{
    CheckArgs, CreateArgs, DiffArgs, DowngradeArgs, HistoryArgs, ImportArgs, InitArgs, LintArgs, MergeArgs, RepairArgs, ShowArgs,
    StampArgs, StatusArgs, UpgradeArgs, WaitArgs,
};
use clap::{Parser, Subcommand};
pub use comparison::ComparisonArgs;

/// Brings a PostgreSQL database to the revision that a deployment needs, and lets what depends on it start only then.
#[derive(Debug, Parser)]
#[command(name = "pgmarch", version, after_long_help = help::program_help(), max_term_width = 100)]
pub struct Cli {
    /// What to do; without it, what PGMARCH_COMMAND says, else `upgrade`.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// Parses the arguments, the program's name first. No argument, or `upgrade` alone, needs no parser: clap builds all commands
    /// with their help before it parses, which takes longer than everything else before the first packet.
    pub fn from_arguments(words: Vec<OsString>) -> Result<Self, clap::Error> {
        match words.get(1..).unwrap_or_default() {
            [] => Ok(Self { command: None }),
            [word] if word == "upgrade" => Ok(Self { command: Some(Command::Upgrade(UpgradeArgs::default())) }),
            _ => Self::try_parse_from(words),
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Wait for the server, take the lock, apply what is pending, exit.
    #[command(after_help = help::command_help(
        &[
            "pgmarch                              # to PGMARCH_TARGET, else head",
            "pgmarch upgrade +1                   # the next revision alone",
            "pgmarch upgrade billing@head         # one branch",
            "pgmarch upgrade --dry-run            # what would be applied; changes nothing",
            "pgmarch upgrade --sql 002:head       # the script from 002 on, for review; asks no database",
        ],
        &["TARGET", "WAIT_TIMEOUT", "RUN_LOCK_TIMEOUT", "LOCK_TIMEOUT", "STATEMENT_TIMEOUT", "RETRY_FOR", "TRANSACTION", "AHEAD", "SNAPSHOT"],
    ))]
    Upgrade(UpgradeArgs),
    /// Undo revisions, after showing which and asking.
    #[command(after_help = help::command_help(
        &[
            "pgmarch downgrade -1                 # undo the last revision",
            "pgmarch downgrade 002 --yes          # undo what stands on 002, without a question",
            "pgmarch downgrade base               # undo everything",
            "pgmarch downgrade 002 --dry-run      # what would be undone; changes nothing",
            "pgmarch downgrade --sql 004:002      # the script, for review; asks no database",
        ],
        &["WAIT_TIMEOUT", "RUN_LOCK_TIMEOUT", "LOCK_TIMEOUT", "STATEMENT_TIMEOUT", "RETRY_FOR", "CONFIRM", "SNAPSHOT"],
    ))]
    Downgrade(DowngradeArgs),
    /// Show where the database is and what is pending; changes nothing.
    #[command(after_help = help::command_help(
        &[
            "pgmarch status                       # for people",
            "pgmarch status --check               # for scripts: exit 1 when something is pending",
            "pgmarch status --json                # for programs",
        ],
        &["TARGET", "WAIT_TIMEOUT", "AHEAD"],
    ))]
    Status(StatusArgs),
    /// Draw the graph of revisions, newest first.
    #[command(after_help = help::command_help(
        &[
            "pgmarch history                      # everything",
            "pgmarch history current:head         # what is still to come",
            "pgmarch history 002:                 # 002 and what stands on it",
        ],
        &["WAIT_TIMEOUT", "VERSION_TABLE"],
    ))]
    History(HistoryArgs),
    /// Show one revision: its header, its text, what became of it.
    #[command(after_help = help::command_help(
        &[
            "pgmarch show head                    # the newest revision",
            "pgmarch show 002 --json              # with its checksums and its journal",
        ],
        &["MIGRATIONS"],
    ))]
    Show(ShowArgs),
    /// Write the next revision: what leads from the revisions to the model, proven both ways.
    #[command(after_help = help::command_help(
        &[
            "pgmarch create 'Add rate limits'     # from schema.sql, tried in scratch databases",
            "pgmarch create --online 'Add index'  # in small steps, so that nobody waits",
            "pgmarch create 'Rename' --rename services.title=name",
            "pgmarch create --manual 'Fill in'    # an empty one",
        ],
        &["MIGRATIONS", "MODEL_URL", "MODEL_COMMAND", "MODEL_TIMEOUT", "MODEL_SCOPE", "SCRATCH_URL", "SEARCH_PATH"],
    ))]
    Create(CreateArgs),
    /// Create the folder of migrations and a first migration; overwrites nothing.
    #[command(after_help = help::command_help(
        &[
            "pgmarch init                         # ./migrations/TIME_initial_schema.sql, to be filled in",
            "pgmarch init --id 001 'Users'        # numbers instead of times",
        ],
        &["MIGRATIONS"],
    ))]
    Init(InitArgs),
    /// Write a revision that joins heads.
    #[command(after_help = help::command_help(
        &[
            "pgmarch merge heads                  # join all heads",
            "pgmarch merge 002 003 -m 'Join billing'",
        ],
        &["MIGRATIONS"],
    ))]
    Merge(MergeArgs),
    /// Say where the database is, without running anything.
    #[command(after_help = help::command_help(
        &[
            "pgmarch stamp head                   # a database that has the schema already",
            "pgmarch stamp --purge 002            # a version table that holds what nobody knows",
        ],
        &["WAIT_TIMEOUT", "RUN_LOCK_TIMEOUT", "VERSION_TABLE"],
    ))]
    Stamp(StampArgs),
    /// Accept a file that is another than what was applied.
    #[command(after_help = help::command_help(
        &[
            "pgmarch repair 002                   # take the file of 002 as it is now",
        ],
        &["WAIT_TIMEOUT", "RUN_LOCK_TIMEOUT"],
    ))]
    Repair(RepairArgs),
    /// Turn what `alembic upgrade --sql base:heads` prints into revision files.
    #[command(after_help = help::command_help(
        &[
            "alembic upgrade --sql base:heads | pgmarch import",
            "pgmarch import up.sql --down down.sql --versions alembic/versions",
        ],
        &["MIGRATIONS", "VERSION_TABLE"],
    ))]
    Import(ImportArgs),
    /// Look for faults: exit 0 when there is none.
    #[command(after_help = help::command_help(
        &[
            "pgmarch check --offline              # in CI, without a database",
            "pgmarch check                        # files, ledger, database and model",
            "pgmarch check --ignore owners        # leave out what others look after",
        ],
        &["WAIT_TIMEOUT", "REQUIRE_DOWN", "MODEL_URL", "MODEL_COMMAND", "MODEL_TIMEOUT", "MODEL_SCOPE", "SCRATCH_URL"],
    ))]
    Check(CheckArgs),
    /// Wait until the database is at the target; changes nothing.
    #[command(after_help = help::command_help(
        &[
            "pgmarch wait && exec ./your-api      # beside a Job that migrates",
            "pgmarch wait 002                     # until 002 is there",
        ],
        &["TARGET", "WAIT_TIMEOUT", "WAIT_FOR", "AHEAD"],
    ))]
    Wait(WaitArgs),
    /// Upgrade, then stay and answer probes: /livez, /readyz, /status, /metrics.
    #[command(after_help = help::command_help(
        &[
            "pgmarch sidecar                      # as a native sidecar: an init container with restartPolicy: Always",
        ],
        &["TARGET", "LISTEN", "CHECK_EVERY", "APPLY_CHANGES", "SNAPSHOT"],
    ))]
    Sidecar,
    /// Print the SQL that leads from the database to the model; changes nothing.
    #[command(after_help = help::command_help(
        &[
            "pgmarch diff                         # what a database that was changed by hand lacks",
            "pgmarch diff --online > catch-up.sql",
        ],
        &["WAIT_TIMEOUT", "MODEL_URL", "MODEL_COMMAND", "MODEL_TIMEOUT", "MODEL_SCOPE", "SCRATCH_URL", "SEARCH_PATH"],
    ))]
    Diff(DiffArgs),
    /// Show what may hurt in revisions that are not applied yet: exit 1 when there is anything.
    #[command(after_help = help::command_help(
        &[
            "pgmarch lint                         # what is not applied yet",
            "pgmarch lint --prove 004             # and whether 004 can be undone",
        ],
        &["WAIT_TIMEOUT", "SCRATCH_URL"],
    ))]
    Lint(LintArgs),
}
