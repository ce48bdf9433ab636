//! The text after `DATA` (RFC 5321 section 4.5.2).
//!
//! Only CRLF.CRLF ends it, also when its very first line is the dot (R4, R20). Every other
//! octet is content: bare LF, bare CR and NUL are kept as they came, because none of them can end
//! the text here, and a report that returns the mail writes its line ends anew. A line may be as
//! long as the message. Octets are counted after the leading dots are removed; past the limit
//! nothing more is kept and the end is still found in the same way (R50).

use super::room::{NoRoom, Place};

/// What came between 354 and the final dot.
#[derive(Debug)]
pub enum Data {
    /// The message with its leading dots removed; its last line end belongs to it. With the place that
    /// it takes up as long as it is there.
    Message(Vec<u8>, Place),
    /// It had more octets than the limit and was thrown away.
    TooBig,
    /// There was no room for it beside the others under way, and it was thrown away.
    NoRoom,
}

/// Where in a line the last octet stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before the first octet of a line.
    Start,
    /// Behind a dot that began a line; it is not part of the message.
    Dot,
    /// Behind such a dot and a CR, which is not stored yet.
    DotCr,
    /// Somewhere in a line.
    Text,
    /// Behind a CR in a line.
    Cr,
}

/// Receives one message.
#[derive(Debug)]
pub struct DataReceiver {
    limit: usize,
    state: State,
    at: At,
}

/// What becomes of the message, as far as it is known.
#[derive(Debug)]
enum State {
    Kept(Vec<u8>, Place),
    TooBig,
    NoRoom,
}

impl DataReceiver {
    /// Receives a message of at most `limit` octets in `place`.
    pub fn new(limit: usize, place: Place) -> Self {
        Self { limit, state: State::Kept(Vec::new(), place), at: At::Start }
    }

    /// Takes octets up to the end of the message or of `input`; answers with how many it took, and
    /// with the message once it has ended. Not to be fed again after that.
    pub fn feed(&mut self, input: &[u8]) -> (usize, Option<Data>) {
        let mut used = 0;
        while let Some(&octet) = input.get(used) {
            match (self.at, octet) {
                (At::Start, b'.') => self.at = At::Dot,
                (At::Dot, b'\r') => self.at = At::DotCr,
                (At::DotCr, b'\n') => return (used + 1, Some(self.finish())),
                (At::DotCr, _) => {
                    // `.CR` and something else: the dot was stuffing and the CR is content.
                    self.keep(b"\r");
                    self.at = At::Cr;
                    continue;
                }
                (At::Cr, b'\n') => {
                    self.keep(b"\n");
                    self.at = At::Start;
                }
                (At::Start | At::Text | At::Cr, b'\r') => {
                    self.keep(b"\r");
                    self.at = At::Cr;
                }
                (At::Start | At::Dot | At::Text | At::Cr, _) => {
                    // Nothing but a CR is of interest before the next line: take all up to it.
                    let rest = &input[used..];
                    let run = rest.iter().position(|&b| b == b'\r').unwrap_or(rest.len());
                    self.keep(&rest[..run]);
                    self.at = At::Text;
                    used += run;
                    continue;
                }
            }
            used += 1;
        }
        (used, None)
    }

    fn keep(&mut self, octets: &[u8]) {
        let State::Kept(message, place) = &mut self.state else { return };
        if octets.len() > self.limit - message.len() {
            self.state = State::TooBig;
        } else if place.grow_to(message.len() + octets.len()) == Err(NoRoom) {
            self.state = State::NoRoom;
        } else {
            message.extend_from_slice(octets);
        }
    }

    fn finish(&mut self) -> Data {
        match std::mem::replace(&mut self.state, State::TooBig) {
            State::Kept(message, place) => Data::Message(message, place),
            State::TooBig => Data::TooBig,
            State::NoRoom => Data::NoRoom,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::room::{FREE, Room};
    use super::*;

    /// A message without its place, to be compared.
    #[derive(Debug, PartialEq, Eq)]
    enum Got {
        Message(Vec<u8>),
        TooBig,
        NoRoom,
    }

    /// The message and what was left behind its end; `None` when it has not ended.
    fn receive(limit: usize, pieces: &[&[u8]]) -> Option<(Got, Vec<u8>)> {
        let mut receiver = DataReceiver::new(limit, Room::new(0).place());
        for (index, piece) in pieces.iter().enumerate() {
            let (used, data) = receiver.feed(piece);
            if let Some(data) = data {
                let rest = [&piece[used..], &pieces[index + 1..].concat()].concat();
                let got = match data {
                    Data::Message(message, _) => Got::Message(message),
                    Data::TooBig => Got::TooBig,
                    Data::NoRoom => Got::NoRoom,
                };
                return Some((got, rest));
            }
            assert_eq!(used, piece.len());
        }
        None
    }

    fn message(text: &[u8]) -> Option<(Got, Vec<u8>)> {
        Some((Got::Message(text.to_vec()), Vec::new()))
    }

    #[test]
    fn a_dot_on_its_own_line_ends_and_leading_dots_lose_one() {
        let table: [(&[u8], &[u8]); 10] = [
            (b".\r\n", b""),
            (b"\r\n.\r\n", b"\r\n"),
            (b"a\r\n.\r\n", b"a\r\n"),
            (b"..\r\n.\r\n", b".\r\n"),
            (b"...\r\n.\r\n", b"..\r\n"),
            (b".a\r\n.\r\n", b"a\r\n"),
            (b"a\r\n..b\r\n.c.\r\n.\r\n", b"a\r\n.b\r\nc.\r\n"),
            (b"a.\r\n.\r\n", b"a.\r\n"),
            (b"\0\xff\r\n.\r\n", b"\0\xff\r\n"),
            (b".\r\r\n.\r\n", b"\r\r\n"),
        ];
        for (sent, expected) in table {
            assert_eq!(receive(100, &[sent]), message(expected), "{}", sent.escape_ascii());
        }
    }

    #[test]
    fn no_other_line_end_ends_the_message() {
        let smuggled: [&[u8]; 16] = [
            b"\n.\n",
            b"\n.\r\n",
            b"\r.\r",
            b"\r.\r\n",
            b"\r\n.\n",
            b"\r\n.\r",
            b"\r\n.\r\r",
            b"\r\n.\r\r\n",
            b"\n\n.\r\n",
            b"\r\n\0.\r\n",
            b"\r\n.\0\r\n",
            b"\r\n.\r\0\n",
            b"\r\0\n.\r\n",
            b"\r\n. \r\n",
            b"\r\n .\r\n",
            b"\n.\r\n\n",
        ];
        for end in smuggled {
            let sent = [b"text", end, b"MAIL FROM:<evil@x>\r\n", b"..\r\n"].concat();
            let sent_and_ended = [&sent[..], b".\r\n"].concat();
            assert_eq!(receive(1000, &[&sent]), None, "{}", end.escape_ascii());
            let octets: Vec<&[u8]> = sent_and_ended.chunks(1).collect();
            let Some((Got::Message(whole), rest)) = receive(1000, &octets) else {
                panic!("{} was not ended by the real dot", end.escape_ascii());
            };
            assert!(whole.ends_with(b"MAIL FROM:<evil@x>\r\n.\r\n"), "{}", whole.escape_ascii());
            assert_eq!(rest, b"");
        }
    }

    #[test]
    fn bare_line_ends_and_nul_are_content() {
        let sent: &[u8] = b"a\nb\rc\0\n.\nd\r\n.\r\n";
        assert_eq!(receive(100, &[sent]), message(b"a\nb\rc\0\n.\nd\r\n"));
    }

    #[test]
    fn the_limit_holds_at_n_and_not_at_n_plus_one() {
        // Counted after unstuffing: the dot that goes away costs nothing.
        assert_eq!(receive(7, &[b"..234\r\n.\r\n"]), Some((Got::Message(b".234\r\n".to_vec()), vec![])));
        assert_eq!(receive(6, &[b"..234\r\n.\r\n"]), message(b".234\r\n"));
        assert_eq!(receive(5, &[b"..234\r\n.\r\nNOOP"]), Some((Got::TooBig, b"NOOP".to_vec())));
        assert_eq!(receive(0, &[b".\r\n"]), message(b""));
        assert_eq!(receive(0, &[b"\r\n.\r\n"]), Some((Got::TooBig, vec![])));
    }

    #[test]
    fn an_oversized_message_ends_where_any_other_does_and_keeps_nothing() {
        let mut receiver = DataReceiver::new(10, Room::new(0).place());
        for _ in 0..1000 {
            let (used, data) = receiver.feed(b"0123456789\n.\n\r\n.\n\r\n.\r");
            assert!(used == 21 && data.is_none(), "{used} {data:?}");
        }
        assert!(matches!(receiver.state, State::TooBig));
        let (used, data) = receiver.feed(b"\r\n.\r\nQUIT");
        assert!(used == 5 && matches!(data, Some(Data::TooBig)), "{used} {data:?}");
    }

    #[test]
    fn a_large_message_needs_room_and_a_small_one_does_not() {
        let line = vec![b'x'; FREE];
        let end: &[u8] = b"\r\n.\r\n";
        assert_eq!(
            receive(FREE * 2, &[&line[2..], end]).unwrap().0,
            Got::Message([&line[2..], b"\r\n"].concat())
        );
        assert_eq!(receive(FREE * 2, &[&line, end, b"NOOP"]), Some((Got::NoRoom, b"NOOP".to_vec())));
    }

    proptest! {
        #[test]
        fn packets_make_no_difference(
            stream in proptest::collection::vec(
                prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'a'), Just(0)], 0..60),
            cut in 0usize..60,
            limit in 0usize..60,
        ) {
            let (head, tail) = stream.split_at(cut.min(stream.len()));
            let octets: Vec<&[u8]> = stream.chunks(1).collect();
            let whole = receive(limit, &[&stream]);
            prop_assert_eq!(&receive(limit, &[head, tail]), &whole);
            prop_assert_eq!(&receive(limit, &octets), &whole);
            // The plain definition: the first CRLF.CRLF, the CRLF of the DATA line included.
            let on_the_wire = [b"\r\n", &stream[..]].concat();
            let end = on_the_wire.windows(5).position(|five| five == b"\r\n.\r\n");
            prop_assert_eq!(whole.map(|(_, rest)| rest), end.map(|at| on_the_wire[at + 5..].to_vec()));
        }

        #[test]
        fn what_was_stuffed_comes_out_again(lines in proptest::collection::vec("[.a\\x00\n]{0,5}", 0..10)) {
            let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let stuffed: String = lines
                .iter()
                .map(|line| if line.starts_with('.') { format!(".{line}\r\n") } else { format!("{line}\r\n") })
                .collect();
            prop_assert_eq!(receive(1000, &[stuffed.as_bytes(), b".\r\n"]), message(text.as_bytes()));
        }
    }
}
