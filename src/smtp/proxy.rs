//! The PROXY header that a load balancer puts before the octets of its client, versions 1 and 2.
//!
//! Source: `proxy-protocol.txt` of HAProxy, sections 2.1 and 2.2. Whether somebody's header is read at
//! all is for [`Listener::proxies`](super::Listener::proxies) to say: anybody can write one.
//!
//! An error is told with the first octet that makes it certain, so that a peer who sends something
//! else is gone at once. Of a header only the source is kept. The fields (TLV) behind the addresses of
//! version 2 are passed over unread, and so is the CRC-32C among them: TCP has a checksum of its own, and
//! section 2.2.3 leaves it to the receiver.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longest line of version 1 in octets, its CRLF included (section 2.1).
pub const MAX_LINE: usize = 107;
/// Most octets behind the fixed 16 of version 2. The length field could say 65,535, and all of it would
/// have to be read before the client's first word. Addresses take at most 216; a host name, a client
/// certificate's names and the ids of cloud networks come to some hundreds, a whole certificate
/// to one or two thousand.
pub const MAX_BLOCK: usize = 4096;

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and transport, length.
const FIXED: usize = SIGNATURE.len() + 4;

/// Whom the connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxied {
    /// A client at this address; an IPv4 address mapped into IPv6 is told as IPv4.
    Client(SocketAddr),
    /// The load balancer itself, as with a health check, or a client that it cannot tell the address of:
    /// `UNKNOWN`, `LOCAL`, Unix sockets, and anything but a stream over IP. The connection's own address
    /// holds.
    Local,
}

/// Why octets are no PROXY header; `Display` is the sentence for the operator of the load balancer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Something else came. Holds the octets up to the one that fits no header, escaped.
    #[error(
        "`{0}` begins no PROXY header; a connection from a load balancer listed in `proxies` must begin with one: \
         let it send the header (`send-proxy` or `send-proxy-v2` in HAProxy), or take it out of `proxies`"
    )]
    Missing(String),
    /// Holds the octets up to the one that is wrong, escaped.
    #[error(
        "`{0}` is no PROXY header of version 1; it is written `PROXY TCP4 192.0.2.7 192.0.2.1 56324 25` with single \
         spaces and CRLF"
    )]
    Line(String),
    /// Not an address of the family in front of it, in canonical form.
    #[error("`{address}` in a PROXY header is not an address of {family}")]
    Address {
        /// `TCP4` or `TCP6`.
        family: &'static str,
        /// As it was sent.
        address: String,
    },
    /// Not 0 to 65535 in decimal without leading zeros.
    #[error("`{0}` in a PROXY header is not a port from 0 to 65535 without leading zeros")]
    Port(String),
    /// [`MAX_LINE`] octets and no CRLF among them.
    #[error("a PROXY header of version 1 has more than {MAX_LINE} octets; there is no CRLF among them")]
    LineTooLong,
    /// There are versions 1 and 2.
    #[error("a PROXY header has the version {0}; let the load balancer send version 1 or 2")]
    Version(u8),
    /// Neither LOCAL nor PROXY.
    #[error("a PROXY header has the command {0}; there are 0 (LOCAL) and 1 (PROXY)")]
    Command(u8),
    /// Family and transport, as they are on the wire.
    #[error(
        "a PROXY header has the unknown address family and transport {0:#04x}; let the load balancer send TCP over IP"
    )]
    Family(u8),
    /// The addresses do not fit into the length.
    #[error("a PROXY header has the length {length}, and its addresses need {needed}")]
    TooShort {
        /// As it was sent.
        length: usize,
        /// Octets of the addresses.
        needed: usize,
    },
    /// More than [`MAX_BLOCK`].
    #[error(
        "a PROXY header has the length {0}, and at most {MAX_BLOCK} are read; let the load balancer send fewer fields (TLV)"
    )]
    TooLong(usize),
}

/// Reads a header at the start of `input` and answers with whom it names and how many octets it has.
/// `None`: more octets are needed; that ends with 16 + [`MAX_BLOCK`] octets at the latest.
///
/// # Errors
/// [`ProxyError`], with whatever octets may come behind.
pub fn read(input: &[u8]) -> Result<Option<(Proxied, usize)>, ProxyError> {
    match input.first() {
        None => Ok(None),
        Some(b'P') => version_1(input),
        Some(_) => version_2(input),
    }
}

fn escaped(octets: &[u8]) -> String {
    octets.escape_ascii().to_string()
}

/// The octets of `input` up to the first in which it differs from all of `beginnings`, escaped.
fn up_to_difference(input: &[u8], beginnings: &[&[u8]]) -> String {
    let alike =
        |beginning: &&[u8]| input.iter().zip(*beginning).take_while(|(came, due)| came == due).count();
    let alike = beginnings.iter().map(alike).max().unwrap_or(0);
    escaped(&input[..input.len().min(alike + 1)])
}

/// The families of IP, as both versions have them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// What a line of version 1 begins with, up to where its beginnings differ from each other.
const TCP4: &[u8] = b"PROXY TCP4 ";
const TCP6: &[u8] = b"PROXY TCP6 ";
const UNKNOWN: &[u8] = b"PROXY UNKNOWN ";
const UNKNOWN_ALONE: &[u8] = b"PROXY UNKNOWN\r\n";

fn version_1(input: &[u8]) -> Result<Option<(Proxied, usize)>, ProxyError> {
    let beginnings = [TCP4, TCP6, UNKNOWN, UNKNOWN_ALONE];
    if let Some(line) = input.strip_prefix(TCP4) {
        tcp(Family::V4, line, input)
    } else if let Some(line) = input.strip_prefix(TCP6) {
        tcp(Family::V6, line, input)
    } else if input.starts_with(UNKNOWN) {
        unknown(input)
    } else if input.starts_with(UNKNOWN_ALONE) {
        Ok(Some((Proxied::Local, UNKNOWN_ALONE.len())))
    } else if beginnings.iter().any(|beginning| beginning.starts_with(input)) {
        Ok(None)
    } else if input.starts_with(b"PROXY ") {
        Err(ProxyError::Line(up_to_difference(input, &beginnings)))
    } else {
        Err(ProxyError::Missing(up_to_difference(input, &beginnings)))
    }
}

/// `rest` is the line behind `PROXY TCP4 ` or `PROXY TCP6 `.
fn tcp(family: Family, rest: &[u8], input: &[u8]) -> Result<Option<(Proxied, usize)>, ProxyError> {
    let of_address = |octet: &u8| octet.is_ascii_hexdigit() || matches!(octet, b'.' | b':' | b' ');
    let length = rest.iter().position(|octet| !of_address(octet)).unwrap_or(rest.len());
    let (text, end) = rest.split_at(length);
    let used = input.len() - end.len() + "\r\n".len();
    if used > MAX_LINE {
        return Err(ProxyError::LineTooLong);
    }
    match end {
        [] | [b'\r'] => Ok(None),
        [b'\r', b'\n', ..] => match source_of_line(family, &escaped(text))? {
            Some(client) => Ok(Some((Proxied::Client(client), used))),
            None => Err(ProxyError::Line(escaped(&input[..used]))),
        },
        // Neither a lone CR nor a lone LF ends the line.
        [b'\r', ..] => Err(ProxyError::Line(escaped(&input[..used]))),
        [_, ..] => Err(ProxyError::Line(escaped(&input[..used - 1]))),
    }
}

/// The source of `source destination port port`; `None` when there are more or fewer words.
fn source_of_line(family: Family, text: &str) -> Result<Option<SocketAddr>, ProxyError> {
    let words: Vec<&str> = text.split(' ').collect();
    let [source, destination, source_port, destination_port] = words[..] else {
        return Ok(None);
    };
    // The destination is read for its errors only.
    let (source, _) = (address(family, source)?, address(family, destination)?);
    let (source_port, _) = (port(source_port)?, port(destination_port)?);
    Ok(Some(SocketAddr::new(source, source_port)))
}

/// As strict as the standard library: no leading zeros, no octal. An IPv6 address may end in dotted form,
/// as inet_ntop writes mapped ones.
fn address(family: Family, text: &str) -> Result<IpAddr, ProxyError> {
    let (name, address) = match family {
        Family::V4 => ("TCP4", text.parse::<Ipv4Addr>().ok().map(IpAddr::V4)),
        Family::V6 => ("TCP6", text.parse::<Ipv6Addr>().ok().map(|address| address.to_canonical())),
    };
    address.ok_or_else(|| ProxyError::Address { family: name, address: text.to_owned() })
}

fn port(text: &str) -> Result<u16, ProxyError> {
    match text.parse::<u16>() {
        Ok(port) if port.to_string() == text => Ok(port),
        Ok(_) | Err(_) => Err(ProxyError::Port(text.to_owned())),
    }
}

/// Whatever stands behind `UNKNOWN ` up to CRLF is ignored, as section 2.1 demands.
fn unknown(input: &[u8]) -> Result<Option<(Proxied, usize)>, ProxyError> {
    let line = &input[..input.len().min(MAX_LINE)];
    match line.windows(2).position(|pair| pair == b"\r\n") {
        Some(at) => Ok(Some((Proxied::Local, at + 2))),
        None if line.len() == MAX_LINE => Err(ProxyError::LineTooLong),
        None => Ok(None),
    }
}

fn version_2(input: &[u8]) -> Result<Option<(Proxied, usize)>, ProxyError> {
    let Some(rest) = input.strip_prefix(SIGNATURE) else {
        return if SIGNATURE.starts_with(input) {
            Ok(None)
        } else {
            Err(ProxyError::Missing(up_to_difference(input, &[SIGNATURE])))
        };
    };
    let Some((&command, rest)) = rest.split_first() else { return Ok(None) };
    let local = match (command >> 4, command & 0xf) {
        (2, 0) => true,
        (2, 1) => false,
        (2, other) => return Err(ProxyError::Command(other)),
        (other, _) => return Err(ProxyError::Version(other)),
    };
    let Some((&family, rest)) = rest.split_first() else { return Ok(None) };
    // LOCAL has no family, whatever it says, and what is valid but no TCP over IP is to be taken for
    // unspecified.
    let (family, needed) = match family {
        _ if local => (None, 0),
        0x11 => (Some(Family::V4), 2 * (4 + 2)),
        0x21 => (Some(Family::V6), 2 * (16 + 2)),
        other if other >> 4 <= 3 && other & 0xf <= 2 => (None, 0),
        other => return Err(ProxyError::Family(other)),
    };
    let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes(*length));
    let too_short = ProxyError::TooShort { length, needed };
    if length > MAX_BLOCK {
        return Err(ProxyError::TooLong(length));
    }
    if length < needed {
        return Err(too_short);
    }
    let Some(block) = rest.get(..length) else { return Ok(None) };
    let client = match family {
        None => return Ok(Some((Proxied::Local, FIXED + length))),
        Some(Family::V4) => source_of_block::<4>(block),
        Some(Family::V6) => source_of_block::<16>(block),
    };
    Ok(Some((Proxied::Client(client.ok_or(too_short)?), FIXED + length)))
}

/// The source of two addresses of `N` octets and two ports.
fn source_of_block<const N: usize>(block: &[u8]) -> Option<SocketAddr>
where
    IpAddr: From<[u8; N]>,
{
    let source: &[u8; N] = block.first_chunk()?;
    let port = block.get(2 * N..)?.first_chunk()?;
    Some(SocketAddr::new(IpAddr::from(*source).to_canonical(), u16::from_be_bytes(*port)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(input: &[u8]) -> String {
        match read(input) {
            Ok(None) => "more".to_owned(),
            Ok(Some((Proxied::Client(client), used))) => format!("{client} {used}"),
            Ok(Some((Proxied::Local, used))) => format!("local {used}"),
            Err(error) => format!("{error:?}"),
        }
    }

    fn binary(command: u8, family: u8, length: u16, block: &[u8]) -> Vec<u8> {
        [SIGNATURE.as_slice(), &[command, family], &length.to_be_bytes(), block].concat()
    }

    const BLOCK_V4: [u8; 12] = [192, 0, 2, 7, 192, 0, 2, 1, 0xdc, 4, 0, 25];

    #[test]
    fn a_line_names_the_client() {
        assert_eq!(told(b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 25\r\nEHLO x\r\n"), "192.0.2.7:56324 41");
        assert_eq!(told(b"PROXY TCP6 2001:db8::7 ::1 65535 0\r\n"), "[2001:db8::7]:65535 36");
        assert_eq!(told(b"PROXY TCP6 2001:DB8::A ::1 1 2\r\n"), "[2001:db8::a]:1 32");
        assert_eq!(told(b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"), "192.0.2.7:1 37");
        assert_eq!(told(b"PROXY TCP6 ::ffff:c000:207 ::1 1 2\r\n"), "192.0.2.7:1 36");
    }

    #[test]
    fn an_unknown_client_is_the_balancer_itself() {
        assert_eq!(told(b"PROXY UNKNOWN\r\n"), "local 15");
        assert_eq!(told(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\nEHLO x\r\n"), "local 35");
        assert_eq!(told(b"PROXY UNKNOWN \r \n \x00\xff\r\n"), "local 22");
        assert_eq!(told(b"PROXY UNKNOWNS\r\n"), r#"Line("PROXY UNKNOWNS")"#);
        assert_eq!(told(b"PROXY UNKNOWN\n"), r#"Line("PROXY UNKNOWN\\n")"#);
        assert_eq!(told(b"PROXY UNKNOWN\rx"), r#"Line("PROXY UNKNOWN\\rx")"#);
    }

    #[test]
    fn a_line_is_written_exactly_so() {
        for line in [
            "PROXY TCP4 192.0.2.7 192.0.2.1 1",
            "PROXY TCP4 192.0.2.7 192.0.2.1 1 2 ",
            "PROXY TCP4 192.0.2.7 192.0.2.1 1 2 3",
            "PROXY TCP4 192.0.2.7  192.0.2.1 1 2",
            "PROXY TCP4  192.0.2.7 192.0.2.1 1 2",
            "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r",
        ] {
            let text = format!("{line}\r\n");
            let wrong = if line.ends_with('\r') { format!("{line}\r") } else { text.clone() };
            assert_eq!(read(text.as_bytes()), Err(ProxyError::Line(escaped(wrong.as_bytes()))), "{line}");
        }
        assert_eq!(
            told(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\nEHLO"),
            r#"Line("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\\n")"#
        );
        assert_eq!(told(b"PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n"), r#"Line("PROXY TCP4 1.2.3.4\\t")"#);
        assert_eq!(told(b"PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n"), r#"Line("PROXY TCP4 1.2.3.4 1.2.3.4 -")"#);
        assert_eq!(told(b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n"), r#"Line("PROXY TCP6 fe80::1%")"#);
        assert_eq!(told(b"PROXY TCP5"), r#"Line("PROXY TCP5")"#);
        assert_eq!(told(b"PROXY UDP4"), r#"Line("PROXY UD")"#);
        assert_eq!(told(b"PROXY tcp4"), r#"Line("PROXY t")"#);
        assert_eq!(told(b"PROXY  TCP4"), r#"Line("PROXY  ")"#);
    }

    #[test]
    fn addresses_are_of_the_family_and_canonical() {
        let wrong = |family: &str, address: &str| {
            let good = if family == "TCP4" { "192.0.2.1" } else { "::1" };
            for addresses in [format!("{address} {good}"), format!("{good} {address}")] {
                let line = format!("PROXY {family} {addresses} 1 2\r\n");
                let due = format!("Address {{ family: {family:?}, address: {address:?} }}");
                assert_eq!(told(line.as_bytes()), due, "{line}");
            }
        };
        for address in
            ["::1", "192.0.2.07", "192.0.2.256", "192.0.2", "192.0.2.1.1", "c0.0.2.1", "::ffff:192.0.2.1"]
        {
            wrong("TCP4", address);
        }
        for address in ["192.0.2.1", "::1::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "00001::", ":1"] {
            wrong("TCP6", address);
        }
    }

    #[test]
    fn ports_are_0_to_65535_without_leading_zeros() {
        for (port, good) in [
            ("0", true),
            ("65535", true),
            ("65536", false),
            ("00", false),
            ("025", false),
            ("", false),
            ("a", false),
        ] {
            for ports in [format!("{port} 2"), format!("2 {port}")] {
                let line = format!("PROXY TCP4 192.0.2.7 192.0.2.1 {ports}\r\n");
                match read(line.as_bytes()) {
                    Ok(answer) => assert!(good && answer.is_some(), "{line}"),
                    Err(error) => {
                        assert!(!good && error == ProxyError::Port(port.to_owned()), "{line}: {error:?}")
                    }
                }
            }
        }
    }

    #[test]
    fn a_line_has_107_octets_and_never_108() {
        let unknown = |octets: usize| format!("{:x<width$}\r\n", "PROXY UNKNOWN ", width = octets - 2);
        assert_eq!(told(unknown(107).as_bytes()), "local 107");
        assert_eq!(told(unknown(108).as_bytes()), "LineTooLong");
        assert_eq!(told(&unknown(108).as_bytes()[..107]), "LineTooLong");
        assert_eq!(told(&unknown(107).as_bytes()[..106]), "more");
        let tcp = |octets: usize| format!("{:1<width$}\r\n", "PROXY TCP6 ", width = octets - 2);
        assert!(told(tcp(107).as_bytes()).starts_with("Line("));
        assert_eq!(told(&tcp(107).as_bytes()[..106]), "more");
        assert_eq!(told(tcp(108).as_bytes()), "LineTooLong");
        let longest =
            format!("PROXY TCP6 {0} {0} 65535 65535\r\n", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
        assert_eq!(longest.len(), 104);
        assert!(told(longest.as_bytes()).ends_with(":65535 104"));
    }

    #[test]
    fn a_binary_header_names_the_client() {
        let mut header = binary(0x21, 0x11, 12, &BLOCK_V4);
        assert_eq!(told(&header), "192.0.2.7:56324 28");
        header.extend(b"EHLO x\r\n");
        assert_eq!(told(&header), "192.0.2.7:56324 28");
        // Fields behind the addresses are passed over, well-formed or not.
        assert_eq!(
            told(&binary(0x21, 0x11, 15, &[&BLOCK_V4[..], &[4, 0xff, 0xff]].concat())),
            "192.0.2.7:56324 31"
        );
        let mapped: Ipv6Addr = "::ffff:192.0.2.7".parse().unwrap();
        let block = [&mapped.octets()[..], &mapped.octets()[..], &[0, 1, 0, 2]].concat();
        assert_eq!(told(&binary(0x21, 0x21, 36, &block)), "192.0.2.7:1 52");
    }

    #[test]
    fn what_is_no_tcp_over_ip_is_the_balancer_itself() {
        assert_eq!(told(&binary(0x20, 0, 0, b"")), "local 16");
        // The family of LOCAL is ignored, and its octets are passed over.
        assert_eq!(told(&binary(0x20, 0xff, 12, &BLOCK_V4)), "local 28");
        for family in [0x00, 0x01, 0x02, 0x10, 0x12, 0x20, 0x22, 0x30, 0x31, 0x32] {
            assert_eq!(told(&binary(0x21, family, 0, b"")), "local 16", "{family:#x}");
        }
        assert_eq!(told(&binary(0x21, 0x31, 216, &[0; 216])), "local 232");
        for family in [0x03, 0x13, 0x33, 0x40, 0x41, 0xff] {
            assert_eq!(told(&binary(0x21, family, 0, b"")), format!("Family({family})"));
        }
        assert!(ProxyError::Family(0x41).to_string().contains("0x41"));
    }

    #[test]
    fn a_binary_header_is_refused_at_its_first_wrong_octet() {
        assert_eq!(told(&binary(0x11, 0, 0, b"")[..13]), "Version(1)");
        assert_eq!(told(&binary(0x31, 0, 0, b"")[..13]), "Version(3)");
        assert_eq!(told(&binary(0x22, 0, 0, b"")[..13]), "Command(2)");
        assert_eq!(told(&binary(0x21, 0x14, 0, b"")[..14]), "Family(20)");
        assert_eq!(told(&binary(0x21, 0x11, 11, b"")), "TooShort { length: 11, needed: 12 }");
        assert_eq!(told(&binary(0x21, 0x21, 35, b"")), "TooShort { length: 35, needed: 36 }");
        assert_eq!(told(b"\r\n\r\n\r"), r#"Missing("\\r\\n\\r\\n\\r")"#);
    }

    #[test]
    fn a_block_has_4096_octets_and_never_4097() {
        let block = [0; 4097];
        assert_eq!(told(&binary(0x20, 0, 4096, &block[..4096])), "local 4112");
        assert_eq!(told(&binary(0x20, 0, 4097, b"")), "TooLong(4097)");
        assert_eq!(told(&binary(0x21, 0x11, u16::MAX, b"")), "TooLong(65535)");
    }

    #[test]
    fn no_header_is_seen_at_once_and_told_with_the_way_out() {
        assert_eq!(told(b""), "more");
        assert_eq!(told(b"E"), r#"Missing("E")"#);
        assert_eq!(told(b"PRO\r\n"), r#"Missing("PRO\\r")"#);
        assert_eq!(told(b"POST / HTTP/1.1\r\n"), r#"Missing("PO")"#);
        assert_eq!(told(b"\x16\x03\x01"), r#"Missing("\\x16")"#);
        let sentence = read(b"EHLO x\r\n").unwrap_err().to_string();
        assert!(
            sentence.starts_with(
                "`E` begins no PROXY header; a connection from a load balancer listed in `proxies` must"
            ),
            "{sentence}"
        );
    }

    /// Octets that get far into either version.
    fn nearly_a_header() -> impl Strategy<Value = Vec<u8>> {
        let beginnings: [&'static [u8]; 10] = [
            b"",
            TCP4,
            TCP6,
            UNKNOWN,
            b"PROXY UNKNOWN",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 1",
            SIGNATURE,
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00",
            b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x21\x00\x24",
        ];
        let beginning = proptest::sample::select(beginnings.to_vec());
        let octet = prop_oneof![any::<u8>(), proptest::sample::select(b"\r\n 0123456789abcdef:.".to_vec())];
        (beginning, proptest::collection::vec(octet, 0..150)).prop_map(|(head, tail)| [head, &tail].concat())
    }

    proptest! {
        #[test]
        fn any_octets_are_survived(input in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&input);
        }

        /// Once there is an answer, no octet behind it changes it, and its end is where it first came;
        /// before, more is asked for.
        #[test]
        fn cuts_make_no_difference(input in nearly_a_header()) {
            let answers: Vec<_> = (0..=input.len()).map(|length| read(&input[..length])).collect();
            let first = answers.iter().position(|answer| *answer != Ok(None)).unwrap_or(answers.len());
            for answer in &answers[first..] {
                prop_assert_eq!(answer, &answers[first]);
            }
            if let Some(Ok(Some((_, used)))) = answers.get(first) {
                prop_assert_eq!(*used, first);
            }
            prop_assert!(first <= FIXED + MAX_BLOCK);
        }

        #[test]
        fn written_headers_are_read_back(source: SocketAddr, port: u16, tail: Vec<u8>, fields in 0u16..300) {
            let client = SocketAddr::new(source.ip().to_canonical(), source.port());
            let (name, code, ip) = match source.ip() {
                IpAddr::V4(ip) => ("TCP4", 0x11, ip.octets().to_vec()),
                IpAddr::V6(ip) => ("TCP6", 0x21, ip.octets().to_vec()),
            };
            let line = format!("PROXY {name} {0} {0} {1} {port}\r\n", source.ip(), source.port());
            prop_assert_eq!(read(&[line.as_bytes(), &tail].concat()), Ok(Some((Proxied::Client(client), line.len()))));
            let ports = [source.port().to_be_bytes(), port.to_be_bytes()].concat();
            let mut block = [ip.clone(), ip, ports].concat();
            block.resize(block.len() + usize::from(fields), 7);
            let header = binary(0x21, code, u16::try_from(block.len()).unwrap(), &block);
            prop_assert_eq!(read(&[&header[..], &tail].concat()), Ok(Some((Proxied::Client(client), header.len()))));
        }
    }
}
