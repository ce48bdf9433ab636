//! A reload changes how the next mail is worded, on a connection that is open.

use rustix::process::Signal;

use crate::support::{Smtp, Talk, World};

#[test]
fn the_next_mail_has_the_new_wording() {
    let mut world = World::new();
    let relay = world.start();
    let mut client = Talk::greeted(relay.smtp);
    let mail = "From: ups@example.com\nSubject: UPS\nContent-Type: text/plain; charset=utf-8\n\n\
        Battery – low\n\n-- \nRack 7\n";
    let mut send = || Smtp::queued(&client.mail("ups@example.com", &["oncall@sms.local"], mail.as_bytes()));
    send();
    world.expect_texts(&["Battery – low"]);

    let defaults = "sender = \"Relay\"";
    let wording =
        "text = \"{{ subject }}: {{ text }}\"\ntransliteration = \"always\"\ndistill.signature = false";
    world.otherwise.push((defaults, format!("{defaults}\n{wording}")));
    world.write();
    relay.signal(Signal::HUP);
    relay.wait_for_message("reloaded: rules, aliases and credentials");
    send();
    world.expect_texts(&["Battery – low", "UPS: Battery - low\n--\nRack 7"]);
    assert!(relay.terminate().success());
}
