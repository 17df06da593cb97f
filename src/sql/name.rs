//! Names of schemas and relations, quoted by their type.

use std::fmt;

/// The longest name PostgreSQL keeps, in bytes (manual, 4.1.1).
const LONGEST_NAME: usize = 63;

/// An identifier, as the catalog has it; it prints quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident(String);

impl Ident {
    /// A name of 1 to 63 bytes without a NUL.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        (!text.is_empty() && text.len() <= LONGEST_NAME && !text.contains('\0')).then(|| Self(text.to_owned()))
    }

    /// Names separated by commas; names in double quotes keep their case.
    pub(crate) fn parse_list(text: &str) -> Option<Vec<Self>> {
        let name = |name: &str| match name.trim() {
            quoted if quoted.len() > 2 && quoted.starts_with('"') && quoted.ends_with('"') => {
                Self::parse(&quoted[1..quoted.len() - 1].replace("\"\"", "\""))
            }
            plain => Self::parse(&plain.to_ascii_lowercase()),
        };
        text.split(',').map(name).collect()
    }

    /// The ledger's schema by default.
    pub(crate) fn pgmarch() -> Self {
        Self("pgmarch".to_owned())
    }

    /// The name without quotes.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

/// The version table as the settings name it, with or without a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// Its schema; `None`: the search path finds it.
    pub(crate) schema: Option<Ident>,
    /// Its name.
    pub(crate) name: Ident,
}

impl Default for TableName {
    fn default() -> Self {
        Self { schema: None, name: Ident("alembic_version".to_owned()) }
    }
}

impl TableName {
    /// `NAME` or `SCHEMA.NAME`, as the catalog has them.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.split_once('.') {
            Some((schema, name)) => {
                Some(Self { schema: Some(Ident::parse(schema)?), name: Ident::parse(name).filter(|name| !name.0.contains('.'))? })
            }
            None => Some(Self { schema: None, name: Ident::parse(text)? }),
        }
    }
}

/// The name of a relation, with its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QualifiedName {
    /// Its schema.
    pub(crate) schema: Ident,
    /// Its name.
    pub(crate) name: Ident,
}

impl QualifiedName {
    /// A table of pgmarch's in a schema.
    pub(crate) fn new(schema: &Ident, name: &str) -> Self {
        Self { schema: schema.clone(), name: Ident(name.to_owned()) }
    }

    /// `schema.name` without quotes: the key of a project in the ledger and in the run lock.
    pub(crate) fn plain(&self) -> String {
        format!("{}.{}", self.schema.as_str(), self.name.as_str())
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// A search path, from names separated by commas; names in double quotes keep their case. Prints as `SET` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchPath(Vec<Ident>);

impl SearchPath {
    /// From a setting.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Ident::parse_list(text).map(Self)
    }

    /// One schema.
    pub(crate) fn of(schema: Ident) -> Self {
        Self(vec![schema])
    }

    /// Its schemas.
    pub(crate) fn schemas(&self) -> &[Ident] {
        &self.0
    }

    /// Its first schema.
    pub(crate) fn first(&self) -> Option<&Ident> {
        self.0.first()
    }
}

impl fmt::Display for SearchPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(Ident::to_string).collect();
        f.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        assert_eq!(Ident::parse("a\"b").expect("a name").to_string(), "\"a\"\"b\"");
        assert!(Ident::parse("").is_none() && Ident::parse(&"x".repeat(64)).is_none());
        let path = SearchPath::parse("App, \"My Schema\"").expect("a path");
        assert_eq!((path.to_string().as_str(), path.first()), ("\"app\", \"My Schema\"", Ident::parse("app").as_ref()));
        assert!(TableName::parse("a.b.c").is_none());
    }
}
