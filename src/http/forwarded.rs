//! Whose request it is that a proxy passes on: `X-Forwarded-For`, and `Forwarded` (RFC 7239).
//!
//! Each proxy adds the address that it was called from at the end, and whatever stands before is what it was told: a
//! client may have written it. So the list is read from its end, for as long as the addresses are those of proxies that
//! the operator trusts; the first other one is the client's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Proxies whose word counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxies {
    /// Their addresses.
    pub networks: Vec<IpNet>,
    /// Where they write whose request it is.
    pub header: Forwarding,
}

/// The header that proxies write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarding {
    /// `X-Forwarded-For: 192.0.2.1, 10.0.0.2`
    XForwardedFor,
    /// `Forwarded: for=192.0.2.1;proto=https, for="[2001:db8::1]:4711"`
    Forwarded,
}

/// What a trusted proxy has written cannot be read. Nobody can tell then whose the request is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header `{header}` cannot be read at `{shown}`; see the proxy's configuration")]
pub(super) struct Malformed {
    header: &'static str,
    shown: String,
}

/// Who called a proxy, as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Address(IpAddr),
    /// `unknown`, or a name that means something to the proxy only.
    Hidden,
}

impl Forwarding {
    /// The header's name in lower case.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

impl Proxies {
    /// The address of the client whose request came from `peer` with these lines of the header, in their order. It is
    /// `peer` where that is no proxy of ours, or where it names nobody. A proxy that hides its client stands for it.
    ///
    /// # Errors
    /// [`Malformed`] when what trusted proxies have written cannot be read. What stands before it in an
    /// `X-Forwarded-For` is not looked at; a `Forwarded` is read as a whole, because quotes decide what belongs
    /// together.
    pub(super) fn client(&self, peer: IpAddr, lines: &[&[u8]]) -> Result<IpAddr, Malformed> {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return Ok(client);
        }
        for line in lines.iter().rev() {
            let stops = match self.header {
                Forwarding::XForwardedFor => {
                    let parts = line.rsplit(|octet| *octet == b',').map(<[u8]>::trim_ascii);
                    let parts = parts.filter(|part| !part.is_empty());
                    self.walk(&mut client, parts.map(|part| bare(part).ok_or_else(|| self.malformed(part))))?
                }
                Forwarding::Forwarded => {
                    let nodes = elements(line).map_err(|rest| self.malformed(rest))?;
                    self.walk(&mut client, nodes.into_iter().rev().map(Ok))?
                }
            };
            if stops {
                break;
            }
        }
        Ok(client)
    }

    /// Goes from proxy to proxy; `true` once the client is known.
    fn walk(
        &self,
        client: &mut IpAddr,
        nodes: impl Iterator<Item = Result<Node, Malformed>>,
    ) -> Result<bool, Malformed> {
        for node in nodes {
            match node? {
                Node::Hidden => return Ok(true),
                Node::Address(address) => *client = address,
            }
            if !self.trusts(*client) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    fn malformed(&self, at: &[u8]) -> Malformed {
        let shown: String = String::from_utf8_lossy(at).chars().take(40).collect();
        Malformed { header: self.header.name(), shown: shown.escape_debug().to_string() }
    }
}

/// An entry of `X-Forwarded-For`: an address; some proxies write a port behind it, and then brackets around IPv6.
fn bare(part: &[u8]) -> Option<Node> {
    let part = std::str::from_utf8(part).ok()?;
    match part.parse::<Ipv6Addr>() {
        Ok(address) => Some(Node::Address(IpAddr::V6(address).to_canonical())),
        Err(_) => node(part),
    }
}

/// `node` of RFC 7239 section 6: IPv4, IPv6 in brackets, `unknown` or `_name`, with or without a port.
fn node(text: &str) -> Option<Node> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (name, port) = rest.split_once(']')?;
            let address: Ipv6Addr = name.parse().ok()?;
            let port = if port.is_empty() { None } else { Some(port.strip_prefix(':')?) };
            (Node::Address(IpAddr::V6(address).to_canonical()), port)
        }
        None => {
            let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
            let node = match name.parse::<Ipv4Addr>() {
                Ok(address) => Node::Address(IpAddr::V4(address)),
                Err(_) if name.eq_ignore_ascii_case("unknown") || is_obfuscated(name) => Node::Hidden,
                Err(_) => return None,
            };
            (node, port)
        }
    };
    let is_port = |port: &str| {
        let is_number = (1..=5).contains(&port.len()) && port.bytes().all(|octet| octet.is_ascii_digit());
        is_number || is_obfuscated(port)
    };
    port.is_none_or(is_port).then_some(name)
}

/// `obfnode` and `obfport`: an underscore, and letters, digits, `.`, `_` and `-` behind it.
fn is_obfuscated(text: &str) -> bool {
    let is_letter = |octet: u8| octet.is_ascii_alphanumeric() || b"._-".contains(&octet);
    text.strip_prefix('_').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_letter))
}

/// The `for` of each element of a `Forwarded` line (RFC 7239 section 4), in their order; empty elements are none. What
/// cannot be read is the error.
fn elements(line: &[u8]) -> Result<Vec<Node>, &[u8]> {
    let mut nodes = Vec::new();
    let mut rest = line.trim_ascii_start();
    let (mut named, mut is_empty) = (Vec::<&[u8]>::new(), true);
    let mut found = None;
    loop {
        if let [b',', tail @ ..] | [b';', tail @ ..] = rest {
            if rest[0] == b',' {
                nodes.extend((!is_empty).then_some(found.take().unwrap_or(Node::Hidden)));
                named.clear();
                is_empty = true;
            }
            rest = tail.trim_ascii_start();
            continue;
        }
        if rest.is_empty() {
            nodes.extend((!is_empty).then_some(found.unwrap_or(Node::Hidden)));
            return Ok(nodes);
        }
        let (name, value, tail) = pair(rest).ok_or(rest)?;
        // Each parameter once, of which there are four; more are extensions.
        if named.iter().any(|earlier| earlier.eq_ignore_ascii_case(name)) || named.len() == 16 {
            return Err(rest);
        }
        named.push(name);
        is_empty = false;
        if name.eq_ignore_ascii_case(b"for") {
            found = Some(std::str::from_utf8(&value).ok().and_then(node).ok_or(rest)?);
        }
        let tail = tail.trim_ascii_start();
        if !matches!(tail, [] | [b',' | b';', ..]) {
            return Err(rest);
        }
        rest = tail;
    }
}

/// `token "=" value` at the start, and what follows. Outside of quotes, colons and brackets are taken as well, as many
/// proxies write them.
fn pair(text: &[u8]) -> Option<(&[u8], Vec<u8>, &[u8])> {
    let is_token = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
    let length = text.iter().position(|octet| !is_token(*octet))?;
    let (name, rest) = text.split_at(length);
    let rest = rest.strip_prefix(b"=").filter(|_| !name.is_empty())?;
    let Some(quoted) = rest.strip_prefix(b"\"") else {
        let is_value = |octet: u8| is_token(octet) || b":[]".contains(&octet);
        let length = rest.iter().position(|octet| !is_value(*octet)).unwrap_or(rest.len());
        let (value, rest) = rest.split_at(length);
        return (!value.is_empty()).then(|| (name, value.to_vec(), rest));
    };
    let mut value = Vec::new();
    let mut octets = quoted.iter().enumerate();
    while let Some((at, octet)) = octets.next() {
        match octet {
            b'"' => return Some((name, value, &quoted[at + 1..])),
            b'\\' => value.push(*octets.next()?.1),
            _ => value.push(*octet),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxies(header: Forwarding) -> Proxies {
        let networks = ["10.0.0.0/8", "2001:db8:1::/48"].map(|network| network.parse().unwrap()).into();
        Proxies { networks, header }
    }

    /// The client of a request from `peer`; `400` where it cannot be told.
    fn client(header: Forwarding, peer: &str, lines: &[&str]) -> String {
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        match proxies(header).client(peer.parse().unwrap(), &lines) {
            Ok(address) => address.to_string(),
            Err(_) => "400".to_owned(),
        }
    }

    #[test]
    fn x_forwarded_for_is_read_from_its_end_up_to_the_first_stranger() {
        for (lines, expected) in [
            (&[][..], "10.0.0.1"),
            (&[""], "10.0.0.1"),
            (&["192.0.2.1"], "192.0.2.1"),
            (&[" \t192.0.2.1 "], "192.0.2.1"),
            (&["192.0.2.1, 10.0.0.2,10.0.0.3"], "192.0.2.1"),
            // What a client wrote stands before what the proxy did.
            (&["198.51.100.9, 192.0.2.1"], "192.0.2.1"),
            (&["10.0.0.9, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            (&["127.0.0.1", "192.0.2.1"], "192.0.2.1"),
            (&["garbage\u{e9}\", 192.0.2.1"], "192.0.2.1"),
            (&["garbage", "192.0.2.1"], "192.0.2.1"),
            (&["192.0.2.1", "10.0.0.2"], "192.0.2.1"),
            (&["192.0.2.1", "", ", ,"], "192.0.2.1"),
            (&["192.0.2.1,,, 10.0.0.2, ,"], "192.0.2.1"),
            // Nobody but proxies: the farthest.
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // IPv6, with a port, mapped.
            (&["2001:db8:2::1, 2001:db8:1::7"], "2001:db8:2::1"),
            (&["[2001:db8:2::1]"], "2001:db8:2::1"),
            (&["[2001:db8:2::1]:4711"], "2001:db8:2::1"),
            (&["192.0.2.1:4711"], "192.0.2.1"),
            (&["192.0.2.1, ::ffff:10.0.0.2"], "192.0.2.1"),
            (&["::ffff:192.0.2.1"], "192.0.2.1"),
            // Hidden clients: the proxy that hides them.
            (&["unknown"], "10.0.0.1"),
            (&["192.0.2.1, unknown, 10.0.0.2"], "10.0.0.2"),
            (&["192.0.2.1, _hidden"], "10.0.0.1"),
            (&["garbage"], "400"),
            (&["192.0.2.1, garbage, 10.0.0.2"], "400"),
            (&["192.0.2.1:"], "400"),
            (&["192.0.2.1:123456"], "400"),
            (&["192.0.2.01"], "400"),
            (&["192.0.2.1 10.0.0.2"], "400"),
            (&["\"192.0.2.1\""], "400"),
            (&["[192.0.2.1]"], "400"),
            (&["fe80::1%eth0"], "400"),
            (&["for=192.0.2.1"], "400"),
        ] {
            assert_eq!(client(Forwarding::XForwardedFor, "10.0.0.1", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn forwarded_is_read_as_its_rfc_has_it() {
        for (lines, expected) in [
            (&[][..], "10.0.0.1"),
            (&["for=192.0.2.1"], "192.0.2.1"),
            // Section 4, section 7.1.
            (&["for=\"_gazonk\""], "10.0.0.1"),
            (&["For=\"[2001:db8:cafe::17]:4711\""], "2001:db8:cafe::17"),
            (&["for=192.0.2.60;proto=http;by=203.0.113.43"], "192.0.2.60"),
            (&["for=192.0.2.43, for=198.51.100.17"], "198.51.100.17"),
            (&["for=192.0.2.43", "for=10.0.0.2, for=10.0.0.3"], "192.0.2.43"),
            (&["for=_SEVKISEK, for=10.0.0.2"], "10.0.0.2"),
            (&["for=\"192.0.2.43:47011\""], "192.0.2.43"),
            (&["for=\"192.0.2.43:_port\""], "192.0.2.43"),
            (&["for=unknown"], "10.0.0.1"),
            (&["for=\"unknown:4711\", for=10.0.0.2"], "10.0.0.2"),
            (&["by=203.0.113.43;FOR=192.0.2.1;host=\"a, for=10.0.0.9;b\""], "192.0.2.1"),
            (&["for=192.0.2.1 ; proto=http , for=10.0.0.2"], "192.0.2.1"),
            (&[",, ;for=192.0.2.1;;proto=http;,"], "192.0.2.1"),
            (&["for=\"192.0.\\2.1\""], "192.0.2.1"),
            // Nothing of whom it was called by.
            (&["for=192.0.2.1, proto=http"], "10.0.0.1"),
            // Not by the letter, and with one meaning.
            (&["for=192.0.2.43:47011"], "192.0.2.43"),
            (&["for=[2001:db8:cafe::17]:4711"], "2001:db8:cafe::17"),
            // A client's own quote must not swallow what the proxy adds.
            (&["for=\"10.0.0.9, for=192.0.2.1"], "400"),
            (&["for=\"10.0.0.9, for=192.0.2.1, for=\"[2001:db8:1::1]\""], "400"),
            (&["for=\"a\\, for=\"[2001:db8:1::1]\""], "400"),
            (&["for=10.0.0.9;for=192.0.2.1"], "400"),
            (&["for=192.0.2.1;FOR=10.0.0.9"], "400"),
            (&["for=2001:db8:cafe::17"], "400"),
            (&["for=\"2001:db8:cafe::17\""], "400"),
            (&["for = 192.0.2.1"], "400"),
            (&["for="], "400"),
            (&["for=\"\""], "400"),
            (&["=192.0.2.1"], "400"),
            (&["192.0.2.1"], "400"),
            (&["for=\"192.0.2.1\"x"], "400"),
            (&["for=192.0.2.1 10.0.0.2"], "400"),
            (&["for=_"], "400"),
            (&["for=\"_a b\""], "400"),
        ] {
            assert_eq!(client(Forwarding::Forwarded, "10.0.0.1", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn whoever_is_no_proxy_is_the_client_whatever_it_writes() {
        for header in [Forwarding::XForwardedFor, Forwarding::Forwarded] {
            for lines in [&["192.0.2.1"][..], &["for=192.0.2.1"], &["garbage\""], &["10.0.0.1"]] {
                assert_eq!(client(header, "203.0.113.7", lines), "203.0.113.7");
                assert_eq!(client(header, "::ffff:203.0.113.7", lines), "203.0.113.7");
            }
        }
        assert_eq!(client(Forwarding::XForwardedFor, "::ffff:10.0.0.1", &["192.0.2.1"]), "192.0.2.1");
    }

    #[test]
    fn a_hundred_kilobytes_of_commas_and_of_proxies_are_read() {
        let commas = ",".repeat(100_000);
        for header in [Forwarding::XForwardedFor, Forwarding::Forwarded] {
            assert_eq!(client(header, "10.0.0.1", &[&commas]), "10.0.0.1");
            assert_eq!(
                client(header, "10.0.0.1", &[&";".repeat(100_000)]),
                match header {
                    Forwarding::XForwardedFor => "400",
                    Forwarding::Forwarded => "10.0.0.1",
                }
            );
        }
        let many = "10.0.0.2,".repeat(10_000);
        assert_eq!(client(Forwarding::XForwardedFor, "10.0.0.1", &["192.0.2.1", &many]), "192.0.2.1");
        let many = "for=10.0.0.2,".repeat(10_000);
        assert_eq!(client(Forwarding::Forwarded, "10.0.0.1", &["for=192.0.2.1", &many]), "192.0.2.1");
        let names = |count| (0..count).map(|n| format!("a{n}=b;")).collect::<String>() + "for=192.0.2.1";
        assert_eq!(client(Forwarding::Forwarded, "10.0.0.1", &[&names(15)]), "192.0.2.1");
        assert_eq!(client(Forwarding::Forwarded, "10.0.0.1", &[&names(16)]), "400");
    }

    #[test]
    fn what_cannot_be_read_is_shown_in_part() {
        let line = format!("bad\u{1b}{}", "x".repeat(100));
        let error = proxies(Forwarding::XForwardedFor)
            .client(IpAddr::from([10, 0, 0, 1]), &[line.as_bytes()])
            .unwrap_err();
        let shown = format!("bad\\u{{1b}}{}", "x".repeat(36));
        assert_eq!(
            error.to_string(),
            format!(
                "the header `x-forwarded-for` cannot be read at `{shown}`; see the proxy's configuration"
            )
        );
    }

    proptest! {
        /// Whatever a client sends, the proxy's own entry behind it decides, or the request is refused.
        #[test]
        fn no_client_speaks_for_another(own in "[ -~]{0,60}", ipv6: bool, quoted: bool) {
            let (address, element) = match (ipv6, quoted) {
                (false, false) => ("192.0.2.1", "for=192.0.2.1"),
                (false, true) => ("192.0.2.1", "for=\"192.0.2.1\""),
                (true, _) => ("2001:db8:2::1", "for=\"[2001:db8:2::1]\""),
            };
            let joined = client(Forwarding::XForwardedFor, "10.0.0.1", &[&format!("{own}, {address}")]);
            prop_assert_eq!(&joined, address);
            for lines in [&[&*format!("{own}, {element}")][..], &[&own, element]] {
                let read = client(Forwarding::Forwarded, "10.0.0.1", lines);
                prop_assert!(read == address || read == "400", "{} {:?}", read, lines);
            }
        }
    }
}
