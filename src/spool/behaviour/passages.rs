//! Random storms: few phones, few keys, and everything that an SMS may have to pass. What always holds of them is in
//! `always`; here is what happens.

mod always;

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use proptest::prelude::*;

use super::super::{Again, MessageView, Spool, SpoolError, Step};
use super::{at, callback, claim_up_to, due_queue, failure, later, sent, submission, success};
use crate::budget::key;
use crate::model::{
    Charge, Digest, Fate, FinalState, HoldReason, Lane, Limit, LimitScope, LimitStep, MessageId, Pairing,
    Passage, Period, Similar, State, SummaryForm, Unit,
};

/// Few, so that they get in each other's way.
const PHONES: u32 = 3;
/// How long each key of similar ones folds, in seconds.
const WINDOWS: [i64; 2] = [20, 60];
/// Seconds between two digests.
const DIGEST: u64 = 40;
/// The day of `at(0)` ends here.
const MIDNIGHT: i64 = 6_400;
const DAY: i64 = 86_400;
/// What a part costs.
const PRICE: u64 = 3;

/// The rules of one case. SMS to one phone have limits and budgets in common, so that their summaries have them, too.
#[derive(Clone, Debug)]
pub(in crate::spool) struct Rules {
    /// Of each phone: at most so many in so many seconds.
    limits: Vec<Vec<(u32, i64)>>,
    /// Of the one client that there is.
    source: Option<(u32, i64)>,
    /// Parts a day, and how many more for what is exempt.
    parts: Option<(u64, u64)>,
    /// Money a day for the first phone.
    money: Option<u64>,
}

/// One SMS.
#[derive(Clone, Debug)]
pub(in crate::spool) struct Given {
    phone: u32,
    words: u32,
    parts: u32,
    /// Which of [`WINDOWS`] is its key.
    similar: Option<usize>,
    is_digested: bool,
    is_exempt: bool,
    own: Option<u32>,
    ends: Option<u32>,
    /// For so many seconds.
    held: Option<(HoldReason, i64)>,
    life: i64,
    is_bulk: bool,
    is_simulated: bool,
}

/// One call.
#[derive(Clone, Debug)]
pub(in crate::spool) enum Call {
    Accept(Vec<Given>),
    Wait(i64),
    Claim(usize),
    /// One of those that are under way.
    Settle(usize, Kind),
    /// Of one of those that were tried, with this code.
    Callback(usize, i64),
    /// Any of them.
    Cancel(usize),
    Restart,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::spool) enum Kind {
    Sent,
    Retry,
    Delivered,
    Failed,
}

pub(in crate::spool) fn rules() -> impl Strategy<Value = Rules> {
    let step = || (1..4u32, 5..60i64);
    let phone = prop_oneof![1 => Just(Vec::new()), 3 => prop::collection::vec(step(), 1..3)];
    (
        prop::collection::vec(phone, PHONES as usize),
        prop::option::weighted(0.3, step()),
        prop::option::of((0..8u64, 0..4u64)),
        prop::option::of(0..12u64),
    )
        .prop_map(|(limits, source, parts, money)| Rules { limits, source, parts, money })
}

fn given() -> impl Strategy<Value = Given> {
    let held = (prop::sample::select(vec![HoldReason::Scheduled, HoldReason::Quiet]), 1..50i64);
    let what = (0..PHONES, 0..3u32, 1..3u32, prop::option::of(0..WINDOWS.len()), prop::bool::weighted(0.15));
    let how = (
        prop::bool::weighted(0.1),
        prop::option::weighted(0.4, 0..2u32),
        prop::option::weighted(0.15, 0..2u32),
        prop::option::weighted(0.2, held),
    );
    let other = (10..400i64, prop::bool::weighted(0.2), prop::bool::weighted(0.1));
    (what, how, other).prop_map(
        |(
            (phone, words, parts, similar, is_digested),
            (is_exempt, own, ends, held),
            (life, is_bulk, is_simulated),
        )| {
            Given {
                phone,
                words,
                parts,
                similar,
                is_digested,
                is_exempt,
                own,
                ends,
                held,
                life,
                is_bulk,
                is_simulated,
            }
        },
    )
}

pub(in crate::spool) fn calls() -> impl Strategy<Value = Vec<Call>> {
    let kind = prop_oneof![
        3 => Just(Kind::Sent),
        1 => Just(Kind::Retry),
        3 => Just(Kind::Delivered),
        1 => Just(Kind::Failed),
    ];
    let wait = prop_oneof![8 => 0..10i64, 3 => 10..70i64, 1 => Just(DAY)];
    let call = prop_oneof![
        10 => prop::collection::vec(given(), 1..4).prop_map(Call::Accept),
        8 => wait.prop_map(Call::Wait),
        8 => (0..5usize).prop_map(Call::Claim),
        10 => (0..40usize, kind).prop_map(|(which, kind)| Call::Settle(which, kind)),
        2 => (0..40usize, prop::sample::select(vec![2i64, 3, 6, 8]))
            .prop_map(|(which, code)| Call::Callback(which, code)),
        2 => (0..40usize).prop_map(Call::Cancel),
        3 => Just(Call::Restart),
    ];
    prop::collection::vec(call, 1..60)
}

/// An SMS that is known, be it a summary.
#[derive(Clone, Debug)]
struct Known {
    id: MessageId,
    given: Given,
    is_summary: bool,
}

impl Known {
    fn lane(&self) -> Lane {
        if self.given.is_bulk { Lane::Bulk } else { Lane::Normal }
    }
}

/// What is the same about similar ones: phone, key, whether in bulk, whether simulated.
type Alike = (u32, usize, bool, bool);

/// What a call did.
#[derive(Clone, Debug)]
enum Did {
    /// These are new.
    Accept(Range<usize>),
    Claim,
    Cancel(usize),
    Other,
}

/// What is known of everything: each SMS in the order in which it was heard of.
struct Book {
    rules: Rules,
    now: i64,
    known: Vec<Known>,
    /// As they were after the call before.
    views: Vec<MessageView>,
    /// What was spent then, by the budget's key.
    spent: HashMap<String, u64>,
    /// When windows of similar ones were opened.
    opened: HashMap<Alike, Vec<i64>>,
}

/// Runs `calls` against a spool, and then lets everything go. `open` opens it anew at each start.
pub(in crate::spool) async fn run<S: Spool>(rules: Rules, calls: Vec<Call>, open: impl Fn() -> S) {
    let mut spool = Some(open());
    let mut book = Book {
        rules,
        now: MIDNIGHT - 60,
        known: Vec::new(),
        views: Vec::new(),
        spent: HashMap::new(),
        opened: HashMap::new(),
    };
    for call in calls {
        let now = book.now;
        if let Call::Restart = call {
            drop(spool.take());
        }
        let spool = spool.get_or_insert_with(&open);
        let did = match call {
            Call::Accept(given) => book.accept(spool, given).await,
            Call::Wait(seconds) => {
                book.now += seconds;
                continue;
            }
            Call::Claim(limit) => book.claim(spool, limit).await,
            Call::Settle(which, kind) => book.settle(spool, which, kind).await,
            Call::Callback(which, code) => book.call_back(spool, which, code).await,
            Call::Cancel(which) => book.cancel(spool, which).await,
            Call::Restart => {
                spool.recover(at(now), at(now + 2)).await.unwrap();
                Did::Other
            }
        };
        book.look(spool, &did, false).await;
    }
    let spool = spool.get_or_insert_with(&open);
    book.let_all_go(spool).await;
}

impl Book {
    fn passage(&self, given: &Given) -> Passage {
        let Rules { limits, source, parts, money } = &self.rules;
        let Given { phone, .. } = given;
        let limit = |key: String, scope, steps: &[(u32, i64)]| {
            let step = |(most, within): &(u32, i64)| LimitStep { most: *most, within: seconds(*within) };
            Limit { key, scope, steps: steps.iter().map(step).collect() }
        };
        let steps = &limits[*phone as usize];
        let to_phone =
            (!steps.is_empty()).then(|| limit(format!("to {phone}"), LimitScope::Destination, steps));
        let from = source.map(|step| limit("from ups".to_owned(), LimitScope::Source, &[step]));
        let charge = |name, unit, amount, hold, ceiling| Charge {
            key: key(name, Period::Day, unit),
            period: Period::Day,
            unit,
            amount,
            warn: None,
            hold: Some(hold),
            ceiling,
            zone: Some("UTC".to_owned()),
        };
        let amount = u64::from(given.parts);
        let all = parts.map(|(hold, more)| charge("all", Unit::Parts, amount, hold, Some(hold + more)));
        let first = money
            .filter(|_| *phone == 0)
            .map(|hold| charge("first", Unit::Money, amount * PRICE, hold, None));
        let pair = |key: &Option<u32>| key.map(|key| format!("p{key}"));
        Passage {
            is_exempt: given.is_exempt,
            passes_hold: given.is_exempt,
            similar: given.similar.map(|key| Similar {
                key: format!("{phone} {} {key}", given.is_bulk),
                window: seconds(WINDOWS[key]),
            }),
            digest: given.is_digested.then(|| Digest {
                key: format!("{phone} {}", given.is_bulk),
                every: Duration::from_secs(DIGEST),
            }),
            limits: to_phone.into_iter().chain(from).collect(),
            pairing: Pairing { own: pair(&given.own), ends: pair(&given.ends).into_iter().collect() },
            budgets: all.into_iter().chain(first).collect(),
            summary: SummaryForm { zone: Some("UTC".to_owned()), ..SummaryForm::default() },
            ..Passage::default()
        }
    }

    async fn accept(&mut self, spool: &dyn Spool, all: Vec<Given>) -> Did {
        let phones: Vec<u32> = all.iter().map(|given| given.phone).collect();
        let mut handed_in = submission(self.now, &phones);
        let first = self.known.len();
        for (message, given) in handed_in.messages.iter_mut().zip(all) {
            message.sms.text.body = format!("alarm {}", given.words);
            message.sms.text.parts = given.parts;
            message.sms.options.simulation = given.is_simulated;
            message.passage = self.passage(&given);
            message.delivery.expires_at = at(self.now + given.life);
            if let Some((reason, until)) = given.held {
                message.fate = Fate::Held { until: at(self.now + until), reason };
            }
            let known = Known { id: message.sms.id, given, is_summary: false };
            message.delivery.lane = known.lane();
            self.known.push(known);
        }
        spool.accept(handed_in).await.unwrap();
        Did::Accept(first..self.known.len())
    }

    async fn claim(&mut self, spool: &dyn Spool, limit: usize) -> Did {
        let claimed = claim_up_to(spool, self.now, limit).await;
        for claimed in claimed {
            let view = super::look(spool, claimed.sms.id).await;
            assert_eq!(view.state, State::Claimed);
            if let Some(tells_of) = view.tells_of {
                assert_eq!(always::told(&claimed.sms.text.body), Some(tells_of.count), "{:?}", claimed.sms);
            }
        }
        Did::Claim
    }

    async fn settle(&self, spool: &dyn Spool, which: usize, kind: Kind) -> Did {
        let is_under_way =
            |view: &&MessageView| matches!(view.state, State::Claimed | State::Unknown | State::Sent);
        let under_way: Vec<_> = self.views.iter().filter(is_under_way).collect();
        if under_way.is_empty() {
            return Did::Other;
        }
        let view = under_way[which % under_way.len()];
        let soon = self.now + 7;
        let step = match kind {
            Kind::Sent => sent(soon),
            Kind::Retry => Step::Retry { at: at(soon), cause: later(), by: Again::InOrder },
            Kind::Delivered => Step::Final { state: FinalState::Delivered, cause: success() },
            Kind::Failed => Step::Final { state: FinalState::Failed, cause: failure() },
        };
        // What may not follow is refused, and so is what a callback contradicts.
        let _ = spool.settle(view.sms.id, view.attempts, step, at(self.now)).await;
        Did::Other
    }

    async fn call_back(&self, spool: &dyn Spool, which: usize, code: i64) -> Did {
        let tried: Vec<_> = self.views.iter().filter(|view| view.attempts > 0).collect();
        if !tried.is_empty() {
            let said = callback(tried[which % tried.len()].sms.id, 1, 1, code);
            spool.take_callback(said, at(self.now)).await.unwrap();
        }
        Did::Other
    }

    async fn cancel(&self, spool: &dyn Spool, which: usize) -> Did {
        if self.views.is_empty() {
            return Did::Other;
        }
        let which = which % self.views.len();
        let view = &self.views[which];
        let waits = matches!(view.state, State::Held | State::Due) || always::waits(&self.views, view);
        let done = spool.cancel(view.sms.id, failure(), at(self.now)).await;
        assert_eq!(done, if waits { Ok(()) } else { Err(SpoolError::Stale(view.sms.id)) }, "{view:#?}");
        if waits { Did::Cancel(which) } else { Did::Other }
    }

    /// Looks at everything, and compares. What has ended and tells of nothing is looked at again only where `all` is.
    async fn look(&mut self, spool: &dyn Spool, did: &Did, all: bool) {
        let mut views: Vec<MessageView> = Vec::new();
        let mut next = 0;
        while next < self.known.len() {
            let known = self.known[next].clone();
            let has_ended = |view: &&MessageView| {
                !all && matches!(view.state, State::Final(_)) && view.tells_of.is_none()
            };
            let view = match self.views.get(next).filter(has_ended) {
                Some(view) => view.clone(),
                None => super::look(spool, known.id).await,
            };
            if let Some(summary) = view.folded_into
                && self.known.iter().all(|known| known.id != summary)
            {
                let given = Given { is_exempt: false, own: None, ends: None, held: None, ..known.given };
                self.known.push(Known { id: summary, given, is_summary: true });
            }
            views.push(view);
            next += 1;
        }
        let current = spool.budgets(at(self.now)).await.unwrap();
        let spent = current.spent.into_iter().map(|spent| (spent.key, spent.amount)).collect();
        let next_due = spool.next_due(due_queue()).await.unwrap();
        always::check(self, &views, &spent, next_due, did);
        (self.views, self.spent) = (views, spent);
    }

    /// Everything arrives at once, for as long as there is something to do.
    async fn let_all_go(&mut self, spool: &dyn Spool) {
        spool.recover(at(self.now), at(self.now)).await.unwrap();
        self.look(spool, &Did::Other, true).await;
        for _ in 0..300 {
            let did = self.claim(spool, 100).await;
            self.look(spool, &did, false).await;
            for view in self.views.clone() {
                let id = view.sms.id;
                if matches!(view.state, State::Claimed | State::Unknown) {
                    spool.settle(id, view.attempts, sent(self.now), at(self.now)).await.unwrap();
                }
                if super::look(spool, id).await.state == State::Sent {
                    let arrived = Step::Final { state: FinalState::Delivered, cause: success() };
                    spool.settle(id, view.attempts, arrived, at(self.now)).await.unwrap();
                }
            }
            self.look(spool, &Did::Other, false).await;
            match spool.next_due(due_queue()).await.unwrap() {
                Some(next) => self.now = self.now.max(always::seconds_of(next)),
                None => {
                    self.look(spool, &Did::Other, true).await;
                    return always::check_end(&self.views);
                }
            }
        }
        panic!("it never ends: {:#?}", self.views);
    }
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(seconds.unsigned_abs())
}
