//! Which programs the operator lets a form name.

use std::fmt;

use reqwest::Url;

/// An entry of an account's `callback_hosts`: a host, or a host with a port.
///
/// A host alone stands for what it has on the usual ports, 443 of https and 80 of http: another port of it may be
/// something quite different, which nobody thought of opening to whoever may post a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    /// As in a URL: lower case, IPv6 in brackets.
    host: String,
    /// By http or https; `None` is the usual port of either.
    port: Option<u16>,
}

impl AllowedHost {
    /// Reads `host` or `host:port`, with IPv6 in brackets; upper case becomes lower case. `None` for anything
    /// else, also for a host that a URL would write in another way.
    pub fn parse(written: &str) -> Option<Self> {
        // A colon inside the brackets of an IPv6 address is not that of a port.
        let (host, port) = match written.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let is_number = !port.is_empty() && port.bytes().all(|octet| octet.is_ascii_digit());
                (host, Some(port.parse().ok().filter(|port| is_number && *port > 0)?))
            }
            Some(_) | None => (written, None),
        };
        let url = Url::parse(&format!("http://{host}/")).ok()?;
        let host = url.host_str().filter(|read| read.eq_ignore_ascii_case(host))?;
        Some(Self { host: host.to_owned(), port })
    }

    /// The entry that would allow `url`.
    pub fn of(url: &Url) -> Self {
        // The usual port of a URL's scheme is none of its own.
        Self { host: url.host_str().unwrap_or_default().to_owned(), port: url.port() }
    }

    /// Whether a program may be called at `url`.
    pub fn allows(&self, url: &Url) -> bool {
        let port = match self.port {
            Some(port) => url.port_or_known_default() == Some(port),
            None => url.port().is_none(),
        };
        port && url.host_str() == Some(self.host.as_str())
    }
}

impl fmt::Display for AllowedHost {
    /// As [`parse`](Self::parse) reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(written: &str) -> AllowedHost {
        AllowedHost::parse(written).unwrap_or_else(|| panic!("{written}"))
    }

    #[test]
    fn it_is_a_host_or_a_host_with_a_port() {
        for (written, shown) in [
            ("shop.example.com", "shop.example.com"),
            ("SHOP.example.com:8443", "shop.example.com:8443"),
            ("192.0.2.1:1", "192.0.2.1:1"),
            ("[2001:DB8::1]", "[2001:db8::1]"),
            ("[2001:db8::1]:65535", "[2001:db8::1]:65535"),
            ("shop.example.com:443", "shop.example.com:443"),
        ] {
            assert_eq!(read(written).to_string(), shown);
            assert_eq!(read(shown), read(written), "it is read back");
        }
        for wrong in [
            "",
            ":8443",
            "shop.example.com:",
            "shop.example.com:0",
            "shop.example.com:65536",
            "shop.example.com:+1",
            "shop.example.com:https",
            "shop.example.com:8443/done",
            "shop.example.com/done",
            "https://shop.example.com",
            "user@shop.example.com",
            "2001:db8::1",
            "[2001:db8::1",
            "[2001:db8:0::1]",
            "3221225985",
            "a b",
        ] {
            assert_eq!(AllowedHost::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_host_allows_its_usual_ports_and_one_with_a_port_that_port() {
        let allows = |entry: &str, url: &str| read(entry).allows(&url.parse().unwrap());
        for (entry, url) in [
            ("shop.example.com", "https://shop.example.com/a"),
            ("shop.example.com", "https://shop.example.com:443/a"),
            ("shop.example.com", "http://SHOP.example.com:80/"),
            ("shop.example.com:8443", "https://shop.example.com:8443/"),
            ("shop.example.com:8443", "http://shop.example.com:8443/"),
            ("shop.example.com:443", "https://shop.example.com/"),
            ("[2001:db8::1]:8443", "https://[2001:db8:0::1]:8443/"),
        ] {
            assert!(allows(entry, url), "{entry} {url}");
            let needed = AllowedHost::of(&url.parse().unwrap());
            assert!(needed.allows(&url.parse().unwrap()) && allows(&needed.to_string(), url), "{needed}");
        }
        for (entry, url) in [
            ("shop.example.com", "https://shop.example.com:8443/"),
            ("shop.example.com", "https://shop.example.com:80/"),
            ("shop.example.com", "http://shop.example.com:443/"),
            ("shop.example.com", "https://www.shop.example.com/"),
            ("shop.example.com", "https://shop.example.com./"),
            ("shop.example.com:8443", "https://shop.example.com/"),
            ("shop.example.com:8443", "https://shop.example.com:8444/"),
            ("shop.example.com:443", "http://shop.example.com/"),
            ("shop.example.com:8443", "https://example.com:8443/"),
        ] {
            assert!(!allows(entry, url), "{entry} {url}");
        }
    }
}
