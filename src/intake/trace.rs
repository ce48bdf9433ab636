//! The `Received:` field that is put before what is kept (RFC 5321 section 4.4, RFC 3848).

use jiff::Timestamp;

use crate::model::{Client, Protocol, SubmissionId};

/// Our trace field with its CRLF.
pub(super) fn received(
    client: &Client,
    hostname: &str,
    protocol: Protocol,
    smtputf8: bool,
    id: SubmissionId,
    now: Timestamp,
) -> String {
    let helo: String = client.helo.iter().flat_map(|name| name.chars()).filter(|c| named(*c)).collect();
    let helo = if helo.is_empty() { "unknown" } else { &helo };
    let address = match client.address {
        std::net::IpAddr::V4(address) => format!("[{address}]"),
        std::net::IpAddr::V6(address) => format!("[IPv6:{address}]"),
    };
    let protocol = keyword(protocol, smtputf8, client.account.is_some());
    let date = now.strftime("%a, %d %b %Y %H:%M:%S +0000");
    format!("Received: from {helo} ({address})\r\n\tby {hostname} with {protocol} id {id};\r\n\t{date}\r\n")
}

/// The words of RFC 3848, and those of RFC 6531 section 4.3 for SMTPUTF8. Who has authenticated has used an
/// extension, whatever it said first. The account's name is not told: the field goes out with a report.
fn keyword(protocol: Protocol, smtputf8: bool, authenticated: bool) -> &'static str {
    match (protocol, smtputf8, authenticated) {
        (Protocol::Smtp, false, false) => "SMTP",
        (Protocol::Esmtp, false, false) => "ESMTP",
        (Protocol::Esmtps, false, false) => "ESMTPS",
        (Protocol::Smtp | Protocol::Esmtp, false, true) => "ESMTPA",
        (Protocol::Esmtps, false, true) => "ESMTPSA",
        (Protocol::Smtp | Protocol::Esmtp, true, false) => "UTF8SMTP",
        (Protocol::Esmtps, true, false) => "UTF8SMTPS",
        (Protocol::Smtp | Protocol::Esmtp, true, true) => "UTF8SMTPA",
        (Protocol::Esmtps, true, true) => "UTF8SMTPSA",
    }
}

/// What a host name or an address literal may hold; a client's EHLO may hold anything.
fn named(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._:[]".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Door;

    fn client(helo: Option<&str>) -> Client {
        Client {
            door: Door::Smtp,
            listener: "lan".to_owned(),
            address: "192.0.2.7".parse().unwrap(),
            helo: helo.map(str::to_owned),
            account: None,
        }
    }

    #[test]
    fn says_from_whom_by_whom_and_when() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let id = SubmissionId::new(now);
        assert_eq!(
            received(&client(Some("ups-3.lan")), "relay.example", Protocol::Esmtp, false, id, now),
            format!(
                "Received: from ups-3.lan ([192.0.2.7])\r\n\tby relay.example with ESMTP id {id};\r\n\tFri, 15 Jan 2027 08:00:00 +0000\r\n"
            )
        );
    }

    #[test]
    fn names_the_protocol_with_its_encryption_and_authentication() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let named = |protocol, smtputf8, account: Option<&str>| {
            let client = Client { account: account.map(str::to_owned), ..client(None) };
            let field = received(&client, "h", protocol, smtputf8, SubmissionId::new(now), now);
            field.split(" with ").nth(1).unwrap().split(' ').next().unwrap().to_owned()
        };
        let all = [Protocol::Smtp, Protocol::Esmtp, Protocol::Esmtps];
        assert_eq!(all.map(|protocol| named(protocol, false, None)), ["SMTP", "ESMTP", "ESMTPS"]);
        assert_eq!(all.map(|protocol| named(protocol, false, Some("ups"))), ["ESMTPA", "ESMTPA", "ESMTPSA"]);
        assert_eq!(all.map(|protocol| named(protocol, true, None)), ["UTF8SMTP", "UTF8SMTP", "UTF8SMTPS"]);
        let expected = ["UTF8SMTPA", "UTF8SMTPA", "UTF8SMTPSA"];
        assert_eq!(all.map(|protocol| named(protocol, true, Some("ups"))), expected);
    }

    #[test]
    fn an_odd_name_adds_nothing_to_the_field() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let id = SubmissionId::new(now);
        let plain = received(&client(Some("NAME")), "h", Protocol::Esmtp, false, id, now);
        let names = [
            ("my_printer", "my_printer"),
            ("(none)", "none"),
            ("foo bar", "foobar"),
            ("B?ro", "Bro"),
            ("x; Fri, 1 Jan 1999 00:00:00 +0000", "xFri1Jan199900:00:000000"),
            ("evil.example ([192.0.2.99]) by", "evil.example[192.0.2.99]by"),
            ("\"<a@b>\\", "ab"),
            ("()", "unknown"),
            ("", "unknown"),
        ];
        for (name, shown) in names {
            let field = received(&client(Some(name)), "h", Protocol::Esmtp, false, id, now);
            assert_eq!(field, plain.replace("NAME", shown), "{name}");
        }
        // The longest name that the door keeps leaves the line under 998 octets (RFC 5322 section 2.1.1).
        let field = received(&client(Some(&"x".repeat(255))), "h", Protocol::Esmtp, false, id, now);
        assert!(field.split("\r\n").all(|line| line.len() <= 998) && field.contains(&"x".repeat(255)));
    }

    #[test]
    fn a_hostile_greeting_cannot_write_a_header() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let id = SubmissionId::new(now);
        let field = received(&client(Some("a\r\nSubject: x (é)")), "h", Protocol::Esmtp, true, id, now);
        assert!(
            field.starts_with("Received: from aSubject:x ([192.0.2.7])\r\n\tby h with UTF8SMTP"),
            "{field}"
        );
        assert!(
            received(&client(None), "h", Protocol::Esmtp, false, id, now)
                .starts_with("Received: from unknown (")
        );
    }
}
