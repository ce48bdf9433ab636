//! Waits that the clock made too long, as it was put back after they were set.

use std::time::Duration;

use super::super::{Asked, MailStep, News, Queue, Spool, Step, TellStep, Waits};
use super::{
    GATEWAY, LIFETIME, accept_one, at, callback, claim, claim_ids, delivered, due_queue, later, look,
    message, phone, refused, report, retry, room, sent, settle, submission, take, unknown,
};
use crate::model::{Channel, Fate, HoldReason, Notify, State, TellStyle, TellUrl, Way, Ways};

/// A time that the clock showed before it was put back.
const AHEAD: i64 = 5000;

/// Shortens what waits at `at(now)`, where nothing is put off for more than 100 s.
async fn shorten(spool: &dyn Spool, now: i64) -> usize {
    let most = Duration::from_secs(100);
    let waits = Waits { due: most, unknown: most, sent: most, mail: most, tellings: most };
    let shortened = spool.shorten_waits(at(now), waits).await.unwrap();
    assert_eq!(spool.shorten_waits(at(now), waits).await, Ok(0), "once is enough");
    shortened
}

async fn asked(spool: &dyn Spool, asked: Asked, now: i64) -> Vec<super::super::Question> {
    spool.questions(asked, GATEWAY.to_owned(), at(now), at(now + 60), 9).await.unwrap()
}

pub(in crate::spool) async fn what_was_put_off_waits_as_long_as_it_was_to(spool: &dyn Spool) {
    let first = accept_one(spool, AHEAD, 1).await;
    let behind = accept_one(spool, AHEAD + 1, 1).await;
    let long = accept_one(spool, 1, 2).await;
    assert_eq!(claim_ids(spool, AHEAD + 1).await, [long, first]);
    settle(spool, first, retry(AHEAD + 7), AHEAD + 2).await;
    settle(spool, long, retry(AHEAD + 500), AHEAD + 2).await;
    // The clock goes back to 10.
    let meant = accept_one(spool, 10, 3).await;
    assert_eq!(claim_ids(spool, 10).await, [meant]);
    settle(spool, meant, retry(110), 10).await;
    assert_eq!(shorten(spool, 10).await, 3);
    let next = async |id| look(spool, id).await.next_at;
    assert_eq!((next(first).await, next(behind).await), (Some(at(15)), Some(at(10))));
    assert_eq!((next(long).await, next(meant).await), (Some(at(110)), Some(at(110))));
    assert_eq!(spool.next_due(due_queue()).await.unwrap(), Some(at(15)));
    assert_eq!(claim_ids(spool, 14).await, [], "in the order of acceptance");
    assert_eq!(claim_ids(spool, 15).await, [first]);
    settle_second(spool, first, sent(99), 16).await;
    assert_eq!(claim_ids(spool, 16).await, [behind]);
    assert_eq!(claim_ids(spool, 110).await, [long, meant]);
}

async fn settle_second(spool: &dyn Spool, id: crate::model::MessageId, step: Step, now: i64) {
    spool.settle(id, 2, step, at(now)).await.unwrap();
}

pub(in crate::spool) async fn a_wait_of_the_longest_stays_and_a_longer_one_does_not(spool: &dyn Spool) {
    for (phone, until, count) in [(1, 110, 0), (2, 111, 1)] {
        let id = accept_one(spool, 0, phone).await;
        assert_eq!(claim_ids(spool, 1).await, [id]);
        // Written by a clock that had been put back since the time was chosen.
        settle(spool, id, retry(until), 2).await;
        assert_eq!(shorten(spool, 10).await, count, "{until}");
        assert_eq!(look(spool, id).await.next_at, Some(at(110)));
    }
}

pub(in crate::spool) async fn questions_come_within_their_longest_wait(spool: &dyn Spool) {
    let [a, b] = [accept_one(spool, 0, 1).await, accept_one(spool, 0, 2).await];
    claim(spool, 1).await;
    settle(spool, a, unknown(5), 2).await;
    settle(spool, b, sent(5), 2).await;
    // Asked by a clock that ran ahead.
    for (id, state) in [(a, Asked::Unknown), (b, Asked::Sent)] {
        assert_eq!(asked(spool, state, AHEAD).await.len(), 1);
        settle(spool, id, Step::AskAgain { ask_at: at(AHEAD + 9) }, AHEAD).await;
    }
    assert_eq!(shorten(spool, 10).await, 2);
    for state in [Asked::Unknown, Asked::Sent] {
        let queue = Queue::Ask(state, GATEWAY.to_owned());
        assert_eq!(spool.next_due(queue).await.unwrap(), Some(at(110)));
        assert_eq!(asked(spool, state, 109).await, []);
        let [question] = &asked(spool, state, 110).await[..] else { panic!("{state:?}") };
        assert_eq!((question.since, question.asked), (at(2), 1));
    }
    assert_eq!(shorten(spool, 110).await, 0, "they are under way");
}

pub(in crate::spool) async fn nothing_came_into_its_state_after_it_is_asked_about(spool: &dyn Spool) {
    let mut given = submission(0, &[1]);
    let rcs = crate::model::Template {
        channel: Channel::Rcs,
        id: "alert".to_owned(),
        variables: std::collections::BTreeMap::new(),
    };
    let silence = Some(Duration::from_secs(40));
    given.messages[0].delivery.ways = Ways::new(vec![Way::Template(rcs), Way::Sms], silence).unwrap();
    let id = given.id.message(1);
    spool.accept(given).await.unwrap();
    claim(spool, AHEAD).await;
    // The clock is put back between the answer's time and that of its being written.
    settle(spool, id, sent(30), AHEAD).await;
    let [question] = &asked(spool, Asked::Sent, 40).await[..] else { panic!("one question") };
    assert_eq!((question.since, question.silent_at), (at(40), Some(at(80))));
    let [question] = &asked(spool, Asked::Sent, 100).await[..] else { panic!("one question") };
    assert_eq!((question.since, question.silent_at), (at(40), Some(at(80))), "it stays so");
    // It is the same where its wait is shortened.
    settle(spool, id, Step::NextWay { cause: later() }, 100).await;
    claim(spool, AHEAD).await;
    settle_second(spool, id, sent(AHEAD + 30), AHEAD).await;
    assert_eq!(shorten(spool, 110).await, 1);
    let [question] = &asked(spool, Asked::Sent, 210).await[..] else { panic!("one question") };
    assert_eq!(question.since, at(110));
}

pub(in crate::spool) async fn what_people_wished_for_stays(spool: &dyn Spool) {
    let mut given = submission(0, &[1, 2, 3]);
    given.messages[0].fate = Fate::Held { until: at(AHEAD), reason: HoldReason::Scheduled };
    given.messages[1].sms.options.scheduled_at = Some(at(AHEAD));
    given.messages[2].fate = Fate::Held { until: at(20), reason: HoldReason::Scheduled };
    for message in &mut given.messages {
        message.delivery.delayed_at = Some(at(AHEAD));
    }
    let [held, scheduled, released] = [1, 2, 3].map(|n| given.id.message(n));
    spool.accept(given).await.unwrap();
    assert_eq!(claim_ids(spool, 1).await, [scheduled]);
    settle(spool, scheduled, sent(AHEAD + 30), 2).await;
    // Its time has come, by a clock that ran ahead, and there is no room.
    assert_eq!(spool.claim_due(at(1000), room(0)).await.unwrap(), []);
    assert_eq!(look(spool, released).await.state, State::Due);
    assert_eq!(shorten(spool, 10).await, 0);
    for (id, next_at) in [(held, AHEAD), (scheduled, AHEAD + 30), (released, 20)] {
        let shown = look(spool, id).await;
        assert_eq!((shown.next_at, shown.expires_at), (Some(at(next_at)), at(LIFETIME)), "{id}");
    }
    assert_eq!(spool.next_due(Queue::Delays).await.unwrap(), Some(at(AHEAD)));
    // Nobody is asked before the platform is to send it, and then as soon as may be.
    assert_eq!(asked(spool, Asked::Sent, AHEAD + 1000).await.len(), 1);
    settle(spool, scheduled, Step::AskAgain { ask_at: at(AHEAD + 1050) }, AHEAD + 1000).await;
    assert_eq!(shorten(spool, 10).await, 1);
    assert_eq!(look(spool, scheduled).await.next_at, Some(at(AHEAD + 100)));
}

pub(in crate::spool) async fn mail_and_tellings_wait_as_long_as_they_were_to(spool: &dyn Spool) {
    let mut given = submission(0, &[1]);
    given.tell_url = Some(TellUrl {
        url: "https://erp.example/sms".to_owned(),
        account: "erp".to_owned(),
        style: TellStyle::Signed,
    });
    given.forwards = vec![report(given.id, at(0)), report(given.id, at(0))];
    let id = given.id.message(1);
    let [one, other] = [given.forwards[0].id, given.forwards[1].id];
    spool.accept(given).await.unwrap();
    claim(spool, 1).await;
    settle(spool, id, refused(), AHEAD).await;
    assert_eq!(spool.claim_tellings(at(AHEAD), 9).await.unwrap().len(), 1);
    let step = TellStep::Retry { at: at(AHEAD + 7), cause: later() };
    spool.settle_telling(id, step, at(AHEAD)).await.unwrap();
    assert_eq!(spool.claim_mail(at(AHEAD), 9).await.unwrap().len(), 2);
    let step = |until| MailStep::Retry { at: at(until), cause: later() };
    spool.settle_mail(one, step(AHEAD + 6), at(AHEAD)).await.unwrap();
    spool.settle_mail(other, step(AHEAD + 101), at(AHEAD)).await.unwrap();
    // The case is complete, and waits for nothing; but its news is from then.
    assert_eq!(shorten(spool, 10).await, 4);
    assert_eq!(spool.next_due(Queue::Tellings).await.unwrap(), Some(at(17)));
    assert_eq!(spool.next_due(Queue::Mail).await.unwrap(), Some(at(16)));
    assert_eq!(spool.claim_mail(at(109), 9).await.unwrap().len(), 1);
    assert_eq!(spool.claim_mail(at(110), 9).await.unwrap().len(), 1);
    assert_eq!(spool.claim_tellings(at(16), 9).await.unwrap().len(), 0);
    assert_eq!(spool.claim_tellings(at(17), 9).await.unwrap().len(), 1);
}

pub(in crate::spool) async fn news_from_a_future_is_news_now(spool: &dyn Spool) {
    let mut given = submission(0, &[1, 2]);
    let [ended, open] = [1, 2].map(|n| given.id.message(n));
    given.messages[1].delivery.delayed_at = Some(at(3000));
    spool.accept(given).await.unwrap();
    claim(spool, 1).await;
    settle(spool, ended, refused(), AHEAD).await;
    assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), Some(at(AHEAD)));
    assert_eq!(shorten(spool, 10).await, 1);
    assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), Some(at(10)));
    assert_eq!(spool.cases(at(9), at(9), 9).await.unwrap(), [], "it waits for its window");
    let [case] = &spool.cases(at(10), at(40), 9).await.unwrap()[..] else { panic!("one case") };
    assert_eq!(case.outcomes.iter().map(|outcome| outcome.sms.id).collect::<Vec<_>>(), [ended]);
    spool.close_case(vec![(ended, News::Ended)], None, at(40)).await.unwrap();
    // The same of what became late.
    spool.cases(at(0), at(AHEAD), 9).await.unwrap();
    assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), Some(at(3000)));
    assert_eq!(shorten(spool, 50).await, 1);
    let found = spool.cases(at(50), at(50), 9).await.unwrap();
    assert_eq!((found[0].outcomes[0].sms.id, found[0].outcomes[0].news), (open, News::Delayed));
}

pub(in crate::spool) async fn a_case_that_waits_for_a_piece_goes_on_waiting(spool: &dyn Spool) {
    let mut given = submission(0, &[1]);
    let mut second = message(given.id.message(2), phone(1));
    second.recipient = given.messages[0].recipient.clone();
    given.messages.push(second);
    for message in &mut given.messages {
        message.recipient.notify = Notify::On { success: true, failure: true, delay: false };
    }
    let first = given.id.message(1);
    spool.accept(given).await.unwrap();
    claim(spool, 1).await;
    settle(spool, first, sent(60), 2).await;
    take(spool, &callback(first, 1, 1, 3), 3).await;
    assert_eq!(spool.cases(at(3), at(3), 9).await.unwrap(), [], "the other piece may fail");
    assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), Some(at(LIFETIME)));
    assert_eq!(shorten(spool, 60).await, 0);
    assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), Some(at(LIFETIME)));
}

pub(in crate::spool) async fn many_waits_are_shortened_in_steps(spool: &dyn Spool) {
    let phones: Vec<u32> = (0..1003).collect();
    spool.accept(submission(10, &phones)).await.unwrap();
    spool.accept(submission(AHEAD, &phones)).await.unwrap();
    let mut given = submission(AHEAD, &[]);
    given.forwards = (0..501).map(|_| report(given.id, at(AHEAD))).collect();
    spool.accept(given).await.unwrap();
    let signals = spool.signals();
    let is_raised = |signal: &tokio::sync::Notify| std::pin::pin!(signal.notified()).enable();
    // Raised before the next command is answered.
    spool.claim_mail(at(-1), 0).await.unwrap();
    assert!(is_raised(&signals.due) && is_raised(&signals.mail));
    assert_eq!(shorten(spool, 10).await, 1003 + 501);
    spool.claim_mail(at(-1), 0).await.unwrap();
    assert!(is_raised(&signals.due) && is_raised(&signals.mail));
    assert!(!is_raised(&signals.tellings) && !is_raised(&signals.cases));
    assert_eq!(spool.claim_mail(at(10), 1000).await.unwrap().len(), 501);
}

pub(in crate::spool) async fn a_clock_that_is_ten_years_back_loses_nothing(spool: &dyn Spool) {
    let back = -10 * 365 * 24 * 60 * 60;
    let [a, b, c] = [1, 2, 3].map(|n| accept_one(spool, 0, n));
    let [a, b, c] = [a.await, b.await, c.await];
    claim(spool, 1).await;
    settle(spool, a, retry(30), 2).await;
    settle(spool, b, unknown(5), 2).await;
    settle(spool, c, sent(30), 2).await;
    // The process dies with it, and the next one starts ten years before.
    spool.recover(at(back), at(back + 5)).await.unwrap();
    assert_eq!(shorten(spool, back).await, 3);
    assert_eq!(claim_ids(spool, back + 28).await, [a]);
    for (id, state) in [(b, Asked::Unknown), (c, Asked::Sent)] {
        let [question] = &asked(spool, state, back + 100).await[..] else { panic!("{state:?}") };
        assert_eq!((question.id, question.since), (id, at(back)));
    }
    settle(spool, b, sent(back + 200), back + 101).await;
    for id in [b, c] {
        settle(spool, id, delivered(), back + 201).await;
    }
    settle_second(spool, a, sent(back + 60), back + 30).await;
    take(spool, &callback(a, 1, 1, 3), back + 31).await;
    for id in [a, b, c] {
        assert!(matches!(look(spool, id).await.state, State::Final(_)), "{id}");
    }
}
