//! What a gateway is allowed: messages a second and calls at a time, each its own, as the platform saw it.

use std::time::Duration;

use jiff::Timestamp;
use sms_relay::emulator::{Emulator, Fault, FaultRule};

use crate::support::World;
use crate::support::gateways::{at, phone};

const APART: &str = r#"
[[rule]]
name = "news"
when.text = "^news"
gateways = ["backup"]
"#;

fn times(platform: &Emulator) -> Vec<Timestamp> {
    platform.accepted().into_iter().map(|sms| sms.accepted_at).collect()
}

#[test]
fn messages_a_second_hold_for_one_gateway_and_what_waits_for_them_goes_by_no_other() {
    let (mut world, backup) = World::with_backup();
    world.rules.push_str(APART);
    let name = "name = \"main\"\nurl";
    world.otherwise.push((name, "name = \"main\"\nmessages_per_second = 5\nurl".to_owned()));
    let relay = world.start();
    for n in 0..20 {
        relay.mail(&at(&phone(n)), "alarm");
    }
    for n in 0..10 {
        relay.mail(&at(&phone(n)), "news");
    }
    world.wait_at(&backup, "without bound", |record| record.total() == 10);
    world.wait_for_platform("all", |record| record.total() == 20);
    let times = times(&world.emulator);
    // One second's worth may go at once, and then five a second. A call may be late, so that those behind it seem
    // close to it.
    let late = Duration::from_millis(400);
    for (n, time) in times.iter().enumerate() {
        let earliest = Duration::from_millis(200 * n.saturating_sub(5) as u64).saturating_sub(late);
        assert!(*time >= times[0] + earliest, "{n}: {times:#?}");
    }
    assert_eq!(backup.record(|record| record.total()), 10, "what is busy is waited for");
    assert!(relay.terminate().success());
}

#[test]
fn so_many_calls_at_a_time_are_under_way_by_one_gateway_and_the_last_is_kept_for_what_is_critical() {
    let (mut world, backup) = World::with_backup();
    world.rules.push_str(APART);
    let name = "name = \"main\"\nurl";
    world.otherwise.push((name, "name = \"main\"\nconcurrency = 3\nurl".to_owned()));
    world.order(FaultRule::on_send(Fault::Hold { recorded: true }));
    let relay = world.start();
    let mut round = 0;
    // What is sent after a message by the other gateway was claimed after it, had there been room.
    let mut held_is = |expected: usize| {
        world.wait_for_platform("calls", |record| record.held() == expected);
        round += 1;
        relay.mail(&at(&phone(900)), "news");
        world.wait_at(&backup, "a round later", |record| record.total() == round);
        assert_eq!(world.emulator.record(|record| record.held()), expected);
        assert_eq!(world.emulator.requests().send, expected as u64);
    };
    for n in 0..8 {
        relay.mail(&at(&phone(n)), "alarm");
    }
    held_is(2);
    for n in 10..12 {
        relay.mail_with("X-Priority: 1\r\n", &at(&phone(n)), "urgent");
    }
    held_is(3);
    let urgent = world.emulator.accepted().into_iter().map(|sms| sms.text).filter(|text| text == "urgent");
    assert_eq!(urgent.count(), 1);
    world.emulator.clear_faults();
    world.wait_for_platform("all", |record| record.total() == 10);
    assert!(relay.terminate().success());
}
