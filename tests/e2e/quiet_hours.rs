//! Quiet hours: what can wait is held until they end, and what cannot is not.

use jiff::{Timestamp, ToSpan};

use crate::support::World;
use crate::support::client::run;

/// Quiet hours in UTC that began some hours ago, and when they end: hours from now.
fn around_now() -> (String, Timestamp) {
    let now = Timestamp::now();
    let hour = |hours: i64| {
        let at = now.checked_add(hours.hours()).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
        at.round(jiff::ZonedRound::new().smallest(jiff::Unit::Hour).mode(jiff::RoundMode::Trunc)).unwrap()
    };
    let (from, to) = (hour(-3), hour(8));
    let written = format!(
        "[[quiet]]\nwho = [\"oncall\"]\nfrom = \"{}\"\nto = \"{}\"\ntimezone = \"UTC\"\n",
        from.strftime("%H:%M"),
        to.strftime("%H:%M")
    );
    (written, to.timestamp())
}

#[test]
fn what_can_wait_is_held_until_the_morning_and_what_cannot_is_sent() {
    let mut world = World::new();
    let (quiet, end) = around_now();
    world.extra.push_str(&quiet);
    world.rules.push_str(
        "[[rule]]\nname = \"fire\"\nwhen.text = \"^fire\"\nlane = \"critical\"\n\
         [[rule]]\nname = \"duty\"\nwhen.text = \"^duty\"\nquiet = false\n",
    );
    let relay = world.start();
    let held = relay.post(&[("to", "oncall"), ("text", "toner low")]);
    for words in ["fire in hall 3", "duty: please call", "Your one-time password for the login is 493817"] {
        relay.fate_when(&relay.post(&[("to", "oncall"), ("text", words)]), "delivered");
    }
    relay.fate_when(&relay.post(&[("to", "two"), ("text", "toner low")]), "delivered");
    let fate = relay.fate(&held);
    let sms = &fate["messages"][0];
    assert_eq!((&sms["state"], &sms["held_for"]), (&"held".into(), &"quiet".into()), "{fate:#}");
    let until: Timestamp = sms["next_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(until, end);
    let note = sms["timeline"][0]["note"].as_str().unwrap();
    assert_eq!(note, format!("held until {end}: quiet"));
    assert_eq!(world.emulator.accepted().len(), 5, "two of them to the others");

    // The same is shown without the relay, and what is held can be called back.
    let config = world.directory.path().join("relay.toml");
    let queue = |arguments: &[&str]| {
        let all = [&["queue"], arguments, &["--config", config.to_str().unwrap()]].concat();
        run(env!("CARGO_BIN_EXE_sms-relay"), &all)
    };
    let (_, shown) = queue(&["show", &held]);
    assert!(shown.contains("quiet"), "{shown}");
    assert!(relay.terminate().success());
    let relay = world.start();
    assert_eq!(relay.fate(&held)["messages"][0]["state"], "held", "also over a restart");
}

#[test]
fn tests_of_the_configuration_and_explain_know_quiet_hours() {
    let mut world = World::new();
    world.extra.push_str(
        "[[quiet]]\nwho = \"oncall\"\nfrom = \"22:00\"\nto = \"07:00\"\ntimezone = \"Europe/Rome\"\n\
         [[test]]\nname = \"a night\"\nto = \"oncall@sms.local\"\nfrom = \"ups@example.com\"\nsubject = \"x\"\n\
         at = \"2026-03-28T23:00:00+01:00\"\n\
         expect.held = \"quiet\"\nexpect.deliver_at = \"2026-03-29T07:00:00+02:00\"\n\
         [[test]]\nname = \"a day\"\nto = \"oncall@sms.local\"\nfrom = \"ups@example.com\"\nsubject = \"x\"\n\
         at = \"2026-03-28T12:00:00+01:00\"\n\
         expect.held = false\n\
         [[test]]\nname = \"wrong\"\nto = \"oncall@sms.local\"\nfrom = \"ups@example.com\"\nsubject = \"x\"\n\
         at = \"2026-03-28T12:00:00+01:00\"\n\
         expect.held = \"quiet\"\n",
    );
    let config = world.write();
    let config = config.to_str().unwrap();
    let relay = env!("CARGO_BIN_EXE_sms-relay");
    let (_, checked) = run("env", &["PBX_PASSWORD=swordfish", relay, "check", "--config", config]);
    assert!(checked.contains("2 tests passed, 1 failed"), "{checked}");
    assert!(
        checked.contains("test `wrong`: the SMS to +393471234567 is not held, and should be quiet"),
        "{checked}"
    );
    let at = ["--to", "oncall", "--text", "x", "--at", "2026-10-24T23:00:00+02:00", "--config", config];
    let (_, told) = run("env", &[&["TZ=UTC", relay, "explain"][..], &at].concat());
    assert!(told.contains("held until 2026-10-25 06:00:00 UTC, the end of its quiet hours"), "{told}");
}

#[test]
fn the_manual_s_quiet_hours_are_taken() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/oncall.md")).unwrap();
    let blocks: Vec<&str> =
        page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let [rotas, quiet] = blocks[..] else { panic!("{} blocks", blocks.len()) };
    let mut world = World::new();
    world.otherwise.push(("[aliases]", rotas.split_once("\n\n").unwrap().0.to_owned()));
    // A Saturday after Christmas, and a Monday.
    let held = |at: &str, until: &str| {
        format!(
            "[[test]]\nname = \"{at}\"\nto = \"anna@sms.local\"\nfrom = \"ups@example.com\"\nsubject = \"x\"\n\
             at = \"{at}\"\nexpect.deliver_at = \"{until}\"\n"
        )
    };
    let tests = [
        held("2026-12-25T22:00:00+01:00", "2026-12-28T07:00:00+01:00"),
        held("2026-12-28T22:00:00+01:00", "2026-12-29T07:00:00+01:00"),
    ];
    world.extra.push_str(&format!("{quiet}\n{}", tests.concat()));
    let config = world.write();
    let relay = env!("CARGO_BIN_EXE_sms-relay");
    let (_, checked) =
        run("env", &["PBX_PASSWORD=swordfish", relay, "check", "--config", config.to_str().unwrap()]);
    assert!(checked.ends_with("no error\n2 tests passed\n"), "{checked}");
}
