//! The password file (PostgreSQL manual, 34.16): `hostname:port:database:username:password`, the first line that matches.

use std::path::Path;
use std::sync::Once;

use tracing::warn;

use crate::environment::Secret;
use crate::file::{self, LARGEST_SETTING};

/// A socket in this folder counts as `localhost` in the file.
const DEFAULT_SOCKETS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// The text of a password file.
pub(super) struct PasswordFile(String);

impl PasswordFile {
    /// Reads a file that only its owner may read. As in libpq, a file that isn't there is no fault, and one that others may read is
    /// passed over with a warning.
    pub(super) fn read(path: &Path) -> Option<Self> {
        static WARNED: Once = Once::new();
        let pass_over = |why: String| {
            WARNED.call_once(|| warn!("the password file {} is not read: {why}", path.display()));
            None
        };
        let content = match file::read(path, LARGEST_SETTING) {
            Ok(content) => content,
            Err(error) if error.is_missing() => return None,
            Err(error) => return pass_over(error.to_string()),
        };
        if !content.is_plain {
            return pass_over("it is not a plain file".to_owned());
        }
        if content.mode & 0o077 != 0 {
            return pass_over(format!("its mode {:04o} lets group or world access it; chmod 0600", content.mode));
        }
        Some(Self(String::from_utf8_lossy(&content.bytes).into_owned()))
    }

    /// The password for a login.
    pub(super) fn password(&self, host: &str, port: u16, database: &str, user: &str) -> Option<Secret> {
        find(&self.0, host, port, database, user)
    }
}

fn find(text: &str, host: &str, port: u16, database: &str, user: &str) -> Option<Secret> {
    let host = if host.is_empty() || DEFAULT_SOCKETS.contains(&host) { "localhost" } else { host };
    let port = port.to_string();
    let password = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).find_map(|line| {
        if line.starts_with('#') {
            return None;
        }
        let rest = field(line, host)?;
        let rest = field(rest, &port)?;
        let rest = field(rest, database)?;
        field(rest, user)
    })?;
    let mut plain = String::new();
    let mut characters = password.chars();
    while let Some(character) = characters.next() {
        match character {
            ':' => break,
            '\\' => plain.push(characters.next().unwrap_or('\\')),
            other => plain.push(other),
        }
    }
    Some(Secret::new(plain))
}

/// The rest of a line after its first field, if that is `*` or equals `wanted`.
fn field<'a>(line: &'a str, wanted: &str) -> Option<&'a str> {
    if let Some(rest) = line.strip_prefix("*:") {
        return Some(rest);
    }
    let (mut found, mut wanted) = (line.chars(), wanted.chars());
    loop {
        match found.next()? {
            ':' if wanted.as_str().is_empty() => return Some(found.as_str()),
            '\\' if found.next() != Some(wanted.next()?) => return None,
            '\\' => {}
            other if Some(other) != wanted.next() => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_wins() {
        let text = "# host:1:d:u:comment\nh\\:x:5432:d:u:colon\nh:5432:d:u:p\\:q\\\\r:ignored\r\n*:*:*:other:any\nlocalhost:*:*:*:socket";
        let password_for = |host, port, database, user| find(text, host, port, database, user).map(|found| found.reveal().to_owned());
        assert_eq!(password_for("h", 5432, "d", "u").as_deref(), Some("p:q\\r"));
        assert_eq!(password_for("h:x", 5432, "d", "u").as_deref(), Some("colon"));
        assert_eq!(password_for("far", 1, "x", "other").as_deref(), Some("any"));
        assert_eq!(password_for("/var/run/postgresql", 5432, "d", "u").as_deref(), Some("socket"));
        assert_eq!(password_for("h", 5433, "d", "u"), None);
        assert_eq!(password_for("hh", 5432, "d", "u"), None);
    }
}
