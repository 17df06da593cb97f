//! Settings that can't be used.

use std::borrow::Cow;
use std::path::PathBuf;

use thiserror::Error;

use crate::environment::EnvironmentError;

/// A connection setting that can't be used. Its message never contains a value that may be secret.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum ConninfoError {
    #[error("neither a URL (postgres://USER@HOST:5432/DATABASE) nor a key=value string (host=HOST dbname=DATABASE)")]
    Form,
    #[error("the URL's scheme is `{0}`; write postgres:// or postgresql://")]
    Scheme(String),
    #[error("the URL has an `@` too many: inside a user or password write it as %40, or give the password as PGPASSWORD")]
    At,
    #[error("`%` must be followed by two hexadecimal digits; write a plain `%` as %25, or give the password as PGPASSWORD")]
    Percent,
    #[error("the value of `{0}` is not UTF-8 after percent-decoding")]
    NotUtf8(String),
    #[error(
        "the port in the URL is no number; inside a user or password write `/` as %2F and `?` as %3F, or give the password as PGPASSWORD"
    )]
    UrlPort,
    #[error("`port` is no number from 1 to 65535")]
    Port,
    #[error("an IPv6 address stands as [ADDRESS] or [ADDRESS]:PORT")]
    Bracket,
    #[error("after keyword {0} there is no `=`; write keyword=value, and values with spaces in single quotes")]
    NoEquals(usize),
    #[error("a single quote is not closed")]
    Quote,
    #[error("the value of `{0}` has a NUL (%00), which PostgreSQL can't store; take it out")]
    Nul(String),
    #[error("`{keyword}` has {what}; take it out, and write the value alone")]
    Control { keyword: &'static str, what: String },
    #[error("`{found}` is not a keyword of libpq (did you mean `{nearest}`?)")]
    Keyword { found: String, nearest: String },
    #[error("`{0}` is not a keyword of libpq; take it out, or write a setting of the server as options=-c%20NAME=VALUE")]
    UnknownKeyword(String),
    // It may be a secret that was mounted in the place of the URL, or a part of a password, so it is not shown.
    #[error(
        "a word before `=` is no keyword of libpq, and not shown, as it may be part of a password; write host=HOST dbname=DATABASE user=USER, or a URL with `?`, `@` and `/` of a password as %3F, %40 and %2F"
    )]
    NoKeyword,
    #[error("`{keyword}` is another driver's parameter: {instead}")]
    Foreign { keyword: &'static str, instead: &'static str },
    #[error("`ssl` is neither true nor a mode of libpq; write sslmode=disable, allow, prefer, require, verify-ca or verify-full")]
    Ssl,
    #[error("libpq's keyword `{keyword}` is not honoured: {instead}")]
    Refused { keyword: &'static str, instead: Cow<'static, str> },
    #[error("`{keyword}` is `{value}`; {expected}")]
    Value { keyword: &'static str, value: String, expected: Cow<'static, str> },
    #[error("`dbname` holds another connection string; write the name alone")]
    Nested,
    #[error("there are {ports} ports for {hosts} hosts; give one for all or one for each")]
    Ports { ports: usize, hosts: usize },
    #[error("there are {addresses} values of hostaddr for {hosts} of host; give one for each")]
    Addresses { addresses: usize, hosts: usize },
    #[error("no user is named; put it in the URL or set PGUSER")]
    NoUser,
    #[error("the service `{0}` is in no service file; PGSERVICEFILE names the file")]
    Service(String),
    #[error("{}:{line}: {what}", .path.display())]
    ServiceLine { path: PathBuf, line: usize, what: Cow<'static, str> },
    #[error("`{keyword}`: {} can't be read ({reason})", .path.display())]
    File { keyword: &'static str, path: PathBuf, reason: String },
    #[error("sslmode={mode} is too weak beside {setting}; write {instead}")]
    Weak { mode: &'static str, setting: &'static str, instead: &'static str },
    #[error("`{keyword}`: {}: {what}", .path.display())]
    Content { keyword: &'static str, path: PathBuf, what: String },
}

/// A connection setting that can't be used, with its source: a variable, a service, or the settings as a whole.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum SettingsError {
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error("no database is named; set {}", connection_variables(.variables))]
    NoDatabase { variables: &'static [&'static str] },
    #[error("{name}: {fault}")]
    Conninfo { name: String, fault: ConninfoError },
}

/// The variables that may name a database, the first one with an example.
fn connection_variables(variables: &[&str]) -> String {
    let [first, others @ ..] = variables else { return "PGHOST…".to_owned() };
    let others: String = others.iter().map(|other| format!("or {other}, ")).collect();
    format!("{first}=postgres://USER@HOST:5432/DATABASE ({others}or PGHOST…)")
}

/// A fault of the settings as a whole: the value may come from anywhere.
pub(crate) fn in_settings(fault: ConninfoError) -> SettingsError {
    SettingsError::Conninfo { name: "connection settings".to_owned(), fault }
}

/// A text with the program's name in the place of `{program}`.
pub(crate) fn for_program(text: &'static str, program: &str) -> Cow<'static, str> {
    if text.contains("{program}") { text.replace("{program}", program).into() } else { text.into() }
}
