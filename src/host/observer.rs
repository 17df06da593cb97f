//! Who is told what happens during a run.

use super::event::Event;

/// Is told of each event of a run, when it happens. It must not block.
pub trait Observer: Send + Sync {
    /// Takes an event.
    fn observe(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}
