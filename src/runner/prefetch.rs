//! A connection that is made, and a first read, while the revisions' files are read.

use std::time::Duration;

use super::base::Runner;
use crate::host::Event;
use crate::ledger::{Access, Level, State};
use crate::revision::folder::FolderDigest;
use crate::session::{Pool, Session};
use crate::words::version;

/// How long the prefetch may take: a server that does not answer must not keep faults of the files from being reported.
const PREFETCH_TIMEOUT: Duration = Duration::from_secs(1);

impl Runner {
    /// Reads the revisions' files for their digest and meanwhile, as both take as long, connects and reads where the database
    /// is. That changes nothing there. What it finds, and even that the server can't be reached, counts only if the files are
    /// sound; without a digest they are not, and the read is not waited for.
    pub(crate) async fn prefetch(&self) -> Option<FolderDigest> {
        let folder = self.config.migrations.clone();
        let reading = tokio::task::spawn_blocking(move || FolderDigest::of(&folder));
        let digest = async { reading.await.ok().flatten().ok_or(()) };
        let looking = async { Ok(self.host.timeout(PREFETCH_TIMEOUT, self.try_read()).await.ok().flatten()) };
        let (digest, prefetched) = tokio::try_join!(digest, looking).ok()?;
        self.prefetched.set(prefetched);
        Some(digest)
    }

    /// The version rows, if what was read shows that a folder is applied, all of it and durably. Then its files, which
    /// were sound when they were applied, need not be parsed.
    pub(crate) fn take_if_at_head(&self, digest: &FolderDigest) -> Option<Vec<String>> {
        let (pool, session, state) = self.prefetched.take()?;
        if state.seal.as_ref().is_some_and(|seal| seal.matches_folder(digest, &state.rows)) {
            self.host.notify(&Event::NothingToDo { address: &pool.address(), version: &version(&state.rows) });
            return Some(state.rows);
        }
        self.prefetched.set(Some((pool, session, state)));
        None
    }

    /// One try. Whoever needs the session makes another if there is none, and reports what is in the way.
    async fn try_read(&self) -> Option<(Pool, Session, State)> {
        let pool = self.pool().ok()?;
        let session = pool.session(self.config.wait_timeout.min(PREFETCH_TIMEOUT)).await.ok()?;
        let state = State::load(&session, &self.config, Level::Rows(Access::Write)).await.ok()?;
        Some((pool, session, state))
    }
}
