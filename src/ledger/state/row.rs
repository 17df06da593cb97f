//! The answer to the first query.

use crate::ledger::error::ReadError;
use crate::ledger::trust::UntrustedRelation;
use crate::revision::applied_digest::AppliedDigest;
use crate::session::StatementResult;

/// The columns of `read.sql`, and the version rows and the applied digest in its last column.
pub(super) struct StateRow {
    pub(super) number: u32,
    pub(super) version: String,
    pub(super) database: String,
    pub(super) role: String,
    pub(super) read_only: bool,
    pub(super) search_path: String,
    pub(super) row_security: String,
    /// The schema where the version table is.
    pub(super) version_schema: Option<String>,
    /// The schema where it would be created.
    pub(super) place: Option<String>,
    pub(super) tables: Vec<String>,
    pub(super) journal_is_readable: bool,
    pub(super) has_format: bool,
    pub(super) may_extend: bool,
    pub(super) is_plain: bool,
    /// Whether all belong to the role, a superuser or the database's owner.
    pub(super) is_owned: bool,
    pub(super) owners: Vec<String>,
    /// Whether all are tables, which can be locked.
    pub(super) is_ordinary: bool,
    /// A table of which row security hides rows.
    pub(super) hidden: Option<String>,
    /// Set by the second query: a relation whose owner is not trusted, where the state is only read.
    pub(super) untrusted: Option<UntrustedRelation>,
    /// Set by the second query: tables that are not used, as their owner is not trusted.
    pub(super) unusable: Vec<&'static str>,
    pub(super) rows: Vec<String>,
    pub(super) seal: Option<AppliedDigest>,
}

impl StateRow {
    pub(super) fn from_answers(mut answers: Vec<StatementResult>) -> Result<Self, ReadError> {
        let lines = answers.pop().unwrap_or_default();
        let mut rows = Vec::new();
        let mut seal = None;
        let mut server = None;
        for line in lines {
            let [columns @ .., tagged] = <[Option<String>; 19]>::try_from(line).map_err(|_| ReadError::Unexpected("server row"))?;
            server = Some(columns);
            let Some(tagged) = tagged else { continue };
            match (tagged.strip_prefix('v'), tagged.strip_prefix('s')) {
                (Some(row), _) => rows.push(row.to_owned()),
                (_, Some(text)) => seal = AppliedDigest::parse(text),
                _ => return Err(ReadError::Unexpected("a word")),
            }
        }
        rows.sort();
        let [
            number,
            database,
            role,
            place,
            read_only,
            version,
            search_path,
            row_security,
            version_schema,
            tables,
            journal_is_readable,
            has_format,
            may_extend,
            is_plain,
            is_owned,
            owners,
            is_ordinary,
            hidden,
        ] = server.ok_or(ReadError::Unexpected("no server row"))?;
        let is = |value: Option<String>| value.as_deref() == Some("t");
        Ok(Self {
            number: number.and_then(|number| number.parse().ok()).ok_or(ReadError::Unexpected("version"))?,
            version: version.unwrap_or_default(),
            database: database.unwrap_or_default(),
            role: role.unwrap_or_default(),
            read_only: is(read_only),
            search_path: search_path.unwrap_or_default(),
            row_security: row_security.unwrap_or_default(),
            version_schema,
            place: place.filter(|place| !place.is_empty()),
            tables: tables.unwrap_or_default().split(',').filter(|table| !table.is_empty()).map(str::to_owned).collect(),
            journal_is_readable: is(journal_is_readable),
            has_format: is(has_format),
            may_extend: is(may_extend),
            is_plain: is(is_plain),
            is_owned: is(is_owned),
            owners: owners.and_then(|owners| serde_json::from_str(&owners).ok()).unwrap_or_default(),
            is_ordinary: is(is_ordinary),
            hidden,
            untrusted: None,
            unusable: Vec::new(),
            rows,
            seal,
        })
    }
}
