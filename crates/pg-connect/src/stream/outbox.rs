//! Large queries, written to the socket piece by piece. The driver copies a message twice before it writes it: of a large one it
//! gets a placeholder, and the stream writes the message itself where the placeholder is.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, ready};

/// A part of a text that the caller has in memory.
#[derive(Clone)]
pub struct QueryPiece {
    /// The whole text.
    pub text: Arc<String>,
    /// The part of it, in bytes.
    pub range: Range<usize>,
}

/// A text may be large: only the size is printed.
impl fmt::Debug for QueryPiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryPiece").field("range", &self.range).finish_non_exhaustive()
    }
}

/// The largest query that a server takes, in bytes: a message of 1 GiB less 2 bytes (`PQ_LARGE_MESSAGE_LIMIT` in `libpq.h`), which
/// counts its length and the NUL at its end.
pub const LARGEST_QUERY: usize = (1 << 30) - 2 - HEADER;

/// The length of a message and the NUL at the end of a query.
const HEADER: usize = 5;

/// The query that the driver gets in place of a large one.
const PLACEHOLDER: &str = "-- a large query";
/// The driver's message for it. No other one has these bytes: its length begins with NULs, which no SQL text has.
const PLACEHOLDER_MESSAGE: &[u8] = b"Q\0\0\0\x15-- a large query\0";

/// The large queries that were given to the driver and are not written yet, in their order. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox(Arc<Mutex<VecDeque<LargeQuery>>>);

/// A large query: the parts of its message that are not written yet.
#[derive(Debug)]
struct LargeQuery {
    /// Type and length.
    head: Vec<u8>,
    pieces: VecDeque<QueryPiece>,
    /// The NUL at its end.
    end: &'static [u8],
}

impl Outbox {
    /// Keeps the pieces of a query, and returns the query to give to the driver instead. The driver must get large queries in the
    /// order in which they are put here.
    pub(crate) fn put(&self, pieces: impl IntoIterator<Item = QueryPiece>) -> &'static str {
        let pieces: VecDeque<QueryPiece> = pieces.into_iter().collect();
        let length = pieces.iter().map(|piece| piece.range.len()).sum::<usize>() + HEADER;
        // A longer one is refused by the server, as by the check against `LARGEST_QUERY` before.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let head = [b"Q".as_slice(), &length.to_be_bytes()].concat();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(LargeQuery { head, pieces, end: b"\0" });
        PLACEHOLDER
    }

    /// Writes the driver's `bytes` by `write`, and in place of each placeholder its query. Returns how many of `bytes` are done.
    pub(super) fn poll_write(&self, bytes: &[u8], mut write: impl FnMut(&[u8]) -> Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let mut queries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(query) = queries.front_mut() else { return write(bytes) };
        // The driver's buffer has whole messages.
        match bytes.windows(PLACEHOLDER_MESSAGE.len()).position(|window| window == PLACEHOLDER_MESSAGE) {
            None => write(bytes),
            Some(0) => {
                ready!(query.poll_write(write))?;
                queries.pop_front();
                Poll::Ready(Ok(PLACEHOLDER_MESSAGE.len()))
            }
            Some(before) => write(&bytes[..before]),
        }
    }
}

impl LargeQuery {
    /// Writes what is not written yet.
    fn poll_write(&mut self, mut write: impl FnMut(&[u8]) -> Poll<io::Result<usize>>) -> Poll<io::Result<()>> {
        let mut write = |bytes: &[u8]| match ready!(write(bytes)) {
            Ok(0) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            written => Poll::Ready(written),
        };
        while !self.head.is_empty() {
            let written = ready!(write(&self.head))?;
            self.head.drain(..written);
        }
        while let Some(piece) = self.pieces.front_mut() {
            let bytes = &piece.text.as_bytes()[piece.range.clone()];
            if bytes.is_empty() {
                self.pieces.pop_front();
            } else {
                piece.range.start += ready!(write(bytes))?;
            }
        }
        while !self.end.is_empty() {
            self.end = &self.end[ready!(write(self.end))?..];
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(query: &str) -> Vec<u8> {
        let length = u32::try_from(query.len() + HEADER).expect("small").to_be_bytes();
        [b"Q".as_slice(), &length, query.as_bytes(), b"\0"].concat()
    }

    #[test]
    fn the_placeholder_is_the_message_that_the_driver_makes_of_it() {
        assert_eq!(message(PLACEHOLDER), PLACEHOLDER_MESSAGE);
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_the_driver_would_have_written(
            queries in proptest::collection::vec((any::<bool>(), "[a-c;]{0,40}"), 1..6),
            sizes in proptest::collection::vec(0usize..30, 1..20),
        ) {
            let outbox = Outbox::default();
            let (mut driver, mut expected) = (Vec::new(), Vec::new());
            for (is_large, query) in &queries {
                expected.extend(message(query));
                let middle = query.len() / 2;
                let text = Arc::new(query.clone());
                let piece = |range: Range<usize>| QueryPiece { text: text.clone(), range };
                let query = if *is_large { outbox.put([piece(0..middle), piece(middle..query.len())]) } else { query };
                driver.extend(message(query));
            }
            let (mut written, mut sizes) = (Vec::new(), sizes.iter().copied().chain([1]).cycle());
            let mut bytes = driver.as_slice();
            while !bytes.is_empty() {
                // A size of 0 is a socket that takes nothing now.
                let write = |bytes: &[u8]| match sizes.next().unwrap_or(1).min(bytes.len()) {
                    0 => Poll::Pending,
                    size => {
                        written.extend_from_slice(&bytes[..size]);
                        Poll::Ready(Ok(size))
                    }
                };
                if let Poll::Ready(done) = outbox.poll_write(bytes, write) {
                    bytes = &bytes[done.expect("written")..];
                }
            }
            prop_assert_eq!(written, expected);
        }
    }
}
