//! The arguments and options of each command.

use clap::Args;

use super::comparison::ComparisonArgs;

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
    #[arg(long, conflicts_with_all = ["ignore", "only", "scope"])]
    pub manual: bool,
    /// Write the careful form: what would make others wait goes into a revision of its own, in small steps.
    #[arg(long, conflicts_with = "manual")]
    pub online: bool,
    /// A column or table that has a new name, so that its values are kept: table.old=new, old=new; may be given several times.
    #[arg(long, value_name = "OLD=NEW", conflicts_with = "manual")]
    pub rename: Vec<String>,
    /// What is compared.
    #[command(flatten)]
    pub comparison: ComparisonArgs,
    /// The id of the revision [default: the next one in the style of the folder, in an empty folder the time in UTC].
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// The parent of the new revision, where there are several heads; `base` starts a branch [default: head].
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
    /// What is compared.
    #[command(flatten)]
    pub comparison: ComparisonArgs,
    /// Answer with one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `diff`.
#[derive(Debug, Default, Args)]
pub struct DiffArgs {
    /// Write the careful form: what would make others wait comes afterwards, in small steps.
    #[arg(long)]
    pub online: bool,
    /// What is compared.
    #[command(flatten)]
    pub comparison: ComparisonArgs,
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
