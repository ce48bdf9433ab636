//! Clients behind a load balancer: the PROXY header of HAProxy, versions 1 and 2.

use std::io::Read as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use sms_relay::smtp::{Limits, Network, Profile, Settings, Tls};

use crate::certificate::certificate;
use crate::relay::{GREETING, Peer, Relay, limits, settings};
use crate::tls::handshake;

/// `127.0.0.1` is a load balancer; clients are served from two networks that are for documentation only.
fn balanced(limits: Limits) -> Settings {
    let mut settings = settings(limits, &["192.0.2.0/24", "2001:db8::/32", "127.0.0.2/32"]);
    settings.listeners[0].proxies = vec!["127.0.0.1/32".parse().unwrap()];
    settings
}

fn version_2(command: u8, client: Ipv4Addr) -> Vec<u8> {
    let addresses = [&client.octets()[..], &[192, 0, 2, 1], &[0xdc, 4, 0, 25]].concat();
    [b"\r\n\r\n\0\r\nQUIT\n", &[0x20 | command, 0x11, 0, 12][..], &addresses].concat()
}

fn version_1(client: &str) -> Vec<u8> {
    let family = if client.contains(':') { ("TCP6", "2001:db8::1") } else { ("TCP4", "192.0.2.1") };
    format!("PROXY {} {client} {} 56324 25\r\n", family.0, family.1).into_bytes()
}

fn behind(relay: &Relay, header: &[u8]) -> Peer {
    let mut peer = relay.connect();
    peer.send(header);
    peer
}

#[test]
fn the_client_of_the_header_is_who_sends_the_mail() {
    let relay = Relay::serving(balanced(limits()));
    let headers = [
        (version_1("192.0.2.7"), "192.0.2.7"),
        (version_1("2001:db8::7"), "2001:db8::7"),
        (version_2(1, Ipv4Addr::new(192, 0, 2, 8)), "192.0.2.8"),
    ];
    for (number, (header, client)) in (1..).zip(headers) {
        let mut peer = behind(&relay, &header);
        peer.expect(GREETING);
        peer.hello();
        peer.mail(1);
        assert_eq!(relay.mails().len(), 1, "{number}");
        assert_eq!(relay.clients(), [client]);
    }
}

#[test]
fn the_header_may_come_octet_by_octet_or_with_commands_behind_it() {
    let relay = Relay::serving(balanced(limits()));
    for header in [version_1("192.0.2.7"), version_2(1, Ipv4Addr::new(192, 0, 2, 7))] {
        let mut slow = relay.connect();
        header.iter().for_each(|octet| slow.send(&[*octet]));
        slow.expect(GREETING);
        let mut quick = behind(&relay, &[&header[..], b"HELO client.test\r\nNOOP\r\n"].concat());
        quick.expect(&format!("{GREETING}250 relay.test\r\n250 2.0.0 ok\r\n"));
        quick.mail(1);
        assert_eq!((relay.mails().len(), relay.clients()), (1, vec!["192.0.2.7".to_owned()]));
    }
}

#[test]
fn networks_are_those_of_the_client_and_not_of_the_balancer() {
    let relay = Relay::serving(balanced(limits()));
    let refused =
        |client| format!("554 5.7.1 {client} is in none of the networks that this listener serves\r\n");
    let mut peer = behind(&relay, &version_1("198.51.100.7"));
    assert_eq!(peer.rest(), refused("198.51.100.7"));
    assert_eq!(relay.metric("connections_refused_total{cause=\"network\"}"), 1);
    // The balancer itself, whose health checks say LOCAL and whose address is not served.
    for header in [version_2(0, Ipv4Addr::UNSPECIFIED), b"PROXY UNKNOWN\r\n".to_vec()] {
        assert_eq!(behind(&relay, &header).rest(), refused("127.0.0.1"));
    }
}

#[test]
fn local_is_the_balancer_itself() {
    let mut settings = balanced(limits());
    settings.listeners[0].networks.push("127.0.0.1/32".parse().unwrap());
    let relay = Relay::serving(settings);
    for header in [version_2(0, Ipv4Addr::new(192, 0, 2, 7)), b"PROXY UNKNOWN\r\n".to_vec()] {
        let mut peer = behind(&relay, &header);
        peer.expect(GREETING);
        peer.hello();
        peer.mail(1);
        assert_eq!((relay.mails().len(), relay.clients()), (1, vec!["127.0.0.1".to_owned()]));
    }
}

#[test]
fn a_header_of_somebody_else_is_a_bad_command() {
    let relay = Relay::serving(balanced(limits()));
    let mut peer = relay.connect_from(2);
    peer.send(&version_1("192.0.2.7"));
    peer.expect(&format!("{GREETING}500 5.5.1 unknown command; try HELP\r\n"));
    peer.hello();
    peer.mail(1);
    assert_eq!(relay.clients(), ["127.0.0.2"]);
}

#[test]
fn what_is_no_header_closes_and_says_why() {
    let relay = Relay::serving(balanced(limits()));
    for (octets, why) in [
        (&b"EHLO client.test\r\n"[..], "421 4.7.0 relay.test closes: `E` begins no PROXY header; "),
        (
            b"PROXY TCP4 192.0.2.7\r\n",
            "421 4.7.0 relay.test closes: `PROXY TCP4 192.0.2.7\\r\\n` is no PROXY header of version 1; ",
        ),
        (
            b"PROXY TCP4 192.0.2.07 192.0.2.1 1 2\r\n",
            "421 4.7.0 relay.test closes: `192.0.2.07` in a PROXY header is not an address ",
        ),
        (b"\r\n\r\n\0\r\nQUIT\n\x31", "421 4.7.0 relay.test closes: a PROXY header has the version 3; "),
    ] {
        let mut peer = behind(&relay, octets);
        let mut heard = Vec::new();
        // What was not read of it resets the connection after the reply.
        drop(peer.0.read_to_end(&mut heard));
        let heard = String::from_utf8(heard).unwrap();
        assert!(heard.starts_with(why) && heard.ends_with("\r\n"), "{heard:?} is not {why:?}");
        assert!(!heard.contains("220"), "{heard}");
    }
    assert_eq!(relay.metric("connections_refused_total{cause=\"proxy_header\"}"), 4);
    assert_eq!(relay.metric("connections_accepted_total"), 0);
}

#[test]
fn a_balancer_that_says_nothing_is_closed() {
    let relay = Relay::serving(balanced(Limits { command_time: Duration::from_millis(400), ..limits() }));
    for octets in [&b""[..], b"PROXY TCP4 192.0"] {
        assert_eq!(
            behind(&relay, octets).rest(),
            "421 4.7.0 relay.test closes: no PROXY header came in time\r\n"
        );
    }
}

#[test]
fn a_silent_balancer_takes_a_place_in_all_and_none_of_a_client() {
    let limits = Limits { connections: 3, connections_per_client: 1, ..limits() };
    let relay = Relay::serving(balanced(limits));
    let silent = relay.connect();
    let mut first = behind(&relay, &version_1("192.0.2.7"));
    first.expect(GREETING);
    let mut second = behind(&relay, &version_1("192.0.2.7"));
    let of_client =
        "421 4.7.0 relay.test closes: too many connections are open from 192.0.2.7; try again later\r\n";
    assert_eq!(second.rest(), of_client);
    let mut other = behind(&relay, &version_1("192.0.2.8"));
    other.expect(GREETING);
    let in_all = "421 4.7.0 relay.test closes: too many connections are open; try again later\r\n";
    assert_eq!(relay.connect().rest(), in_all);
    drop(silent);
}

#[test]
fn the_network_of_the_client_says_what_is_forgiven() {
    let mut settings = balanced(limits());
    settings.networks.push(Network {
        name: "printers".to_owned(),
        networks: vec!["192.0.2.8/32".parse().unwrap()],
        listeners: Vec::new(),
        profile: Some(Profile::APPLIANCE),
        auth: None,
        auth_mechanisms: None,
        capture: None,
        connections: None,
    });
    let relay = Relay::serving(settings);
    for (client, answer) in
        [("192.0.2.7", "503 5.5.1 say EHLO or HELO first"), ("192.0.2.8", "250 2.1.0 sender ok")]
    {
        let mut peer = behind(&relay, &version_1(client));
        peer.expect(GREETING);
        peer.say("MAIL FROM:<ups@x.it>", answer);
    }
}

#[test]
fn implicit_tls_begins_behind_the_header() {
    let mut settings = balanced(limits());
    settings.listeners[0].tls = Tls::Implicit(certificate().identity());
    let relay = Relay::serving(settings);
    for header in [version_1("192.0.2.7"), version_2(1, Ipv4Addr::new(192, 0, 2, 7))] {
        let mut peer = handshake(behind(&relay, &header), certificate()).unwrap();
        peer.expect(GREETING);
        peer.hello();
        peer.mail(1);
        assert_eq!((relay.mails().len(), relay.clients()), (1, vec!["192.0.2.7".to_owned()]));
    }
}
