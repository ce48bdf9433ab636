//! Who finds no room is told to come again at once, whoever else has the room; who leaves makes room.

use std::net::Ipv4Addr;
use std::time::Instant;

use crate::support::{PATIENCE, Relay, Smtp, Talk, World};

const GREETING: &str = "220 relay.test ESMTP sms-relay";

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, last)
}

/// Connections of `client` that were let in.
fn let_in(relay: &Relay, client: u8, count: usize) -> Vec<Talk> {
    let mut connections: Vec<Talk> = (0..count).map(|_| Talk::from(address(client), relay.smtp)).collect();
    for connection in &mut connections {
        assert_eq!(connection.hear(), GREETING);
    }
    connections
}

#[track_caller]
fn turned_away(relay: &Relay, client: u8, reply: &str) {
    let mut connection = Talk::from(address(client), relay.smtp);
    assert_eq!((connection.hear().as_str(), connection.hear().as_str()), (reply, ""));
}

fn delivers(client: &mut Talk, text: &str) {
    client.say("EHLO client.test");
    client.say("MAIL FROM:<ups@example.com>");
    client.say("RCPT TO:<oncall@sms.local>");
    assert!(client.say("DATA").starts_with("354 "));
    Smtp::queued(&client.say(&format!("Subject: x\r\n\r\n{text}\r\n.")));
}

#[test]
fn one_network_that_is_full_and_one_client_that_takes_too_much_leave_room_for_the_others() {
    let mut world = World::new();
    world.extra = r#"
[smtp]
connections = 8
connections_per_client = 3

[[smtp.network]]
name = "cameras"
networks = ["127.0.0.16/28"]
connections = 4
"#
    .to_owned();
    let relay = world.start();
    let mut cameras = let_in(&relay, 17, 3);
    turned_away(
        &relay,
        17,
        "421 4.7.0 relay.test closes: too many connections are open from 127.0.0.17; try again later",
    );
    cameras.extend(let_in(&relay, 18, 1));
    let full =
        "421 4.7.0 relay.test closes: too many connections are open from network `cameras`; try again later";
    turned_away(&relay, 18, full);
    turned_away(&relay, 19, full);
    // The others are none the worse for it.
    let mut pumps = let_in(&relay, 1, 3);
    delivers(&mut pumps[0], "from another network");
    world.expect_texts(&["from another network"]);

    pumps.extend(let_in(&relay, 2, 1));
    turned_away(&relay, 3, "421 4.7.0 relay.test closes: too many connections are open; try again later");
    delivers(&mut pumps[3], "whoever is in stays in");
    world.expect_texts(&["from another network", "whoever is in stays in"]);
    relay.wait_for_log("the last of them", |line| {
        line["message"] == "connection refused" && line["client"] == "127.0.0.3"
    });
    let reasons: Vec<String> = relay
        .log()
        .iter()
        .filter(|line| line["message"] == "connection refused")
        .map(|line| format!("{} {}", line["client"].as_str().unwrap(), line["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(reasons.len(), 4, "{reasons:#?}");
    assert_eq!(reasons[3], "127.0.0.3 too many connections are open; try again later");

    // One that says goodbye makes room; a moment later, as the server has to see it gone.
    assert!(cameras.pop().unwrap().say("QUIT").starts_with("221 "));
    let deadline = Instant::now() + PATIENCE;
    let mut last = loop {
        let mut connection = Talk::from(address(3), relay.smtp);
        if connection.hear() == GREETING {
            break connection;
        }
        assert!(Instant::now() < deadline, "the connection that has ended still counts");
    };
    delivers(&mut last, "there is room again");
    drop((cameras, pumps));
    assert!(relay.terminate().success());
}

#[test]
fn at_shutdown_those_who_are_in_are_told_and_nobody_else_gets_in() {
    let world = World::new();
    let relay = world.start();
    let mut clients = let_in(&relay, 1, 5);
    clients[1].say("EHLO client.test");
    clients[2].say("EHLO client.test");
    assert_eq!(clients[2].say("MAIL FROM:<ups@example.com>"), "250 2.1.0 sender ok");
    relay.signal(rustix::process::Signal::TERM);
    let goodbye = "421 4.3.2 relay.test closes: the service is stopping; try again later";
    for client in &mut clients {
        assert_eq!((client.hear().as_str(), client.hear().as_str()), (goodbye, ""));
    }
    assert_eq!(Smtp::connect(relay.smtp).map(|_| ()), None);
    assert!(relay.wait_for_end().success());
}
