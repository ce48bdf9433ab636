//! Random sequences of calls against a model so simple that it can be seen to be right.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{
    Again, Asked, Claimed, News, QUESTION_LEASE, Question, Queue, Spool, SpoolError, Step, Taken,
};
use super::{GATEWAY, at, callback, claim_up_to, failure, later, phone, submission};
use crate::model::{Callback, Channel, FinalState, MessageId, State, Template, Way, Ways};

/// Few phones, so that they get in each other's way.
const PHONES: u32 = 3;

/// Parts of every SMS, as its callbacks say.
const PARTS: u32 = 2;

/// One call.
#[derive(Clone, Debug)]
pub(in crate::spool) enum Call {
    /// A submission of these phones, each SMS to live for so many seconds; with two ways, or with one.
    Accept(Vec<u32>, i64, bool),
    /// Time goes on.
    Wait(i64),
    Claim(usize),
    /// The SMS with this number, modulo their count; the attempt is off by the second.
    Settle(usize, u32, Kind),
    Ask(bool, usize),
    Recover,
    /// Close the first case.
    Tell,
    /// Of the SMS with this number: which of its ways, which part, and its code.
    Callback(usize, usize, u32, i64),
}

/// A step without its times.
#[derive(Clone, Copy, Debug)]
pub(in crate::spool) enum Kind {
    Sent,
    Retry,
    /// By the same gateway.
    RetryThere,
    NextWay,
    Unknown,
    AskAgain,
    Final(FinalState),
}

fn rcs() -> Way {
    Way::Template(Template { channel: Channel::Rcs, id: "alert".to_owned(), variables: BTreeMap::new() })
}

pub(in crate::spool) fn calls() -> impl Strategy<Value = Vec<Call>> {
    let kind = prop_oneof![
        3 => Just(Kind::Sent),
        2 => Just(Kind::Retry),
        1 => Just(Kind::RetryThere),
        2 => Just(Kind::NextWay),
        2 => Just(Kind::Unknown),
        1 => Just(Kind::AskAgain),
        1 => Just(Kind::Final(FinalState::Delivered)),
        1 => Just(Kind::Final(FinalState::Undelivered)),
        1 => Just(Kind::Final(FinalState::Failed)),
        1 => Just(Kind::Final(FinalState::Expired)),
        1 => Just(Kind::Final(FinalState::Cancelled)),
    ];
    let off = prop_oneof![9 => Just(0u32), 1 => Just(1u32)];
    let call = prop_oneof![
        4 => (prop::collection::vec(0..PHONES, 1..4), 5..60i64, any::<bool>())
            .prop_map(|(to, life, two)| Call::Accept(to, life, two)),
        4 => (0..15i64).prop_map(Call::Wait),
        6 => (0..4usize).prop_map(Call::Claim),
        12 => (0..40usize, off, kind).prop_map(|(which, off, kind)| Call::Settle(which, off, kind)),
        2 => (any::<bool>(), 0..4usize).prop_map(|(unknown, limit)| Call::Ask(unknown, limit)),
        1 => Just(Call::Recover),
        2 => Just(Call::Tell),
        8 => (0..40usize, 0..2usize, 1..=PARTS, prop::sample::select(vec![1i64, 2, 3, 3, 3, 3, 6, 8]))
            .prop_map(|(which, way, part, code)| Call::Callback(which, way, part, code)),
    ];
    prop::collection::vec(call, 1..60)
}

/// An SMS as the model sees it.
#[derive(Clone, Debug)]
struct Known {
    id: MessageId,
    phone: u32,
    state: State,
    attempts: u32,
    asked: u32,
    next_at: Option<i64>,
    expires_at: i64,
    ended_at: Option<i64>,
    is_owed: bool,
    /// Of each way: whether it was tried, and what its callbacks say of its parts.
    ways: Vec<(bool, BTreeMap<u32, i64>)>,
    way: usize,
}

impl Known {
    fn waits(&self) -> bool {
        matches!(self.state, State::Due | State::Claimed | State::Unknown)
    }

    fn become_sent(&mut self, next_at: i64) {
        if self.state != State::Sent {
            self.asked = 0;
        }
        (self.state, self.next_at) = (State::Sent, Some(next_at));
    }

    fn go_by_the_next_way(&mut self, now: i64) {
        self.way += 1;
        (self.state, self.next_at, self.asked) = (State::Due, Some(now), 0);
    }

    fn has_next_way(&self) -> bool {
        self.way + 1 < self.ways.len()
    }

    /// Whether the platform has spoken of its current way.
    fn is_spoken_of(&self) -> bool {
        !self.ways[self.way].1.is_empty()
    }

    fn verdict(&self, way: usize) -> Option<FinalState> {
        let codes: Vec<i64> = self.ways[way].1.values().copied().collect();
        if codes.contains(&6) {
            Some(FinalState::Undelivered)
        } else if codes.contains(&8) {
            Some(FinalState::Expired)
        } else {
            (codes == vec![3; PARTS as usize]).then_some(FinalState::Delivered)
        }
    }

    fn is_delivered_before(&self) -> bool {
        (0..self.way).any(|way| self.verdict(way) == Some(FinalState::Delivered))
    }

    /// What the callbacks of its way, and of those before, make of an SMS that is sent.
    fn follow(&mut self, now: i64) {
        match self.verdict(self.way) {
            _ if self.is_delivered_before() => self.become_final(FinalState::Delivered, now),
            None => {}
            Some(FinalState::Delivered) => self.become_final(FinalState::Delivered, now),
            Some(_) if self.has_next_way() => self.go_by_the_next_way(now),
            Some(failure) => self.become_final(failure, now),
        }
    }

    /// Whether the callbacks win against a step that says that the platform does not have it.
    fn contradicts(&mut self, now: i64) -> bool {
        match self.state {
            State::Claimed | State::Unknown if self.is_spoken_of() || self.is_delivered_before() => {
                self.become_sent(now);
                self.follow(now);
                true
            }
            State::Sent => self.is_spoken_of() && self.asked == 0,
            State::Held | State::Folded | State::Due | State::Claimed | State::Unknown | State::Final(_) => {
                false
            }
        }
    }

    fn become_final(&mut self, state: FinalState, now: i64) {
        (self.state, self.next_at, self.asked) = (State::Final(state), None, 0);
        self.ended_at = Some(now);
        // The causes of these tests are failures, but for one of class 4.
        self.is_owed = state.is_failure();
    }
}

/// In the order of acceptance.
#[derive(Default)]
struct Model {
    sms: Vec<Known>,
    now: i64,
}

/// Runs `calls` against `spool` and the model, and compares after each.
pub(in crate::spool) async fn run(spool: &dyn Spool, calls: Vec<Call>) {
    let mut model = Model::default();
    for call in calls {
        match call {
            Call::Accept(phones, life, two) => model.accept(spool, &phones, life, two).await,
            Call::Wait(seconds) => model.now += seconds,
            Call::Claim(limit) => model.claim(spool, limit).await,
            Call::Settle(which, off, kind) => model.settle(spool, which, off, kind).await,
            Call::Ask(is_unknown, limit) => model.ask(spool, is_unknown, limit).await,
            Call::Recover => model.recover(spool).await,
            Call::Tell => model.tell(spool).await,
            Call::Callback(which, way, part, code) => model.callback(spool, which, way, part, code).await,
        }
        model.compare(spool).await;
    }
}

impl Model {
    async fn accept(&mut self, spool: &dyn Spool, phones: &[u32], life: i64, two_ways: bool) {
        let mut given = submission(self.now, phones);
        for (message, phone) in given.messages.iter_mut().zip(phones) {
            if two_ways {
                message.delivery.ways = Ways::new(vec![rcs(), Way::Sms], None).unwrap();
            }
            message.delivery.expires_at = at(self.now + life);
            self.sms.push(Known {
                id: message.sms.id,
                phone: *phone,
                state: State::Due,
                attempts: 0,
                asked: 0,
                next_at: Some(self.now),
                expires_at: self.now + life,
                ended_at: None,
                is_owed: false,
                ways: vec![(false, BTreeMap::new()); if two_ways { 2 } else { 1 }],
                way: 0,
            });
        }
        spool.accept(given).await.unwrap();
    }

    /// Due, and first of those that wait for their phone, with none of them under way: one that has come back
    /// may have been overtaken.
    fn claimable(&self) -> Vec<usize> {
        let is_first = |n: usize| {
            let of_phone = |other: &&Known| other.phone == self.sms[n].phone;
            let is_busy = |other: &Known| matches!(other.state, State::Claimed | State::Unknown);
            !self.sms[..n].iter().filter(of_phone).any(Known::waits)
                && !self.sms.iter().filter(of_phone).any(is_busy)
        };
        let mut found: Vec<usize> = (0..self.sms.len())
            .filter(|n| self.sms[*n].state == State::Due && is_first(*n))
            .filter(|n| self.sms[*n].next_at <= Some(self.now))
            .collect();
        found.sort_by_key(|n| self.sms[*n].next_at);
        found
    }

    async fn claim(&mut self, spool: &dyn Spool, limit: usize) {
        let now = self.now;
        for sms in self.sms.iter_mut().filter(|sms| sms.state == State::Due && sms.expires_at <= now) {
            sms.become_final(FinalState::Expired, now);
        }
        let expected: Vec<usize> = self.claimable().into_iter().take(limit).collect();
        let claimed = claim_up_to(spool, self.now, limit).await;
        for n in &expected {
            let sms = &mut self.sms[*n];
            (sms.state, sms.next_at, sms.asked) = (State::Claimed, None, 0);
            sms.attempts += 1;
            assert!(!sms.is_spoken_of(), "the platform has spoken of it: {sms:?}");
            sms.ways[sms.way].0 = true;
        }
        let expected: Vec<_> = expected
            .iter()
            .map(|n| (self.sms[*n].id, self.sms[*n].attempts, phone(self.sms[*n].phone)))
            .collect();
        let claimed: Vec<_> = claimed
            .into_iter()
            .map(|Claimed { sms, attempt, .. }| (sms.id, attempt, sms.destination))
            .collect();
        assert_eq!(claimed, expected);
    }

    async fn settle(&mut self, spool: &dyn Spool, which: usize, off: u32, kind: Kind) {
        if self.sms.is_empty() {
            return;
        }
        let (now, soon) = (self.now, self.now + 7);
        let which = which % self.sms.len();
        let sms = &mut self.sms[which];
        let (step, to) = match kind {
            Kind::Sent => {
                let note = "the platform has it".to_owned();
                (
                    Step::Sent { parts: None, unicode: None, platform_id: None, ask_at: at(soon), note },
                    // An answer about the way before says nothing of one that was not tried yet.
                    sms.ways[sms.way].0.then_some(State::Sent),
                )
            }
            Kind::Retry | Kind::RetryThere => {
                let by = if matches!(kind, Kind::RetryThere) { Again::Same } else { Again::InOrder };
                let to = (sms.state != State::Sent).then_some(State::Due);
                (Step::Retry { at: at(soon), cause: later(), by }, to)
            }
            Kind::NextWay => (Step::NextWay { cause: later() }, sms.has_next_way().then_some(State::Due)),
            Kind::Unknown => (Step::Unknown { ask_at: at(soon), cause: later() }, Some(State::Unknown)),
            Kind::AskAgain => {
                let stays = matches!(sms.state, State::Unknown | State::Sent);
                (Step::AskAgain { ask_at: at(soon) }, stays.then_some(sms.state))
            }
            Kind::Final(state) => (Step::Final { state, cause: failure() }, Some(State::Final(state))),
        };
        let result = spool.settle(sms.id, sms.attempts + off, step, at(now)).await;
        let doubts = match kind {
            Kind::Retry | Kind::RetryThere | Kind::NextWay | Kind::Unknown => true,
            Kind::Final(state) => state.is_failure(),
            Kind::Sent | Kind::AskAgain => false,
        };
        if off == 0 && doubts && sms.contradicts(now) {
            assert_eq!(result, Ok(sms.state));
            return;
        }
        match to.filter(|to| off == 0 && sms.state.may_become(*to)) {
            None => assert_eq!(result, Err(SpoolError::Stale(sms.id))),
            Some(to) => {
                let from = sms.state;
                match kind {
                    Kind::Final(state) => sms.become_final(state, now),
                    Kind::NextWay => sms.go_by_the_next_way(now),
                    Kind::Sent => {
                        sms.become_sent(soon);
                        sms.follow(now);
                    }
                    Kind::Retry | Kind::RetryThere | Kind::Unknown | Kind::AskAgain => {
                        sms.asked = if sms.state == to { sms.asked } else { 0 };
                        (sms.state, sms.next_at) = (to, Some(soon));
                    }
                }
                assert_eq!(result, Ok(sms.state), "{from} -> {to}");
            }
        }
    }

    async fn ask(&mut self, spool: &dyn Spool, is_unknown: bool, limit: usize) {
        let (asked, state) =
            if is_unknown { (Asked::Unknown, State::Unknown) } else { (Asked::Sent, State::Sent) };
        let now = self.now;
        let mut expected: Vec<&mut Known> =
            self.sms.iter_mut().filter(|sms| sms.state == state && sms.next_at <= Some(now)).collect();
        expected.sort_by_key(|sms| sms.next_at);
        let questions =
            spool.questions(asked, GATEWAY.to_owned(), at(now), at(now + 9), limit).await.unwrap();
        let questions: Vec<_> =
            questions.into_iter().map(|Question { id, attempt, asked, .. }| (id, attempt, asked)).collect();
        let mut answers = Vec::new();
        for sms in expected.into_iter().take(limit) {
            answers.push((sms.id, sms.attempts, sms.asked));
            sms.next_at = Some(now + 9);
            sms.asked += 1;
        }
        assert_eq!(questions, answers);
    }

    async fn recover(&mut self, spool: &dyn Spool) {
        let now = self.now;
        let ask_at = now + 2;
        let leased_until = now + QUESTION_LEASE.as_secs() as i64;
        for sms in self.sms.iter_mut().filter(|sms| matches!(sms.state, State::Unknown | State::Sent)) {
            sms.next_at = sms.next_at.map(|next| if next <= leased_until { next.min(ask_at) } else { next });
        }
        let mut lost = 0;
        for sms in self.sms.iter_mut().filter(|sms| sms.state == State::Claimed) {
            if !sms.contradicts(now) {
                (sms.state, sms.next_at) = (State::Unknown, Some(ask_at));
                lost += 1;
            }
        }
        assert_eq!(spool.recover(at(now), at(ask_at)).await.unwrap().unknown, lost);
    }

    async fn callback(&mut self, spool: &dyn Spool, which: usize, way: usize, part: u32, code: i64) {
        if self.sms.is_empty() {
            return;
        }
        let now = self.now;
        let which = which % self.sms.len();
        let sms = &mut self.sms[which];
        let way = way % sms.ways.len();
        let channel = if way + 1 < sms.ways.len() { Channel::Rcs } else { Channel::Sms };
        let said = Callback { channel, ..callback(sms.id, part, PARTS, code) };
        let taken = spool.take_callback(said.clone(), at(now)).await.unwrap();
        let before = sms.state;
        let (was_tried, parts) = &mut sms.ways[way];
        let is_new = match parts.get(&part) {
            _ if !*was_tried => true,
            None => true,
            Some(known) => ![3, 6, 8].contains(known) && *known != code,
        };
        if *was_tried && is_new {
            parts.insert(part, code);
            match before {
                State::Due | State::Unknown if way == sms.way => {
                    sms.become_sent(now + 30);
                    sms.follow(now);
                }
                State::Sent if way == sms.way => sms.follow(now),
                State::Due | State::Unknown | State::Sent if sms.is_delivered_before() => {
                    sms.become_final(FinalState::Delivered, now);
                }
                State::Held
                | State::Folded
                | State::Due
                | State::Claimed
                | State::Unknown
                | State::Sent
                | State::Final(_) => {}
            }
        }
        let id = sms.id;
        let gateway = (sms.attempts > 0).then(|| GATEWAY.to_owned());
        let expected = match before {
            _ if !is_new => Taken::Repeated,
            State::Final(state) => Taken::Late { id, state },
            State::Held | State::Folded | State::Due | State::Claimed | State::Unknown | State::Sent => {
                Taken::New { id, state: sms.state, gateway }
            }
        };
        assert_eq!(taken, expected, "{said:?} {sms:?}");
        if sms.ways[way].0 {
            assert_eq!(spool.take_callback(said, at(now)).await, Ok(Taken::Repeated));
        }
    }

    /// Submissions with something to tell, the first outcome's time first.
    fn cases(&self, overdue: i64) -> Vec<Vec<MessageId>> {
        let mut cases: Vec<(i64, Vec<MessageId>)> = Vec::new();
        for first in self.sms.iter().filter(|sms| sms.id.ordinal == 1) {
            let all = || self.sms.iter().filter(|sms| sms.id.submission == first.id.submission);
            let owed: Vec<_> = all().filter(|sms| sms.is_owed).collect();
            let Some(since) = owed.iter().filter_map(|sms| sms.ended_at).min() else { continue };
            if since <= overdue || all().all(|sms| matches!(sms.state, State::Final(_))) {
                cases.push((since, owed.iter().map(|sms| sms.id).collect()));
            }
        }
        cases.sort_by_key(|(since, _)| *since);
        cases.into_iter().map(|(_, ids)| ids).collect()
    }

    async fn tell(&mut self, spool: &dyn Spool) {
        let Some(first) = self.cases(self.now).into_iter().next() else { return };
        spool
            .close_case(first.iter().map(|id| (*id, News::Ended)).collect(), None, at(self.now))
            .await
            .unwrap();
        for sms in self.sms.iter_mut().filter(|sms| first.contains(&sms.id)) {
            sms.is_owed = false;
        }
    }

    async fn compare(&self, spool: &dyn Spool) {
        let count = |state| self.sms.iter().filter(|sms| sms.state == state).count();
        let backlog = spool.backlog().await.unwrap();
        assert_eq!(
            (backlog.due, backlog.claimed, backlog.unknown, backlog.sent),
            (count(State::Due), count(State::Claimed), count(State::Unknown), count(State::Sent))
        );
        for sms in &self.sms {
            let shown = super::look(spool, sms.id).await;
            assert_eq!((shown.state, shown.attempts), (sms.state, sms.attempts), "{sms:?}");
            assert_eq!(shown.next_at, sms.next_at.map(at), "{sms:?}");
            assert_eq!(shown.events.last().map(|event| event.state), Some(sms.state), "{sms:?}");
            let mut after_the_end = shown
                .events
                .iter()
                .map(|event| event.state)
                .skip_while(|state| !matches!(state, State::Final(_)));
            assert!(after_the_end.all(|state| state == sms.state), "one end: {:?}", shown.events);
        }
        for overdue in [self.now - 20, self.now] {
            let cases = spool.cases(at(overdue), at(self.now), 1000).await.unwrap();
            let ids: Vec<Vec<_>> = cases
                .iter()
                .map(|case| case.outcomes.iter().map(|outcome| outcome.sms.id).collect())
                .collect();
            assert_eq!(ids, self.cases(overdue));
        }
        let first = self.cases(i64::MAX).first().and_then(|ids| {
            self.sms.iter().filter(|sms| ids.contains(&sms.id)).filter_map(|sms| sms.ended_at).min()
        });
        assert_eq!(spool.next_due(Queue::Cases).await.unwrap(), first.map(at));
    }
}
