//! What the platform says when it is unwell is no refusal: the message goes again until it is taken,
//! once.

use sms_relay::emulator::{Fault, FaultRule};

use crate::support::{Mail, World, tool};

#[test]
fn faults_of_the_500_series_are_tried_again() {
    if !tool("python3") {
        return;
    }
    let world = World::new();
    for code in [500, 502, 503, 504] {
        world.order(
            FaultRule::on_send(Fault::Status { code, retry_after: None, body: None, recorded: false })
                .times(1),
        );
    }
    let relay = world.start();
    let mail = "From: ups@example.com\n\ntext\n";
    let id = Mail::new("ups@example.com", &("oncall@sms.local", &[]), mail).send(relay.smtp);
    world.wait_for_platform("it", |record| record.total() == 1);
    assert_eq!(world.emulator.requests().send, 5);
    let sms = &world.emulator.accepted()[0];
    assert_eq!(sms.message_id, format!("{id}-1"));
    let causes: Vec<_> = relay
        .log()
        .into_iter()
        .filter(|line| line["message"] == "tried again later")
        .map(|line| line["cause"].as_str().unwrap().to_owned())
        .collect();
    let expected = [
        "the SMS platform has a fault (HTTP 500): fault: As ordered",
        "the SMS platform has a fault (HTTP 502): fault: As ordered",
        "the SMS platform takes no messages now (HTTP 503): fault: As ordered",
        "the SMS platform has a fault (HTTP 504): fault: As ordered",
    ];
    assert_eq!(causes, expected);
    assert!(relay.terminate().success());
    assert_eq!(world.mailbox.mails().len(), 0);
}

#[test]
fn what_a_platform_that_is_away_did_not_get_outlives_a_restart() {
    if !tool("python3") {
        return;
    }
    let mut world = World::new();
    // Bound and not listening: every connection is refused, and nobody else can take the port.
    let away = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    away.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = away.local_addr().unwrap().as_socket().unwrap();
    world.otherwise.push(("[gateway]\nurl = ", format!("[gateway]\nurl = \"http://{address}\"\n# url = ")));
    let relay = world.start();
    let mail = "From: ups@example.com\n\ntext\n";
    Mail::new("ups@example.com", &("oncall@sms.local", &[]), mail).send(relay.smtp);
    let line = relay.wait_for_message("tried again later");
    let cause = line["cause"].as_str().unwrap();
    assert!(cause.starts_with("the SMS platform could not be reached: "), "{cause}");
    assert!(relay.terminate().success());
    world.otherwise.clear();
    let relay = world.start();
    world.wait_for_platform("it", |record| record.total() == 1);
    assert!(relay.terminate().success());
    assert_eq!(world.texts(), ["text"]);
}
