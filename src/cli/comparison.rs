//! The options that say what a comparison is about: the same for `create`, `check` and `diff`.

use clap::Args;

use crate::config::ModelScope;
use crate::model::compare::ignored::Ignored;

/// What is compared.
#[derive(Debug, Default, Args)]
pub struct ComparisonArgs {
    /// What not to compare: owners, grants, comments, row-security, or a kind of objects such as functions, triggers, views, policies;
    /// comma separated.
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub ignore: Vec<Ignored>,
    /// The schemas to compare, without all others; comma separated.
    #[arg(long, value_name = "SCHEMA", value_delimiter = ',', value_parser = schema)]
    pub only: Vec<String>,
    /// What the model has: all, or orm [default: PGMARCH_MODEL_SCOPE].
    #[arg(long, value_name = "SCOPE", value_parser = scope)]
    pub scope: Option<ModelScope>,
}

/// The name of a schema, as the catalog has it.
fn schema(word: &str) -> Result<String, String> {
    let name = word.trim();
    let unquoted = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).map(|inner| inner.replace("\"\"", "\""));
    let name = unquoted.unwrap_or_else(|| name.to_owned());
    if name.is_empty() { Err("a schema has a name".to_owned()) } else { Ok(name) }
}

fn scope(word: &str) -> Result<ModelScope, String> {
    let known = ModelScope::WORDS.iter().find(|(known, _)| *known == word);
    known.map(|(_, scope)| *scope).ok_or_else(|| "it is none of all, orm".to_owned())
}
