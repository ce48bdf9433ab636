//! The chunks of `BDAT` (RFC 3030 section 2): one message in pieces of an announced size.
//!
//! A chunk is its octets and nothing else: no dot ends it, none is stuffed, and line ends stay as
//! they are in every profile. Whoever counts octets is a mail system and no old appliance, and the
//! border between two mails is a number here, which no line end can move.
//!
//! The octets of a chunk come whatever becomes of it, so they are always read to the last one (R15):
//! [`ChunkReceiver`] throws them away where the message is too big, [`Discard`] where the command
//! itself was refused.

use super::data::{Data, Incoming};
use super::room::Place;

/// What a chunk has brought.
#[derive(Debug)]
pub enum Chunk {
    /// It is there, and more are to come.
    Taken {
        /// How many octets it had.
        octets: u64,
    },
    /// The message has ended: with its last chunk, or with the first that it could not be kept after
    /// ([`Data::TooBig`], [`Data::NoRoom`]). There is no use in waiting for the chunks behind that one.
    Message(Data),
}

/// Receives the chunks of one message.
#[derive(Debug)]
pub struct ChunkReceiver {
    message: Incoming,
    /// Octets of the chunk that have come.
    came: u64,
    /// Octets of the chunk in all.
    octets: u64,
    last: bool,
}

impl ChunkReceiver {
    /// Receives a message of at most `limit` octets in `place`, over all its chunks.
    pub fn new(limit: usize, place: Place) -> Self {
        Self { message: Incoming::new(limit, place), came: 0, octets: 0, last: false }
    }

    /// Begins a chunk. Answers with what it has brought if it is empty; otherwise its octets go to
    /// [`feed`](Self::feed). Not to be called again before the chunk is there, nor after
    /// [`Chunk::Message`].
    pub fn begin(&mut self, octets: u64, last: bool) -> Option<Chunk> {
        // Nothing is kept of what is known to be too big.
        self.message.expect(octets);
        (self.came, self.octets, self.last) = (0, octets, last);
        self.ended()
    }

    /// Octets of the message that have come, in all of its chunks.
    pub fn octets(&self) -> u64 {
        self.message.came()
    }

    /// Takes octets up to the end of the chunk or of `input`; answers with how many it took, and
    /// with what the chunk has brought once it is there. Between two chunks it takes nothing.
    pub fn feed(&mut self, input: &[u8]) -> (usize, Option<Chunk>) {
        if self.came == self.octets {
            return (0, None);
        }
        let chunk = up_to(input, self.octets - self.came);
        self.message.keep(chunk);
        self.came += chunk.len() as u64;
        (chunk.len(), self.ended())
    }

    fn ended(&mut self) -> Option<Chunk> {
        if self.came < self.octets {
            None
        } else if self.last || !self.message.is_whole() {
            Some(Chunk::Message(self.message.take()))
        } else {
            Some(Chunk::Taken { octets: self.octets })
        }
    }
}

/// Throws away the octets that follow a refused `BDAT`. None of them may be read as a command.
#[derive(Debug)]
pub struct Discard {
    left: u64,
}

impl Discard {
    /// Throws `octets` away; `None` where there is nothing to wait for.
    pub fn new(octets: u64) -> Option<Self> {
        (octets > 0).then_some(Self { left: octets })
    }

    /// Takes octets up to the end of the chunk or of `input`; answers with how many it took, and
    /// whether the chunk is over.
    pub fn feed(&mut self, input: &[u8]) -> (usize, bool) {
        let chunk = up_to(input, self.left);
        self.left -= chunk.len() as u64;
        (chunk.len(), self.left == 0)
    }
}

/// The first `octets` of `input`, or all of it.
fn up_to(input: &[u8], octets: u64) -> &[u8] {
    let end = usize::try_from(octets).map_or(input.len(), |octets| octets.min(input.len()));
    &input[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::room::{FREE, Room};
    use super::*;

    fn shown(chunk: Chunk) -> String {
        match chunk {
            Chunk::Taken { octets } => format!("taken {octets}"),
            Chunk::Message(Data::Message(message, _)) => format!("message {}", message.escape_ascii()),
            Chunk::Message(Data::TooBig) => "too big".to_owned(),
            Chunk::Message(Data::NoRoom) => "no room".to_owned(),
        }
    }

    fn receiver(limit: usize) -> ChunkReceiver {
        ChunkReceiver::new(limit, Room::new(0).place())
    }

    /// Sends one chunk in pieces of `size`, with the next command behind it, which must be left.
    fn send(receiver: &mut ChunkReceiver, octets: &[u8], last: bool, size: usize) -> String {
        let mut brought = receiver.begin(octets.len() as u64, last).map(shown);
        let mut sent = 0;
        while brought.is_none() {
            let piece: Vec<u8> = octets[sent..].iter().chain(b"NOOP\r\n").take(size).copied().collect();
            let (used, chunk) = receiver.feed(&piece);
            assert!(used > 0, "nothing is taken and nothing is there");
            sent += used;
            brought = chunk.map(shown);
        }
        assert_eq!(sent, octets.len());
        brought.unwrap()
    }

    #[test]
    fn chunks_become_one_message_of_exactly_their_octets() {
        for size in [1, 3, 100] {
            let mut receiver = receiver(100);
            assert_eq!(send(&mut receiver, b"..a\n", false, size), "taken 4");
            assert_eq!(send(&mut receiver, b"\r\n.\r\n\r", false, size), "taken 6");
            assert_eq!(send(&mut receiver, b"", false, size), "taken 0");
            assert_eq!(send(&mut receiver, b"\0.", true, size), "message ..a\\n\\r\\n.\\r\\n\\r\\x00.");
        }
    }

    #[test]
    fn an_empty_chunk_needs_no_octets() {
        assert_eq!(receiver(0).begin(0, true).map(shown).as_deref(), Some("message "));
        let mut receiver = receiver(3);
        assert_eq!(send(&mut receiver, b"abc", false, 9), "taken 3");
        assert_eq!(receiver.begin(0, true).map(shown).as_deref(), Some("message abc"));
    }

    #[test]
    fn nothing_is_taken_before_and_between_chunks() {
        let mut receiver = receiver(9);
        assert!(matches!(receiver.feed(b"NOOP\r\n"), (0, None)));
        assert_eq!(send(&mut receiver, b"abc", false, 9), "taken 3");
        assert!(matches!(receiver.feed(b"NOOP\r\n"), (0, None)));
    }

    #[test]
    fn the_limit_is_that_of_the_whole_message_at_n_and_not_n_plus_one() {
        for size in [1, 100] {
            let mut exact = receiver(6);
            assert_eq!(send(&mut exact, b"abc", false, size), "taken 3");
            assert_eq!(send(&mut exact, b"def", true, size), "message abcdef");
            let mut over = receiver(5);
            assert_eq!(send(&mut over, b"abc", false, size), "taken 3");
            assert_eq!(send(&mut over, b"def", true, size), "too big");
        }
    }

    #[test]
    fn a_chunk_that_is_too_big_is_read_to_its_end_and_ends_the_message() {
        let mut receiver = receiver(5);
        assert_eq!(send(&mut receiver, b"abcdef", false, 4), "too big");
        let mut endless = self::receiver(5);
        assert!(endless.begin(u64::MAX, true).is_none());
        assert!(!endless.message.is_whole(), "memory is held for octets that cannot be kept");
        assert!(matches!(endless.feed(&[b'x'; 1000]), (1000, None)));
    }

    #[test]
    fn a_large_message_needs_room_and_a_small_one_does_not() {
        let octets = vec![b'x'; FREE];
        let mut large = receiver(2 * FREE);
        assert_eq!(send(&mut large, &octets, false, 5000), format!("taken {FREE}"));
        assert_eq!(send(&mut large, b"x", false, 5000), "no room");
    }

    #[test]
    fn a_refused_chunk_is_thrown_away_and_no_octet_more() {
        assert!(Discard::new(0).is_none());
        let mut discard = Discard::new(7).unwrap();
        assert_eq!(discard.feed(b"QUIT\r"), (5, false));
        assert_eq!(discard.feed(b"\nXNOOP"), (2, true));
        let mut endless = Discard::new(u64::MAX).unwrap();
        assert_eq!(endless.feed(&[b'x'; 1000]), (1000, false));
    }

    proptest! {
        #[test]
        fn packets_make_no_difference(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 1..6),
            size in 1usize..30,
            limit in 0usize..120,
        ) {
            let mut receiver = receiver(limit);
            let mut sent = Vec::new();
            for (index, chunk) in chunks.iter().enumerate() {
                let last = index + 1 == chunks.len();
                sent.extend_from_slice(chunk);
                let expected = match (sent.len() > limit, last) {
                    (true, _) => "too big".to_owned(),
                    (false, true) => format!("message {}", sent.escape_ascii()),
                    (false, false) => format!("taken {}", chunk.len()),
                };
                let brought = send(&mut receiver, chunk, last, size);
                prop_assert_eq!(&brought, &expected);
                if brought == "too big" {
                    break;
                }
            }
        }
    }
}
