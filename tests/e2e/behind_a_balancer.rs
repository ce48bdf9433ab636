//! Behind a load balancer the client counts and not the balancer: in the log, in networks, rules and limits.
//! Who is no balancer cannot say that it is somebody else. The balancer is HAProxy, with both versions
//! of its header and with health checks.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use crate::support::{Relay, Smtp, Talk, World, tool};

const GREETING: &str = "220 relay.test ESMTP sms-relay";
/// The last octet of the pump's address behind each door.
const PUMPS: [u8; 2] = [77, 78];
/// What HAProxy sends, where its clients find it, and where it connects from.
const DOORS: [(&str, Ipv4Addr, Ipv4Addr); 2] =
    [("send-proxy", address(2), address(3)), ("send-proxy-v2", address(4), address(5))];

const fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, last)
}

/// A world whose listener `mail` is behind the balancer and serves it and one network of clients.
fn world() -> World {
    let mut world = World::new();
    let usual = "name = \"mail\"\nbind = \"127.0.0.1:0\"";
    let keys = "proxies = [\"127.0.0.3\", \"127.0.0.5\"]\nnetworks = [\"127.0.0.0/29\", \"127.0.0.64/26\"]";
    world.otherwise.push((usual, format!("{usual}\n{keys}")));
    world.extra = "[smtp]\nconnections_per_client = 2\n".to_owned();
    world.rules =
        "[[rule]]\nname = \"pump\"\nwhen.client = [\"127.0.0.77\", \"127.0.0.78\"]\nsender = \"Pump\"\n"
            .to_owned();
    world
}

/// A running HAProxy. Its doors are at the relay's port, at addresses that nobody else has.
struct Balancer(Child);

impl Balancer {
    /// Starts it and waits until its health checks of the relay have gone well.
    fn start(world: &World, relay: &Relay) -> Self {
        let mut text =
            "defaults\n  mode tcp\n  timeout connect 1m\n  timeout client 1m\n  timeout server 1m\n"
                .to_owned();
        for (header, door, source) in DOORS {
            text.push_str(&format!(
                "listen {header}\n  bind {door}:{port}\n  source {source}\n  option smtpchk EHLO balancer.test\n  \
                 server relay {relay} {header} check inter 100ms check-send-proxy\n",
                port = relay.smtp.port(),
                relay = relay.smtp,
            ));
        }
        let path = world.directory.path().join("haproxy.cfg");
        std::fs::write(&path, text).unwrap();
        let mut command = Command::new("haproxy");
        let haproxy = command.args(["-db", "-q", "-f"]).arg(&path).stdin(Stdio::null()).spawn().unwrap();
        let balancer = Self(haproxy);
        for (header, _, source) in DOORS {
            // Version 2 says LOCAL for a check, version 1 UNKNOWN: it is the balancer's own.
            relay.wait_for_log(header, |line| {
                line["message"] == "connection closed"
                    && line["client"] == source.to_string()
                    && line["end"] == "Quit"
            });
        }
        balancer
    }
}

/// A client behind a door of the balancer, and how it is greeted.
fn client(relay: &Relay, door: Ipv4Addr, source: Ipv4Addr) -> (Talk, String) {
    let mut talk = Talk::from(source, SocketAddr::from((door, relay.smtp.port())));
    let greeting = talk.hear();
    (talk, greeting)
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_client_behind_haproxy_is_who_counts() {
    if !tool("haproxy") {
        return;
    }
    let world = world();
    let relay = world.start();
    let _balancer = Balancer::start(&world, &relay);
    let mut ids = Vec::new();
    for ((header, door, _), last) in DOORS.into_iter().zip(PUMPS) {
        let (mut pump, greeting) = client(&relay, door, address(last));
        assert_eq!(greeting, GREETING, "{header}");
        pump.say("EHLO pump.test");
        for line in ["MAIL FROM:<pump@example.com>", "RCPT TO:<oncall@sms.local>", "DATA"] {
            assert!(pump.say(line).starts_with(['2', '3']), "{line}");
        }
        let id = Smtp::queued(&pump.say(&format!("Subject: x\r\n\r\n{header}\r\n.")));
        let line = relay.wait_for_log(&id, |line| line["message"] == "mail accepted" && line["id"] == *id);
        assert_eq!(line["client"], address(last).to_string(), "{header}");
        ids.push(id);

        // Networks are about it, too: this one is in none.
        let refused = "554 5.7.1 127.0.0.9 is in none of the networks that this listener serves";
        assert_eq!(client(&relay, door, address(9)).1, refused, "{header}");
        // And limits: two of one client get in and the third does not, but another does.
        let (_second, greeting) = client(&relay, door, address(last));
        assert_eq!(greeting, GREETING, "{header}");
        let refused = format!(
            "421 4.7.0 relay.test closes: too many connections are open from 127.0.0.{last}; try again later"
        );
        assert_eq!(client(&relay, door, address(last)).1, refused, "{header}");
        // A client that writes a header of its own has it behind the balancer's, where it is no command.
        let (mut liar, greeting) = client(&relay, door, address(79));
        assert_eq!(greeting, GREETING, "{header}");
        let reply = liar.say("PROXY TCP4 127.0.0.80 127.0.0.1 1000 25");
        assert_eq!(reply, "500 5.5.1 unknown command; try HELP", "{header}");
    }
    world.expect_texts(&DOORS.map(|(header, ..)| header));
    assert!(world.emulator.accepted().iter().all(|sms| sms.sender == "Pump"));
    assert!(!relay.log().iter().any(|line| line["client"] == "127.0.0.80"));
    assert!(relay.terminate().success());
    for (id, last) in ids.iter().zip(PUMPS) {
        assert_eq!(world.submission(id).client.address, address(last));
    }
}

#[test]
fn who_is_no_balancer_stays_who_it_is_and_a_balancer_has_to_say_for_whom_it_comes() {
    let mut world = world();
    world.otherwise.push(("level = \"debug\"", "level = \"info\"".to_owned()));
    let relay = world.start();
    let header = "PROXY TCP4 127.0.0.77 127.0.0.1 1000 25";
    let mut liar = Talk::from(address(90), relay.smtp);
    assert_eq!(liar.hear(), GREETING);
    assert_eq!(liar.say(header), "500 5.5.1 unknown command; try HELP");
    liar.say("EHLO liar.test");
    for line in ["MAIL FROM:<pump@example.com>", "RCPT TO:<oncall@sms.local>", "DATA"] {
        assert!(liar.say(line).starts_with(['2', '3']), "{line}");
    }
    let id = Smtp::queued(&liar.say("Subject: x\r\n\r\nnot the pump\r\n."));
    assert_eq!(relay.wait_for_message("mail accepted")["client"], "127.0.0.90");
    world.expect_texts(&["not the pump"]);
    assert_eq!(world.emulator.accepted()[0].sender, "Relay");

    // One that is a balancer and sends no header is told so, and the operator by the log.
    let mut silent = Talk::from(address(3), relay.smtp);
    let reply = silent.say("EHLO pump.test");
    assert!(reply.starts_with("421 4.7.0 relay.test closes: `E` begins no PROXY header; "), "{reply}");
    assert_eq!(silent.hear(), "");
    let line = relay.wait_for_message("connection refused");
    assert_eq!((&line["client"], &line["listener"]), (&"127.0.0.3".into(), &"mail".into()));
    assert!(
        line["reason"].as_str().unwrap().contains("`send-proxy` or `send-proxy-v2` in HAProxy"),
        "{line}"
    );
    // A header and nothing wrong with it, by hand.
    let mut balancer = Talk::from(address(3), relay.smtp);
    assert_eq!(balancer.say(header), GREETING);
    assert!(relay.terminate().success());
    assert_eq!(world.submission(&id).client.address, address(90));
}
