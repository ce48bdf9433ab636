//! The text after `DATA`.

use sms_relay::smtp::Profile;
use sms_relay::smtp::data::{Data, DataReceiver};
use sms_relay::smtp::room::Room;

use super::pieces::cuts;

/// What a receiver made of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// A message, and how many octets of the stream it took with its final dot.
    Message(Vec<u8>, usize),
    /// One that was too big, and how many octets it took.
    TooBig(usize),
    /// The end has not come.
    Open,
}

/// Packets make no difference to a message, which ends where the plain definition says, has the octets
/// that a plain second reader finds, and is kept up to the limit and not one octet beyond it.
///
/// # Panics
/// When one of these does not hold.
pub fn check(stream: &[u8]) {
    for (bare_line_ends, lf_dot_ends_data) in [(false, false), (true, false), (false, true), (true, true)] {
        check_profile(stream, Profile { bare_line_ends, lf_dot_ends_data, ..Profile::default() });
    }
}

fn check_profile(stream: &[u8], profile: Profile) {
    let Some((message, end)) = message_of(stream, &profile) else {
        // Each octet becomes two at most.
        check_with_limit(stream, profile, 2 * stream.len(), &Received::Open);
        check_with_limit(stream, profile, 0, &Received::Open);
        return;
    };
    let octets = message.len();
    if octets > 0 {
        check_with_limit(stream, profile, octets - 1, &Received::TooBig(end));
    }
    check_with_limit(stream, profile, octets, &Received::Message(message, end));
}

fn check_with_limit(stream: &[u8], profile: Profile, limit: usize, expected: &Received) {
    for pieces in cuts(stream) {
        let received = receive(&pieces, profile, limit);
        assert_eq!(&received, expected, "{} pieces, limit {limit}, {profile}", pieces.len());
    }
}

fn receive(pieces: &[&[u8]], profile: Profile, limit: usize) -> Received {
    // Room for the longest of a fuzzer's inputs; what happens without room is a unit test's subject.
    let mut receiver = DataReceiver::new(limit, Room::new(1 << 24).place(), profile);
    let mut before = 0;
    for piece in pieces {
        let (used, data) = receiver.feed(piece);
        match data {
            Some(Data::Message(message, _)) => return Received::Message(message, before + used),
            Some(Data::TooBig) => return Received::TooBig(before + used),
            Some(Data::NoRoom) => panic!("there was room"),
            None => assert_eq!(used, piece.len(), "it stopped inside a message"),
        }
        before += used;
    }
    Received::Open
}

/// The message at the start of `stream` and where it ends, by RFC 5321 section 4.5.2 taken literally: the
/// first line that is a dot and nothing else ends it; every other line that begins with a dot loses it.
/// A line ends with CRLF, or with any LF where `lf_dot_ends_data` says so.
pub fn message_of(stream: &[u8], profile: &Profile) -> Option<(Vec<u8>, usize)> {
    let line_end: &[u8] = if profile.lf_dot_ends_data { b"\n" } else { b"\r\n" };
    let mut message = Vec::new();
    let mut rest = stream;
    loop {
        let length = line_end.len() + rest.windows(line_end.len()).position(|octets| octets == line_end)?;
        let (line, after) = rest.split_at(length);
        rest = after;
        if line == b".\r\n" || line == b".\n" {
            break;
        }
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    }
    let end = stream.len() - rest.len();
    if !profile.lf_dot_ends_data {
        // The same end in other words.
        let searched = [b"\r\n", stream].concat();
        assert_eq!(searched.windows(5).position(|octets| octets == b"\r\n.\r\n"), Some(end - 3));
    }
    Some((if profile.bare_line_ends { only_crlf(&message) } else { message }, end))
}

/// Each LF without CR and each CR without LF made CRLF; CR CR LF is one CRLF.
fn only_crlf(mut message: &[u8]) -> Vec<u8> {
    let mut clean = Vec::new();
    while let Some((&octet, rest)) = message.split_first() {
        let line_ends: [&[u8]; 4] = [b"\r\r\n", b"\r\n", b"\r", b"\n"];
        match line_ends.iter().find_map(|line_end| message.strip_prefix(*line_end)) {
            Some(rest) => {
                clean.extend_from_slice(b"\r\n");
                message = rest;
            }
            None => {
                clean.push(octet);
                message = rest;
            }
        }
    }
    clean
}
