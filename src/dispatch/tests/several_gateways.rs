//! What holds among several gateways and lanes.

use super::*;
use crate::gateway::fake::Seen;
use crate::model::{Channel, DeliveryStatus, FinalState, Lane, OnUnknown, StatusOutcome};
use crate::retry::Answer;

fn two(main: &Arc<Fake>, backup: &Arc<Fake>) -> World {
    world(vec![(main.clone(), line(2, None)), (backup.clone(), line(8, None))])
}

#[tokio::test]
async fn a_fault_moves_what_was_not_sent_to_the_next_gateway() {
    let (main, backup) = (Arc::new(Fake::new("main")), Arc::new(Fake::new("backup")));
    let mut world = two(&main, &backup);
    let ids = world.accept(&[1, 2, 3], plain).await;
    main.will_say([SendOutcome::GatewayFault(fault())]);
    // One by the first gateway, which is at fault; then all by the other one.
    for _ in 0..2 {
        world.round(Timestamp::now()).await;
        world.all_end().await;
    }
    assert_eq!(main.seen().len(), 1);
    let sent = backup.seen();
    assert_eq!(sent.len(), 3);
    assert!(ids.iter().all(|id| sent.contains(&Seen::Sms(*id, false))), "{sent:?}");
    for id in ids {
        assert_eq!(world.look(id).await.gateway.as_deref(), Some("backup"));
    }
}

#[tokio::test]
async fn a_busy_gateway_or_a_short_pause_is_waited_for_and_a_long_one_is_not() {
    let (main, backup) = (Arc::new(Fake::holding("main")), Arc::new(Fake::new("backup")));
    let mut world = two(&main, &backup);
    world.accept(&[1, 2, 3], plain).await;
    let now = Timestamp::now();
    world.round(now).await;
    main.wait_for(1).await;
    world.round(now).await;
    assert_eq!((main.seen().len(), backup.seen()), (1, Vec::new()), "busy");
    main.will_say([paused(later(now, seconds(25)))]);
    main.let_go(1);
    world.all_end().await;
    world.round(Timestamp::now()).await;
    world.all_end().await;
    assert_eq!((main.seen().len(), backup.seen()), (1, Vec::new()), "paused for a short time");
    let about = SubmissionId::new(now).message(1);
    world.gate("main").answered("main", about, Answer::Pause(later(now, seconds(3600))), now);
    world.round(Timestamp::now()).await;
    world.all_end().await;
    assert_eq!((main.seen().len(), backup.seen().len()), (1, 2), "paused for long");
}

#[tokio::test]
async fn the_unknown_stays_with_its_gateway_whatever_happens_to_it() {
    let (main, backup) = (Arc::new(Fake::new("main")), Arc::new(Fake::new("backup")));
    let mut world = two(&main, &backup);
    let id = world.accept(&[1], plain).await[0];
    main.will_say([SendOutcome::Unknown(broken())]);
    world.round(Timestamp::now()).await;
    world.all_end().await;
    let now = Timestamp::now();
    world.gate("main").answered("main", id, Answer::Fault(fault()), now);
    world.round(now).await;
    world.all_end().await;
    assert_eq!((world.state(id).await, backup.seen()), (State::Unknown, Vec::new()));
    // Once it may be asked, it is the same gateway that is.
    let then = later(now, seconds(601));
    main.will_tell([StatusOutcome::Known(DeliveryStatus::Sent)]);
    world.round(then).await;
    world.all_end().await;
    assert_eq!(main.seen(), [Seen::Sms(id, false), Seen::Asked(id, Channel::Sms)]);
    assert_eq!((world.state(id).await, backup.seen()), (State::Sent, Vec::new()));
}

#[tokio::test]
async fn nothing_critical_is_given_to_a_gateway_that_hangs_while_another_one_works() {
    let (main, backup) = (Arc::new(Fake::new("main")), Arc::new(Fake::new("backup")));
    let mut world = two(&main, &backup);
    let now = Timestamp::now();
    for ordinal in 1..=5 {
        let about = SubmissionId::new(now).message(ordinal);
        world.gate("main").answered("main", about, Answer::Broken(broken()), now);
    }
    // The time of a probe has come, and whatever is handed over may hang.
    let then = later(now, seconds(601));
    let critical = world.accept(&[1], |message| message.delivery.lane = Lane::Critical).await[0];
    world.round(then).await;
    world.all_end().await;
    assert_eq!((main.seen(), backup.seen()), (Vec::new(), vec![Seen::Sms(critical, false)]));
    // Others show whether it works again, and so does what has no other way.
    main.will_say([SendOutcome::Unknown(broken())]);
    let normal = world.accept(&[2], plain).await[0];
    world.round(then).await;
    world.all_end().await;
    assert_eq!(main.seen(), [Seen::Sms(normal, false)]);
    let only = |message: &mut Message| {
        message.delivery.lane = Lane::Critical;
        message.delivery.gateways = vec!["main".to_owned()];
    };
    let bound = world.accept(&[3], only).await[0];
    main.will_tell([StatusOutcome::CannotTell { until: None, cause: broken() }]);
    world.round(later(now, seconds(1300))).await;
    world.all_end().await;
    assert!(main.seen().contains(&Seen::Sms(bound, false)), "{:?}", main.seen());
}

#[tokio::test]
async fn a_rule_s_order_is_followed() {
    let (main, backup) = (Arc::new(Fake::new("main")), Arc::new(Fake::new("backup")));
    let mut world = two(&main, &backup);
    let order = |message: &mut Message| {
        message.delivery.gateways = vec!["backup".to_owned(), "main".to_owned()];
    };
    world.accept(&[1], order).await;
    world.accept(&[2], |message| message.delivery.gateways = vec!["main".to_owned()]).await;
    world.round(Timestamp::now()).await;
    world.all_end().await;
    assert_eq!((main.seen().len(), backup.seen().len()), (1, 1));
}

#[tokio::test]
async fn what_may_go_by_a_shut_gateway_only_waits_and_makes_nobody_spin() {
    let (main, backup) = (Arc::new(Fake::new("main")), Arc::new(Fake::new("backup")));
    let mut world = two(&main, &backup);
    let phones: Vec<u32> = (1..=1000).collect();
    let ids = world.accept(&phones, |message| message.delivery.gateways = vec!["main".to_owned()]).await;
    let now = Timestamp::now();
    world.gate("main").answered("main", ids[0], Answer::Fault(fault()), now);
    let wait = world.round(now).await;
    assert_eq!(wait, seconds(10), "nothing can come before somebody says so");
    // Somebody else is not held back.
    world.accept(&[2000], |message| message.delivery.gateways = vec!["backup".to_owned()]).await;
    world.round(Timestamp::now()).await;
    world.all_end().await;
    assert_eq!((main.seen(), backup.seen().len()), (Vec::new(), 1));
}

#[tokio::test]
async fn a_storm_in_bulk_leaves_calls_to_the_others() {
    let main = Arc::new(Fake::holding("main"));
    let mut world = world(vec![(main.clone(), line(8, None))]);
    let phones: Vec<u32> = (1..=100).collect();
    world.accept(&phones, |message| message.delivery.lane = Lane::Bulk).await;
    world.round(Timestamp::now()).await;
    assert_eq!(main.wait_for(6).await.len(), 6);
    let wait = world.round(Timestamp::now()).await;
    assert_eq!((world.calls.len(), wait), (6, seconds(1)), "no spinning while bulk has its share");
    let normal = world.accept(&[200, 201], plain).await;
    world.round(Timestamp::now()).await;
    assert_eq!(main.wait_for(7).await[6], Seen::Sms(normal[0], false));
    let critical = world.accept(&[300, 301], |message| message.delivery.lane = Lane::Critical).await;
    world.round(Timestamp::now()).await;
    assert_eq!(main.wait_for(8).await[7], Seen::Sms(critical[0], false));
    assert_eq!(world.calls.len(), 8);
    main.let_go(1000);
    world.all_end().await;
    world.round(Timestamp::now()).await;
    assert_eq!(main.wait_for(9).await[8], Seen::Sms(critical[1], false), "the most urgent first");
    world.all_end().await;
}

#[tokio::test]
async fn what_a_removed_gateway_left_unknown_is_decided_by_the_rule_s_choice() {
    let old = Arc::new(Fake::new("old"));
    let settings = Settings { unknown_time: Duration::ZERO, ..settings() };
    let mut world = world_with(vec![(old.clone(), line(8, None))], settings);
    let resend = world.accept(&[1], plain).await[0];
    let fail = world.accept(&[2], |message| message.delivery.on_unknown = OnUnknown::Fail).await[0];
    old.will_say([0; 2].map(|_| SendOutcome::Unknown(broken())));
    world.round(Timestamp::now()).await;
    world.all_end().await;
    let new = Arc::new(Fake::new("new"));
    let gateways: Vec<(Arc<dyn Gateway>, LineSettings)> = vec![(new.clone(), line(8, None))];
    world.worker.lines.swap(gateways, Timestamp::now());
    for _ in 0..2 {
        world.round(Timestamp::now()).await;
        world.all_end().await;
    }
    assert_eq!(new.seen(), [Seen::Sms(resend, false)], "nobody else can be asked");
    let (state, note) = world.last_word(fail).await;
    assert_eq!(state, State::Final(FinalState::Failed));
    assert!(note.contains("its gateway `old` is not configured any more"), "{note}");
}
