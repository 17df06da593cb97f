//! The first question to a database: the server, our tables, whether they can be trusted, the version rows and the seal.

use std::collections::HashMap;

use super::install::TABLES;
use super::trust::{Tables, Trust, problem};
use super::{Access, Backend, Ledger, READ, ReadError, Server, State, Untrusted, session_settings};
use crate::config::Config;
use crate::connect::{Answer, Session};
use crate::revision::seal::Seal;
use crate::sql;
use crate::sql::{Ident, Literal, Message, Qualified, Sql};

/// Looks where the database is, in one message where our tables are plain ones of ours; nothing created, nothing locked. Of
/// what the ledger recorded only the seal is read: [`State::complete`] reads the rest.
pub async fn look(session: &Session, config: &Config, access: Access) -> Result<State, ReadError> {
    let mut seen = Seen::of(session.ask(&look_message(config, access, Closeness::Glance)).await?)?;
    let mut untrusted = None;
    if !seen.is_plain || (access == Access::Write && !seen.is_owned) {
        let mut answers = session.ask(&look_message(config, access, Closeness::Close)).await?;
        let problems = if answers.len() < 2 { Vec::new() } else { answers.remove(0) };
        for (problem, is_owner) in problems.into_iter().filter_map(problem) {
            if !is_owner || access == Access::Write {
                return Err(ReadError::Untrusted(problem));
            }
            untrusted.get_or_insert(problem);
        }
        seen = Seen::of(answers)?;
    }
    seen.state(config, access, untrusted)
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
    state.complete(session).await?;
    Ok(state)
}

/// How a look makes sure that our tables can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closeness {
    /// They are plain tables, of ours or of the database's owner.
    Glance,
    /// By everything that could run code on them, and by whose that is.
    Close,
}

/// The one row of `read.sql`, and the words behind it.
struct Seen {
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
    hidden: Option<String>,
    rows: Vec<String>,
    seal: Option<Seal>,
}

impl Seen {
    fn of(mut answers: Vec<Answer>) -> Result<Self, ReadError> {
        let lines = answers.pop().unwrap_or_default();
        let mut rows = Vec::new();
        let mut seal = None;
        let mut server = None;
        for line in lines {
            let [columns @ .., word] = <[Option<String>; 18]>::try_from(line).map_err(|_| ReadError::Unexpected("server row"))?;
            server = Some(columns);
            let Some(word) = word else { continue };
            match (word.strip_prefix('v'), word.strip_prefix('s')) {
                (Some(row), _) => rows.push(row.to_owned()),
                (_, Some(text)) => seal = Seal::read(text),
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
            hidden,
            rows,
            seal,
        })
    }

    fn state(self, config: &Config, access: Access, untrusted: Option<Untrusted>) -> Result<State, ReadError> {
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
            backend: Backend::default(),
        };
        let ledger = Ledger {
            version_table: Qualified { schema: place, name: config.version_table.name.clone() },
            schema: config.ledger_schema.clone(),
            has_version_table: self.version_schema.is_some(),
            has_ledger: self.journal_is_readable,
            missing: TABLES.into_iter().filter(|table| !has(table.name)).collect(),
            may_extend: self.may_extend,
            has_format: self.has_format,
            role: config.role.clone(),
            trust: Trust {
                access,
                is_plain: self.is_plain,
                is_owned: self.is_owned || untrusted.is_some(),
                owners: self.owners,
                settings: config.trust_owner.clone(),
            },
        };
        Ok(State { server, rows: self.rows, seal: self.seal, recorded: HashMap::new(), unfinished: Vec::new(), untrusted, ledger })
    }
}

fn look_message(config: &Config, access: Access, closeness: Closeness) -> Message {
    let table = &config.version_table;
    let typed = match &table.schema {
        Some(schema) => format!("{schema}.{}", table.name),
        None => table.name.to_string(),
    };
    let ledger = Literal(config.ledger_schema.as_str());
    let tables = Tables {
        version: Sql::of("current_setting('pgmarch.version_table')::oid"),
        ledger: &config.ledger_schema,
        owners: &config.trust_owner,
        access,
    };
    let trusted = match (closeness, access) {
        (Closeness::Glance, Access::Write) => Sql::of("ours.plain AND ours.owned"),
        (Closeness::Glance, Access::Read | Access::ReadWhatIsAllowed) => Sql::of("ours.plain"),
        (Closeness::Close, Access::Write) => Sql::of("NOT EXISTS (SELECT FROM problem WHERE what IS NOT NULL)"),
        (Closeness::Close, Access::Read | Access::ReadWhatIsAllowed) => {
            Sql::of("NOT EXISTS (SELECT FROM problem WHERE what IS NOT NULL AND NOT is_owner)")
        }
    };
    let is_close = closeness == Closeness::Close;
    let read = sql!(
        include_str!("read.sql"),
        problems = if is_close { tables.close_look() } else { Sql::default() },
        ledger = ledger,
        journal_is_readable = match access {
            Access::Write | Access::Read => Sql::of("coalesce('journal' = ANY (ours.tables) AND 'revision' = ANY (ours.tables), false)"),
            Access::ReadWhatIsAllowed => sql!(include_str!("readable.sql"), ledger = ledger),
        },
        plain = tables.plain(),
        relations = tables.relations(),
        version = tables.version,
        version_name = Literal(table.name.as_str()),
        trusted = trusted,
    );
    let ahead = session_settings(config).into_iter().chain([sql!(include_str!("session.sql"), version_table = Literal(&typed))]);
    Message::transaction(READ, ahead, [], is_close.then(|| tables.problems()).into_iter().chain([read]))
}
