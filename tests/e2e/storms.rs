//! A storm of mails: the first at once, the others in summaries that count them, and none without a trace.

use jiff::{SignedDuration, Timestamp};
use rustix::process::Signal;
use sms_relay::model::SubmissionId;

use crate::support::client::run;
use crate::support::{Relay, World};

/// How many alarms a text tells of, by its own words.
fn told(text: &str) -> u64 {
    let number = |text: &str| -> u64 {
        text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    match (text.split_once(" +"), text.split_once(" alert")) {
        (Some((_, more)), _) if more.contains(" similar") => number(more),
        (_, Some((count, _))) if count.bytes().all(|octet| octet.is_ascii_digit()) => number(count),
        _ => 1,
    }
}

fn texts(world: &World) -> Vec<String> {
    world.emulator.accepted().iter().map(|sms| sms.text.clone()).collect()
}

/// Waits until the texts of the phone tell of so many alarms.
fn wait_until_told(world: &World, relay: &Relay, count: u64) -> Vec<String> {
    relay.look_until(|| {
        let texts = texts(world);
        let sum: u64 = texts.iter().map(|text| told(text)).sum();
        if sum == count { Ok(texts) } else { Err(format!("{sum} of {count}: {texts:#?}")) }
    })
}

fn id(reply: &str) -> String {
    let is_id = |word: &&str| word.parse::<SubmissionId>().is_ok();
    reply.split_whitespace().find(is_id).unwrap_or_else(|| panic!("{reply}")).to_owned()
}

/// What became of each is told under its own id.
fn all_are_traced(world: &World, relay: &Relay, ids: &[String]) {
    let config = world.directory.path().join("relay.toml");
    for id in ids {
        relay.look_until(|| {
            let arguments = ["queue", "show", id, "--config", config.to_str().unwrap()];
            let (code, shown) = run(env!("CARGO_BIN_EXE_sms-relay"), &arguments);
            assert_eq!(code, Some(0), "{shown}");
            if shown.contains(": delivered\n") { Ok(()) } else { Err(shown) }
        });
    }
}

#[test]
fn of_similar_ones_the_first_goes_at_once_and_the_others_are_counted() {
    let mut world = World::new();
    world.extra = "[storm]\nsimilar = \"5s\"\n".to_owned();
    let relay = world.start();
    let mail = |n: u32| id(&relay.mail("oncall@sms.local", &format!("Disk {n} full on srv{n}")));
    let ids: Vec<String> = (1..=38).map(mail).collect();
    let texts = wait_until_told(&world, &relay, 38);
    assert_eq!(texts[0], "Disk 1 full on srv1");
    // However slow the machine is: one text a window, and no more.
    assert!(texts.len() < 10, "{texts:#?}");
    assert!(texts.iter().any(|text| text.contains(" similar, ")), "{texts:#?}");
    all_are_traced(&world, &relay, &ids);
    assert!(relay.terminate().success());
}

#[test]
fn different_ones_beyond_the_limit_are_told_together_and_what_is_urgent_passes() {
    let mut world = World::new();
    world.rules = "[[rule]]\nname = \"fire\"\nwhen.subject = \"^fire\"\nlane = \"critical\"\n".to_owned();
    world.extra = "[storm]\nper_destination = [\"1 in 5s\"]\n".to_owned();
    let relay = world.start();
    let words = ["disk full", "link down", "fan failed", "door open", "water in the cellar"];
    let mut ids: Vec<String> = words.iter().map(|words| id(&relay.mail("oncall@sms.local", words))).collect();
    let password = "Your login code is 482913";
    ids.push(id(&relay.mail_with("Subject: fire\n", "oncall@sms.local", "Fire in hall 3")));
    ids.push(id(&relay.mail("oncall@sms.local", password)));
    let texts = wait_until_told(&world, &relay, 7);
    assert_eq!(texts[0], "disk full");
    let place = |wanted: &str| texts.iter().position(|text| text == wanted);
    let summary =
        texts.iter().position(|text| text.contains(" alerts ")).unwrap_or_else(|| panic!("{texts:#?}"));
    for urgent in ["Fire in hall 3", password] {
        assert!(place(urgent).is_some_and(|place| place < summary), "{texts:#?}");
    }
    all_are_traced(&world, &relay, &ids);
    assert!(relay.terminate().success());
}

#[test]
fn what_a_digest_gathers_is_told_together_and_what_is_urgent_at_once() {
    let mut world = World::new();
    world.rules =
        "[[rule]]\nname = \"printers\"\nwhen.text = \"^printer\"\nstorm.digest = \"5s\"\n".to_owned();
    let relay = world.start();
    let mail = |words: &str| id(&relay.mail("oncall@sms.local", words));
    let mut ids: Vec<String> = ["printer 1: toner low", "printer 2: jam"].into_iter().map(mail).collect();
    ids.push(mail("fan failed"));
    let texts = wait_until_told(&world, &relay, 3);
    assert_eq!(texts[0], "fan failed", "{texts:#?}");
    assert!(texts[1..].iter().all(|text| text.contains(" alert")), "none by itself: {texts:#?}");
    all_are_traced(&world, &relay, &ids);
    assert!(relay.terminate().success());
}

#[test]
fn a_source_that_makes_noise_waits_and_another_does_not() {
    let mut world = World::new();
    world.extra = "[storm]\nper_source = [\"1 in 10s\"]\n".to_owned();
    let relay = world.start();
    let mut ids = vec![id(&relay.mail("two@sms.local", "disk full"))];
    // One mail, however many phones it is for.
    world.wait_for_platform("both phones", |record| record.total() >= 2);
    ids.extend(["link down", "fan failed"].map(|words| id(&relay.mail("oncall@sms.local", words))));
    ids.push(relay.post(&[("to", "oncall"), ("text", "door open")]));
    let texts = wait_until_told(&world, &relay, 5);
    assert_eq!(texts[..3], ["disk full", "disk full", "door open"], "{texts:#?}");
    assert!(texts[3..].iter().all(|text| text.contains(" alert")), "{texts:#?}");
    all_are_traced(&world, &relay, &ids[1..]);
    assert!(relay.terminate().success());
}

/// What is under way passes by the rules that it was accepted by, and what comes after by the new ones.
#[test]
fn a_reload_changes_nothing_for_what_is_under_way() {
    let mut world = World::new();
    let rule =
        |name: &str, more: &str| format!("[[rule]]\nname = \"{name}\"\nwhen.text = \"^{name}\"\n{more}\n");
    world.rules = [
        rule("disk", "storm.similar = \"10s\""),
        rule("link", "storm.per_destination = [\"1 in 10s\"]"),
        rule("paid", ""),
        rule("later", ""),
    ]
    .concat();
    world.extra =
        "[[budget]]\nname = \"dear\"\nper = \"month\"\nrule = \"paid\"\nparts = { hold = 1 }\n".to_owned();
    let relay = world.start();
    let phone = |n: u32| format!("+39347000000{n}");
    let post = |n: u32, words: &str| relay.post(&[("to", &phone(n)), ("text", words)]);
    let at = (Timestamp::now() + SignedDuration::from_secs(12)).to_string();
    let held = relay.post(&[("to", &phone(4)), ("text", "later"), ("deliver_at", &at)]);
    let at_once = [(1, "disk 1 full"), (2, "link 1 down"), (3, "paid 1")].map(|(n, words)| post(n, words));
    let folded = post(1, "disk 2 full");
    let limited = post(2, "link of rack 2 down");
    let charged = post(3, "paid 2");
    for id in &at_once {
        relay.fate_when(id, "delivered");
    }
    for (id, state) in [(&folded, "folded"), (&limited, "folded"), (&charged, "held"), (&held, "held")] {
        assert_eq!(relay.fate(id)["messages"][0]["state"], state);
    }

    world.rules = ["disk", "link", "paid", "later"].map(|name| rule(name, "")).concat();
    world.extra = String::new();
    let defaults = "sender = \"Relay\"";
    world.otherwise.push((defaults, format!("{defaults}\ntext = \"new: {{{{ text }}}}\"")));
    world.write();
    relay.signal(Signal::HUP);
    relay.wait_for_message("reloaded: rules, aliases and credentials");
    for (n, words) in [(1, "disk 3 full"), (2, "link 3 down"), (3, "paid 3"), (4, "later 3")] {
        relay.fate_when(&post(n, words), "delivered");
    }
    for id in [&folded, &limited, &held] {
        relay.fate_when(id, "delivered");
    }
    let fate = relay.fate(&charged);
    let sms = &fate["messages"][0];
    assert_eq!((&sms["state"], &sms["held_for"]), (&"held".into(), &"budget".into()), "{fate:#}");
    let texts = texts(&world);
    let is_there =
        |wanted: &str| assert!(texts.iter().any(|text| text.starts_with(wanted)), "{wanted}: {texts:#?}");
    for wanted in [
        "new: disk 3 full",
        "new: link 3 down",
        "new: paid 3",
        "new: later 3",
        "later",
        "disk 1 full +1 similar",
        "1 alert ",
    ] {
        is_there(wanted);
    }
    assert_eq!(texts.len(), 10, "{texts:#?}");
    assert!(relay.terminate().success());
}
