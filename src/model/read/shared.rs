//! What several catalogs have in common, in memory once: most of a schema is equal in the model, in what the revisions make, and in
//! the live database, and most columns of a schema have one of few definitions.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use crate::model::{Definition, Key, ObjectContent};

/// The objects of all catalogs that were read. Clones are the same objects.
#[derive(Clone, Default)]
pub struct SharedObjects(Arc<SharedState>);

#[derive(Default)]
struct SharedState {
    known: Mutex<KnownObjects>,
    /// One catalog is read at a time: while it is read, it needs memory of its own.
    turn: tokio::sync::Mutex<()>,
    /// Who may need all of the server's lock table waits until no other scratch database is being loaded.
    loading: tokio::sync::RwLock<()>,
}

/// What was read before.
#[derive(Default)]
pub(super) struct KnownObjects {
    /// Definitions by the start of the SHA-256 of their JSON.
    definitions: HashMap<[u8; 16], Arc<Definition>>,
    /// The object that was read last under each key.
    contents: HashMap<Key, Arc<ObjectContent>>,
    /// Names of columns.
    names: HashSet<Arc<str>>,
}

impl std::fmt::Debug for SharedObjects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedObjects").finish_non_exhaustive()
    }
}

impl SharedObjects {
    /// Waits until no other catalog is being read.
    pub async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.turn.lock().await
    }

    /// Loads beside other scratch databases.
    pub async fn load_together(&self) -> tokio::sync::RwLockReadGuard<'_, ()> {
        self.0.loading.read().await
    }

    /// Loads while no other scratch database is being loaded: the lock table is one for the whole server.
    pub async fn load_alone(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.0.loading.write().await
    }

    pub(super) fn known(&self) -> MutexGuard<'_, KnownObjects> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownObjects {
    /// The definition of this JSON: one that is known, or the one that `parse` makes of it.
    pub(super) fn definition<E>(&mut self, json: &str, parse: impl FnOnce(&str) -> Result<Definition, E>) -> Result<Arc<Definition>, E> {
        let digest = Sha256::digest(json.as_bytes());
        let key: [u8; 16] = std::array::from_fn(|byte| digest[byte]);
        if let Some(known) = self.definitions.get(&key) {
            return Ok(known.clone());
        }
        let definition = Arc::new(parse(json)?);
        self.definitions.insert(key, definition.clone());
        Ok(definition)
    }

    /// The object of this key that was read before.
    pub(super) fn object(&self, key: &Key) -> Option<(&Key, &Arc<ObjectContent>)> {
        self.contents.get_key_value(key)
    }

    pub(super) fn keep(&mut self, key: &Key, content: &Arc<ObjectContent>) {
        if !self.contents.get(key).is_some_and(|known| Arc::ptr_eq(known, content)) {
            self.contents.insert(key.clone(), content.clone());
        }
    }

    /// A name that many objects have.
    pub(super) fn name(&mut self, name: String) -> Arc<str> {
        if let Some(known) = self.names.get(name.as_str()) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.names.insert(name.clone());
        name
    }
}
