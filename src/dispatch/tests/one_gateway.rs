//! What holds for each gateway by itself.

use super::*;
use crate::gateway::fake::Seen;
use crate::model::{Channel, FinalState, Lane, Legacy, OnUnknown, StatusOutcome, Template, Way, Ways};
use crate::retry::{Answer, Permission};
use crate::spool::{Call, Claimed, Room, Step};

const ALL: [u32; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/// What the spool hands out of everything that is due, as if in one call.
async fn claimed(world: &World) -> Vec<Claimed> {
    let room = Room { gateway: "main".to_owned(), calls: [100; 3], is_open: true, may_hang: false };
    let calls = world.spool.claim_due(Timestamp::now(), vec![room]).await.unwrap();
    calls.into_iter().flat_map(|call| call.messages).collect()
}

/// Makes a call of `messages` by `way`.
async fn call(world: &mut World, way: Way, messages: Vec<Claimed>) {
    let line = world.worker.lines.named("main").unwrap();
    let hold = world.desk.question_begins("main");
    let call = Call { gateway: "main".to_owned(), way, messages };
    Arc::clone(&world.worker).send(line, call, hold, None).await;
}

fn rcs() -> Way {
    Way::Template(Template { channel: Channel::Rcs, id: "alert".to_owned(), variables: Default::default() })
}

#[tokio::test]
async fn behind_a_shut_gate_the_unknown_expires_and_nothing_else_happens_to_it() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(vec![(main.clone(), line(8, None))]);
    let now = Timestamp::now();
    let accepted = now.checked_sub(seconds(3600)).unwrap();
    let mut ids = Vec::new();
    for (phone, lifetime) in [(1, 60), (2, 7200)] {
        let submission = submission(SubmissionId::new(accepted), accepted, &[phone], seconds(lifetime));
        ids.push(submission.id.message(1));
        world.spool.accept(submission).await.unwrap();
    }
    let room = Room { gateway: "main".to_owned(), calls: [2; 3], is_open: true, may_hang: false };
    let calls = world.spool.claim_due(accepted, vec![room]).await.unwrap();
    for claimed in calls.into_iter().flat_map(|call| call.messages) {
        let step = Step::Unknown { ask_at: accepted, cause: broken() };
        world.spool.settle(claimed.sms.id, claimed.attempt, step, accepted).await.unwrap();
    }
    world.gate("main").answered("main", ids[0], Answer::Fault(fault()), now);
    world.round(now).await;
    assert!(world.calls.is_empty());
    assert_eq!(main.seen(), []);
    let expired = "its lifetime ended while the platform could not tell whether it has it: http 401";
    assert_eq!(world.last_word(ids[0]).await, (State::Final(FinalState::Expired), expired.to_owned()));
    assert_eq!(world.last_word(ids[1]).await, (State::Unknown, "reset".to_owned()));
}

/// Why nobody may be asked about a message.
#[derive(Clone, Copy, Debug)]
enum Unasked {
    Shut,
    Probed,
    QuestionsPaused,
}

#[tokio::test]
async fn whyever_nobody_may_be_asked_the_rule_that_wants_it_to_fail_is_followed_in_time() {
    for why in [Unasked::Shut, Unasked::Probed, Unasked::QuestionsPaused] {
        let main = Arc::new(Fake::holding("main"));
        let first = seconds(if matches!(why, Unasked::Probed) { 600 } else { 6000 });
        let probe = Backoff { first, most: first };
        let mut world = world(vec![(main.clone(), LineSettings { probe, ..line(8, None) })]);
        main.will_say([0; 2].map(|_| SendOutcome::Unknown(broken())));
        main.let_go(2);
        let resend = world.accept(&[1], plain).await[0];
        let fail = world.accept(&[2], |message| message.delivery.on_unknown = OnUnknown::Fail).await[0];
        world.round(Timestamp::now()).await;
        world.all_end().await;
        let now = Timestamp::now();
        match why {
            Unasked::Shut | Unasked::Probed => {
                world.gate("main").answered("main", resend, Answer::Fault(fault()), now);
            }
            Unasked::QuestionsPaused => world.gate("main").pause_questions(later(now, seconds(6000)), now),
        }
        if !matches!(why, Unasked::Probed) {
            let wait = world.round(later(now, seconds(594))).await;
            assert_eq!(
                (world.state(resend).await, world.state(fail).await),
                (State::Unknown, State::Unknown)
            );
            assert!(seconds(5) <= wait && wait <= seconds(6), "{why:?}: it wakes in time, not in {wait:?}");
        }
        // It takes the probe, where there is one.
        world.accept(&[3], plain).await;
        world.round(later(now, seconds(600))).await;
        let probed = usize::from(!matches!(why, Unasked::Shut));
        assert_eq!(world.calls.len(), probed, "{why:?}");
        let (state, note) = world.last_word(fail).await;
        assert_eq!(state, State::Final(FinalState::Failed), "{why:?}: {note}");
        assert!(note.contains("by the rule's choice it is not sent again"), "{note}");
        assert_eq!(world.state(resend).await, State::Unknown, "{why:?}");
        main.let_go(100);
        world.all_end().await;
        let is_question = |seen: &Seen| matches!(seen, Seen::Asked(..));
        assert!(!main.seen().iter().any(is_question), "{why:?}: {:?}", main.seen());
    }
}

#[tokio::test]
async fn looks_while_nobody_may_be_asked_make_the_questions_after_it_no_rarer() {
    let main = Arc::new(Fake::new("main"));
    let backoff = Backoff { first: seconds(5), most: seconds(3600) };
    let settings = Settings { backoff, unknown_time: seconds(100_000), ..settings() };
    let mut world = world_with(vec![(main.clone(), line(8, None))], settings);
    main.will_say([SendOutcome::Unknown(broken())]);
    main.will_tell([StatusOutcome::CannotTell { until: None, cause: broken() }]);
    let id = world.accept(&[1], plain).await[0];
    let now = Timestamp::now();
    world.round(now).await;
    world.all_end().await;
    world.gate("main").pause_questions(later(now, seconds(700)), now);
    for minute in 0..=11 {
        world.round(later(now, seconds(60 * minute + 1))).await;
        assert!(world.calls.is_empty());
    }
    assert_eq!(main.seen(), [Seen::Sms(id, false)]);
    world.round(later(now, seconds(700))).await;
    world.all_end().await;
    assert_eq!(main.seen()[1..], [Seen::Asked(id, Channel::Sms)]);
    let next = world.look(id).await.next_at.unwrap();
    assert!(next < later(Timestamp::now(), seconds(10)), "the second question comes soon, not at {next}");
}

#[tokio::test]
async fn a_thousand_behind_a_shut_gate_do_not_make_the_loop_spin() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(vec![(main.clone(), line(8, None))]);
    let phones: Vec<u32> = (1..=1000).collect();
    let ids = world.accept(&phones, plain).await;
    world.gate("main").answered("main", ids[0], Answer::Fault(fault()), Timestamp::now());
    let (mut minute, mut rounds) = (Duration::ZERO, 0);
    while minute < seconds(60) {
        minute += world.round(Timestamp::now()).await;
        rounds += 1;
    }
    assert!(rounds <= 61, "{rounds} rounds in a minute");
    assert_eq!(main.seen(), []);
}

#[tokio::test]
async fn normal_messages_leave_a_call_to_the_critical_and_the_next_begins_when_one_ends() {
    let main = Arc::new(Fake::holding("main"));
    let mut world = world(vec![(main.clone(), line(4, None))]);
    world.accept(&ALL, plain).await;
    world.round(Timestamp::now()).await;
    assert_eq!(main.wait_for(3).await.len(), 3);
    world.round(Timestamp::now()).await;
    assert_eq!(world.calls.len(), 3);
    main.let_go(1);
    world.calls.join_next().await.unwrap().unwrap();
    world.round(Timestamp::now()).await;
    assert_eq!(main.wait_for(4).await.len(), 4);
    assert_eq!(world.calls.len(), 3);
    main.let_go(100);
    world.all_end().await;
}

#[tokio::test]
async fn a_pause_stops_everybody_at_once_and_ends_by_itself() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(vec![(main.clone(), line(1, None))]);
    let ids = world.accept(&ALL, plain).await;
    let now = Timestamp::now();
    main.will_say([paused(later(now, seconds(20)))]);
    world.round(now).await;
    world.all_end().await;
    assert_eq!(world.state(ids[0]).await, State::Due);
    let wait = world.round(Timestamp::now()).await;
    assert!(seconds(1) <= wait, "{wait:?}");
    assert_eq!(main.seen().len(), 1, "nobody else was sent");
    world.round(later(now, seconds(20))).await;
    world.all_end().await;
    assert_eq!(main.seen().len(), 2);
}

#[tokio::test]
async fn a_pause_that_a_question_got_stops_every_question_and_holds_no_message_back() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(vec![(main.clone(), line(8, None))]);
    let until = later(Timestamp::now(), seconds(3600));
    let cause = Cause::new(EnhancedStatus::new(4, 3, 2), "http 429");
    main.will_say([0; 2].map(|_| SendOutcome::Unknown(broken())));
    main.will_tell([StatusOutcome::CannotTell { until: Some(until), cause }]);
    let asked = world.accept(&[1], plain).await[0];
    let rounds = async |world: &mut World| {
        for _ in 0..2 {
            world.round(Timestamp::now()).await;
            world.all_end().await;
        }
    };
    rounds(&mut world).await;
    let unasked = world.accept(&[2], plain).await[0];
    let behind = world.accept(&[1], plain).await[0];
    rounds(&mut world).await;
    let urgent = world.accept(&[3], |message| message.delivery.lane = Lane::Critical).await[0];
    rounds(&mut world).await;
    let sms = |id| Seen::Sms(id, false);
    let question = |id| Seen::Asked(id, Channel::Sms);
    let mut seen = vec![sms(asked), question(asked), sms(unasked), sms(urgent)];
    assert_eq!(main.seen(), seen);
    assert_eq!(world.look(asked).await.next_at.unwrap().as_second(), until.as_second());
    assert_eq!((world.state(asked).await, world.state(behind).await), (State::Unknown, State::Due));
    world.round(until).await;
    world.all_end().await;
    world.round(until).await;
    world.all_end().await;
    seen.extend([question(unasked), question(asked), sms(behind)]);
    assert_eq!(main.seen(), seen, "once it is over");
}

#[tokio::test]
async fn a_shut_gateway_is_probed_by_one_call_and_opens_for_all_by_its_answer() {
    let main = Arc::new(Fake::holding("main"));
    let mut world = world(vec![(main.clone(), line(8, None))]);
    let ids = world.accept(&ALL, plain).await;
    let now = Timestamp::now();
    world.gate("main").answered("main", ids[0], Answer::Fault(fault()), now);
    world.round(now).await;
    assert!(world.calls.is_empty());
    // The latest time at which the probe may be due.
    let then = later(now, seconds(600));
    world.round(then).await;
    world.round(then).await;
    assert_eq!(main.wait_for(1).await.len(), 1);
    assert_eq!(world.calls.len(), 1);
    main.let_go(100);
    world.all_end().await;
    world.round(then).await;
    assert_eq!(main.wait_for(8).await.len(), 8, "one and then the seven of the normal lane");
    world.all_end().await;
}

#[tokio::test]
async fn a_probe_that_finds_nothing_to_send_is_given_back() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(vec![(main.clone(), line(8, None))]);
    let now = Timestamp::now();
    let about = SubmissionId::new(now).message(1);
    world.gate("main").answered("main", about, Answer::Fault(fault()), now);
    let then = later(now, seconds(600));
    world.round(then).await;
    assert_eq!(world.gate("main").with(|gate| gate.permission(then)), Permission::Probe);
    world.accept(&[1], plain).await;
    world.round(then).await;
    world.all_end().await;
    assert_eq!(main.seen().len(), 1);
}

#[tokio::test]
async fn a_call_that_is_not_the_probe_and_proves_nothing_does_not_let_another_one_begin() {
    let main = Arc::new(Fake::holding("main"));
    let mut world = world(vec![(main.clone(), line(8, None))]);
    // A question that began before the gate shut.
    let unknown = world.accept(&[1], plain).await[0];
    main.will_say([SendOutcome::Unknown(broken())]);
    main.will_tell([StatusOutcome::NotKnown]);
    main.let_go(1);
    world.round(Timestamp::now()).await;
    world.all_end().await;
    world.round(Timestamp::now()).await;
    assert_eq!(main.wait_for(2).await.len(), 2);
    let now = Timestamp::now();
    world.gate("main").answered("main", unknown, Answer::Fault(fault()), now);
    let then = later(now, seconds(600));
    world.accept(&[2, 3], plain).await;
    world.round(then).await;
    assert_eq!((main.wait_for(3).await.len(), world.calls.len()), (3, 2), "the question and a probe");
    // It is answered first.
    main.let_go(1);
    world.calls.join_next().await.unwrap().unwrap();
    assert_eq!(world.state(unknown).await, State::Due);
    let permission = |world: &World| world.gate("main").with(|gate| gate.permission(then));
    assert_eq!(permission(&world), Permission::AwaitProbe);
    // Nor does a template that is only tried out free it.
    let simulated = world.accept(&[4], |message| message.sms.options.simulation = true).await[0];
    let messages = claimed(&world).await.into_iter().filter(|claimed| claimed.sms.id == simulated).collect();
    call(&mut world, rcs(), messages).await;
    assert_eq!(world.state(simulated).await, State::Final(FinalState::Cancelled));
    assert_eq!(permission(&world), Permission::AwaitProbe);
    world.accept(&[5], plain).await;
    world.round(then).await;
    assert_eq!((main.seen().len(), world.calls.len()), (3, 1), "no second probe");
    main.let_go(100);
    world.all_end().await;
}

#[tokio::test]
async fn no_more_go_a_second_than_may_and_the_loop_wakes_for_the_next() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(vec![(main.clone(), line(8, Some(2.0)))]);
    world.accept(&ALL, plain).await;
    let now = Timestamp::now();
    let wait = world.round(now).await;
    world.all_end().await;
    assert_eq!((main.seen().len(), wait), (2, Duration::from_millis(500)));
    world.round(later(now, Duration::from_millis(499))).await;
    world.all_end().await;
    assert_eq!(main.seen().len(), 2);
    world.round(later(now, Duration::from_millis(500))).await;
    world.all_end().await;
    assert_eq!(main.seen().len(), 3);
}

#[tokio::test]
async fn an_unknown_outcome_is_asked_about_before_anything_else_and_only_then_sent_again() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(vec![(main.clone(), line(8, None))]);
    let id = world.accept(&[1], plain).await[0];
    main.will_say([SendOutcome::Unknown(broken())]);
    main.will_tell([StatusOutcome::NotKnown]);
    for _ in 0..3 {
        world.round(Timestamp::now()).await;
        world.all_end().await;
    }
    assert_eq!(main.seen(), [Seen::Sms(id, false), Seen::Asked(id, Channel::Sms), Seen::Sms(id, false)]);
    assert_eq!(world.state(id).await, State::Sent);
}

#[tokio::test]
async fn questions_leave_half_of_the_calls_to_what_is_to_be_sent() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(vec![(main.clone(), line(4, None))]);
    world.accept(&[1, 2, 3], plain).await;
    main.will_say([0; 3].map(|_| SendOutcome::Unknown(broken())));
    world.round(Timestamp::now()).await;
    world.all_end().await;
    world.accept(&[4, 5, 6], plain).await;
    world.round(Timestamp::now()).await;
    world.all_end().await;
    let asked = main.seen()[3..].iter().filter(|seen| matches!(seen, Seen::Asked(..))).count();
    assert_eq!((asked, main.seen().len()), (2, 6), "{:?}", main.seen());
}

#[tokio::test]
async fn what_is_only_simulated_is_checked_and_not_sent() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(vec![(main.clone(), line(8, None))]);
    let id = world.accept(&[1], |message| message.sms.options.simulation = true).await[0];
    world.round(Timestamp::now()).await;
    world.all_end().await;
    assert_eq!(main.seen(), [Seen::Sms(id, true)]);
    let said = "checked by the platform as a simulation, not sent".to_owned();
    assert_eq!(world.last_word(id).await, (State::Final(FinalState::Cancelled), said));
    let ways = Ways::only(rcs());
    let by_template = |message: &mut Message| {
        message.sms.options.simulation = true;
        message.delivery.ways = ways.clone();
    };
    let id = world.accept(&[2], by_template).await[0];
    world.round(Timestamp::now()).await;
    world.all_end().await;
    assert_eq!(main.seen().len(), 1, "a template knows no simulation and is not called");
    assert_eq!(world.state(id).await, State::Final(FinalState::Cancelled));
}

#[tokio::test]
async fn what_is_only_simulated_is_checked_again_and_never_asked_about() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(vec![(main.clone(), line(8, None))]);
    let lost = world.accept(&[1], |message| message.sms.options.simulation = true).await[0];
    main.will_say([SendOutcome::Unknown(broken())]);
    let now = Timestamp::now();
    world.round(now).await;
    world.all_end().await;
    assert_eq!(world.state(lost).await, State::Due);
    world.round(later(now, seconds(10))).await;
    world.all_end().await;
    assert_eq!(main.seen(), [Seen::Sms(lost, true), Seen::Sms(lost, true)]);
    assert_eq!(world.state(lost).await, State::Final(FinalState::Cancelled));
}

#[tokio::test]
async fn nobody_is_asked_about_a_simulation_that_a_dead_process_left() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(vec![(main.clone(), line(8, None))]);
    let simulated = world.accept(&[1], |message| message.sms.options.simulation = true).await[0];
    let real = world.accept(&[2], plain).await[0];
    assert_eq!(claimed(&world).await.len(), 2);
    let now = Timestamp::now();
    world.spool.recover(now, now).await.unwrap();
    assert_eq!(world.state(simulated).await, State::Unknown);
    world.round(now).await;
    world.all_end().await;
    assert_eq!(
        (main.seen(), world.state(simulated).await),
        (vec![Seen::Asked(real, Channel::Sms)], State::Due)
    );
    world.round(later(now, seconds(10))).await;
    world.all_end().await;
    assert_eq!(main.seen()[1..], [Seen::Sms(simulated, true)]);
    assert_eq!(world.state(simulated).await, State::Final(FinalState::Cancelled));
}

#[tokio::test]
async fn a_call_of_many_is_settled_for_each_and_counts_once_for_the_gate() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(vec![(main.clone(), line(8, None))]);
    let ids = world.accept(&ALL, plain).await;
    let failing = || SendOutcome::Later { until: None, cause: broken() };
    main.will_say([failing()]);
    let messages = claimed(&world).await;
    call(&mut world, Way::Legacy(Legacy::default()), messages).await;
    assert_eq!(main.seen(), [Seen::Many(ids.clone())]);
    for id in ids {
        assert_eq!(world.state(id).await, State::Due);
    }
    // Ten failed messages of one call are one failure: four more are needed to shut the gate.
    assert_eq!(world.gate("main").with(|gate| gate.permission(Timestamp::now())), Permission::Free);
}

#[tokio::test]
async fn one_bad_message_does_not_take_the_others_of_its_call_along() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(vec![(main.clone(), line(8, None))]);
    let ids = world.accept(&[1, 2, 3, 4], plain).await;
    let refused = || SendOutcome::Refused(Cause::new(EnhancedStatus::REFUSED_BY_NEXT_SYSTEM, "http 400"));
    let accepted = || SendOutcome::Accepted { parts: Some(9), unicode: None, platform_id: None };
    // All four, the first two, the first of them, the second of them; then the last two together.
    main.will_say([refused(), refused(), accepted(), refused(), accepted()]);
    let messages = claimed(&world).await;
    call(&mut world, Way::Legacy(Legacy::default()), messages).await;
    let several = |places: &[usize]| Seen::Many(places.iter().map(|place| ids[*place]).collect());
    let seen = [several(&[0, 1, 2, 3]), several(&[0, 1]), several(&[0]), several(&[1]), several(&[2, 3])];
    assert_eq!(main.seen(), seen);
    let mut states = Vec::new();
    for id in &ids {
        states.push(world.state(*id).await);
    }
    assert_eq!(states, [State::Sent, State::Final(FinalState::Failed), State::Sent, State::Sent]);
}

#[tokio::test]
async fn what_is_left_of_a_refused_call_waits_when_the_platform_asks_for_a_pause() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(vec![(main.clone(), line(8, None))]);
    let ids = world.accept(&[1, 2], plain).await;
    let refused = SendOutcome::Refused(Cause::new(EnhancedStatus::REFUSED_BY_NEXT_SYSTEM, "http 400"));
    main.will_say([refused, paused(later(Timestamp::now(), seconds(20)))]);
    let messages = claimed(&world).await;
    call(&mut world, Way::Legacy(Legacy::default()), messages).await;
    assert_eq!(main.seen().len(), 2, "the second one was not sent into the pause");
    for id in ids {
        assert_eq!(world.state(id).await, State::Due);
    }
}

#[tokio::test]
async fn a_template_goes_by_its_channel_and_a_refusal_leads_to_the_next_way() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(vec![(main.clone(), line(8, None))]);
    let ways = Ways::new(vec![rcs(), Way::Sms], Some(seconds(300))).unwrap();
    let id = world.accept(&[1], |message| message.delivery.ways = ways.clone()).await[0];
    main.will_say([SendOutcome::Refused(Cause::new(EnhancedStatus::POLICY, "no RCS there"))]);
    for _ in 0..2 {
        world.round(Timestamp::now()).await;
        world.all_end().await;
    }
    assert_eq!(main.seen(), [Seen::Template(id, Channel::Rcs), Seen::Sms(id, false)]);
    let view = world.look(id).await;
    assert_eq!((view.state, view.channel), (State::Sent, Channel::Sms));
    assert!(view.events.iter().any(|event| event.note.contains("no RCS there")), "{:?}", view.events);
}

#[tokio::test]
async fn while_callbacks_come_the_first_question_waits() {
    let main = Arc::new(Fake::new("main"));
    let mut world = world(vec![(main.clone(), line(8, None))]);
    let mut waits = Vec::new();
    for phone in [1, 2] {
        let id = world.accept(&[phone], plain).await[0];
        world.round(Timestamp::now()).await;
        world.all_end().await;
        let view = world.look(id).await;
        let sent_at = view.events.last().unwrap().at;
        waits.push(view.next_at.unwrap().duration_since(sent_at).as_secs());
        world.worker.flow.came("main", Timestamp::now());
    }
    // The times of the timeline are taken a little later.
    assert!((29..=30).contains(&waits[0]) && (599..=600).contains(&waits[1]), "{waits:?}");
}

#[tokio::test]
async fn the_loop_ends_after_its_calls() {
    let main = Arc::new(Fake::holding("main"));
    let world = world(vec![(main.clone(), line(8, None))]);
    let id = world.accept(&[1], plain).await[0];
    let World { spool, worker, _directory, .. } = world;
    let (stop, stopped) = watch::channel(false);
    let worker = Arc::into_inner(worker).unwrap();
    let running = tokio::spawn(worker.run(stopped));
    main.wait_for(1).await;
    stop.send_replace(true);
    main.let_go(1);
    running.await.unwrap();
    let view = spool.submission(id.submission).await.unwrap().unwrap();
    assert_eq!(view.messages[0].state, State::Sent);
}
