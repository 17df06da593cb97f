//! The program itself, run as its users run it: by its environment and arguments, judged by what it prints and its exit code.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::address::PASSWORD;
use super::outcome::write_story;
use super::output::Output;
use super::{Database, Outcome, Project, Release, TIMEOUT};

/// The program with a database and a project.
pub(crate) fn pgmarch(database: &Database, project: &Project) -> Program {
    pgmarch_at(&database.url(), project)
}

/// The program with any database URL, such as a proxy's, a role's or a server's that does not run yet.
pub(crate) fn pgmarch_at(url: &str, project: &Project) -> Program {
    pgmarch_without_database(project).url(url)
}

/// What is tested: what cargo has just built, or another build of the same sources (`make test-released`).
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("PGMARCH_TEST_BINARY").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_pgmarch")), PathBuf::from)
}

/// The program with a project alone.
pub(crate) fn pgmarch_without_database(project: &Project) -> Program {
    Program::at(binary())
        .env("PGMARCH_MIGRATIONS", &project.path().to_string_lossy())
        .env("PGMARCH_LOG_FORMAT", "text")
        .in_folder(project.path())
}

/// A program about to run, knowing nothing of the tests' own environment.
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    folder: PathBuf,
    input: Option<String>,
    deadline: Duration,
}

impl Program {
    /// Any program, with an empty environment.
    pub(crate) fn at(path: impl Into<PathBuf>) -> Program {
        Program {
            path: path.into(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            folder: PathBuf::from("/"),
            input: None,
            deadline: Duration::from_secs(60),
        }
    }

    /// Selects the release that runs, otherwise the program under test.
    pub(crate) fn release(mut self, release: Release) -> Program {
        self.path = release.binary();
        self
    }

    /// Adds arguments.
    pub(crate) fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Program {
        self.arguments.extend(arguments.into_iter().map(str::to_string));
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Program {
        self.environment.insert(name.to_string(), value.to_string());
        self
    }

    /// The value of an environment variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// Takes back an environment variable.
    pub(crate) fn without(mut self, name: &str) -> Program {
        self.environment.remove(name);
        self
    }

    /// Sets the database URL.
    pub(crate) fn url(self, url: &str) -> Program {
        self.env("PGMARCH_DATABASE_URL", url)
    }

    /// Sets the working directory, otherwise the project's folder.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Program {
        self.folder = folder.to_path_buf();
        self
    }

    /// What is typed, otherwise nothing.
    pub(crate) fn stdin(mut self, text: &str) -> Program {
        self.input = Some(text.to_string());
        self
    }

    /// The same on a terminal of its own, made by `script`; both outputs arrive as one, with the terminal's line ends.
    pub(crate) fn on_terminal(mut self) -> Program {
        let quote = |word: &String| format!("'{}'", word.replace('\'', "'\\''"));
        let path = self.path.to_string_lossy().into_owned();
        let words: Vec<String> = std::iter::once(&path).chain(&self.arguments).map(quote).collect();
        self.arguments = vec!["-qec".into(), words.join(" "), "/dev/null".into()];
        self.path = PathBuf::from("/usr/bin/script");
        self
    }

    /// How long it may run before it is killed and the test fails, otherwise 60 s.
    pub(crate) fn deadline(mut self, deadline: Duration) -> Program {
        self.deadline = deadline;
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(self) -> Outcome {
        self.spawn().wait()
    }

    /// Starts it, for what happens in between.
    #[track_caller]
    pub(crate) fn spawn(self) -> Running {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env_clear().envs(&self.environment).current_dir(&self.folder);
        let stdin = if self.input.is_some() { Stdio::piped() } else { Stdio::null() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{self}: {error}"));
        if let (Some(mut stdin), Some(text)) = (child.stdin.take(), &self.input) {
            // It may end without reading what was typed.
            stdin.write_all(text.as_bytes()).ok();
        }
        let stdout = Output::of(child.stdout.take().expect("a pipe from its stdout"));
        let stderr = Output::of(child.stderr.take().expect("a pipe from its stderr"));
        Running { command: self.to_string(), child, stdout, stderr, started, ends: started + self.deadline }
    }
}

impl Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            write!(f, "{name}={value:?} ")?;
        }
        write!(f, "{}", self.path.display())?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {argument:?}"))
    }
}

/// A program that runs, killed if the test ends before it.
pub(crate) struct Running {
    command: String,
    child: Child,
    stdout: Arc<Output>,
    stderr: Arc<Output>,
    started: Instant,
    ends: Instant,
}

impl Running {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns when its stderr contains a text.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) -> &Running {
        let found = self.stderr.wait_for(text, Instant::now() + TIMEOUT);
        assert!(found, "no {text:?} in the log within {TIMEOUT:?}, or before its end\n{self}");
        self
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.stderr.text()
    }

    /// Sends a signal, such as `TERM`, `INT`, `STOP` or `CONT`.
    #[track_caller]
    pub(crate) fn signal(&self, name: &str) -> &Running {
        let kill = Command::new("/bin/sh").args(["-c", "kill -s \"$1\" \"$2\"", "kill", name, &self.pid().to_string()]).status();
        assert!(kill.expect("run kill").success(), "SIG{name} could not be sent\n{self}");
        self
    }

    /// Whether it has not ended yet; one that has is still there to be signalled.
    pub(crate) fn is_running(&self) -> bool {
        !self.stderr.wait_for_end(Instant::now())
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("kill the program");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Outcome {
        let ended = self.stdout.wait_for_end(self.ends) && self.stderr.wait_for_end(self.ends);
        let status = loop {
            match self.child.try_wait().expect("wait for the program") {
                Some(status) => break status,
                None if ended && Instant::now() < self.ends => thread::sleep(Duration::from_millis(1)),
                None => panic!("still running after {:?}\n{self}", self.started.elapsed()),
            }
        };
        let outcome = Outcome {
            status,
            took: self.started.elapsed(),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
            command: std::mem::take(&mut self.command),
        };
        assert!(!outcome.stdout.contains(PASSWORD) && !outcome.stderr.contains(PASSWORD), "it printed the password\n{outcome}");
        outcome
    }
}

impl Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_story(f, &self.command, "running", &self.stdout.text(), &self.stderr.text())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
