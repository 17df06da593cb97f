//! The first question to a database: the server, our tables, whether they can be trusted, the version rows and the seal.

use std::collections::HashMap;

use super::install::{LedgerTable, TABLES};
use super::locked;
use super::trust::{OwnTables, Trust, TrustProblem, is_trust_failure, problem};
use super::{Access, Backend, LOCK_TIMEOUT, Ledger, ProvenRevisions, ReadError, Server, State, UntrustedRelation, set_path, set_role};
use crate::config::Config;
use crate::connect::{Answer, Session};
use crate::revision::applied_digest::AppliedDigest;
use crate::sql;
use crate::sql::{Ident, Literal, Message, QualifiedName, Sql};

/// Looks where the database is, in one message where our tables are plain ones of ours; nothing created, and nothing locked
/// but what is read, against being replaced meanwhile. Of what the ledger recorded only the seal is read:
/// [`State::complete`] reads the rest.
pub async fn look(session: &Session, config: &Config, access: Access) -> Result<State, ReadError> {
    let glance = StateRow::of(asked(session, config, &look_message(config, access, None)).await?)?;
    if glance.is_plain && glance.is_owned {
        return glance.state(config, access);
    }
    let mut answers = asked(session, config, &look_message(config, access, Some(&glance))).await?;
    let problems = if answers.len() < 2 { Vec::new() } else { answers.remove(0) };
    let mut seen = StateRow::of(answers)?;
    for TrustProblem { untrusted, is_owner, is_optional } in problems.into_iter().filter_map(problem) {
        if is_owner && is_optional {
            let is_it = |table: &&LedgerTable| untrusted.relation == format!("{}.{}", config.ledger_schema.as_str(), table.name);
            seen.unusable.extend(TABLES.iter().find(is_it).map(|table| table.name));
        } else if is_owner && access != Access::Write {
            seen.untrusted.get_or_insert(untrusted);
        } else {
            return Err(ReadError::Untrusted(untrusted));
        }
    }
    seen.state(config, access)
}

async fn asked(session: &Session, config: &Config, message: &Message) -> Result<Vec<Answer>, ReadError> {
    locked::ask(session, message, &config.version_table.name, &config.ledger_schema).await
}

/// The same for one who is about to write: with the backend that will do it.
pub async fn look_closely(session: &Session, config: &Config) -> Result<State, ReadError> {
    let mut state = look(session, config, Access::Write).await?;
    state.server.backend = state.ledger.backend(session).await?;
    Ok(state)
}

/// Reads the state and all that every verb may want of what the ledger recorded.
pub async fn read(session: &Session, config: &Config, access: Access) -> Result<State, ReadError> {
    let mut state = look(session, config, access).await?;
    match state.complete(session).await {
        Err(ReadError::Server(failure)) if is_trust_failure(&failure) => {
            // Another session changed a table between the two: another look says what is wrong with it.
            session.ask(&Message::rollback()).await?;
            state = look(session, config, access).await?;
            state.complete(session).await?;
        }
        outcome => outcome?,
    }
    Ok(state)
}

/// The one row of `read.sql`, and the words behind it.
struct StateRow {
    number: u32,
    version: String,
    database: String,
    role: String,
    read_only: bool,
    search_path: String,
    row_security: String,
    /// Where the version table is, and where it would be created.
    version_schema: Option<String>,
    place: Option<String>,
    tables: Vec<String>,
    journal_is_readable: bool,
    has_format: bool,
    may_extend: bool,
    is_plain: bool,
    is_owned: bool,
    owners: Vec<String>,
    /// Whether all are tables, and can be locked.
    is_ordinary: bool,
    hidden: Option<String>,
    /// By a close look: whose they are, if that alone speaks against them; and which tables of the ledger are done without.
    untrusted: Option<UntrustedRelation>,
    unusable: Vec<&'static str>,
    rows: Vec<String>,
    seal: Option<AppliedDigest>,
}

impl StateRow {
    fn of(mut answers: Vec<Answer>) -> Result<Self, ReadError> {
        let lines = answers.pop().unwrap_or_default();
        let mut rows = Vec::new();
        let mut seal = None;
        let mut server = None;
        for line in lines {
            let [columns @ .., word] = <[Option<String>; 19]>::try_from(line).map_err(|_| ReadError::Unexpected("server row"))?;
            server = Some(columns);
            let Some(word) = word else { continue };
            match (word.strip_prefix('v'), word.strip_prefix('s')) {
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

    fn state(self, config: &Config, access: Access) -> Result<State, ReadError> {
        if let Some(relation) = self.hidden {
            return Err(ReadError::RowSecurity { relation, role: self.role });
        }
        let place = match (&config.version_table.schema, self.version_schema.as_deref().or(self.place.as_deref())) {
            (Some(schema), _) => schema.clone(),
            (None, Some(schema)) => Ident::parse(schema).ok_or(ReadError::Unexpected("schema"))?,
            (None, None) => return Err(ReadError::NoSchema { role: self.role }),
        };
        let has = |table: &str| self.tables.iter().any(|found| found == table);
        let server = Server {
            number: self.number,
            version: self.version,
            database: self.database,
            role: self.role,
            read_only: self.read_only,
            search_path: self.search_path,
            row_security: self.row_security,
            schema: self.place.clone(),
            backend: Backend::default(),
        };
        let ledger = Ledger {
            version_table: QualifiedName { schema: place, name: config.version_table.name.clone() },
            schema: config.ledger_schema.clone(),
            has_version_table: self.version_schema.is_some(),
            has_ledger: self.journal_is_readable,
            missing: TABLES.into_iter().filter(|table| !has(table.name)).collect(),
            may_extend: self.may_extend,
            has_format: self.has_format && !self.unusable.contains(&"format"),
            unusable: self.unusable,
            role: config.role.clone(),
            trust: Trust { access, is_plain: self.is_plain, owners: self.owners, settings: config.trust_owner.clone() },
        };
        Ok(State {
            server,
            rows: self.rows,
            seal: self.seal,
            recorded: HashMap::new(),
            proven: ProvenRevisions::default(),
            is_complete: false,
            unfinished: Vec::new(),
            untrusted: self.untrusted,
            ledger,
        })
    }
}

/// The first look; or, behind what it has seen, a close one, under locks that keep others from replacing what is read.
fn look_message(config: &Config, access: Access, glance: Option<&StateRow>) -> Message {
    let table = &config.version_table;
    let found = glance.and_then(|seen| seen.version_schema.as_deref()).and_then(Ident::parse);
    // What is locked is what is looked at, whatever the search path finds meanwhile.
    let named = match table.schema.as_ref().or(found.as_ref()) {
        Some(schema) => QualifiedName { schema: schema.clone(), name: table.name.clone() }.to_string(),
        None => table.name.to_string(),
    };
    let ledger = Literal(config.ledger_schema.as_str());
    let version = Sql::of("current_setting('pgmarch.version_table')::oid");
    let place = match &table.schema {
        Some(schema) => sql!("{schema}", schema = Literal(schema.as_str())),
        None => Sql::of("current_setting('pgmarch.schema')"),
    };
    let tables = OwnTables {
        // Another schema matters only if the table would be created there.
        version_place: sql!("CASE WHEN {version} = 0 THEN {place} END", version = version, place = place),
        version: version.clone(),
        ledger: &config.ledger_schema,
        owners: &config.trust_owner,
        access,
    };
    let trusted = match (glance, access) {
        (None, _) => Sql::of("ours.plain AND ours.owned AND coalesce(schemas.owned, true)"),
        (Some(_), Access::Write) => Sql::of("NOT EXISTS (SELECT FROM problem WHERE NOT (is_owner AND is_optional))"),
        (Some(_), Access::Read | Access::ReadPermitted) => Sql::of("NOT EXISTS (SELECT FROM problem WHERE NOT is_owner)"),
    };
    let read = sql!(
        include_str!("read.sql"),
        problems = if glance.is_some() { tables.close_look() } else { Sql::default() },
        ledger = ledger,
        journal_is_readable = match access {
            Access::Write | Access::Read => Sql::of("coalesce('journal' = ANY (ours.tables) AND 'revision' = ANY (ours.tables), false)"),
            Access::ReadPermitted => sql!(include_str!("readable.sql"), ledger = ledger),
        },
        plain = tables.plain(),
        relations = tables.relations(),
        version = version,
        version_name = Literal(table.name.as_str()),
        version_place = place,
        trusted = trusted,
    );
    let locks = glance.filter(|seen| seen.is_ordinary).map(|seen| {
        let version = seen.version_schema.is_some().then(|| Sql::from_catalog(named.as_str()));
        let journal = seen.journal_is_readable.then(|| sql!("{table}", table = QualifiedName::new(&config.ledger_schema, "journal")));
        let names: Vec<Sql> = version.into_iter().chain(journal).collect();
        (!names.is_empty()).then(|| sql!("LOCK TABLE {names} IN ACCESS SHARE MODE", names = Sql::join(names, ", ")))
    });
    // The locks come before the transaction's snapshot is taken, so that it shows what is locked.
    let ahead = [Sql::of(LOCK_TIMEOUT)].into_iter().chain(set_role(config)).chain(locks.flatten());
    let ahead = ahead.chain(set_path(config)).chain([sql!(include_str!("session.sql"), version_table = Literal(&named))]);
    let problems = glance.is_some().then(|| tables.problems());
    Message::reading(ahead, [], problems.into_iter().chain([read]))
}
