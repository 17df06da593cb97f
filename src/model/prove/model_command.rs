//! `PGMARCH_MODEL_COMMAND`: a shell command, such as an ORM's, that fills a scratch database with the model.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use pg_connect::{ConnectTarget, Conninfo, Secret};
use rustix::process::{Pid, Signal, kill_process_group};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use crate::escape;

/// How much of the output a failure shows: its end.
const SHOWN: usize = 16 * 1024;
/// How long the output may stay open after the command has ended and its process group was killed.
const LATE_OUTPUT: Duration = Duration::from_secs(1);
/// Parameters of the connection that the command needs as well.
const TLS_KEYWORDS: [&str; 4] = ["sslmode", "sslrootcert", "sslcert", "sslkey"];

/// Why the command made no model.
#[derive(Debug, Error)]
pub enum ModelCommandError {
    /// There is no shell.
    #[error("PGMARCH_MODEL_COMMAND needs a shell, and there is no `sh` here: the image has none")]
    NoShell,
    /// The shell can't be started.
    #[error("PGMARCH_MODEL_COMMAND can't be started: {0}")]
    Start(std::io::Error),
    /// It failed.
    #[error("PGMARCH_MODEL_COMMAND failed ({status}){}", after_colon(.output))]
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// The end of what it printed, without the password.
        output: String,
    },
    /// It took too long, and was killed.
    #[error("PGMARCH_MODEL_COMMAND did not end within {}, and was killed{}", humantime::format_duration(*.timeout), after_colon(.output))]
    TimedOut {
        /// `PGMARCH_MODEL_TIMEOUT`.
        timeout: Duration,
        /// The end of what it printed, without the password.
        output: String,
    },
}

impl ModelCommandError {
    /// What to do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoShell | Self::Start(_) => {
                "run this on a developer's machine or in CI, or set PGMARCH_MODEL_URL to a database that the ORM has filled; nothing was written"
            }
            Self::Failed { .. } => {
                "run the command by hand with DATABASE_URL set to an empty database: it has no other variable of the connection (PG*, PGMARCH_*); nothing was written"
            }
            Self::TimedOut { .. } => "run the command by hand, or set PGMARCH_MODEL_TIMEOUT higher; nothing was written",
        }
    }
}

fn after_colon(output: &str) -> String {
    if output.is_empty() { String::new() } else { format!(":\n  {}", escape::lines(output, 2)) }
}

/// The process group of the command; killed when this is dropped, which a signal does too.
struct ProcessGroup(Option<Pid>);

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0.take() {
            // None of its processes may be left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Runs the command in the current folder. Of the variables that say where a database is, it has only `DATABASE_URL`.
pub async fn fill(command: &str, database: &Secret, timeout: Duration) -> Result<(), ModelCommandError> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if names_a_database(&name.to_string_lossy()) {
            shell.env_remove(name);
        }
    }
    shell.env("DATABASE_URL", database.reveal());
    let is_missing = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    let mut child =
        shell.spawn().map_err(|error| if is_missing(&error) { ModelCommandError::NoShell } else { ModelCommandError::Start(error) })?;
    let group = ProcessGroup(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let output = RefCell::new(VecDeque::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut reading = Box::pin(async {
        tokio::join!(keep_end(stdout, &output), keep_end(stderr, &output));
    });
    let mut is_read = false;
    let ended = tokio::time::timeout(timeout, async {
        loop {
            tokio::select! {
                status = child.wait() => return status,
                () = &mut reading, if !is_read => is_read = true,
            }
        }
    });
    let ended = ended.await;
    drop(group);
    if !is_read {
        drop(tokio::time::timeout(LATE_OUTPUT, &mut reading).await);
    }
    drop(reading);
    let printed = || {
        let bytes: Vec<u8> = output.borrow().iter().copied().collect();
        without_secrets(String::from_utf8_lossy(&bytes).trim_end(), database.reveal())
    };
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(ModelCommandError::Failed { status, output: printed() }),
        Ok(Err(error)) => Err(ModelCommandError::Start(error)),
        Err(_) => Err(ModelCommandError::TimedOut { timeout, output: printed() }),
    }
}

/// Variables that could lead the command to another database than its own.
fn names_a_database(name: &str) -> bool {
    name.starts_with("PG") || matches!(name, "DATABASE_URL" | "DATABASE_URL_FILE")
}

/// Reads to the end, and keeps the last bytes.
async fn keep_end(source: Option<impl AsyncRead + Unpin>, output: &RefCell<VecDeque<u8>>) {
    let Some(mut source) = source else { return };
    let mut buffer = vec![0; 4096];
    while let Ok(length @ 1..) = source.read(&mut buffer).await {
        let mut output = output.borrow_mut();
        output.extend(&buffer[..length]);
        let surplus = output.len().saturating_sub(SHOWN);
        output.drain(..surplus);
    }
}

/// The output without the URL's password.
fn without_secrets(output: &str, url: &str) -> String {
    let encoded = url.split_once("://").and_then(|(_, rest)| rest.split_once('@')).and_then(|(login, _)| login.split_once(':'));
    match encoded {
        Some((_, password)) if !password.is_empty() => output.replace(password, "***").replace(&decoded(password), "***"),
        _ => output.to_owned(),
    }
}

/// A URL that drivers of all languages read.
pub fn url(conninfo: &Conninfo, target: &ConnectTarget) -> Secret {
    let login = &target.login;
    let mut url = format!("postgresql://{}", encoded(&login.user));
    let mut parameters: Vec<(&str, String)> = Vec::new();
    if let Some(host) = target.hosts.first() {
        if let Some(password) = &host.password {
            url += &format!(":{}", encoded(password.reveal()));
        }
        url.push('@');
        match host.address {
            _ if host.is_socket() => parameters.extend([("host", host.name.clone()), ("port", host.port.to_string())]),
            Some(address) if address.is_ipv6() => url += &format!("[{address}]:{}", host.port),
            Some(address) => url += &format!("{address}:{}", host.port),
            None if host.name.contains(':') => url += &format!("[{}]:{}", host.name, host.port),
            None => url += &format!("{}:{}", encoded(&host.name), host.port),
        }
    }
    url += &format!("/{}", encoded(&login.database));
    parameters.extend(TLS_KEYWORDS.into_iter().filter_map(|keyword| Some((keyword, conninfo.get(keyword)?.to_owned()))));
    for (number, (keyword, value)) in parameters.iter().enumerate() {
        url += &format!("{}{keyword}={}", if number == 0 { '?' } else { '&' }, encoded(value));
    }
    Secret::new(url)
}

/// As a part of a URL has it (RFC 3986, 2.3).
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend(before.bytes());
        let byte = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(b'%'));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    bytes.extend(rest.bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::PROGRAM;
    use pg_connect::Environment;

    fn of(text: &str) -> String {
        let environment = Environment::new(PROGRAM, [("PGMARCH_DATABASE_URL".into(), text.into())]).expect("UTF-8");
        let (conninfo, target) = (Conninfo::resolve(&environment).expect("sound"), ConnectTarget::of(&environment).expect("sound"));
        url(&conninfo, &target).reveal().to_owned()
    }

    #[test]
    fn the_url_has_what_the_settings_have() {
        assert_eq!(of("host=h user=u password='p@ss word' dbname='d b'"), "postgresql://u:p%40ss%20word@h:5432/d%20b");
        assert_eq!(of("host=/tmp port=1 user=u password=x dbname=d"), "postgresql://u:x@/d?host=%2Ftmp&port=1");
        assert_eq!(of("host=::1 user=u password=x dbname=d sslmode=disable"), "postgresql://u:x@[::1]:5432/d?sslmode=disable");
    }

    #[test]
    fn the_password_is_not_shown() {
        let shown = without_secrets("postgresql://u:p%40ss@h/d p@ss", "postgresql://u:p%40ss@h/d");
        assert_eq!(shown, "postgresql://u:***@h/d ***");
    }

    #[test]
    fn variables_of_other_databases_are_named() {
        for name in ["PGHOST", "PGPASSFILE", "PGMARCH_DATABASE_URL", "DATABASE_URL", "DATABASE_URL_FILE"] {
            assert!(names_a_database(name), "{name}");
        }
        assert!(!names_a_database("PATH") && !names_a_database("DJANGO_SETTINGS_MODULE"));
    }
}
