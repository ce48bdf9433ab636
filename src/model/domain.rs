//! What stands behind the `@`: a domain, or the literal of an IP address (RFC 5321 section 4.1.3).

use std::net::{IpAddr, Ipv4Addr};

/// The address that a literal like `[192.0.2.1]` or `[IPv6:2001:db8::1]` stands for.
pub fn address_literal(text: &str) -> Option<IpAddr> {
    let inside = text.strip_prefix('[')?.strip_suffix(']')?;
    match inside.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => inside[5..].parse().ok().map(IpAddr::V6),
        Some(_) | None => ipv4(inside).map(IpAddr::V4),
    }
}

/// Whether a mail address can have `text` behind its `@`: labels with dots between, or an address
/// literal. Wider than the grammar in two things: `_`, because hosts with such names do send mail, and
/// characters outside ASCII (RFC 6531 section 3.3).
pub fn is_domain(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c) || is_international(c);
    let is_label = |label: &str| {
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.chars().all(allowed)
    };
    if text.starts_with('[') { address_literal(text).is_some() } else { text.split('.').all(is_label) }
}

/// Whether two domains are the same: names without regard to case, literals by their address.
pub fn same_domain(one: &str, other: &str) -> bool {
    match (address_literal(one), address_literal(other)) {
        (None, None) => one.to_lowercase() == other.to_lowercase(),
        (one, other) => one == other,
    }
}

/// Whether `c` is outside ASCII and neither a space nor a control character of any kind.
pub fn is_international(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace()
}

/// Four numbers of one to three digits; unlike the standard library's reader, leading zeros are
/// fine, as in the RFC's `Snum`. They do not make a number octal.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let number = |part: &str| {
        let digits = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<u8>().ok().filter(|_| digits)
    };
    let parts: Option<Vec<u8>> = text.split('.').map(number).collect();
    parts.and_then(|parts| <[u8; 4]>::try_from(parts).ok()).map(Ipv4Addr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_the_same_by_their_address() {
        let same = [
            ("[192.0.2.1]", "[192.000.002.001]"),
            ("[192.0.2.8]", "[192.0.2.08]"),
            ("[IPv6:2001:db8::1]", "[IPv6:2001:DB8:0::1]"),
            ("[IPv6:2001:db8::1]", "[ipv6:2001:0db8:0:0:0:0:0:1]"),
            ("sms.local", "SMS.Local"),
            ("BÜRO.example", "büro.example"),
        ];
        for (one, other) in same {
            assert!(same_domain(one, other) && same_domain(other, one), "{one} {other}");
        }
        let different = [
            ("[192.0.2.1]", "[192.0.2.2]"),
            ("[192.0.2.1]", "192.0.2.1"),
            ("[192.0.2.1]", "[IPv6:::192.0.2.1]"),
            ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::2]"),
            ("[IPv6:2001:db8::1]", "[2001:db8::1]"),
            ("sms.local", "sms.local."),
        ];
        for (one, other) in different {
            assert!(!same_domain(one, other) && !same_domain(other, one), "{one} {other}");
        }
    }

    #[test]
    fn domains_have_labels_and_literals_an_address() {
        for good in ["x", "sms.local", "my_host.lan", "3com", "büro.example", "[192.0.2.1]", "[IPv6:::1]"] {
            assert!(is_domain(good), "{good}");
        }
        let bad = [
            "",
            ".",
            "x.",
            ".x",
            "x..y",
            "-x",
            "x-",
            "a b",
            "a@b",
            "a:b",
            "x\u{2028}",
            "[x]",
            "[]",
            "[",
            "[192.0.2]",
            "[192.0.2.256]",
            "[192.0.2.0001]",
            "[192.0.2.+1]",
            "[192.0.2.1.1]",
            "[IPv6:]",
            "[IPv6:x]",
            "[2001:db8::1]",
            "[192.0.2.1",
            "192.0.2.1]",
            "[192.0.2.1]x",
        ];
        for bad in bad {
            assert!(!is_domain(bad), "{bad}");
        }
    }
}
