//! Who counts as one client.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A client as it is counted: an IPv4 address, or the /64 of an IPv6 address.
///
/// A host takes as many addresses of its /64 as it likes (RFC 8981), so a limit for each of them would
/// limit nobody. The price: neighbours on one IPv6 link count as one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientKey(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    V4(Ipv4Addr),
    /// The first 64 bits.
    V6(u64),
}

impl From<IpAddr> for ClientKey {
    /// An IPv4 address mapped into IPv6 counts as the IPv4 address.
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => Kind::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Kind::V6(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
        })
    }
}

impl fmt::Display for ClientKey {
    /// `192.0.2.7` or `2001:db8:1:2::/64`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::V4(address) => address.fmt(f),
            Kind::V6(network) => write!(f, "{}/64", Ipv6Addr::from_bits(u128::from(network) << 64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(address: &str) -> ClientKey {
        ClientKey::from(address.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn it_is_written_as_an_address_or_a_network() {
        let shown = |address| key(address).to_string();
        assert_eq!(shown("192.0.2.7"), "192.0.2.7");
        assert_eq!(shown("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(shown("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(shown("2001:db8::1"), "2001:db8::/64");
        assert_eq!(shown("::1"), "::/64");
        // Compatible is not mapped (RFC 4291 section 2.5.5.1).
        assert_eq!(shown("::192.0.2.7"), "::/64");
    }

    #[test]
    fn a_mapped_address_is_the_same_client() {
        assert_eq!(key("::ffff:192.0.2.7"), key("192.0.2.7"));
        assert_ne!(key("192.0.2.7"), key("192.0.2.8"));
    }

    proptest! {
        #[test]
        fn the_first_64_bits_and_no_others_tell_ipv6_clients_apart(bits: u128, flipped in 0u32..125) {
            let keyed = |bits| ClientKey::from(IpAddr::V6(Ipv6Addr::from_bits(bits)));
            // In 2000::/3 nothing is mapped.
            let global = bits >> 3 | 1 << 125;
            prop_assert_eq!(keyed(global) == keyed(global ^ 1 << flipped), flipped < 64);
        }
    }
}
