//! The command line: each command's arguments and its help. Parses, and does nothing else.

mod help;

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};

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
        &["MIGRATIONS", "MODEL_URL", "SCRATCH_URL", "SEARCH_PATH"],
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
        &["WAIT_TIMEOUT", "REQUIRE_DOWN", "MODEL_URL", "SCRATCH_URL"],
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
        &["WAIT_TIMEOUT", "MODEL_URL", "SCRATCH_URL", "SEARCH_PATH"],
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

/// Arguments of `upgrade`.
#[derive(Debug, Default, Args)]
pub struct UpgradeArgs {
    /// The revision to be at: head, heads, an id or the start of one, +N, ID+N, BRANCH@head [default: PGMARCH_TARGET, else head].
    #[arg(allow_hyphen_values = true)]
    pub revision: Option<String>,
    /// Print what would be applied, and change nothing.
    #[arg(long, conflicts_with = "sql")]
    pub dry_run: bool,
    /// Print the script instead of running it, for `psql -v ON_ERROR_STOP=1 -f`; FROM:TO needs no database.
    #[arg(long, conflicts_with = "json")]
    pub sql: bool,
    /// Answer with one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `downgrade`.
#[derive(Debug, Default, Args)]
pub struct DowngradeArgs {
    /// What to go down to: -N, base, an id or the start of one, ID-N, BRANCH@-N, BRANCH@base.
    #[arg(allow_hyphen_values = true)]
    pub revision: String,
    /// Don't ask.
    #[arg(long)]
    pub yes: bool,
    /// Print what would be undone, and change nothing.
    #[arg(long, conflicts_with = "sql")]
    pub dry_run: bool,
    /// Print the script instead of running it; takes FROM:TO and needs no database.
    #[arg(long, conflicts_with = "json")]
    pub sql: bool,
    /// Answer with one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `history`.
#[derive(Debug, Default, Args)]
pub struct HistoryArgs {
    /// Only what lies between two revisions, both included: FROM:TO, FROM:, :TO; `current` is where the database is.
    #[arg(allow_hyphen_values = true)]
    pub range: Option<String>,
    /// Answer with one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `show`.
#[derive(Debug, Default, Args)]
pub struct ShowArgs {
    /// The revision: head, an id or the start of one, `current`, -N…
    #[arg(allow_hyphen_values = true)]
    pub revision: String,
    /// Answer with one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `merge`.
#[derive(Debug, Default, Args)]
pub struct MergeArgs {
    /// The revisions to join: at least two, or `heads`.
    #[arg(required = true)]
    pub revisions: Vec<String>,
    /// What it joins, in one line [default: the ids].
    #[arg(long, short)]
    pub message: Option<String>,
    /// A label for the branch that this revision starts.
    #[arg(long, value_name = "LABEL")]
    pub branch: Option<String>,
    /// Answer with one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `stamp`.
#[derive(Debug, Default, Args)]
pub struct StampArgs {
    /// Where the database is to be: one revision or several, head, heads, base.
    #[arg(required = true, allow_negative_numbers = true)]
    pub revisions: Vec<String>,
    /// Forget all rows of the version table first, also those nobody knows.
    #[arg(long)]
    pub purge: bool,
    /// Answer with one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `repair`.
#[derive(Debug, Default, Args)]
pub struct RepairArgs {
    /// The revision.
    #[arg(allow_hyphen_values = true)]
    pub revision: String,
    /// Answer with one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `status`.
#[derive(Debug, Default, Args)]
pub struct StatusArgs {
    /// Exit 1 when something is pending.
    #[arg(long)]
    pub check: bool,
    /// Answer with one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `create`.
#[derive(Debug, Default, Args)]
pub struct CreateArgs {
    /// What the revision does, in one line; the file's name is made from it.
    #[arg(required = true)]
    pub message: Vec<String>,
    /// Write an empty revision, to be filled in by hand.
    #[arg(long)]
    pub manual: bool,
    /// Write the careful form: what would make others wait goes into a revision of its own, in small steps.
    #[arg(long, conflicts_with = "manual")]
    pub online: bool,
    /// A column or table that has a new name, so that its values are kept: table.old=new, old=new; may be given several times.
    #[arg(long, value_name = "OLD=NEW", conflicts_with = "manual")]
    pub rename: Vec<String>,
    /// What not to compare: owners, grants, comments; comma separated.
    #[arg(long, value_enum, value_delimiter = ',', hide_possible_values = true, conflicts_with = "manual")]
    pub ignore: Vec<Ignored>,
    /// The id of the revision [default: the next one in the style of the folder, in an empty folder the time in UTC].
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// The revision to stand on, where there are several heads; `base` starts a branch [default: head].
    #[arg(long, value_name = "REV")]
    pub head: Option<String>,
    /// A label for the branch that this revision starts.
    #[arg(long, value_name = "LABEL")]
    pub branch: Option<String>,
    /// A revision that must be applied first without being a parent; may be given several times.
    #[arg(long, value_name = "REV")]
    pub depends_on: Vec<String>,
    /// Answer with one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `init`.
#[derive(Debug, Default, Args)]
pub struct InitArgs {
    /// What the first migration does, in one line; the file's name is made from it [default: Initial schema].
    pub message: Vec<String>,
    /// Its id; later ones follow its style [default: the time in UTC].
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Answer with one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `import`.
#[derive(Debug, Default, Args)]
pub struct ImportArgs {
    /// The output of `alembic upgrade --sql base:heads`, with or without its log [default: standard input].
    pub file: Option<std::path::PathBuf>,
    /// The output of `alembic downgrade --sql heads:base`, for the ways down.
    #[arg(long, value_name = "FILE")]
    pub down: Option<std::path::PathBuf>,
    /// Alembic's folder of revisions, for messages, dates, dependencies and branch labels.
    #[arg(long, value_name = "FOLDER")]
    pub versions: Option<std::path::PathBuf>,
    /// Answer with one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `check`.
#[derive(Debug, Default, Args)]
pub struct CheckArgs {
    /// Look at the files alone, without a database: the graph, one head, headers, names, both directions.
    #[arg(long)]
    pub offline: bool,
    /// What not to compare: owners, grants, comments; comma separated.
    #[arg(long, value_enum, value_delimiter = ',', hide_possible_values = true)]
    pub ignore: Vec<Ignored>,
    /// Answer with one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What a comparison can leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Ignored {
    /// Who owns what.
    Owners,
    /// Who may do what.
    Grants,
    /// COMMENT ON.
    Comments,
}

/// Arguments of `diff`.
#[derive(Debug, Default, Args)]
pub struct DiffArgs {
    /// Write the careful form: what would make others wait comes afterwards, in small steps.
    #[arg(long)]
    pub online: bool,
    /// What not to compare: owners, grants, comments; comma separated.
    #[arg(long, value_enum, value_delimiter = ',', hide_possible_values = true)]
    pub ignore: Vec<Ignored>,
    /// Answer with one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `lint`.
#[derive(Debug, Default, Args)]
pub struct LintArgs {
    /// Revisions to look at [default: those that are not applied].
    pub revisions: Vec<String>,
    /// Run each up and down in a scratch database too, and see whether down brings the schema back.
    #[arg(long)]
    pub prove: bool,
    /// Answer with one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `wait`.
#[derive(Debug, Default, Args)]
pub struct WaitArgs {
    /// The revision to be at, at least: head, heads, an id or the start of one, ID+N, BRANCH@head [default: PGMARCH_TARGET, else head].
    pub revision: Option<String>,
    /// Answer with one JSON object.
    #[arg(long)]
    pub json: bool,
}
