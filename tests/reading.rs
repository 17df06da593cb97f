//! Connection settings are read as libpq reads them, over some hundreds of combinations of URL, key=value string, service
//! file, password file and variables.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use pg_connect::conninfo::KEYWORDS;
use pg_connect::{ConnectTarget, Conninfo, Environment};
use pgmarch::environment::PROGRAM;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::certificate::write_secret;

const COMBINATIONS: usize = 600;

/// What libpq is asked, and what we ask ourselves.
#[derive(Debug)]
struct Case {
    string: String,
    environment: BTreeMap<String, String>,
}

/// Values that need quoting in one way or another, but no look-up of names: libpq begins to connect.
fn value(keyword: &'static str) -> BoxedStrategy<String> {
    let host = || prop_oneof![Just("127.0.0.1"), Just("127.0.0.2"), Just("::1"), Just("/nowhere"), Just("@nowhere"), Just("")];
    let list = |one: BoxedStrategy<String>| proptest::collection::vec(one, 1..4).prop_map(|all| all.join(",")).boxed();
    let word = || "[a-zA-Z0-9 %@:/?#'\"\\\\=&+,;ü~!$()*-]{0,12}";
    match keyword {
        "host" => list(host().prop_map(str::to_string).boxed()),
        "hostaddr" => prop_oneof![Just("127.0.0.1"), Just("::1"), Just("")].prop_map(str::to_string).boxed(),
        "port" => prop_oneof![Just("1"), Just("2"), Just("")].prop_map(str::to_string).boxed(),
        "sslmode" => prop_oneof![Just("disable"), Just("require"), Just("verify-full")].prop_map(str::to_string).boxed(),
        "keepalives" | "keepalives_idle" | "connect_timeout" | "tcp_user_timeout" => "[0-9]{1,3}".boxed(),
        "target_session_attrs" => prop_oneof![Just("any"), Just("read-write"), Just("read-only")].prop_map(str::to_string).boxed(),
        "channel_binding" => prop_oneof![Just("disable"), Just("prefer")].prop_map(str::to_string).boxed(),
        _ => word().prop_map(String::from).boxed(),
    }
}

const SAID: [&str; 16] = [
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "fallback_application_name",
    "options",
    "sslmode",
    "sslrootcert",
    "keepalives_idle",
    "connect_timeout",
    "target_session_attrs",
    "channel_binding",
    "tcp_user_timeout",
];

fn pairs(most: usize) -> BoxedStrategy<Vec<(&'static str, String)>> {
    let pair = proptest::sample::select(SAID.to_vec()).prop_flat_map(|keyword| value(keyword).prop_map(move |value| (keyword, value)));
    proptest::collection::vec(pair, 0..=most).boxed()
}

/// Percent signs for all that is no letter or digit, or for what must be.
fn encoded(text: &str, all: bool) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || (!all && b"-._~!$()*+,;\"'".contains(&byte));
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn quoted(text: &str, always: bool) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "\\'");
    if always || text.is_empty() || text.contains([' ', '\'']) { format!("'{escaped}'") } else { escaped }
}

fn key_values(pairs: &[(&str, String)], spaced: bool) -> String {
    let equals = if spaced { " = " } else { "=" };
    pairs.iter().map(|(keyword, value)| format!("{keyword}{equals}{}", quoted(value, spaced))).collect::<Vec<_>>().join("\t ")
}

fn url(pairs: &[(&str, String)], all: bool) -> String {
    let (mut before, mut query) = (BTreeMap::new(), Vec::new());
    for (keyword, value) in pairs {
        // Lists of hosts, sockets and IPv6 addresses are in the query: as the authority they need a syntax of their own.
        let in_front = match *keyword {
            "host" => !value.contains([':', '/', '@', ',']) && !value.is_empty(),
            "port" | "user" | "dbname" | "password" => !value.is_empty(),
            _ => false,
        };
        if in_front && !before.contains_key(keyword) {
            before.insert(*keyword, encoded(value, all));
        } else {
            query.push(format!("{keyword}={}", encoded(value, all)));
        }
    }
    let part = |keyword, sign: &str| before.get(keyword).map(|value| format!("{sign}{value}")).unwrap_or_default();
    let login = if before.contains_key("user") || before.contains_key("password") {
        format!("{}{}@", part("user", ""), part("password", ":"))
    } else {
        String::new()
    };
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    format!("postgresql://{login}{}{}{}{query}", part("host", ""), part("port", ":"), part("dbname", "/"))
}

/// Strings that libpq may or may not take; so must we.
fn odd() -> BoxedStrategy<String> {
    let words = ["host", "=", " ", "'", "\\", "127.0.0.1", "port", "password", "a", "\u{a0}", "\t", "user", "requiressl=1 ", "nonsense=1"];
    let key_values =
        proptest::collection::vec(proptest::sample::select(words.to_vec()), 0..9).prop_map(|parts| format!("dbname=d {}", parts.concat()));
    let signs =
        ["127.0.0.1", ":", "1", "/", "?", "&", "=", "%41", "%4", "%00", "[::1]", "[", "]", ",", "user", "host", "ssl=true", "dbname"];
    let urls = proptest::collection::vec(proptest::sample::select(signs.to_vec()), 0..7)
        .prop_map(|parts| format!("postgres://{}", parts.concat()));
    prop_oneof![key_values, urls].boxed()
}

fn case(files: &Path) -> BoxedStrategy<Case> {
    let (services, passwords) = (files.join("services"), files.join("passwords"));
    let string = prop_oneof![
        3 => (pairs(6), any::<bool>()).prop_map(|(pairs, all)| url(&pairs, all)),
        3 => (pairs(6), any::<bool>()).prop_map(|(pairs, spaced)| format!("dbname=d {}", key_values(&pairs, spaced))),
        2 => odd(),
    ];
    let service = prop_oneof![4 => Just(None), 2 => Just(Some("mine")), 1 => Just(Some("other")), 1 => Just(Some("missing"))];
    (string, pairs(4), service, any::<bool>())
        .prop_map(move |(string, pairs, service, passfile)| {
            let mut environment = BTreeMap::from([("HOME".to_string(), "/nowhere".to_string())]);
            for (keyword, value) in pairs {
                let variable = KEYWORDS.iter().find(|known| known.name == keyword).expect("a keyword").variable;
                if !variable.is_empty() && !value.is_empty() {
                    environment.insert(variable.to_string(), value);
                }
            }
            let mut set = |name: &str, value: &str| drop(environment.insert(name.to_string(), value.to_string()));
            set("PGSERVICEFILE", services.to_str().expect("UTF-8"));
            if let Some(service) = service {
                set("PGSERVICE", service);
            }
            if passfile {
                set("PGPASSFILE", passwords.to_str().expect("UTF-8"));
            }
            Case { string, environment }
        })
        .boxed()
}

fn libpq(cases: &[Case]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/libpq.py");
    let input: Vec<Value> = cases.iter().map(|case| json!({"string": case.string, "environment": case.environment})).collect();
    let mut python = Command::new("python3");
    python.arg(script).arg("/nowhere").env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let mut child =
        python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3, which asks libpq: apt-get install python3 libpq5");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(json!(input).to_string().as_bytes()).expect("ask");
    drop(stdin);
    let output = child.wait_with_output().expect("an answer");
    assert!(output.status.success(), "libpq can't be asked: apt-get install libpq5");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Where we mean to differ: an `@` too many, a port that is none, a name that is a connection string.
fn is_stricter(fault: &str) -> bool {
    ["`@` too many", "port in the URL is no number", "another connection string"].iter().any(|known| fault.contains(known))
}

fn difference(case: &Case, theirs: &Value, defaults: &Value) -> Option<String> {
    let variables = [("PGMARCH_DATABASE_URL", &case.string)].into_iter().map(|(name, value)| (name.into(), value.into()));
    let all = variables.chain(case.environment.iter().map(|(name, value)| (name.into(), value.into())));
    let environment = Environment::new(PROGRAM, all).expect("UTF-8");
    let ours = match (Conninfo::resolve(&environment), theirs["error"].as_str()) {
        (Err(_), Some(_)) => return None,
        (Err(faults), None) if faults.iter().any(|fault| is_stricter(&fault.to_string())) => return None,
        (Err(faults), None) => return Some(format!("libpq takes it, we say: {faults:?}")),
        // An `=` in a value of a URL means itself to us.
        (Ok(_), Some(error)) if error.contains("extra key/value separator") => return None,
        (Ok(_), Some(error)) => return Some(format!("we take it, libpq says: {error}")),
        (Ok(ours), None) => ours,
    };
    let read: BTreeMap<&str, &str> = ours.values().map(|(keyword, value)| (keyword, value.reveal())).collect();
    // libpq does not report which service it took from the environment.
    for (keyword, theirs) in theirs["values"].as_object().expect("values") {
        let (theirs, default) = (theirs.as_str().unwrap_or_default(), defaults[keyword].as_str().unwrap_or_default());
        let ours = match read.get(keyword.as_str()) {
            Some(_) if keyword == "service" => continue,
            Some(ours) => *ours,
            None if ["user", "passfile"].contains(&keyword.as_str()) => continue,
            // libpq fills these in only as it connects.
            None if keyword == "dbname" => ours.get("user").unwrap_or_default(),
            None => default,
        };
        let ours = if ours.is_empty() && keyword == "dbname" { read.get("user").copied().unwrap_or_default() } else { ours };
        if ours != theirs && !(keyword == "dbname" && theirs.is_empty()) {
            return Some(format!("{keyword}: libpq {theirs:?}, we {ours:?}"));
        }
    }
    let Ok(target) = ConnectTarget::of(&environment) else { return None };
    let password = target.hosts[0].password.as_ref().map(|password| password.reveal()).unwrap_or_default();
    // Settings that libpq finds wrong as it connects keep it from looking into the password file.
    let theirs_password = theirs["password"].as_str().unwrap_or_default();
    let reads_password_file = !theirs["message"].as_str().unwrap_or_default().contains("invalid");
    // After a host that it can't reach libpq looks at the next one.
    let reads_password_file = reads_password_file && target.hosts.len() == 1;
    (reads_password_file && password != theirs_password).then(|| format!("password: libpq {theirs_password:?}, we {password:?}"))
}

#[test]
fn settings_are_read_as_libpq_reads_them() {
    let files = tempfile::tempdir().expect("a folder");
    fs::write(
        files.path().join("services"),
        "# services\n[other]\nhost=127.0.0.9\nport=7\n\n[mine]\ndbname=of service\nuser=service user\nport=9\nport=10\npassword=a = b \nconnect_timeout=3\n[next]\nport=11\n",
    )
    .expect("write services");
    let passwords = "# comment\n127.0.0.1:1:*:*:one\\:\\\\\n*:5432:d:*:two\nlocalhost:*:*:*:three\n/nowhere:*:*:*:four:five\n*:*:of service:*:six\n*:9:*:*:seven\n";
    write_secret(&files.path().join("passwords"), passwords, 0o600);
    let mut runner = TestRunner::deterministic();
    let cases = case(files.path());
    let cases: Vec<Case> = (0..COMBINATIONS)
        .map(|_| cases.new_tree(&mut runner).expect("a case").current())
        .filter(|case| !case.string.contains('\0'))
        .collect();
    let answer = libpq(&cases);
    let answers = answer["answers"].as_array().expect("answers");
    let accepted = answers.iter().filter(|answer| answer["error"].is_null()).count();
    let with_password = answers.iter().filter(|answer| answer["password"].as_str().is_some_and(|password| !password.is_empty())).count();
    assert!(accepted > COMBINATIONS / 3 && accepted < COMBINATIONS && with_password > COMBINATIONS / 10, "{accepted} {with_password}");
    let differences: Vec<String> = cases
        .iter()
        .zip(answers)
        .filter_map(|(case, theirs)| {
            difference(case, theirs, &answer["defaults"]).map(|what| format!("{what}\n  {}\n  {:?}", case.string, case.environment))
        })
        .collect();
    assert!(
        differences.is_empty(),
        "libpq {}: {} of {} differ\n{}",
        answer["version"],
        differences.len(),
        cases.len(),
        differences.join("\n")
    );
}

#[test]
fn every_keyword_of_the_libpq_at_hand_is_known() {
    let answer = libpq(&[]);
    let unknown: Vec<&String> = answer["defaults"]
        .as_object()
        .expect("defaults")
        .keys()
        // Left over from long ago: libpq has no use for them any more.
        .filter(|keyword| !["authtype", "tty", "requiressl"].contains(&keyword.as_str()))
        .filter(|keyword| !KEYWORDS.iter().any(|known| known.name == keyword.as_str()))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_keyword_is_documented() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/connections.md")).expect("docs/connections.md");
    for keyword in KEYWORDS {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` ", keyword.name)));
        let row = row.unwrap_or_else(|| panic!("docs/connections.md lacks `{}`", keyword.name));
        assert!(keyword.variable.is_empty() || row.contains(&format!("`{}`", keyword.variable)), "{row}");
        assert_eq!(row.contains("| no: "), !keyword.refused.is_empty(), "{row}");
    }
}
