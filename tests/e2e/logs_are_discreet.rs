//! Logs tell where a message is, by its id, and keep numbers, texts and secrets to themselves.

use serde_json::Value;
use sms_relay::emulator::{Fault, FaultRule};

use crate::support::{Relay, Smtp, World, run, tool};

const TEXT: &str = "the-vault-code-is-4711";

/// One mail that is delivered, one that is refused and bounced, a form, and wrong credentials.
fn busy_relay(world: &World) -> (Relay, Vec<String>) {
    let reasons = vec!["Invalid destination".to_owned()];
    world.emulator.order(FaultRule::on_send(Fault::Refuse { reasons }).to("+393470000666")).unwrap();
    let relay = world.start();
    let mut smtp = Smtp::connect(relay.smtp).unwrap();
    let mail = format!("Subject: {TEXT}\r\n\r\n{TEXT}");
    let mut ids = Vec::new();
    for to in ["oncall", "p393470000666", "0039 347 0000007"] {
        let to = format!("{}@sms.local", to.replace(' ', "-"));
        ids.push(Smtp::queued(&smtp.mail("ups@example.com", &to, &mail).unwrap()));
    }
    let refused = smtp.mail("ups@example.com", "+447911123456@sms.local", &mail).unwrap();
    assert!(refused.starts_with("550 5.7.1 "), "{refused}");
    let url = format!("http://{}/sms", relay.http);
    for password in ["swordfish", "sword-of-damocles"] {
        let user = format!("pbx:{password}");
        run(
            "curl",
            &["-s", "-u", &user, "-d", "to=+393470000008", "--data-urlencode", &format!("text={TEXT}"), &url],
        );
    }
    world.wait_for_platform("three", |record| record.total() == 3);
    world.mailbox.wait_for(1);
    for id in [&ids[0], &ids[2]] {
        relay.wait_for_log("final", |line| {
            line["message"] == "final" && line["id"] == format!("{id}-1").as_str()
        });
    }
    relay.wait_for_log("given up", |line| line["message"] == "given up");
    (relay, ids)
}

fn everything(relay: &Relay) -> String {
    relay.log().iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn numbers_are_masked_and_texts_and_passwords_are_not_there() {
    if !tool("curl") {
        return;
    }
    let world = World::new();
    let (relay, ids) = busy_relay(&world);
    let log = everything(&relay);
    for hidden in
        [TEXT, "swordfish", "sword-of-damocles", "393470000666", "3470000007", "393470000008", "447911123456"]
    {
        assert!(!log.contains(hidden), "`{hidden}` is in the log:\n{log}");
    }
    assert!(log.contains("•••"), "no number is shown at all:\n{log}");
    for id in ids {
        let lines = relay
            .log()
            .iter()
            .filter(|line| line["id"].as_str().is_some_and(|it| it.starts_with(&id)))
            .count();
        assert!(lines >= 2, "{id} is in {lines} lines only:\n{log}");
    }
    assert!(relay.terminate().success());
}

#[test]
fn full_numbers_are_shown_where_the_operator_wants_them() {
    if !tool("curl") {
        return;
    }
    let mut world = World::new();
    world.otherwise.push(("level = \"debug\"", "level = \"debug\"\nfull_numbers = true".to_owned()));
    let (relay, _) = busy_relay(&world);
    let log = everything(&relay);
    assert!(log.contains("447911123456"), "the refused number is masked:\n{log}");
    assert!(!log.contains(TEXT) && !log.contains("swordfish") && !log.contains("damocles"), "{log}");
    assert!(relay.terminate().success());
}
