//! Budgets: warned of, held for, passed by what is critical, and corrected by the platform's prices.

use serde_json::Value;
use sms_relay::emulator::Channel;

use crate::support::client::run;
use crate::support::{Arrived, Relay, Said, World};

/// The configuration of the manual.
fn manual() -> String {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/budgets.md")).unwrap();
    let fence = "```toml\n";
    let begin = page.find(fence).unwrap() + fence.len();
    page[begin..begin + page[begin..].find("```").unwrap()].to_owned()
}

/// Words of the mails to the operator, each a subject and the text in one line.
fn told(mails: &[Arrived]) -> Vec<(String, String)> {
    let one = |mail: &Arrived| {
        assert_eq!(mail.rcpt_to, ["RCPT TO:<operator@example.com>"]);
        let subject = mail.text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap();
        (subject.to_owned(), mail.text.replace("=\n", "").replace('\n', " "))
    };
    mails.iter().map(one).collect()
}

fn shown(world: &World, id: &str) -> String {
    let spool = world.directory.path().join("spool");
    let arguments = ["queue", "show", id, "--spool", spool.to_str().unwrap()];
    run(env!("CARGO_BIN_EXE_sms-relay"), &arguments).1
}

fn state(relay: &Relay, id: &str) -> Value {
    relay.fate(id)["messages"][0]["state"].clone()
}

const DAILY: &str = "[[budget]]\nname = \"all\"\nper = \"month\"\ntimezone = \"UTC\"\n\
                     parts = { warn = 2, hold = 3, ceiling = 4 }\n";

#[test]
fn a_warning_then_what_goes_beyond_is_held_and_what_is_critical_passes_to_the_ceiling() {
    let mut world = World::new();
    world.with_metrics();
    world.rules.push_str(
        "[[rule]]\nname = \"urgent\"\nwhen.text = \"URGENT\"\nlane = \"critical\"\n\n\
         [[rule]]\nname = \"check\"\nwhen.text = \"DRY\"\nsimulation = true\n",
    );
    world.extra.push_str(DAILY);
    let relay = world.start();
    relay.fate_when(&relay.post(&[("to", "+393470000001"), ("text", "one")]), "delivered");
    assert_eq!(world.mailbox.mails().len(), 0);
    // What is only simulated costs nothing, and the second part reaches the warn level.
    relay.fate_when(&relay.post(&[("to", "+393470000001"), ("text", "DRY")]), "cancelled");
    relay.mail("+393470000002@sms.local", "two");
    relay.wait_for_metric("sms_relay_budget_spent{budget=\"all\"}", 2.0);
    let mails = told(&world.mailbox.wait_for(1));
    assert_eq!(mails[0].0, "SMS relay: budget all has reached its warn level");
    assert!(mails[0].1.contains("warn level of 2 parts: 2 parts of it are spent."), "{}", mails[0].1);

    relay.fate_when(&relay.post(&[("to", "+393470000003"), ("text", "three")]), "delivered");
    // A restart forgets nothing of it.
    assert!(relay.terminate().success());
    let relay = world.start();
    let held = relay.post(&[("to", "+393470000004"), ("text", "four")]);
    assert_eq!(state(&relay, &held), "held");
    let text = shown(&world, &held);
    assert!(text.contains("held for budget"), "{text}");
    let mails = told(&world.mailbox.wait_for(2));
    assert_eq!(mails[1].0, "SMS relay: budget all holds SMS");
    relay.wait_for_metric("sms_relay_held_by_budgets", 1.0);

    relay.fate_when(&relay.post(&[("to", "+393470000005"), ("text", "URGENT five")]), "delivered");
    let beyond = relay.post(&[("to", "+393470000006"), ("text", "URGENT six")]);
    assert_eq!(state(&relay, &beyond), "held");
    let mails = told(&world.mailbox.wait_for(3));
    assert_eq!(mails[2].0, "SMS relay: budget all holds critical SMS, too");
    relay.wait_for_metric("sms_relay_budget_spent{budget=\"all\"}", 4.0);
    relay.wait_for_metric("sms_relay_held_by_budgets", 2.0);
    let mut texts = world.texts();
    texts.sort_unstable();
    assert_eq!(texts, ["DRY", "URGENT five", "one", "three", "two"], "the platform checks what is simulated");
    // Nobody needs it any more.
    assert_eq!(relay.delete(&format!("/sms/{held}")).0, 200);
    relay.wait_for_metric("sms_relay_held_by_budgets", 1.0);
    assert!(relay.terminate().success());
    assert_eq!(world.mailbox.mails().len(), 3, "each level once");
}

#[test]
fn the_prices_of_callbacks_take_the_place_of_the_predicted_ones() {
    let mut world = World::new();
    world.with_metrics();
    world.expect_callbacks();
    world.emulator.pause_callbacks();
    world.extra.push_str("[prices]\ncurrency = \"EUR\"\nper_part = { \"+39\" = \"0.01\" }\n\n");
    world.extra.push_str(
        "[[budget]]\nname = \"money\"\nper = \"month\"\ntimezone = \"UTC\"\n\
         money = { warn = \"0.03\", hold = \"0.04\" }\n",
    );
    let relay = world.start();
    world.call_back_to(&relay);
    relay.post(&[("to", "+393470000001"), ("text", "one")]);
    world.wait_for_platform("it", |record| record.total() == 1);
    relay.wait_for_metric("sms_relay_budget_spent{budget=\"money\"}", 0.01);
    let said = Said { ordinal: 1, channel: Channel::Sms, part: 1, parts: 1, code: 3 };
    for _ in 0..2 {
        assert_eq!(world.say(said), Some(200));
    }
    // It costs 0.035, and is told twice.
    relay.wait_for_metric("sms_relay_budget_spent{budget=\"money\"}", 0.035);
    let mails = told(&world.mailbox.wait_for(1));
    assert_eq!(mails[0].0, "SMS relay: budget money has reached its warn level");
    assert!(mails[0].1.contains("0.035 of it are spent"), "{}", mails[0].1);
    let held = relay.post(&[("to", "+393470000001"), ("text", "two")]);
    assert_eq!(state(&relay, &held), "held");
    assert!(relay.terminate().success());
}

#[test]
fn the_manual_s_budgets_are_charged_as_explain_says() {
    let mut world = World::new();
    world.extra.push_str(&manual());
    world.write();
    let config = world.directory.path().join("relay.toml");
    let explained = |arguments: &[&str]| {
        let program = [
            "-S",
            "PBX_PASSWORD=swordfish",
            env!("CARGO_BIN_EXE_sms-relay"),
            "explain",
            "--config",
            config.to_str().unwrap(),
        ];
        run("env", &[&program, arguments].concat()).1
    };
    let text = explained(&["--form", "to=oncall&text=load+45", "--account", "pbx"]);
    assert!(text.contains("charged to the budget all: 1 part\n"), "{text}");
    assert!(text.contains("charged to the budget forms: 0.045\n"), "{text}");
}
