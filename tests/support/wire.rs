//! PostgreSQL's messages on the wire, as far as telling one from the next needs.

use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::Mutex;

const CANCEL: u32 = 80_877_102;
const WANT_TLS: u32 = 80_877_103;
const WANT_GSS: u32 = 80_877_104;
const TLS_RECORD: u8 = 0x16;

/// One message, whole.
pub(crate) struct Message {
    /// Its type byte; for those that have none: `^` startup, `?` a wish for encryption, `!` its answer,
    /// `x` cancel, `~` something encrypted.
    pub(crate) tag: char,
    /// All its bytes.
    pub(crate) bytes: Vec<u8>,
}

impl Message {
    fn new(tag: char, bytes: Vec<u8>) -> Message {
        Message { tag, bytes }
    }
}

/// How a connection's bytes are to be read now. Both directions look at it after each first byte.
#[derive(Clone, Copy, PartialEq)]
enum Phase {
    /// The client's next message has no type byte.
    Startup,
    /// The server's next answer is one byte.
    Asked,
    /// Every message has a type byte and a length.
    Messages,
    /// Encrypted: chunks as they come.
    Opaque,
}

/// What both directions of a connection know of it.
pub(crate) struct Dialogue(Mutex<Phase>);

impl Dialogue {
    /// Before the first byte.
    pub(crate) fn new() -> Dialogue {
        Dialogue(Mutex::new(Phase::Startup))
    }

    /// The client's next message.
    pub(crate) fn client_message(&self, stream: &TcpStream) -> io::Result<Message> {
        match self.phase() {
            Phase::Messages => framed(stream, &read(stream, 1)?),
            Phase::Opaque => chunk(stream),
            Phase::Startup | Phase::Asked => {
                let start = read(stream, 4)?;
                if self.phase() == Phase::Opaque || start[0] == TLS_RECORD {
                    self.turn(Phase::Opaque);
                    return Ok(Message::new('~', start));
                }
                self.untagged(stream, start)
            }
        }
    }

    /// The server's next message.
    pub(crate) fn server_message(&self, stream: &TcpStream) -> io::Result<Message> {
        if self.phase() == Phase::Opaque {
            return chunk(stream);
        }
        let start = read(stream, 1)?;
        match (self.phase(), start[0]) {
            (Phase::Opaque, _) => Ok(Message::new('~', start)),
            // An error instead of an answer.
            (Phase::Asked, b'E') => framed(stream, &start),
            (Phase::Asked, answer) => {
                self.turn(if answer == b'N' { Phase::Startup } else { Phase::Opaque });
                Ok(Message::new('!', start))
            }
            (Phase::Startup | Phase::Messages, _) => framed(stream, &start),
        }
    }

    fn untagged(&self, stream: &TcpStream, start: Vec<u8>) -> io::Result<Message> {
        let rest = read(stream, length(&start)?)?;
        let code = rest.first_chunk().map(|code| u32::from_be_bytes(*code));
        let (tag, next) = match code {
            Some(CANCEL) => ('x', Phase::Messages),
            Some(WANT_TLS | WANT_GSS) => ('?', Phase::Asked),
            Some(_) | None => ('^', Phase::Messages),
        };
        self.turn(next);
        Ok(Message::new(tag, [start, rest].concat()))
    }

    fn phase(&self) -> Phase {
        *self.0.lock().expect("the phase")
    }

    fn turn(&self, phase: Phase) {
        *self.0.lock().expect("the phase") = phase;
    }
}

fn framed(stream: &TcpStream, tag: &[u8]) -> io::Result<Message> {
    let size = read(stream, 4)?;
    let body = read(stream, length(&size)?)?;
    Ok(Message::new(char::from(tag[0]), [tag, &size, &body].concat()))
}

/// The bytes that follow a length, which counts itself.
fn length(bytes: &[u8]) -> io::Result<usize> {
    let whole = bytes.first_chunk().map(|size| u32::from_be_bytes(*size)).unwrap_or_default();
    usize::try_from(whole).ok().and_then(|whole| whole.checked_sub(4)).ok_or(io::ErrorKind::InvalidData.into())
}

fn read(mut stream: &TcpStream, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn chunk(mut stream: &TcpStream) -> io::Result<Message> {
    let mut bytes = vec![0; 16 * 1024];
    match stream.read(&mut bytes)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        length => {
            bytes.truncate(length);
            Ok(Message::new('~', bytes))
        }
    }
}
