//! The query that every run begins with: the server, pgmarch's tables, whether they can be trusted, the version rows and the
//! applied digest.

use super::row::StateRow;
use crate::config::Config;
use crate::ledger::access::Access;
use crate::ledger::settings::{LOCK_TIMEOUT, set_path, set_role};
use crate::ledger::trust::OwnTables;
use crate::sql;
use crate::sql::{Ident, Literal, Message, QualifiedName, Sql};

/// The first query; or, with its answer, the second one, which also looks for reasons not to trust the tables, under locks that
/// keep other sessions from replacing them.
pub(super) fn state_query(config: &Config, access: Access, first: Option<&StateRow>) -> Message {
    let table = &config.version_table;
    let found = first.and_then(|row| row.version_schema.as_deref()).and_then(Ident::parse);
    // The second query names the table that the first one found, whatever the search path finds now.
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
    let trusted = match (first, access) {
        (None, _) => Sql::of("ours.plain AND ours.owned AND coalesce(schemas.owned, true)"),
        (Some(_), Access::Write) => Sql::of("NOT EXISTS (SELECT FROM problem WHERE NOT (is_owner AND is_optional))"),
        (Some(_), Access::Read | Access::ReadPermitted) => Sql::of("NOT EXISTS (SELECT FROM problem WHERE NOT is_owner)"),
    };
    // What a run must know first, in one message: the server, which of our tables there are, whether they can be trusted,
    // and on a line each the version rows, after a v, and what the last line of the journal seals, after an s. It is what a
    // run with nothing to do waits for, and most of its time goes into what a new backend looks up for the first time. So it
    // is one statement, and none of its functions is in PL/pgSQL, whose library would have to be loaded. A table that is
    // missing reads as an empty one; to ask for it by name would be an error in the server's log. And one that can't be
    // trusted must not be named at all, as its indexes may run code when a query of it is planned. So the query that names
    // it is made only where it may be, and run by ts_stat, the one function of the core that runs a query given as text and
    // needs nothing else (manual, 12.4.4). Role 10 is the superuser that the server was made with. The operator = instead of
    // texteq would let the planner believe that few lines of the journal are ours: then it reads and sorts all of them,
    // where the last one or so of the primary key will do.
    let read = sql!(
        include_str!("read.sql"),
        problems = if first.is_some() { tables.with_problems() } else { Sql::default() },
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
    let locks = first.filter(|row| row.is_ordinary).map(|row| {
        let version = row.version_schema.is_some().then(|| Sql::from_catalog(named.as_str()));
        let journal = row.journal_is_readable.then(|| sql!("{table}", table = QualifiedName::new(&config.ledger_schema, "journal")));
        let names: Vec<Sql> = version.into_iter().chain(journal).collect();
        (!names.is_empty()).then(|| sql!("LOCK TABLE {names} IN ACCESS SHARE MODE", names = Sql::join(names, ", ")))
    });
    // The locks come before the transaction's snapshot is taken, so that it shows what is locked.
    let ahead = [Sql::of(LOCK_TIMEOUT)].into_iter().chain(set_role(config)).chain(locks.flatten());
    // What only the session's own search path knows: kept in settings of the transaction, for the statements behind this
    // one, which run under another. Everything here is qualified, and each constant meets a parameter of the type text.
    let ahead = ahead.chain(set_path(config)).chain([sql!(include_str!("session.sql"), version_table = Literal(&named))]);
    let problems = first.is_some().then(|| tables.problems_query());
    Message::reading(ahead, [], problems.into_iter().chain([read]))
}
