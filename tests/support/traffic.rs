//! What flows through the proxy: a connection, its two directions, and the record of who sent what.

use std::fmt::{self, Display};
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Instant;

use super::proxy::Network;
use super::wire::{Dialogue, Message};

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Side {
    /// The program.
    Client,
    /// PostgreSQL.
    Server,
}

/// What befalls a connection.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Both ends are closed.
    Cut,
    /// Both ends stay open and nothing goes through.
    Hang,
}

/// The messages of a connection in the order in which the client sent or received them.
#[derive(Default)]
pub(super) struct History {
    messages: Vec<(Side, char)>,
    from_client: usize,
}

impl History {
    /// Records a message and returns its number on its side.
    pub(super) fn push(&mut self, side: Side, tag: char) -> usize {
        self.messages.push((side, tag));
        self.from_client += usize::from(side == Side::Client);
        self.messages(side)
    }

    /// How many messages a side sent.
    pub(super) fn messages(&self, side: Side) -> usize {
        match side {
            Side::Client => self.from_client,
            Side::Server => self.messages.len() - self.from_client,
        }
    }

    /// How often the client began to speak.
    pub(super) fn flights(&self) -> usize {
        self.turns().filter(|turn| turn[0].0 == Side::Client).count()
    }

    fn turns(&self) -> impl Iterator<Item = &[(Side, char)]> {
        self.messages.chunk_by(|before, after| before.0 == after.0)
    }
}

impl Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for turn in self.turns() {
            let tags: String = turn.iter().map(|(_, tag)| tag).collect();
            write!(f, " {}{tags}", if turn[0].0 == Side::Client { '>' } else { '<' })?;
        }
        Ok(())
    }
}

/// Both sockets of a connection.
pub(super) struct Ends {
    client: TcpStream,
    server: TcpStream,
    silent: AtomicBool,
    dialogue: Dialogue,
}

impl Ends {
    /// A connection at its start.
    pub(super) fn new(client: TcpStream, server: TcpStream) -> Ends {
        for end in [&client, &server] {
            // It may be closed already.
            end.set_nodelay(true).ok();
        }
        Ends { client, server, silent: AtomicBool::new(false), dialogue: Dialogue::new() }
    }

    /// Something befalls it now.
    pub(super) fn suffer(&self, kind: Kind) {
        self.silent.store(true, Ordering::SeqCst);
        match kind {
            Kind::Hang => {}
            Kind::Cut => {
                // Either may be closed already.
                self.client.shutdown(Shutdown::Both).ok();
                self.server.shutdown(Shutdown::Both).ok();
            }
        }
    }
}

/// What one side of a connection sends. One thread reads it and another delivers it later,
/// so that a delay costs time but no throughput.
#[derive(Clone)]
pub(super) struct Direction {
    /// Where messages are noted.
    pub(super) network: Arc<Network>,
    /// The connection.
    pub(super) ends: Arc<Ends>,
    /// Who sends.
    pub(super) side: Side,
    /// The connection's number.
    pub(super) number: usize,
}

/// A message, or the end, on its way.
struct Parcel {
    due: Instant,
    message: Option<Message>,
    fault: Option<Kind>,
}

impl Direction {
    /// Starts both threads.
    pub(super) fn run(self) {
        let (sender, receiver) = mpsc::channel();
        let reader = self.clone();
        thread::spawn(move || reader.read(&sender));
        thread::spawn(move || self.deliver(&receiver));
    }

    fn read(&self, parcels: &Sender<Parcel>) {
        let mut over = false;
        while !over {
            let message = match self.side {
                Side::Client => self.ends.dialogue.client_message(&self.ends.client),
                Side::Server => self.ends.dialogue.server_message(&self.ends.server),
            };
            let message = message.ok();
            over = message.is_none();
            // The record is the client's: its own messages when it sends them.
            let sent = message.as_ref().filter(|_| self.side == Side::Client);
            let fault = sent.and_then(|message| self.network.note(self.side, self.number, message.tag));
            over |= parcels.send(Parcel { due: self.network.due(), message, fault }).is_err();
        }
    }

    fn deliver(&self, parcels: &Receiver<Parcel>) {
        let mut to = match self.side {
            Side::Client => &self.ends.server,
            Side::Server => &self.ends.client,
        };
        for Parcel { due, message, mut fault } in parcels {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if self.ends.silent.load(Ordering::SeqCst) {
                continue;
            }
            let Some(message) = message else {
                to.shutdown(Shutdown::Write).ok();
                return;
            };
            // The record is the client's: the server's messages when they reach it.
            if self.side == Side::Server {
                fault = self.network.note(self.side, self.number, message.tag);
            }
            // The hang begins before the message, so that the answer to it is not delivered.
            self.ends.silent.fetch_or(fault.is_some(), Ordering::SeqCst);
            // If the receiver is gone, the other direction fails.
            to.write_all(&message.bytes).ok();
            if let Some(kind) = fault {
                self.ends.suffer(kind);
            }
        }
    }
}
