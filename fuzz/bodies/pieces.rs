//! Ways to cut a stream into packets.

/// The stream whole, octet by octet, between every CR and LF and around every dot, and in pieces
/// whose sizes come from a hash of the stream. Always the same for the same stream.
pub fn cuts(stream: &[u8]) -> Vec<Vec<&[u8]>> {
    let state = &mut stream.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut chance = |below: u64| {
        // xorshift64; the state is never 0 but for one hash in 2^64.
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state % below
    };
    let longest = 1 + chance(40);
    vec![
        vec![stream],
        stream.chunks(1).collect(),
        split_before(stream, |at| matches!(stream[at], b'\n' | b'.') || stream[at - 1] == b'.'),
        split_before(stream, |_| chance(longest) == 0),
    ]
}

fn split_before(stream: &[u8], mut is_cut: impl FnMut(usize) -> bool) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for at in 1..stream.len() {
        if is_cut(at) {
            pieces.push(&stream[start..at]);
            start = at;
        }
    }
    pieces.push(&stream[start..]);
    pieces
}
