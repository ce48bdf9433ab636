//! `X-Forwarded-For` and `Forwarded`: whose request a proxy passes on.

use std::net::IpAddr;

use sms_relay::http::fuzzing::client;
use sms_relay::http::{Forwarding, Proxies};

const TRUSTED: [u8; 4] = [10, 0, 0, 2];
const STRANGER: [u8; 4] = [192, 0, 2, 99];

/// Each line of the input is one of the header, in both of its forms. From a peer that is no proxy of ours it changes
/// nothing. From one that is, the client is that proxy, or an address that is written there, told in canonical form;
/// one more trusted proxy at the end makes no other client, and what stands before a client that was found counts for
/// nothing. Of an `X-Forwarded-For` commas and lines are the same, and a plain second reader finds the same client.
///
/// # Panics
/// When one of these does not hold.
pub fn check(input: &[u8]) {
    let lines: Vec<&[u8]> = input.split(|octet| *octet == b'\n').collect();
    for header in [Forwarding::XForwardedFor, Forwarding::Forwarded] {
        let networks =
            ["10.0.0.0/8", "2001:db8:1::/48"].map(|network| network.parse().unwrap_or_else(|_| panic!()));
        let proxies = Proxies { networks: networks.into(), header };
        check_header(&proxies, &lines);
        if header == Forwarding::XForwardedFor {
            let joined = lines.join(&b", "[..]);
            let found = client(&proxies, TRUSTED.into(), &lines);
            let of_joined = client(&proxies, TRUSTED.into(), &[&joined]);
            assert_eq!(of_joined, found, "a comma is as good as a line");
            assert_eq!(found.ok(), second_reader(&proxies, &joined));
        }
    }
}

fn check_header(proxies: &Proxies, lines: &[&[u8]]) {
    let is_trusted = |address: IpAddr| proxies.networks.iter().any(|network| network.contains(&address));
    for stranger in
        [IpAddr::from(STRANGER), IpAddr::from([0x20, 1, 0xd, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])]
    {
        assert_eq!(client(proxies, stranger, lines), Ok(stranger), "a stranger's word counts");
    }
    let (before, one): (&[u8], &[u8]) = match proxies.header {
        Forwarding::XForwardedFor => (b"203.0.113.66", b"10.9.9.9"),
        Forwarding::Forwarded => (b"for=203.0.113.66", b"for=10.9.9.9"),
    };
    let found = client(proxies, TRUSTED.into(), lines);
    assert_eq!(found, client(proxies, TRUSTED.into(), lines), "a second time");
    let longer = [lines, &[one]].concat();
    let behind = client(proxies, TRUSTED.into(), &longer);
    match &found {
        // The outermost proxy stands for a client that nobody names.
        Ok(address) if is_trusted(*address) => assert!(behind.is_ok_and(is_trusted)),
        Ok(_) | Err(_) => assert_eq!(behind, found, "behind one more proxy of ours"),
    }
    match found {
        Ok(found) => {
            assert_eq!(found, found.to_canonical());
            let is_proxy = found == IpAddr::from(TRUSTED);
            assert!(is_proxy || is_written(found, lines), "{found} comes from nowhere");
            if !is_trusted(found) {
                let forged = [&[before], lines].concat();
                assert_eq!(
                    client(proxies, TRUSTED.into(), &forged),
                    Ok(found),
                    "what a client writes counts"
                );
            }
        }
        Err(error) => assert!(!error.contains(char::is_control) && error.chars().count() < 600, "{error:?}"),
    }
}

/// Whether some run of characters of addresses is `address`. Backslashes of quoted pairs mean nothing.
fn is_written(address: IpAddr, lines: &[&[u8]]) -> bool {
    let is_part = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.');
    lines.iter().any(|line| {
        let text = String::from_utf8_lossy(line).replace('\\', "");
        text.split(|c: char| !is_part(c)).any(|run| {
            // A port may stand behind an IPv4 address.
            let runs = [Some(run), run.split_once(':').map(|(before, _)| before)];
            let is_it = |run: &str| run.parse::<IpAddr>().is_ok_and(|found| found.to_canonical() == address);
            runs.into_iter().flatten().any(is_it)
        })
    })
}

/// The client of an `X-Forwarded-For` of one line; `None` where it cannot be read.
fn second_reader(proxies: &Proxies, line: &[u8]) -> Option<IpAddr> {
    let is_trusted = |address: IpAddr| proxies.networks.iter().any(|network| network.contains(&address));
    let mut client = IpAddr::from(TRUSTED);
    for entry in line.split(|octet| *octet == b',').rev() {
        let entry = str::from_utf8(entry.trim_ascii()).ok()?;
        if entry.is_empty() {
            continue;
        }
        let hidden = |text: &str| {
            let of_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            text.strip_prefix('_').is_some_and(|name| !name.is_empty() && name.chars().all(of_name))
        };
        let port = |text: &str| {
            hidden(text) || (1..=5).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit())
        };
        let (host, rest) = if let Ok(IpAddr::V6(address)) = entry.parse() {
            (address.to_string(), None)
        } else if let Some(rest) = entry.strip_prefix('[') {
            let (host, rest) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host.to_owned(), if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        } else {
            let (host, rest) = entry.split_once(':').map_or((entry, None), |(host, rest)| (host, Some(rest)));
            (host.to_owned(), rest)
        };
        if !rest.is_none_or(port) {
            return None;
        }
        if hidden(&host) || host.eq_ignore_ascii_case("unknown") {
            return Some(client);
        }
        client = host.parse::<IpAddr>().ok()?.to_canonical();
        if !is_trusted(client) {
            return Some(client);
        }
    }
    Some(client)
}
