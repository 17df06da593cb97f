//! A network that can be slow, hang or break, exactly after a chosen message.

use std::fmt::{self, Display};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::traffic::{Direction, Ends, History, Kind};
use super::{Address, Database, Side, TIMEOUT};

/// Instead of a connection's number: whichever.
pub(crate) const EVERY: usize = 0;

/// A place on this machine that leads to a server.
///
/// Connections count from 1 in the order in which they are made; a cancel request is one too. So do messages;
/// the first one of a client is its startup, or its wish for encryption.
pub(crate) struct Proxy {
    place: String,
    network: Arc<Network>,
}

impl Proxy {
    /// A proxy to the server of a database or to a test's own, faultless so far.
    pub(crate) fn to(server: &impl AsRef<Address>) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port for the proxy");
        let place = listener.local_addr().expect("the proxy's port").to_string();
        let network = Arc::new(Network::to(server.as_ref()));
        let ours = network.clone();
        thread::spawn(move || ours.serve(&listener));
        Proxy { place, network }
    }

    /// Breaks a connection after the n-th message of a side was delivered, and before any later one is.
    pub(crate) fn cut_after(self, side: Side, connection: usize, n: usize) -> Proxy {
        self.with(Fault { side, connection, n, kind: Kind::Cut, everywhere: false })
    }

    /// Delivers nothing on a connection after the n-th message of a side, and not even that it was closed.
    pub(crate) fn hang_after(self, side: Side, connection: usize, n: usize) -> Proxy {
        self.with(Fault { side, connection, n, kind: Kind::Hang, everywhere: false })
    }

    /// The last fault affects all connections of that moment, not only the one whose message triggers it.
    pub(crate) fn everywhere(self) -> Proxy {
        self.network.state().faults.last_mut().expect("a fault").everywhere = true;
        self
    }

    /// Delivers each message so much later, in both directions, however many are on the way.
    pub(crate) fn delay(self, delay: Duration) -> Proxy {
        self.network.state().delay = delay;
        self
    }

    /// From now on, leads new connections to another server.
    pub(crate) fn lead_to(&self, server: &impl AsRef<Address>) {
        self.network.state().target = server.as_ref().place().to_string();
    }

    /// Breaks all connections now.
    pub(crate) fn cut(&self) {
        self.network.state().connections.iter().for_each(|connection| connection.ends.suffer(Kind::Cut));
    }

    /// Delivers nothing more on the present connections.
    pub(crate) fn hang(&self) {
        self.network.state().connections.iter().for_each(|connection| connection.ends.suffer(Kind::Hang));
    }

    /// The superuser's URL of a database by way of the proxy.
    pub(crate) fn url_for(&self, database: &Database) -> String {
        database.as_ref().by_way_of(&self.place).url(database.name())
    }

    /// The address of the server by way of the proxy.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.network.state().connections.len()
    }

    /// Waits until what has passed is as expected.
    #[track_caller]
    pub(crate) fn eventually(&self, what: &str, is_so: impl Fn(&Proxy) -> bool) {
        let deadline = Instant::now() + TIMEOUT;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "not {what} after {TIMEOUT:?}\n{self}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// How many messages a side sent on a connection.
    pub(crate) fn messages(&self, side: Side, connection: usize) -> usize {
        self.sum(connection, |history| history.messages(side))
    }

    /// How many messages went either way, on all connections.
    pub(crate) fn all_messages(&self) -> usize {
        [Side::Client, Side::Server].map(|side| self.messages(side, EVERY)).iter().sum()
    }

    /// How often a client spoke after it had last heard something: its round trips, if it waits for each answer.
    /// Without a delay, an answer may overtake what was sent without waiting for it, and be counted.
    pub(crate) fn flights(&self, connection: usize) -> usize {
        self.sum(connection, History::flights)
    }

    fn sum(&self, connection: usize, count: impl Fn(&History) -> usize) -> usize {
        let state = self.network.state();
        let wanted = |number: usize| connection == EVERY || connection == number;
        state.connections.iter().zip(1..).filter(|(_, number)| wanted(*number)).map(|(connection, _)| count(&connection.history)).sum()
    }

    fn with(self, fault: Fault) -> Proxy {
        self.network.state().faults.push(fault);
        self
    }
}

/// Who sent what, a line for each connection, such as `1: >^ <RSKZ >Q <CZ`.
impl Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.network.state();
        state.connections.iter().zip(1..).try_for_each(|(connection, number)| writeln!(f, "{number}:{}", connection.history))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the proxy saw\n{self}");
        }
        self.network.closed.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the thread that accepts.
        TcpStream::connect(&self.place).ok();
    }
}

#[derive(Clone, Copy)]
struct Fault {
    side: Side,
    connection: usize,
    n: usize,
    kind: Kind,
    everywhere: bool,
}

/// What the threads of all connections share.
pub(super) struct Network {
    state: Mutex<State>,
    closed: AtomicBool,
}

struct State {
    target: String,
    delay: Duration,
    faults: Vec<Fault>,
    connections: Vec<Connection>,
}

struct Connection {
    ends: Arc<Ends>,
    history: History,
}

impl Network {
    fn to(server: &Address) -> Network {
        let target = server.place().to_string();
        let state = State { target, delay: Duration::ZERO, faults: Vec::new(), connections: Vec::new() };
        Network { state: Mutex::new(state), closed: AtomicBool::new(false) }
    }

    /// Records a message and returns the fault for the connection after it.
    pub(super) fn note(&self, side: Side, connection: usize, tag: char) -> Option<Kind> {
        let mut state = self.state();
        let history = &mut state.connections[connection - 1].history;
        let n = history.push(side, tag);
        let fault = state.fault(side, connection, n)?;
        if fault.everywhere {
            let others = state.connections.iter().zip(1..).filter(|(_, number)| *number != connection);
            others.for_each(|(other, _)| other.ends.suffer(fault.kind));
        }
        Some(fault.kind)
    }

    /// The time of delivery of what is sent now.
    pub(super) fn due(&self) -> Instant {
        Instant::now() + self.state().delay
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the proxy's state")
    }

    fn serve(self: &Arc<Network>, listener: &TcpListener) {
        for client in listener.incoming().flatten() {
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
            self.connect(client);
        }
    }

    fn connect(self: &Arc<Network>, client: TcpStream) {
        let target = self.state().target.clone();
        // A server that does not run looks like one that hangs up.
        let Ok(server) = TcpStream::connect(target) else {
            return;
        };
        let ends = Arc::new(Ends::new(client, server));
        let mut state = self.state();
        state.connections.push(Connection { ends: ends.clone(), history: History::default() });
        let number = state.connections.len();
        if let Some(fault) = [Side::Client, Side::Server].into_iter().find_map(|side| state.fault(side, number, 0)) {
            let suffering = state.connections.iter().filter(|other| fault.everywhere || Arc::ptr_eq(&other.ends, &ends));
            suffering.for_each(|connection| connection.ends.suffer(fault.kind));
        }
        drop(state);
        for side in [Side::Client, Side::Server] {
            Direction { network: self.clone(), ends: ends.clone(), side, number }.run();
        }
    }
}

impl State {
    fn fault(&self, side: Side, connection: usize, n: usize) -> Option<Fault> {
        let meant = |fault: &&Fault| fault.side == side && [EVERY, connection].contains(&fault.connection) && fault.n == n;
        self.faults.iter().find(meant).copied()
    }
}
