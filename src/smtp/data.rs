//! The text after `DATA` (RFC 5321 section 4.5.2).
//!
//! Only CRLF.CRLF ends it, also when its very first line is the dot (R4, R20). Every other
//! octet is content: bare LF, bare CR and NUL are kept as they came, because none of them can end
//! the text here, and a report that returns the mail writes its line ends anew. A line may be as
//! long as the message. Octets are counted after the leading dots are removed; past the limit
//! nothing more is kept and the end is still found in the same way (R50).
//!
//! Two switches of a [`Profile`] change this, each on its own:
//!
//! - `bare_line_ends` makes each bare LF and each bare CR a CRLF. That is about content only: a dot
//!   behind one of them is neither stuffing nor an end. CR CR LF becomes one CRLF, because it is what
//!   a program writes whose runtime turns the LF of its CRLF into CRLF again; two would end the
//!   header after its first field. On the wire it ends in CRLF, so a dot behind it counts.
//! - `lf_dot_ends_data` makes a bare LF the end of a line as far as dots are concerned: LF.LF, LF.CRLF
//!   and CRLF.LF end the text, and a dot behind LF loses its stuffing. A bare CR never does that.

use super::profile::Profile;
use super::room::{NoRoom, Place};

/// What the client sent as its message.
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

/// The message as far as it has come.
#[derive(Debug)]
pub(super) struct Incoming {
    limit: usize,
    data: Data,
    came: u64,
}

impl Incoming {
    /// An empty message that may grow to `limit` octets in `place`.
    pub(super) fn new(limit: usize, place: Place) -> Self {
        Self { limit, data: Data::Message(Vec::new(), place), came: 0 }
    }

    /// Adds octets; where they are too many, the message is thrown away and stays so.
    pub(super) fn keep(&mut self, octets: &[u8]) {
        self.came += octets.len() as u64;
        let Data::Message(message, place) = &mut self.data else { return };
        if octets.len() > self.limit - message.len() {
            self.data = Data::TooBig;
        } else if place.grow_to(message.len() + octets.len()) == Err(NoRoom) {
            self.data = Data::NoRoom;
        } else {
            message.extend_from_slice(octets);
        }
    }

    /// Throws the message away where `octets` more are over its limit.
    pub(super) fn expect(&mut self, octets: u64) {
        let Data::Message(message, _) = &self.data else { return };
        let left = self.limit - message.len();
        if usize::try_from(octets).map_or(true, |octets| octets > left) {
            self.data = Data::TooBig;
        }
    }

    /// Octets that have come, kept or thrown away.
    pub(super) fn came(&self) -> u64 {
        self.came
    }

    /// Whether nothing was thrown away.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.data, Data::Message(..))
    }

    /// What has come; nothing is left behind.
    pub(super) fn take(&mut self) -> Data {
        std::mem::replace(&mut self.data, Data::TooBig)
    }
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
    /// Behind a CR in a line, stored as a whole line end if that is what bare ones become.
    Cr,
    /// Behind a CR of that kind and a second one, which is not stored yet.
    CrCr,
}

/// Receives one message.
#[derive(Debug)]
pub struct DataReceiver {
    message: Incoming,
    profile: Profile,
    at: At,
}

impl DataReceiver {
    /// Receives a message of at most `limit` octets in `place`, read as `profile` says.
    pub fn new(limit: usize, place: Place, profile: Profile) -> Self {
        Self { message: Incoming::new(limit, place), profile, at: At::Start }
    }

    /// Octets of the message that have come, without stuffing, also where it is thrown away.
    pub fn octets(&self) -> u64 {
        self.message.came()
    }

    /// Takes octets up to the end of the message or of `input`; answers with how many it took, and
    /// with the message once it has ended. Not to be fed again after that.
    pub fn feed(&mut self, input: &[u8]) -> (usize, Option<Data>) {
        let Profile { bare_line_ends, lf_dot_ends_data, .. } = self.profile;
        let lf_matters = bare_line_ends || lf_dot_ends_data;
        let mut used = 0;
        while let Some(&octet) = input.get(used) {
            match (self.at, octet) {
                (At::Start, b'.') => self.at = At::Dot,
                (At::Dot, b'\r') => self.at = At::DotCr,
                (At::DotCr, b'\n') => return (used + 1, Some(self.message.take())),
                (At::Dot, b'\n') if lf_dot_ends_data => return (used + 1, Some(self.message.take())),
                (At::DotCr, _) => {
                    // `.CR` and something else: the dot was stuffing and the CR is content.
                    self.carriage_return();
                    continue;
                }
                (At::Cr | At::CrCr, b'\n') => {
                    if !bare_line_ends {
                        self.message.keep(b"\n");
                    }
                    self.at = At::Start;
                }
                (At::Cr, b'\r') if bare_line_ends => self.at = At::CrCr,
                (At::CrCr, _) => {
                    self.carriage_return();
                    continue;
                }
                (At::Start | At::Text | At::Cr, b'\r') => self.carriage_return(),
                (At::Start | At::Dot | At::Text, b'\n') if lf_matters => {
                    self.message.keep(if bare_line_ends { b"\r\n" } else { b"\n" });
                    self.at = if lf_dot_ends_data { At::Start } else { At::Text };
                }
                (At::Start | At::Dot | At::Text | At::Cr, _) => {
                    // Nothing but a line end is of interest before the next line: take all up to it.
                    let rest = &input[used..];
                    let ends = |&b: &u8| b == b'\r' || b == b'\n' && lf_matters;
                    let run = rest.iter().position(ends).unwrap_or(rest.len());
                    self.message.keep(&rest[..run]);
                    self.at = At::Text;
                    used += run;
                    continue;
                }
            }
            used += 1;
        }
        (used, None)
    }

    /// Stores a CR. A bare one becomes a line end at once: of a real CRLF nothing is missing then.
    fn carriage_return(&mut self) {
        self.message.keep(if self.profile.bare_line_ends { b"\r\n" } else { b"\r" });
        self.at = At::Cr;
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

    const STRICT: Profile = Profile { bare_line_ends: false, lf_dot_ends_data: false, ..Profile::APPLIANCE };
    const BARE: Profile = Profile { bare_line_ends: true, ..STRICT };
    const LF_DOT: Profile = Profile { lf_dot_ends_data: true, ..STRICT };
    const BOTH: Profile = Profile { lf_dot_ends_data: true, ..BARE };

    fn receive(limit: usize, pieces: &[&[u8]]) -> Option<(Got, Vec<u8>)> {
        receive_as(STRICT, limit, pieces)
    }

    /// The message and what was left behind its end; `None` when it has not ended.
    fn receive_as(profile: Profile, limit: usize, pieces: &[&[u8]]) -> Option<(Got, Vec<u8>)> {
        let mut receiver = DataReceiver::new(limit, Room::new(0).place(), profile);
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

    /// What attackers put where a line end belongs, R20.
    const SMUGGLED: [&[u8]; 18] = [
        b"\n.\n",
        b"\n.\r\n",
        b"\r.\r",
        b"\r.\n",
        b"\r.\r\n",
        b"\r\n.\n",
        b"\r\n.\r",
        b"\r\n.\r\r",
        b"\r\n.\r\r\n",
        b"\n\n.\r\n",
        b"\n\n.\n\n",
        b"\r\n\0.\r\n",
        b"\r\n.\0\r\n",
        b"\r\n.\r\0\n",
        b"\r\0\n.\r\n",
        b"\r\n. \r\n",
        b"\r\n .\r\n",
        b"\n.\r\n\n",
    ];

    #[test]
    fn no_other_line_end_ends_the_message() {
        for (profile, end) in [STRICT, BARE].into_iter().flat_map(|p| SMUGGLED.map(|end| (p, end))) {
            let shown = format!("{} {profile}", end.escape_ascii());
            let sent = [b"text", end, b"MAIL FROM:<evil@x>\r\n", b"..\r\n"].concat();
            let sent_and_ended = [&sent[..], b".\r\n"].concat();
            assert_eq!(receive_as(profile, 1000, &[&sent]), None, "{shown}");
            let octets: Vec<&[u8]> = sent_and_ended.chunks(1).collect();
            let Some((Got::Message(whole), rest)) = receive_as(profile, 1000, &octets) else {
                panic!("{shown} was not ended by the real dot");
            };
            assert!(whole.ends_with(b"MAIL FROM:<evil@x>\r\n.\r\n"), "{shown}: {}", whole.escape_ascii());
            assert_eq!(rest, b"");
        }
    }

    #[test]
    fn a_bare_lf_ends_the_message_where_the_switch_says_so_and_a_bare_cr_never() {
        let ends: [(&[u8], &[u8]); 7] = [
            (b"\n.\n", b"\n"),
            (b"\n.\r\n", b"\n"),
            (b"\r\n.\n", b"\r\n"),
            (b"\r\n.\r\n", b"\r\n"),
            (b"\n\n.\n", b"\n\n"),
            (b"\r\r\n.\n", b"\r\r\n"),
            (b"\r\0\n.\r\n", b"\r\0\n"),
        ];
        for (end, line_end) in ends {
            let got = receive_as(LF_DOT, 100, &[b"text", end, b"NOOP"]);
            let expected = Got::Message([b"text", line_end].concat());
            assert_eq!(got, Some((expected, b"NOOP".to_vec())), "{}", end.escape_ascii());
        }
        let stays: [&[u8]; 9] = [
            b"\r.\r",
            b"\r.\n",
            b"\r.\r\n",
            b"\n.\r",
            b"\r\n.\r",
            b"\n.\r\r\n",
            b"\n.\0\n",
            b"\n\0.\n",
            b"\n. \n",
        ];
        for (profile, end) in [LF_DOT, BOTH].into_iter().flat_map(|p| stays.map(|end| (p, end))) {
            let sent = [b"text", end, b"NOOP"].concat();
            assert_eq!(receive_as(profile, 100, &[&sent]), None, "{} {profile}", end.escape_ascii());
        }
        assert_eq!(receive_as(LF_DOT, 100, &[b".\n"]), message(b""));
        assert_eq!(receive_as(LF_DOT, 100, &[b"..a\n..\n.b\n\r..\n.\n"]), message(b".a\n.\nb\n\r..\n"));
    }

    #[test]
    fn bare_line_ends_become_crlf_and_the_dots_behind_them_stay() {
        let table: [(&[u8], &[u8]); 16] = [
            (b"a\nb\r\n", b"a\r\nb\r\n"),
            (b"a\rb\r\n", b"a\r\nb\r\n"),
            (b"a\n\nb\r\n", b"a\r\n\r\nb\r\n"),
            (b"a\r\rb\r\n", b"a\r\n\r\nb\r\n"),
            (b"a\n\rb\r\n", b"a\r\n\r\nb\r\n"),
            (b"\n\r\n", b"\r\n\r\n"),
            // One line end that was translated twice.
            (b"Subject: a\r\r\nTo: b\r\r\n", b"Subject: a\r\nTo: b\r\n"),
            (b"a\r\r\rb\r\n", b"a\r\n\r\n\r\nb\r\n"),
            (b"a\r\r\r\n", b"a\r\n\r\n"),
            (b"a\r\r\n..b\r\n", b"a\r\n.b\r\n"),
            (b"a\n..b\r\n", b"a\r\n..b\r\n"),
            (b"a\r..b\r\n", b"a\r\n..b\r\n"),
            (b"a\n.\r\n", b"a\r\n.\r\n"),
            (b".\nb\r\n", b"\r\nb\r\n"),
            (b".\r\r\n", b"\r\n"),
            (b"\0\n\0\r\0\r\n", b"\0\r\n\0\r\n\0\r\n"),
        ];
        for (sent, expected) in table {
            let got = receive_as(BARE, 100, &[sent, b".\r\n"]);
            assert_eq!(got, message(expected), "{}", sent.escape_ascii());
        }
        assert_eq!(receive_as(BOTH, 100, &[b"a\n..b\r..c\n.\n"]), message(b"a\r\n.b\r\n..c\r\n"));
    }

    #[test]
    fn octets_are_counted_after_line_ends_are_made_whole() {
        let sent: [&[u8]; 2] = [b"a\nb\rc\r\r\n.\r\n", b"NOOP"];
        assert_eq!(
            receive_as(BARE, 9, &sent),
            Some((Got::Message(b"a\r\nb\r\nc\r\n".to_vec()), b"NOOP".to_vec()))
        );
        assert_eq!(receive_as(BARE, 8, &sent), Some((Got::TooBig, b"NOOP".to_vec())));
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
        let mut receiver = DataReceiver::new(10, Room::new(0).place(), STRICT);
        for _ in 0..1000 {
            let (used, data) = receiver.feed(b"0123456789\n.\n\r\n.\n\r\n.\r");
            assert!(used == 21 && data.is_none(), "{used} {data:?}");
        }
        assert!(!receiver.message.is_whole());
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

    /// The plain definition: the message without limit, and what comes behind its end.
    fn defined(profile: Profile, stream: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        // The CRLF of the DATA line begins the first line.
        let wire = [b"\r\n", stream].concat();
        let ends: &[&[u8]] = if profile.lf_dot_ends_data {
            &[b"\r\n.\r\n", b"\r\n.\n", b"\n.\r\n", b"\n.\n"]
        } else {
            &[b"\r\n.\r\n"]
        };
        let (at, end) = (0..wire.len())
            .find_map(|at| ends.iter().find(|end| wire[at..].starts_with(end)).map(|end| (at, end)))?;
        let text_end = at + end.iter().position(|&b| b == b'.').unwrap();
        let line_end: &[u8] = if profile.lf_dot_ends_data { b"\n" } else { b"\r\n" };
        let stuffing = |at: usize| wire[at] == b'.' && wire[..at].ends_with(line_end);
        let text: Vec<u8> = (2..text_end).filter(|&at| !stuffing(at)).map(|at| wire[at]).collect();
        let rest = wire[at + end.len()..].to_vec();
        Some((if profile.bare_line_ends { made_whole(&text) } else { text }, rest))
    }

    /// Each CR CR LF, CR LF, CR and LF, the longest that fits first, as one CRLF.
    fn made_whole(mut text: &[u8]) -> Vec<u8> {
        let mut whole = Vec::new();
        while let Some((octet, behind)) = text.split_first() {
            let line_ends: [&[u8]; 4] = [b"\r\r\n", b"\r\n", b"\r", b"\n"];
            match line_ends.iter().find_map(|end| text.strip_prefix(*end)) {
                Some(behind) => {
                    whole.extend_from_slice(b"\r\n");
                    text = behind;
                }
                None => {
                    whole.push(*octet);
                    text = behind;
                }
            }
        }
        whole
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn every_profile_does_what_its_plain_definition_says_whatever_the_packets(
            stream in proptest::collection::vec(
                prop_oneof![3 => Just(b'\r'), 3 => Just(b'\n'), 3 => Just(b'.'), 1 => Just(b'a'), 1 => Just(0)],
                0..40),
            ending in prop::sample::select(vec![&b""[..], b"\r\n.\r\n", b"\n.\n"]),
            cut in 0usize..40,
            limit in 0usize..60,
        ) {
            let stream = [&stream[..], ending, b"\r\n.\n.\n"].concat();
            let (head, tail) = stream.split_at(cut.min(stream.len()));
            let octets: Vec<&[u8]> = stream.chunks(1).collect();
            for profile in [STRICT, BARE, LF_DOT, BOTH] {
                let expected = defined(profile, &stream).map(|(text, rest)| {
                    (if text.len() > limit { Got::TooBig } else { Got::Message(text) }, rest)
                });
                prop_assert_eq!(&receive_as(profile, limit, &[&stream]), &expected, "{}", profile);
                prop_assert_eq!(&receive_as(profile, limit, &[head, tail]), &expected, "{}", profile);
                prop_assert_eq!(&receive_as(profile, limit, &octets), &expected, "{}", profile);
            }
        }
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
