//! Names and constants, each quoted by its type.

use std::fmt;

use sha2::{Digest, Sha256};

use super::Sql;
use crate::sql;

/// The longest name PostgreSQL keeps, in bytes (manual, 4.1.1).
const LONGEST_NAME: usize = 63;

/// One name as the catalog has it; prints quoted, so it can stand in any statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident(String);

impl Ident {
    /// A name of 1 to 63 bytes without a NUL.
    pub fn parse(text: &str) -> Option<Self> {
        (!text.is_empty() && text.len() <= LONGEST_NAME && !text.contains('\0')).then(|| Self(text.to_owned()))
    }

    /// Names separated by commas; names in double quotes keep their case.
    pub fn parse_list(text: &str) -> Option<Vec<Self>> {
        let name = |name: &str| match name.trim() {
            quoted if quoted.len() > 2 && quoted.starts_with('"') && quoted.ends_with('"') => {
                Self::parse(&quoted[1..quoted.len() - 1].replace("\"\"", "\""))
            }
            plain => Self::parse(&plain.to_ascii_lowercase()),
        };
        text.split(',').map(name).collect()
    }

    /// The ledger's schema by default.
    pub fn pgmarch() -> Self {
        Self("pgmarch".to_owned())
    }

    /// The bare name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

/// The version table as the settings name it: perhaps without a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// Its schema; `None` is wherever the search path finds it.
    pub schema: Option<Ident>,
    /// Its name.
    pub name: Ident,
}

impl Default for TableName {
    fn default() -> Self {
        Self { schema: None, name: Ident("alembic_version".to_owned()) }
    }
}

impl TableName {
    /// `NAME` or `SCHEMA.NAME`, as the catalog has them.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('.') {
            Some((schema, name)) => {
                Some(Self { schema: Some(Ident::parse(schema)?), name: Ident::parse(name).filter(|name| !name.0.contains('.'))? })
            }
            None => Some(Self { schema: None, name: Ident::parse(text)? }),
        }
    }
}

/// The version table where it is, or will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QualifiedName {
    /// Its schema.
    pub schema: Ident,
    /// Its name.
    pub name: Ident,
}

impl QualifiedName {
    /// A table of ours in a schema.
    pub(crate) fn new(schema: &Ident, name: &str) -> Self {
        Self { schema: schema.clone(), name: Ident(name.to_owned()) }
    }

    /// `schema.name` without quotes: how the ledger and the lock know this database's project.
    pub fn plain(&self) -> String {
        format!("{}.{}", self.schema.as_str(), self.name.as_str())
    }

    /// The key of the run lock: the first eight bytes, big-endian, of the SHA-256 of `pgmarch:SCHEMA.NAME`.
    /// PostgreSQL adds the database, so projects of other databases or version tables never meet.
    pub fn lock_key(&self) -> i64 {
        let hash = Sha256::digest(format!("pgmarch:{}", self.plain()).as_bytes());
        hash.iter().take(8).fold(0i64, |key, byte| key << 8 | i64::from(*byte))
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
    /// What a setting says.
    pub fn parse(text: &str) -> Option<Self> {
        Ident::parse_list(text).map(Self)
    }

    /// Its first schema.
    pub fn first(&self) -> Option<&Ident> {
        self.0.first()
    }
}

impl fmt::Display for SearchPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(Ident::to_string).collect();
        f.write_str(&names.join(", "))
    }
}

/// A text as a constant that no setting can make mean something else: in dollar quotes, if it has a quote or a backslash.
#[derive(Clone, Copy, Debug)]
pub struct Literal<'t>(pub &'t str);

impl fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.contains(['\'', '\\']) {
            return write!(f, "'{}'", self.0);
        }
        let tag = tag(self.0);
        write!(f, "{tag}{}{tag}", self.0)
    }
}

impl<'t> Literal<'t> {
    /// The constant, or NULL.
    pub fn or_null(text: Option<&'t str>) -> Sql {
        text.map_or_else(|| Sql::of("NULL"), |text| sql!("{text}", text = Literal(text)))
    }
}

/// A dollar quote that closes only behind `text`: also the end of the text and the quote may not make one together.
fn tag(text: &str) -> String {
    let candidates = (0..).map(|number: u32| if number == 0 { "$p$".to_owned() } else { format!("$p{number}$") });
    let mut closing = candidates.filter(|tag| format!("{text}{tag}").find(tag.as_str()) == Some(text.len()));
    closing.next().unwrap_or_default()
}

/// A constant for `SET`, which takes no dollar quotes.
#[derive(Clone, Copy, Debug)]
pub struct EscapeString<'t>(pub &'t str);

impl fmt::Display for EscapeString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E'{}'", self.0.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}

/// Texts as an array constant of type `text[]`.
#[derive(Clone, Debug)]
pub struct TextArray<'t>(Vec<&'t str>);

impl<'t> FromIterator<&'t str> for TextArray<'t> {
    fn from_iter<T: IntoIterator<Item = &'t str>>(texts: T) -> Self {
        Self(texts.into_iter().collect())
    }
}

impl fmt::Display for TextArray<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<String> = self.0.iter().map(|text| Literal(text).to_string()).collect();
        write!(f, "ARRAY[{}]::text[]", items.join(","))
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

    #[test]
    fn a_constant_holds_any_text() {
        let literal = |text: &str| Literal(text).to_string();
        assert_eq!(literal("a $p$ b"), "'a $p$ b'");
        assert_eq!(literal("a' $p$ b"), "$p1$a' $p$ b$p1$");
        assert_eq!(literal("a'$p"), "$p1$a'$p$p1$");
        assert_eq!(literal(&literal("a\\")), "$p1$$p$a\\$p$$p1$");
        assert_eq!(TextArray::from_iter(["1", "2"]).to_string(), "ARRAY['1','2']::text[]");
        assert_eq!(EscapeString("a'\\").to_string(), "E'a\\'\\\\'");
    }

    #[test]
    fn the_lock_key_is_that_of_the_documentation() {
        let table = QualifiedName { schema: Ident("public".into()), name: Ident("alembic_version".into()) };
        // printf pgmarch:public.alembic_version | sha256sum
        assert_eq!(format!("{:016x}", table.lock_key()), "1d7b92afd11b5bb5");
    }
}
