//! The real Alembic, from PyPI, beside which the program is put.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::Database;
use super::orm::installed;

/// Python with Alembic in it.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| installed("alembic").join("bin/python"))
}

/// An Alembic project: a folder with `env.py` and `versions/`.
pub(crate) struct Alembic {
    folder: TempDir,
}

const ENV: &str = "import logging
from alembic import context
# As alembic.ini's own template logs.
logging.basicConfig(level=logging.INFO, format='%(levelname)-5.5s [%(name)s] %(message)s')
connection = context.config.attributes.get('connection')
if context.is_offline_mode():
    context.configure(dialect_name='postgresql', literal_binds=True, dialect_opts={'paramstyle': 'named'})
else:
    context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
";

impl Alembic {
    /// A project without revisions.
    pub(crate) fn new() -> Alembic {
        let folder = tempfile::Builder::new().prefix("pgmarch-alembic-").tempdir().expect("make a folder for Alembic");
        std::fs::create_dir(folder.path().join("versions")).expect("make versions/");
        let alembic = Alembic { folder };
        alembic.write("env.py", ENV);
        alembic.write("script.py.mako", "");
        alembic.write("alembic.ini", "[alembic]\nscript_location = %(here)s\n");
        alembic
    }

    /// With further arguments of `context.configure` for what it prints.
    pub(crate) fn configured(self, arguments: &str) -> Alembic {
        self.write("env.py", &ENV.replacen("'named'}", &format!("'named'}}, {arguments}"), 1));
        self
    }

    /// Adds a revision; `up` and `down` are Python, and lists are Python's.
    pub(crate) fn revision(self, id: &str, parents: &[&str], others: &str, message: &str, up: &str, down: &str) -> Alembic {
        let parents = match parents {
            [] => "None".to_owned(),
            [one] => format!("{one:?}"),
            several => format!("({})", several.iter().map(|id| format!("{id:?}")).collect::<Vec<_>>().join(", ")),
        };
        let indent = |body: &str| body.lines().map(|line| format!("    {line}\n")).collect::<String>();
        let text = format!(
            "\"\"\"{message}\n\nRevision ID: {id}\nCreate Date: 2024-03-01 10:00:00.123456\n\n\"\"\"\nfrom alembic import op\nimport sqlalchemy as sa\n\n\
             revision: str = {id:?}\ndown_revision = {parents}\nbranch_labels = None\ndepends_on = None\n{others}\n\n\
             def upgrade() -> None:\n{}\n\ndef downgrade() -> None:\n{}\n",
            indent(up),
            indent(down)
        );
        self.write(&format!("versions/{id}_.py"), &text);
        self
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("write a file of Alembic's");
    }

    /// Where its revisions are.
    pub(crate) fn versions(&self) -> String {
        self.folder.path().join("versions").to_string_lossy().into_owned()
    }

    /// What its command line prints: standard output, and the log behind it.
    #[track_caller]
    pub(crate) fn prints(&self, arguments: &[&str]) -> (String, String) {
        let (stdout, stderr, succeeds) = self.prints_anyway(arguments);
        assert!(succeeds, "alembic {arguments:?}\n{stderr}");
        (stdout, stderr)
    }

    /// The same, and whether it succeeds.
    pub(crate) fn prints_anyway(&self, arguments: &[&str]) -> (String, String, bool) {
        let output = Command::new(python()).args(["-m", "alembic"]).args(arguments).current_dir(self.folder.path()).output();
        let output = output.expect("run Alembic");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("Alembic writes UTF-8");
        (text(output.stdout), text(output.stderr), output.status.success())
    }

    /// Alembic on a database, ready for commands.
    pub(crate) fn on(&self, database: &Database) -> Driver {
        Driver::start(&[&self.folder.path().to_string_lossy(), &database.url().replacen("postgresql://", "postgresql+psycopg2://", 1)])
    }
}

/// A process of Alembic's that is asked again and again.
pub(crate) struct Driver {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Driver {
    /// For plans alone, without a project.
    pub(crate) fn planner() -> Driver {
        Driver::start(&[])
    }

    fn start(arguments: &[&str]) -> Driver {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/alembic/driver.py");
        let mut command = Command::new(python());
        command.arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("start Alembic");
        let input = child.stdin.take().expect("a pipe to Alembic");
        let output = BufReader::new(child.stdout.take().expect("a pipe from Alembic"));
        Driver { child, input, output }
    }

    /// What it answers.
    #[track_caller]
    pub(crate) fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.input, "{question}").expect("ask Alembic");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("hear from Alembic");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{question}: {line:?}: {error}"))
    }

    /// Runs a command; the version rows it then sees.
    #[track_caller]
    pub(crate) fn run(&mut self, words: &[&str]) -> Vec<String> {
        let answer = self.ask(&json!({ "run": words }));
        rows(&answer).unwrap_or_else(|| panic!("alembic {words:?}: {answer}"))
    }

    /// The version rows it sees.
    #[track_caller]
    pub(crate) fn current(&mut self) -> Vec<String> {
        rows(&self.ask(&json!({}))).expect("the current revisions")
    }
}

fn rows(answer: &Value) -> Option<Vec<String>> {
    answer["current"].as_array().map(|rows| rows.iter().filter_map(|row| row.as_str().map(str::to_owned)).collect())
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
