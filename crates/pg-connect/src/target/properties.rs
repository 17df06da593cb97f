//! Properties of all connection settings: no value makes the library panic, and none is taken for something else than it says.

use std::time::Duration;

use proptest::prelude::*;

use super::ConnectTarget;
use crate::conninfo::{Conninfo, KEYWORDS};
use crate::environment::{Environment, Program};

type NumberOf = fn(&ConnectTarget) -> i64;

/// The keywords that hold a number, with how they are read.
const NUMBERS: [(&str, NumberOf); 5] = [
    ("connect_timeout", |target| seconds(target.network.connect_timeout.unwrap_or_default())),
    ("keepalives_idle", |target| seconds(target.network.idle)),
    ("keepalives_interval", |target| seconds(target.network.interval)),
    ("keepalives_count", |target| target.network.count.into()),
    ("tcp_user_timeout", |target| i64::try_from(target.network.user_timeout.as_millis()).unwrap_or(i64::MAX)),
];

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\'', "\\'")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn no_value_of_a_keyword_or_variable_makes_it_panic(keyword in 0..KEYWORDS.len(), value in any::<String>()) {
        let keyword = &KEYWORDS[keyword];
        prop_assume!(!value.contains('\0') && !keyword.name.contains("file") && !keyword.name.contains("service"));
        if let Ok(conninfo) = Conninfo::parse(&format!("host=h user=u {}='{}'", keyword.name, quoted(&value))) {
            prop_assert!(conninfo.values().all(|(_, value)| keyword.name == "options" || !value.reveal().chars().any(char::is_control)));
            drop(ConnectTarget::decide(&conninfo));
        }
        if !keyword.variable.is_empty() {
            let variables = [("PGDATABASE", "d"), (keyword.variable, value.as_str())].map(|(name, value)| (name.into(), value.into()));
            let environment = Environment::new(Program::default(), variables).expect("UTF-8");
            drop(ConnectTarget::check(&environment));
        }
    }

    #[test]
    fn a_number_means_what_is_written_or_is_refused_by_name(which in 0..NUMBERS.len(), number in prop_oneof![1..200_000_i64, 1..i64::MAX]) {
        let (keyword, read) = NUMBERS[which];
        let conninfo = Conninfo::parse(&format!("host=h user=u {keyword}={number}")).expect("a keyword");
        match ConnectTarget::decide(&conninfo) {
            Ok(target) => prop_assert_eq!(read(&target), number),
            Err(faults) => {
                let expected = format!("`{keyword}` is `{number}`; write a whole number up to");
                let shown = faults[0].to_string();
                prop_assert!(shown.starts_with(&expected), "{}", shown);
            }
        }
    }

    #[test]
    fn a_port_is_a_port_or_is_refused(port in prop_oneof![0..70_000_u32, any::<u32>()]) {
        let decided = ConnectTarget::decide(&Conninfo::parse(&format!("host=h user=u port={port}")).expect("a keyword"));
        prop_assert_eq!(decided.ok().map(|target| u32::from(target.hosts[0].port)), Some(port).filter(|port| (1..=65535).contains(port)));
    }
}
