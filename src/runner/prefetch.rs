//! The prefetch: a connection and a first read, made while the revisions' files are read.

use std::time::Duration;

use super::base::Runner;
use crate::host::Event;
use crate::ledger::{Access, Level, State};
use crate::revision::folder::FolderDigest;
use crate::session::{Pool, Session};
use crate::words::version;

/// The timeout of the prefetch: a server that does not answer must not delay the report of faults in the files.
const PREFETCH_TIMEOUT: Duration = Duration::from_secs(1);

impl Runner {
    /// Reads the revisions' files for their digest; at the same time, as both take equally long, connects and reads the position
    /// of the database. That changes nothing there. Its result, even that the server can't be reached, is used only if the files
    /// have no faults; without a digest they have some, and the read is not awaited.
    pub(crate) async fn prefetch(&self) -> Option<FolderDigest> {
        let folder = self.config.migrations.clone();
        let reading = tokio::task::spawn_blocking(move || FolderDigest::of(&folder));
        let digest = async { reading.await.ok().flatten().ok_or(()) };
        let looking = async { Ok(self.host.timeout(PREFETCH_TIMEOUT, self.try_read()).await.ok().flatten()) };
        let (digest, prefetched) = tokio::try_join!(digest, looking).ok()?;
        self.prefetched.set(prefetched);
        Some(digest)
    }

    /// The version rows, if the read shows that all revisions of the folder are applied and their commits flushed. Then its
    /// files, which had no faults when they were applied, need not be parsed.
    pub(crate) fn take_if_at_head(&self, digest: &FolderDigest) -> Option<Vec<String>> {
        let (pool, session, state) = self.prefetched.take()?;
        if state.seal.as_ref().is_some_and(|seal| seal.matches_folder(digest, &state.rows)) {
            self.host.notify(&Event::NothingToDo { address: &pool.address(), version: &version(&state.rows) });
            return Some(state.rows);
        }
        self.prefetched.set(Some((pool, session, state)));
        None
    }

    /// One attempt. The caller that needs the session makes another if this one fails, and reports the cause.
    async fn try_read(&self) -> Option<(Pool, Session, State)> {
        let pool = self.pool().ok()?;
        let session = pool.session(self.config.wait_timeout.min(PREFETCH_TIMEOUT)).await.ok()?;
        let state = State::load(&session, &self.config, Level::Rows(Access::Write)).await.ok()?;
        Some((pool, session, state))
    }
}
