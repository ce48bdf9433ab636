//! PROXY headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sms_relay::smtp::proxy::{self, MAX_BLOCK, MAX_LINE, Proxied, ProxyError};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Beginnings up to this length are all looked at.
const EACH: usize = 300;
/// Longest sentence of an error in octets: a whole line in it, each octet escaped.
const SENTENCE: usize = 1000;

/// A header is one for the plain second reader, too, and names the same client; it is told with its last
/// octet, an error with the first octet that is wrong, and what follows makes no difference to either; and
/// nobody makes the reader wait for more than its limit.
///
/// # Panics
/// When one of these does not hold.
pub fn check(input: &[u8]) {
    let whole = proxy::read(input);
    assert_eq!(whole.clone().ok().flatten(), second_reader(input), "{whole:?}");
    match &whole {
        Ok(None) => {
            let most = if input.starts_with(b"P") { MAX_LINE } else { SIGNATURE.len() + 4 + MAX_BLOCK };
            assert!(input.len() < most, "it waits for more than {} octets", input.len());
        }
        Ok(Some((_, used))) => check_beginnings(input, &whole, Some(*used)),
        Err(error) => {
            let sentence = error.to_string();
            assert!(sentence.len() <= SENTENCE && !sentence.chars().any(char::is_control), "{sentence:?}");
            check_beginnings(input, &whole, None);
        }
    }
}

fn check_beginnings(input: &[u8], whole: &Result<Option<(Proxied, usize)>, ProxyError>, used: Option<usize>) {
    let far = used.unwrap_or(0).max(EACH + 2);
    let lengths = (0..=EACH).chain(far - 1..=far).filter(|length| *length <= input.len());
    let mut told = None;
    for length in lengths {
        let result = proxy::read(&input[..length]);
        if result == Ok(None) {
            assert!(told.is_none(), "told with {told:?} octets, unknown with {length}");
        } else {
            assert_eq!(&result, whole, "with {length} octets of {}", input.len());
            told = told.or(Some(length));
        }
    }
    if let Some(used) = used {
        assert_eq!(told, Some(used), "a header has to be told with its last octet");
    }
}

/// A whole header by `proxy-protocol.txt`, sections 2.1 and 2.2; `None` for all else.
fn second_reader(input: &[u8]) -> Option<(Proxied, usize)> {
    if input.starts_with(b"P") { line(input) } else { block(input) }
}

fn line(input: &[u8]) -> Option<(Proxied, usize)> {
    let longest = &input[..input.len().min(MAX_LINE)];
    let used = longest.windows(2).position(|pair| pair == b"\r\n")? + 2;
    let line = &input[..used - 2];
    if line == b"PROXY UNKNOWN" || line.starts_with(b"PROXY UNKNOWN ") {
        return Some((Proxied::Local, used));
    }
    let words: Vec<&str> = str::from_utf8(line).ok()?.split(' ').collect();
    let ["PROXY", family, source, destination, source_port, destination_port] = words[..] else {
        return None;
    };
    let address = |text: &str| -> Option<IpAddr> {
        match family {
            "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::from),
            "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::from),
            _ => None,
        }
    };
    let decimal =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let port = |text: &str| text.parse::<u16>().ok().filter(|_| decimal(text));
    address(destination).and(port(destination_port))?;
    let client = SocketAddr::new(address(source)?.to_canonical(), port(source_port)?);
    Some((Proxied::Client(client), used))
}

fn block(input: &[u8]) -> Option<(Proxied, usize)> {
    let [command, family, high, low, rest @ ..] = input.strip_prefix(SIGNATURE)? else { return None };
    let length = usize::from(*high) * 256 + usize::from(*low);
    if length > MAX_BLOCK {
        return None;
    }
    let (block, used) = (rest.get(..length)?, SIGNATURE.len() + 4 + length);
    let client = match (command, family) {
        (0x20, _) => return Some((Proxied::Local, used)),
        (0x21, 0x11) => {
            let [a, b, c, d, _, _, _, _, high, low, _, _, ..] = block else { return None };
            let port = u16::from(*high) * 256 + u16::from(*low);
            SocketAddr::new(IpAddr::V4(Ipv4Addr::new(*a, *b, *c, *d)), port)
        }
        (0x21, 0x21) => {
            let source: [u8; 16] = block.get(..36)?.get(..16)?.try_into().ok()?;
            let port = u16::from(block[32]) * 256 + u16::from(block[33]);
            SocketAddr::new(IpAddr::V6(Ipv6Addr::from(source)).to_canonical(), port)
        }
        (0x21, family) if family >> 4 <= 3 && family & 15 <= 2 => return Some((Proxied::Local, used)),
        _ => return None,
    };
    Some((Proxied::Client(client), used))
}
