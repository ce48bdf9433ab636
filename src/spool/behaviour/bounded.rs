//! Random storms, outages and slow gateways: a phone never gets more than its limits let pass, and nothing is lost.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::super::{Again, Spool, Step};
use super::{at, delivered, due_queue, later, look, phone, room, sent, submission};
use crate::model::{
    FinalState, Lane, Limit, LimitScope, LimitStep, MessageId, Passage, PhoneNumber, Similar, State,
};

/// What the claim does not ask again, in milliseconds.
const FRESH: i64 = 1000;

/// Few phones, so that their SMS meet.
const PHONES: u32 = 2;

/// Steps of every phone, and what happens.
#[derive(Clone, Debug)]
pub(in crate::spool) struct Story {
    steps: Vec<LimitStep>,
    calls: Vec<Call>,
}

#[derive(Clone, Debug)]
enum Call {
    Accept(Given),
    /// So many milliseconds.
    Wait(i64),
    Claim(usize),
    /// What is under way with this number, modulo their count.
    Settle(usize, Answer),
    /// The process ends.
    Recover,
}

#[derive(Clone, Copy, Debug)]
struct Given {
    phone: u32,
    lane: Lane,
    is_exempt: bool,
    is_similar: bool,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Sent,
    /// To be tried again in so many milliseconds.
    Refused(i64),
    /// None, and the platform does not know it.
    Lost(i64),
}

pub(in crate::spool) fn stories() -> impl Strategy<Value = Story> {
    let step = (1..5u32, 2..90u64)
        .prop_map(|(most, seconds)| LimitStep { most, within: Duration::from_secs(seconds) });
    let given =
        (0..PHONES, prop::sample::select(Lane::ALL.to_vec()), prop::bool::weighted(0.1), any::<bool>())
            .prop_map(|(phone, lane, is_exempt, is_similar)| Given { phone, lane, is_exempt, is_similar });
    let wait = prop_oneof![3 => 0..1500i64, 2 => 0..20_000i64, 1 => 0..200_000i64];
    let answer = prop_oneof![
        3 => Just(Answer::Sent),
        2 => (0..30_000i64).prop_map(Answer::Refused),
        1 => (0..30_000i64).prop_map(Answer::Lost),
    ];
    let call = prop_oneof![
        6 => given.prop_map(Call::Accept),
        5 => wait.prop_map(Call::Wait),
        5 => (0..4usize).prop_map(Call::Claim),
        4 => (0..9usize, answer).prop_map(|(which, answer)| Call::Settle(which, answer)),
        1 => Just(Call::Recover),
    ];
    (prop::collection::vec(step, 1..3), prop::collection::vec(call, 1..60))
        .prop_map(|(steps, calls)| Story { steps, calls })
}

/// An SMS that a worker has.
struct Under {
    id: MessageId,
    attempt: u32,
    phone: PhoneNumber,
    is_exempt: bool,
    /// In milliseconds.
    since: i64,
}

/// What the platform has taken.
struct Arrived {
    phone: PhoneNumber,
    is_exempt: bool,
    /// When it was claimed, in milliseconds.
    at: i64,
}

#[derive(Default)]
struct World {
    steps: Vec<LimitStep>,
    /// In milliseconds.
    now: i64,
    accepted: Vec<MessageId>,
    exempt: Vec<MessageId>,
    under: Vec<Under>,
    arrived: Vec<Arrived>,
}

pub(in crate::spool) async fn run(spool: &dyn Spool, story: Story) {
    let Story { steps, calls } = story;
    let mut world = World { steps, ..World::default() };
    for call in calls {
        match call {
            Call::Accept(given) => world.accept(spool, given).await,
            Call::Wait(millis) => world.now += millis,
            Call::Claim(limit) => world.claim(spool, limit).await,
            Call::Settle(which, answer) if !world.under.is_empty() => {
                let which = which % world.under.len();
                world.settle(spool, which, answer).await;
            }
            Call::Settle(..) => {}
            Call::Recover => world.recover(spool).await,
        }
    }
    world.drain(spool).await;
    world.check();
}

fn ms(millis: i64) -> Timestamp {
    at(0) + SignedDuration::from_millis(millis)
}

impl World {
    async fn accept(&mut self, spool: &dyn Spool, given: Given) {
        let mut submission = submission(0, &[given.phone]);
        submission.received_at = ms(self.now);
        let message = &mut submission.messages[0];
        let scope = LimitScope::Destination;
        let key = format!("phone {}", given.phone);
        let window = Duration::from_secs(20);
        message.passage = Passage {
            is_exempt: given.is_exempt,
            similar: given.is_similar.then(|| Similar { key: key.clone(), window }),
            limits: vec![Limit { key, scope, steps: self.steps.clone() }],
            ..Passage::default()
        };
        message.delivery.lane = given.lane;
        message.delivery.expires_at = at(10 * 86_400);
        self.accepted.push(message.sms.id);
        if given.is_exempt {
            self.exempt.push(message.sms.id);
        }
        spool.accept(submission).await.unwrap();
    }

    async fn claim(&mut self, spool: &dyn Spool, limit: usize) {
        for call in spool.claim_due(ms(self.now), room(limit)).await.unwrap() {
            for claimed in call.messages {
                self.under.push(Under {
                    id: claimed.sms.id,
                    attempt: claimed.attempt,
                    phone: claimed.sms.destination,
                    is_exempt: self.exempt.contains(&claimed.sms.id),
                    since: self.now,
                });
            }
        }
    }

    async fn settle(&mut self, spool: &dyn Spool, which: usize, answer: Answer) {
        let Under { id, attempt, phone, is_exempt, since } = self.under.swap_remove(which);
        let now = ms(self.now);
        let retry = |wait| Step::Retry { at: ms(self.now + wait), cause: later(), by: Again::InOrder };
        let steps = match answer {
            Answer::Sent => {
                self.arrived.push(Arrived { phone, is_exempt, at: since });
                vec![sent(90), delivered()]
            }
            Answer::Refused(wait) => vec![retry(wait)],
            Answer::Lost(wait) => vec![Step::Unknown { ask_at: now, cause: later() }, retry(wait)],
        };
        for step in steps {
            spool.settle(id, attempt, step, now).await.unwrap();
        }
    }

    /// Of what was under way the platform says that it does not have it.
    async fn recover(&mut self, spool: &dyn Spool) {
        let now = ms(self.now);
        assert_eq!(spool.recover(now, now).await.unwrap().unknown, self.under.len());
        for Under { id, attempt, .. } in self.under.drain(..) {
            let step = Step::Retry { at: now, cause: later(), by: Again::InOrder };
            spool.settle(id, attempt, step, now).await.unwrap();
        }
    }

    /// Everything goes as soon as it may.
    async fn drain(&mut self, spool: &dyn Spool) {
        for _ in 0..10_000 {
            while !self.under.is_empty() {
                self.settle(spool, 0, Answer::Sent).await;
            }
            self.claim(spool, 100).await;
            if self.under.is_empty() {
                match spool.next_due(due_queue()).await.unwrap() {
                    None => break,
                    Some(next) => {
                        let next = next.as_millisecond() - at(0).as_millisecond();
                        self.now = self.now.max(next);
                    }
                }
            }
        }
        for id in &self.accepted {
            let shown = look(spool, *id).await;
            assert_eq!(shown.state, State::Final(FinalState::Delivered), "{:?}", shown.events);
        }
    }

    fn check(&self) {
        for number in 0..PHONES {
            let phone = phone(number);
            let of_phone: Vec<&Arrived> =
                self.arrived.iter().filter(|arrived| arrived.phone == phone).collect();
            let count = |from: i64, to: i64| {
                of_phone.iter().filter(|arrived| arrived.at > from && arrived.at <= to).count()
            };
            for step in &self.steps {
                let (most, within) = (step.most as usize, step.within.as_millis() as i64);
                for arrived in of_phone.iter().filter(|arrived| !arrived.is_exempt) {
                    let before = count(arrived.at - within + FRESH, arrived.at - FRESH);
                    assert!(before < most, "{before} before the one at {} ms: {step:?}", arrived.at);
                    if self.exempt.is_empty() {
                        let since = count(arrived.at - within + FRESH, arrived.at);
                        assert!(since <= most, "{since} up to the one at {} ms: {step:?}", arrived.at);
                    }
                }
            }
        }
    }
}
