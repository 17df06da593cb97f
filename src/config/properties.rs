//! Properties of all settings: no value makes the program panic, and none is taken for something else than it says.

use std::time::Duration;

use pg_connect::Environment;
use proptest::prelude::*;

use super::decide::decide;
use super::error::ConfigFault;
use super::settings::SETTINGS;
use super::{Config, LogFormat};
use crate::environment::PROGRAM;
use crate::host::Host;

/// Settings that hold a duration, and whether PostgreSQL gets it.
type DurationOf = fn(&Config) -> Duration;

const DURATIONS: [(&str, bool, DurationOf); 7] = [
    ("PGMARCH_WAIT_TIMEOUT", false, |config| config.wait_timeout),
    ("PGMARCH_RUN_LOCK_TIMEOUT", false, |config| config.run_lock_timeout),
    ("PGMARCH_RETRY_FOR", false, |config| config.retry_for),
    ("PGMARCH_CHECK_EVERY", false, |config| config.check_every),
    ("PGMARCH_MODEL_TIMEOUT", false, |config| config.model_timeout),
    ("PGMARCH_LOCK_TIMEOUT", true, |config| config.lock_timeout.duration()),
    ("PGMARCH_STATEMENT_TIMEOUT", true, |config| config.statement_timeout.duration()),
];

/// Units of a duration, and their nanoseconds.
const UNITS: [(&str, u128); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("days", 86_400_000_000_000),
    ("y", 31_557_600_000_000_000),
];

fn decided(name: &str, value: &str) -> Result<Config, Vec<ConfigFault>> {
    let environment = Environment::new(PROGRAM, [(name.into(), value.into())]).expect("UTF-8");
    decide(&environment).1
}

/// A value that may be what a setting takes, or nearly.
fn value() -> impl Strategy<Value = String> {
    let words = "(true|false|yes|on|off|0|-1|1|all|password|28P01|head|info|warn=|pgmarch=debug|text|json|[a-z_.]{1,12})";
    prop_oneof![
        "\\PC*",
        any::<String>().prop_filter("an environment has no NUL", |text| !text.contains('\0')),
        words,
        (words, words).prop_map(|(one, other)| format!("{one},{other}")),
        "[0-9]{1,25}(ns|us|ms|s|m|min|h|d|days|w|M|months|y| |\\.5s|)",
        "(\\[::\\]|0\\.0\\.0\\.0|127\\.1|):[0-9]{0,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_value_of_a_setting_makes_it_panic(setting in 0..SETTINGS.len(), value in value()) {
        let name = SETTINGS[setting].name;
        match decided(name, &value) {
            Ok(config) => {
                let host = Host::default();
                let now = host.now();
                for (_, is_sent, duration) in DURATIONS {
                    // Each wait has a deadline, and what the server gets fits there.
                    prop_assert!(host.deadline(duration(&config)) >= now || duration(&config).is_zero());
                    prop_assert!(!is_sent || duration(&config) <= Duration::from_millis(2_147_483_647));
                }
            }
            Err(faults) => {
                for fault in faults {
                    prop_assert!(fault.to_string().contains(name), "{fault}");
                }
            }
        }
    }

    #[test]
    fn a_duration_means_what_is_written_or_is_refused(which in 0..DURATIONS.len(), number in prop_oneof![0..5000_u64, any::<u64>()], unit in 0..UNITS.len()) {
        let ((name, is_sent, duration), (unit, nanoseconds)) = (DURATIONS[which], UNITS[unit]);
        let written = u128::from(number) * nanoseconds;
        let is_storable = written % 1_000_000 == 0 && written / 1_000_000 <= 2_147_483_647;
        match decided(name, &format!("{number}{unit}")) {
            Ok(config) => {
                prop_assert_eq!(duration(&config).as_nanos(), written);
                prop_assert!(is_storable || !is_sent);
            }
            Err(faults) => {
                prop_assert_eq!(faults.len(), 1);
                prop_assert!(faults[0].to_string().contains(name), "{}", faults[0]);
                let is_never = name == "PGMARCH_CHECK_EVERY" && number == 0;
                prop_assert!((is_sent && !is_storable) || written > u128::from(u64::MAX) || is_never, "{}", faults[0]);
            }
        }
    }

    #[test]
    fn a_log_filter_is_a_level_or_names_one(word in "[a-z:_]{1,12}") {
        let is_level = ["off", "error", "warn", "info", "debug", "trace"].contains(&word.as_str());
        prop_assert_eq!(decided("PGMARCH_LOG", &word).is_ok(), is_level, "a module without a level would silence all others");
    }
}

#[test]
fn durations_at_the_limits_are_named() {
    for (name, value) in [
        ("PGMARCH_LOCK_TIMEOUT", "500us"),
        ("PGMARCH_LOCK_TIMEOUT", "1500us"),
        ("PGMARCH_STATEMENT_TIMEOUT", "30days"),
        ("PGMARCH_STATEMENT_TIMEOUT", "500000000000y"),
    ] {
        let faults = decided(name, value).expect_err(value);
        assert!(faults[0].to_string().starts_with(&format!("{name} is `{value}`, which PostgreSQL can't store")), "{}", faults[0]);
    }
    assert!(decided("PGMARCH_WAIT_TIMEOUT", "500000000000y").is_ok(), "a wait may be longer than any run");
    let environment = Environment::new(PROGRAM, [("PGMARCH_LOG_FORMAT".into(), "JSON".into())]).expect("UTF-8");
    let (reporting, decided) = decide(&environment);
    assert!(decided.is_err() && matches!(reporting.format, LogFormat::Json | LogFormat::Text));
}
