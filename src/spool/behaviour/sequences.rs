//! Random sequences of calls against a model so simple that it can be seen to be right.

use proptest::prelude::*;

use super::super::{Asked, Claimed, QUESTION_LEASE, Question, Queue, Spool, SpoolError, Step};
use super::{at, failure, later, phone, submission};
use crate::model::{FinalState, MessageId, State};

/// Few phones, so that they get in each other's way.
const PHONES: u32 = 3;

/// One call.
#[derive(Clone, Debug)]
pub(in crate::spool) enum Call {
    /// A submission of these phones, each SMS to live for so many seconds.
    Accept(Vec<u32>, i64),
    /// Time goes on.
    Wait(i64),
    Claim(usize),
    /// The SMS with this number, modulo their count; the attempt is off by the second.
    Settle(usize, u32, Kind),
    Ask(bool, usize),
    Recover,
    /// Close the first case.
    Tell,
}

/// A step without its times.
#[derive(Clone, Copy, Debug)]
pub(in crate::spool) enum Kind {
    Sent,
    Retry,
    Unknown,
    AskAgain,
    Final(FinalState),
}

pub(in crate::spool) fn calls() -> impl Strategy<Value = Vec<Call>> {
    let kind = prop_oneof![
        3 => Just(Kind::Sent),
        3 => Just(Kind::Retry),
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
        4 => (prop::collection::vec(0..PHONES, 1..4), 5..60i64).prop_map(|(to, life)| Call::Accept(to, life)),
        4 => (0..15i64).prop_map(Call::Wait),
        6 => (0..4usize).prop_map(Call::Claim),
        12 => (0..40usize, off, kind).prop_map(|(which, off, kind)| Call::Settle(which, off, kind)),
        2 => (any::<bool>(), 0..4usize).prop_map(|(unknown, limit)| Call::Ask(unknown, limit)),
        1 => Just(Call::Recover),
        2 => Just(Call::Tell),
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
}

impl Known {
    fn waits(&self) -> bool {
        matches!(self.state, State::Due | State::Claimed | State::Unknown)
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
            Call::Accept(phones, life) => model.accept(spool, &phones, life).await,
            Call::Wait(seconds) => model.now += seconds,
            Call::Claim(limit) => model.claim(spool, limit).await,
            Call::Settle(which, off, kind) => model.settle(spool, which, off, kind).await,
            Call::Ask(is_unknown, limit) => model.ask(spool, is_unknown, limit).await,
            Call::Recover => model.recover(spool).await,
            Call::Tell => model.tell(spool).await,
        }
        model.compare(spool).await;
    }
}

impl Model {
    async fn accept(&mut self, spool: &dyn Spool, phones: &[u32], life: i64) {
        let mut given = submission(self.now, phones);
        for (message, phone) in given.messages.iter_mut().zip(phones) {
            message.expires_at = at(self.now + life);
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
            });
        }
        spool.accept(given).await.unwrap();
    }

    /// Due, and first of those that wait for their phone.
    fn claimable(&self) -> Vec<usize> {
        let is_first =
            |n: usize| !self.sms[..n].iter().any(|other| other.waits() && other.phone == self.sms[n].phone);
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
        let claimed = spool.claim_due(at(self.now), limit).await.unwrap();
        for n in &expected {
            let sms = &mut self.sms[*n];
            (sms.state, sms.next_at, sms.asked) = (State::Claimed, None, 0);
            sms.attempts += 1;
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
                (Step::Sent { parts: None, unicode: None, ask_at: at(soon), note }, Some(State::Sent))
            }
            Kind::Retry => (Step::Retry { at: at(soon), cause: later() }, Some(State::Due)),
            Kind::Unknown => (Step::Unknown { ask_at: at(soon), cause: later() }, Some(State::Unknown)),
            Kind::AskAgain => {
                let stays = matches!(sms.state, State::Unknown | State::Sent);
                (Step::AskAgain { ask_at: at(soon) }, stays.then_some(sms.state))
            }
            Kind::Final(state) => (Step::Final { state, cause: failure() }, Some(State::Final(state))),
        };
        let result = spool.settle(sms.id, sms.attempts + off, step, at(now)).await;
        match to.filter(|to| off == 0 && sms.state.may_become(*to)) {
            None => assert_eq!(result, Err(SpoolError::Stale(sms.id))),
            Some(to) => {
                assert_eq!(result, Ok(()), "{} -> {to}", sms.state);
                if let State::Final(state) = to {
                    sms.become_final(state, now);
                } else {
                    sms.asked = if sms.state == to { sms.asked } else { 0 };
                    (sms.state, sms.next_at) = (to, Some(soon));
                }
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
        let questions = spool.questions(asked, at(now), at(now + 9), limit).await.unwrap();
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
            (sms.state, sms.next_at) = (State::Unknown, Some(ask_at));
            lost += 1;
        }
        assert_eq!(spool.recover(at(now), at(ask_at)).await.unwrap().unknown, lost);
    }

    /// Submissions with something to tell, the first outcome's time first.
    fn cases(&self, overdue: i64) -> Vec<Vec<MessageId>> {
        let mut cases: Vec<(i64, Vec<MessageId>)> = Vec::new();
        for first in self.sms.iter().filter(|sms| sms.id.ordinal == 1) {
            let all = || self.sms.iter().filter(|sms| sms.id.submission == first.id.submission);
            let owed: Vec<_> = all().filter(|sms| sms.is_owed).collect();
            let Some(since) = owed.iter().filter_map(|sms| sms.ended_at).min() else { continue };
            if since <= overdue || !all().any(Known::waits) {
                cases.push((since, owed.iter().map(|sms| sms.id).collect()));
            }
        }
        cases.sort_by_key(|(since, _)| *since);
        cases.into_iter().map(|(_, ids)| ids).collect()
    }

    async fn tell(&mut self, spool: &dyn Spool) {
        let Some(first) = self.cases(self.now).into_iter().next() else { return };
        spool.close_case(first.clone(), None, at(self.now)).await.unwrap();
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
        }
        for overdue in [self.now - 20, self.now] {
            let cases = spool.cases(at(overdue), 1000).await.unwrap();
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
