//! Programs run in a clean environment, are watched and judged, and never outlive their test.

use std::path::Path;
use std::time::Duration;

use super::failure_of;
use crate::support::Program;

fn shell(script: &str) -> Program {
    Program::at("/bin/sh").args(["-c", script])
}

#[test]
fn an_outcome_has_exit_code_output_and_log() {
    let outcome = shell("echo '{\"at\": \"002\"}'; echo wait >&2; echo 'do this next' >&2; exit 6").run();
    let outcome = outcome.exits(6).stdout_contains("002").stdout_lacks("wait").stderr_contains("wait").stderr_lacks("002");
    assert_eq!(outcome.json()["at"], "002");
    assert_eq!(outcome.last_line(), "do this next");
}

#[test]
fn the_environment_is_only_what_the_test_sets() {
    let program = shell("env | grep -v ^PWD= | grep -v ^_=").env("PGMARCH_TARGET", "head").env("PGHOST", "x").without("PGHOST");
    program.in_folder(Path::new("/")).run().exits(0).stdout_is("PGMARCH_TARGET=head\n");
}

#[test]
fn what_is_typed_arrives() {
    shell("printf 'sure? '; read answer; echo \"$answer\"").stdin("yes\n").run().stdout_is("sure? yes\n");
    shell("read answer || echo nobody").run().stdout_is("nobody\n");
}

#[test]
fn an_unmet_expectation_shows_the_whole_run() {
    let outcome = shell("echo out; echo err >&2; exit 3").env("A", "b").run();
    let shown = outcome.to_string();
    let failure = failure_of(|| drop(outcome.exits(0)));
    assert_eq!(failure, format!("should exit 0\n{shown}"));
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], r#"$ A="b" /bin/sh "-c" "echo out; echo err >&2; exit 3""#);
    assert!(lines[1].starts_with("[exit status: 3 after "), "{shown}");
    assert_eq!(lines[2..], ["--- stdout", "out", "", "--- stderr", "err", "", "---"]);
}

#[test]
#[should_panic(expected = "it printed the password")]
fn a_printed_password_fails_any_test() {
    shell("echo postgresql://me:$WORD@host >&2").env("WORD", "open-sesame-4711").run();
}

#[test]
#[should_panic(expected = "still running after")]
fn a_program_that_never_ends_fails_its_test() {
    shell("echo waiting >&2; exec sleep 60").deadline(Duration::from_millis(200)).run();
}

#[test]
fn a_running_program_is_signalled_once_it_is_ready() {
    let running = shell("trap 'echo bye; exit 143' TERM; printf ready >&2; while :; do sleep 0.01; done").spawn();
    running.wait_for_log("ready").signal("TERM");
    running.wait().exits(143).stdout_is("bye\n");
}

#[test]
#[should_panic(expected = "no \"never\" in the log")]
fn a_program_that_ends_without_the_awaited_log_fails_at_once() {
    shell("echo something >&2").spawn().wait_for_log("never");
}

#[test]
fn a_killed_program_has_no_exit_code() {
    let mut running = shell("exec sleep 60").spawn();
    running.kill();
    assert_eq!(running.wait().within(Duration::from_secs(20)).code(), None);
}

#[test]
fn a_program_does_not_outlive_its_test() {
    let running = shell("exec sleep 60").spawn();
    let process = format!("/proc/{}", running.pid());
    assert!(Path::new(&process).exists());
    drop(running);
    assert!(!Path::new(&process).exists());
}
