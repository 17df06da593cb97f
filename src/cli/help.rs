//! What `--help` prints below a command's options: examples and settings.

use std::fmt::Write as _;

use crate::config::settings::{SETTINGS, Setting};
use crate::exit::EXIT_CODES;

/// Below the commands: examples, every setting, every exit code.
pub(super) fn program_help() -> String {
    let mut text = String::from(
        "Examples:
  pgmarch                                # wait, lock, apply what is pending, exit 0
  pgmarch status                         # where the database is, and what to do next
  pgmarch create --manual 'Add quotas'   # a new revision, to be filled in
  pgmarch help upgrade                   # a verb's words, examples and settings

Settings, from the environment; each also as NAME_FILE, the file that holds the value:
",
    );
    SETTINGS.iter().for_each(|setting| line(&mut text, setting));
    text += "\nExit codes:\n";
    for (code, meaning, _) in EXIT_CODES {
        let _ = writeln!(text, "  {code:>3}  {meaning}");
    }
    text
}

/// Below a command's options. `settings` are names without `PGMARCH_`, in the order of the table.
pub(super) fn command_help(examples: &[&str], settings: &[&str]) -> String {
    let mut text = String::from("Examples:\n");
    for example in examples {
        let _ = writeln!(text, "  {example}");
    }
    text += "\nSettings (`pgmarch --help` has all of them, and the exit codes):\n";
    let wanted = |setting: &&Setting| settings.iter().any(|name| setting.name.strip_prefix("PGMARCH_") == Some(name));
    SETTINGS.iter().filter(wanted).for_each(|setting| line(&mut text, setting));
    text
}

fn line(text: &mut String, setting: &Setting) {
    let default = if setting.default.is_empty() { String::new() } else { format!(" [default: {}]", setting.default) };
    let _ = writeln!(text, "  {:<27} {}{default}", setting.name, setting.meaning);
}
