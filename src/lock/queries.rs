//! The queries about the run lock.

use std::time::Duration;

use crate::session::other_session::description;
use crate::sql;
use crate::sql::{Message, ServerTimeout, Sql};

/// `idle_in_transaction_session_timeout` of the lock's transaction. Nothing else ends a lock whose network connection is dead.
const LEASE: Duration = Duration::from_secs(60);

/// Opens the transaction that will hold the lock, without the timeouts that end idle transactions, and tries to take it.
pub(super) fn try_lock(key: i64, server: u32) -> Message {
    let settings = [
        sql!("SET LOCAL idle_in_transaction_session_timeout = {lease}", lease = ServerTimeout::limit(LEASE)),
        Sql::of("SET LOCAL statement_timeout = 0"),
    ];
    let transaction_timeout = (server >= 170_000).then(|| Sql::of("SET LOCAL transaction_timeout = 0"));
    let ahead = [Sql::of("BEGIN ISOLATION LEVEL READ COMMITTED")].into_iter().chain(settings).chain(transaction_timeout);
    Message::preceded_by(ahead, [sql!("SELECT pg_try_advisory_xact_lock({key}), pg_backend_pid()", key = key)])
}

/// Whether the lock that another connection holds is visible from this one.
pub(super) fn is_visible(pid: i32, key: i64) -> Message {
    Message::of(sql!("SELECT 1 FROM pg_locks WHERE pid = {pid} AND granted AND {is_key}", pid = pid, is_key = is_key(key)))
}

/// `pg_locks` shows a 64-bit advisory lock of this database as two halves (manual, 54.12).
fn is_key(key: i64) -> Sql {
    let (high, low) = ((key >> 32) & 0xffff_ffff, key & 0xffff_ffff);
    sql!(
        "locktype = 'advisory' AND objsubid = 1 AND classid = {high}::oid AND objid = {low}::oid \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        high = high,
        low = low
    )
}

/// The backend that holds the lock; the backend that answers; and whether over half of the server's connections are free.
pub(super) fn holder(key: i64) -> Message {
    let holder = sql!(
        "SELECT (SELECT {session} FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
         WHERE l.granted AND {is_key} LIMIT 1), pg_backend_pid(), \
         (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL) * 2 < current_setting('max_connections')::int",
        session = description(Sql::of("a.pid")),
        is_key = is_key(key)
    );
    Message::preceded_by([Sql::of("ROLLBACK")], [holder])
}

/// Whether the lock is held.
pub(super) fn is_held(key: i64) -> Message {
    Message::of(sql!("SELECT 1 FROM pg_locks WHERE granted AND {is_key}", is_key = is_key(key)))
}
