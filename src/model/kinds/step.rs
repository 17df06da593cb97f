//! The steps of an object, in the order in which they read best.

use crate::model::Key;

/// What is done with an object, in the order in which it reads best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::model) enum ObjectStep {
    /// What takes the place of an object later is built.
    Build,
    /// DROP, or a rename until nothing uses it.
    Drop,
    /// ALTER.
    Alter,
    /// CREATE.
    Create,
    /// Comment, owner, rights.
    SetProperties,
    /// What names parts of a table: its replica identity.
    SetTableFlags,
    /// DROP of a type that was renamed.
    DropRenamed,
}

/// One step for one object: a node of the graph whose order the statements have.
pub(in crate::model) type StatementNode<'c> = (ObjectStep, &'c Key);
