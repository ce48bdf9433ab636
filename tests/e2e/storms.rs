//! A storm of mails: the first at once, the others in summaries that count them, and none without a trace.

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
