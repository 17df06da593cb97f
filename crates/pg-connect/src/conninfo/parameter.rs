//! Parameters of connection strings and services: used, ignored, or refused by name.

use super::error::{ConninfoError, for_program};
use super::foreign::ForeignParameter;
use super::keyword::{KEYWORDS, Keyword};
use super::parse::Pair;
use crate::environment::Program;
use crate::tls::TlsMode;
use crate::words::{control_character, nearest};

/// Prisma's parameter for the search path.
pub(super) const SCHEMA: &str = "schema";

/// A parameter of a connection string or a service that is no fault.
pub(super) enum Parameter {
    /// It is used.
    Supported(&'static str),
    /// It only concerns another driver.
    Ignored(&'static str),
}

/// A keyword of libpq, if it is supported.
pub(super) fn known(keyword: &str, program: Program) -> Result<&'static str, ConninfoError> {
    match Keyword::find(keyword) {
        Some(Keyword { name, refused: "", .. }) => Ok(name),
        Some(Keyword { name, refused, .. }) => Err(ConninfoError::Refused { keyword: name, instead: for_program(refused, program.name) }),
        None => Err(ConninfoError::UnknownKeyword(keyword.to_owned())),
    }
}

/// The keyword, if it is supported with this value.
pub(super) fn checked(keyword: &'static str, value: &str) -> Result<&'static str, ConninfoError> {
    // The server splits `options` at any white space.
    let is_allowed = |character: char| keyword == "options" && character.is_ascii_whitespace();
    match control_character(value, is_allowed) {
        Some(what) => Err(ConninfoError::Control { keyword, what }),
        None if keyword == "dbname" && is_connection_string(value) => Err(ConninfoError::Nested),
        None => Ok(keyword),
    }
}

/// What to do with a parameter of a connection string or a service.
pub(super) fn taken(pair: &Pair, program: Program) -> Result<Parameter, ConninfoError> {
    let keyword = pair.keyword.as_str();
    if keyword == SCHEMA {
        return checked(SCHEMA, &pair.value).map(Parameter::Supported);
    }
    if Keyword::find(keyword).is_some() {
        return known(keyword, program).and_then(|name| checked(name, &pair.value)).map(Parameter::Supported);
    }
    match ForeignParameter::find(keyword) {
        Some((name, ForeignParameter::Harmless)) => return Ok(Parameter::Ignored(name)),
        Some((keyword, ForeignParameter::Refused(instead))) => return Err(ConninfoError::Foreign { keyword, instead }),
        None if keyword == "ssl" => return Err(ConninfoError::Ssl),
        None => {}
    }
    let others = ForeignParameter::names().chain([SCHEMA]).filter(|_| pair.is_printable);
    let nearest = nearest(keyword, KEYWORDS.iter().map(|known| known.name).chain(others));
    let is_word = keyword.len() < 64 && keyword.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte));
    Err(match nearest {
        Some(nearest) if is_word => ConninfoError::Keyword { found: keyword.to_owned(), nearest },
        None if is_word && pair.is_printable => ConninfoError::UnknownKeyword(keyword.to_owned()),
        Some(_) | None => ConninfoError::NoKeyword,
    })
}

/// Replaces other names of `sslmode`: an obsolete one as libpq does, JDBC's, which libpq also accepts, and asyncpg's.
pub(super) fn current(pair: Pair) -> Pair {
    match (pair.keyword.as_str(), pair.value.as_str()) {
        ("requiressl", value) => Pair::new("sslmode", if value.starts_with('1') { "require" } else { "prefer" }.to_owned()),
        ("ssl", "true") => Pair::new("sslmode", "require".to_owned()),
        ("ssl", mode) if TlsMode::WORDS.iter().any(|(word, _)| *word == mode) => Pair::new("sslmode", pair.value),
        _ => pair,
    }
}

/// Whether a database's name, which is printed, is a connection string, which may contain a password.
fn is_connection_string(name: &str) -> bool {
    name.contains("://") || name.split_once('=').is_some_and(|(word, _)| Keyword::find(word.trim()).is_some())
}
