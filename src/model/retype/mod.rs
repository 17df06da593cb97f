//! A column's type that changes in steps (`--online`), instead of a rewrite of its table under ACCESS EXCLUSIVE. Pure.
//!
//! 1. In a transaction: a second column of the new type, which a trigger keeps equal (`copy`).
//! 2. In single steps: the second column is filled in batches, and gets the indexes of the first (`copy`, `second_index`).
//! 3. In a transaction: the first column is dropped, the second one takes its name and all that it had (`swap`).
//! 4. In single steps: the foreign keys and checks of the column are validated.
//!
//! `plan` finds the columns for which this is possible; `swap_back` undoes the third step; `groups` has all statements in order.

mod batches;
mod candidates;
mod copy;
mod dependents;
pub mod groups;
mod identity;
mod names;
mod plan;
mod second_index;
mod swap;
mod swap_back;
