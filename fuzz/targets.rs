//! What is fed with garbage: each takes any bytes, and must neither panic nor hang. The ordinary tests feed them too
//! (tests/garbage.rs); `make fuzz` does it for longer, led by what the bytes reach.

use std::ffi::OsString;
use std::path::Path;

use pg_connect::{ConnectTarget, Environment};
use pgmarch::config;
use pgmarch::environment::PROGRAM;
use pgmarch::revision::{checksum, format, name, statement};

/// Variables of the environment, one `NAME=value` a line.
pub(crate) fn settings(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    // What other files say is not for garbage to choose.
    let pairs = pairs.filter(|(name, _)| !name.contains("FILE") && *name != "HOME" && *name != "PGSYSCONFDIR");
    let Ok(environment) = Environment::new(PROGRAM, pairs.map(|(name, value)| (OsString::from(name), OsString::from(value)))) else {
        return;
    };
    let (_, decided) = config::decide::decide(&environment);
    if let Err(faults) = decided {
        faults.iter().for_each(|fault| assert!(!fault.to_string().is_empty()));
    }
    if let Err(faults) = ConnectTarget::of(&environment) {
        faults.iter().for_each(|fault| assert!(!fault.to_string().is_empty()));
    }
}

/// A revision's file.
pub(crate) fn revision(bytes: &[u8]) {
    match format::parse(Path::new("001_fuzz.sql"), bytes.to_vec()) {
        Ok(_) => {}
        Err(faults) => faults.iter().for_each(|fault| assert!(!fault.to_string().is_empty())),
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        drop(name::RevisionName::parse(text));
    }
}

/// SQL to be split: the statements are parts of it, in order.
pub(crate) fn statements(bytes: &[u8]) {
    let Ok(sql) = std::str::from_utf8(bytes) else { return };
    let mut end = 0;
    for statement in statement::split(sql).statements {
        assert!(statement.range.start >= end && sql.get(statement.range.clone()).is_some_and(|text| !text.trim().is_empty()));
        end = statement.range.end;
    }
    drop(checksum::semantic_checksum(sql));
}
