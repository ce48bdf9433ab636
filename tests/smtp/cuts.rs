//! Ways to cut a client's octets into TCP segments.

/// Dialogues are cut octet by octet up to this length; a few thousand octets one at a time tell nothing
/// more than hundreds do.
const LONG: usize = 3000;

/// The ways that take nothing but the octets, each with its name.
pub fn ways(octets: &[u8]) -> Vec<(&'static str, Vec<&[u8]>)> {
    let smallest = if octets.len() > LONG { octets.len() / 1000 } else { 1 };
    vec![
        ("all at once", vec![octets]),
        ("octet by octet", octets.chunks(smallest).collect()),
        ("cut inside each line end", cut(octets, |before, _| before == b'\r')),
        ("cut behind each line end", cut(octets, |before, _| before == b'\n')),
        ("cut around each dot", cut(octets, |before, behind| before == b'.' || behind == b'.')),
        (
            "cut around each control character",
            cut(octets, |a, b| a.is_ascii_control() || b.is_ascii_control()),
        ),
        ("cut at random", at_random(octets, 1)),
        ("cut at random, otherwise", at_random(octets, 2)),
    ]
}

/// Cuts wherever `between` says so of two neighbours.
fn cut(octets: &[u8], between: impl Fn(u8, u8) -> bool) -> Vec<&[u8]> {
    octets.chunk_by(|&before, &behind| !between(before, behind)).collect()
}

fn at_random(mut octets: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut random = fastrand::Rng::with_seed(seed);
    let longest = (octets.len() / 20).max(3);
    let mut pieces = Vec::new();
    while !octets.is_empty() {
        let (piece, rest) = octets.split_at(random.usize(1..=longest).min(octets.len()));
        pieces.push(piece);
        octets = rest;
    }
    pieces
}

#[test]
fn nothing_is_lost_by_cutting() {
    let octets = b"a\r\n.\r\nb..c\0\r\n";
    for (way, pieces) in ways(octets) {
        assert_eq!(pieces.concat(), octets, "{way}");
    }
    let around_dots = cut(octets, |before, behind| before == b'.' || behind == b'.');
    assert_eq!(around_dots, [&b"a\r\n"[..], b".", b"\r\nb", b".", b".", b"c\0\r\n"]);
}
