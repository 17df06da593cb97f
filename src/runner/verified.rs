//! The position of the database, after the files of the applied revisions were compared with the ledger.

use std::collections::BTreeSet;

use tracing::debug;

use crate::ancestry::{Ancestry, LateRevisions};
use crate::checksum::{self, ChecksumError, ChecksumVerdict};
use crate::config::Config;
use crate::error::Error;
use crate::ledger::lost::{self, SchemaReset};
use crate::ledger::{LedgerContents, State};
use crate::position::Position;
use crate::revision::graph::{Graph, Node};
use crate::revision::{Id, Revision};
use crate::session::Session;

/// The position of the database, and what else was found.
pub(crate) struct VerifiedPosition<'g> {
    pub(crate) position: Position<'g>,
    /// Revisions whose down migration was changed in their files.
    pub(crate) changed_down: Vec<Revision>,
    /// The version table's schema was dropped and created again since the ledger was last written.
    pub(crate) reset: Option<SchemaReset>,
}

/// Of which revisions without a file the texts are read from the ledger. Only a downgrade and a replay run them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LedgerTexts<'t> {
    /// Of none.
    None,
    /// Of these.
    Of(&'t BTreeSet<Id>),
    /// Of all.
    All,
}

impl LedgerTexts<'_> {
    fn contains(self, id: &Id) -> bool {
        match self {
            Self::None => false,
            Self::Of(ids) => ids.contains(id),
            Self::All => true,
        }
    }
}

/// The position of the database. Revisions without a file here are looked up in the ledger.
pub(crate) async fn resolve_position<'g>(
    graph: &'g Graph,
    state: &State,
    session: &Session,
    texts: LedgerTexts<'_>,
) -> Result<Position<'g>, Error> {
    let mut recorded = Vec::new();
    if state.rows.iter().any(|row| graph.node(row).is_none()) {
        let checksums = state.contents().into_iter().flat_map(|contents| contents.checksums.keys());
        let without_file: Vec<&str> = checksums.map(String::as_str).filter(|id| graph.node(id).is_none()).collect();
        recorded = state.ledger.applied_revisions(session, &without_file).await?;
        let (needed, others): (Vec<_>, Vec<_>) = recorded.into_iter().partition(|recorded| texts.contains(&recorded.id));
        recorded = others;
        let needed: Vec<&str> = needed.iter().map(|needed| needed.id.as_str()).collect();
        state.ledger.applied_texts(session, &needed, |applied| recorded.push(applied)).await?;
    }
    Ok(Position::resolve(graph, &state.rows, &recorded)?)
}

/// The position of the database, if the files of the applied revisions are unchanged. The checksums are read from the ledger only
/// if these files were not yet compared with it, or if the version table says base.
pub(crate) async fn verify_checksums<'g>(
    graph: &'g Graph,
    state: &mut State,
    session: &Session,
    config: &Config,
    texts: LedgerTexts<'_>,
) -> Result<VerifiedPosition<'g>, Error> {
    let reset = check_base(graph, state, session, config).await?;
    if is_sealed(graph, state) {
        return Ok(VerifiedPosition { position: resolve_position(graph, state, session, texts).await?, changed_down: Vec::new(), reset });
    }
    state.load_contents(session).await?;
    let state = &*state;
    let position = resolve_position(graph, state, session, texts).await?;
    let unread = LedgerContents::default();
    let checksums = &state.contents().unwrap_or(&unread).checksums;
    let moved = checksum::moved_revisions(&position.graph, &position.rows, checksums);
    if !moved.is_empty() {
        return Err(Error::Checksum(ChecksumError::Moved(moved)));
    }
    check_ancestry(&position, state)?;
    let suspects = checksum::differing_revisions(&position.graph, &position.rows, checksums);
    if suspects.is_empty() {
        return Ok(VerifiedPosition { position, changed_down: Vec::new(), reset });
    }
    let mut verdict = ChecksumVerdict::default();
    state.ledger.applied_texts(session, &suspects, |applied| verdict.compare(&position.graph, &applied)).await?;
    let ChecksumVerdict { changed, reparsed, changed_down } = verdict;
    if !changed.is_empty() {
        return Err(Error::Checksum(ChecksumError::Changed(changed)));
    }
    if !reparsed.is_empty() {
        return Err(Error::Checksum(ChecksumError::Reparsed(reparsed)));
    }
    debug!(target: "pgmarch::commands", "{} differ from what was applied, in comments, layout or the way down alone", suspects.join(", "));
    let changed_down = changed_down.into_iter().cloned().collect();
    Ok(VerifiedPosition { position, changed_down, reset })
}

/// Refuses a version table that says base where the ledger has applied revisions.
pub(crate) async fn check_base(graph: &Graph, state: &mut State, session: &Session, config: &Config) -> Result<Option<SchemaReset>, Error> {
    lost::check_base(session, config, state, graph).await?.map_err(Error::Lost)
}

/// Which revisions below the version rows are applied, as far as the ledger was read.
pub(crate) fn ancestry(position: &Position<'_>, state: &State) -> Ancestry {
    Ancestry::of(&position.graph, &position.rows, state.contents())
}

/// Refuses a database that has unapplied revisions below its version rows, unless `repair` accepted that.
pub(crate) fn check_ancestry(position: &Position<'_>, state: &State) -> Result<(), Error> {
    let late = ancestry(position, state).late_revisions(&position.graph);
    if late.is_empty() { Ok(()) } else { Err(Error::Late(LateRevisions(late))) }
}

/// Whether the last run compared the same files with the ledger and committed synchronously, and nothing was done since.
pub(crate) fn is_sealed(graph: &Graph, state: &State) -> bool {
    let rows: Option<Vec<Node>> = state.rows.iter().map(|row| graph.node(row)).collect();
    rows.is_some_and(|rows| state.seal.as_ref().is_some_and(|seal| seal.matches(graph, &rows)))
}
