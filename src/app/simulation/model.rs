//! What must hold of every SMS, by what was seen of it.

use std::collections::{BTreeMap, BTreeSet};

use super::platform::{Platform, price};
use super::steps::End;
use super::{at, seconds};
use crate::model::{
    Callback, Channel, Fate, FinalState, HoldReason, Lane, MessageId, Notify, OnUnknown, PartStatus,
    PhoneNumber, Price, State,
};
use crate::spool::{Claimed, MessageView};

/// An attempt, and what makes another one legitimate (`docs/architecture.md`, "The windows that remain").
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) channel: Channel,
    pub(super) gateway: String,
    /// Nobody knew what came of it, and nobody has told since.
    pub(super) is_unknown: bool,
    /// The platform has taken it and answered 5xx.
    pub(super) is_lied_about: bool,
    /// The status endpoint said that it does not know it.
    pub(super) is_denied: bool,
    /// The status endpoint could not tell for too long, and the rule wants it resent.
    pub(super) is_undecided: bool,
}

/// An SMS as it was accepted, and what was seen of it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) id: MessageId,
    /// Its place in the order of acceptance.
    pub(super) order: usize,
    pub(super) phone: PhoneNumber,
    pub(super) lane: Lane,
    pub(super) recipient: String,
    pub(super) notify: Notify,
    pub(super) hold: Option<(HoldReason, i64)>,
    /// What goes in its stead.
    pub(super) same_as: Option<MessageId>,
    pub(super) expires_at: i64,
    pub(super) on_unknown: OnUnknown,
    pub(super) state: State,
    pub(super) events: usize,
    pub(super) attempts: Vec<Attempt>,
    /// The first final word about each part, or the latest; of how many; what it costs.
    parts: BTreeMap<(Channel, u32), (PartStatus, u32, Option<Price>)>,
    /// All parts of one way were delivered, by callbacks that came before its end.
    is_delivered: bool,
    pub(super) is_refused: bool,
    pub(super) is_cancelled: bool,
    /// The view that was last seen.
    pub(super) view: Option<MessageView>,
}

impl Known {
    pub(super) fn new(message: &crate::model::Message, order: usize) -> Self {
        let (hold, same_as) = match &message.fate {
            Fate::Held { until, reason } => (Some((*reason, seconds(*until))), None),
            Fate::SameAs(other) => (None, Some(*other)),
            Fate::Due | Fate::Refused(_) | Fate::Dropped(_) => (None, None),
        };
        let state = match (hold, same_as) {
            (Some(_), _) => State::Held,
            (None, Some(_)) => State::Final(FinalState::Cancelled),
            (None, None) => State::Due,
        };
        Self {
            id: message.sms.id,
            order,
            phone: message.sms.destination.clone(),
            lane: message.delivery.lane,
            recipient: message.recipient.address.clone(),
            notify: message.recipient.notify,
            hold,
            same_as,
            expires_at: seconds(message.delivery.expires_at),
            on_unknown: message.delivery.on_unknown,
            state,
            events: 0,
            attempts: Vec::new(),
            parts: BTreeMap::new(),
            is_delivered: false,
            is_refused: false,
            is_cancelled: false,
            view: None,
        }
    }

    pub(super) fn is_escalation(&self) -> bool {
        self.hold.is_some_and(|(reason, _)| reason == HoldReason::Escalation)
    }

    pub(super) fn is_final(&self) -> bool {
        matches!(self.state, State::Final(_))
    }

    /// Whether later ones to the same phone wait for it.
    fn waits(&self) -> bool {
        matches!(self.state, State::Due | State::Claimed | State::Unknown)
    }

    pub(super) fn attempt(&mut self, n: u32) -> &mut Attempt {
        &mut self.attempts[n as usize - 1]
    }

    /// Attempt `n` begins: nothing may speak against it.
    pub(super) fn claimed(
        &mut self,
        claimed: &Claimed,
        by: Attempt,
        configured: &[&str],
        platform: &Platform,
        now: i64,
    ) {
        let id = self.id;
        assert_eq!(claimed.attempt as usize, self.attempts.len() + 1, "{id}");
        assert!(now < self.expires_at, "{id} is sent though it has outlived its time");
        let spoken = self.parts.keys().any(|(channel, _)| *channel == by.channel);
        assert!(!spoken, "{id} is sent again by {}, of which the platform has spoken", by.channel);
        assert!(!self.is_delivered, "{id} is sent though it is delivered");
        for (attempt, n) in
            self.attempts.iter().zip(1u32..).filter(|(attempt, _)| attempt.channel == by.channel)
        {
            let is_it = |id: MessageId, of: u32| (id, of) == (self.id, n);
            let is_taken = platform.taken.iter().any(|taken| is_it(taken.handed.id, taken.handed.attempt));
            let may_be = platform.late.iter().any(|late| is_it(late.id, late.attempt));
            let is_excused = attempt.is_lied_about || attempt.is_denied || attempt.is_undecided;
            assert!(
                !(is_taken || may_be) || is_excused,
                "{id} is sent again though attempt {n} may have been taken"
            );
        }
        let open = self
            .attempts
            .iter()
            .rev()
            .find(|attempt| attempt.channel == by.channel && attempt.is_unknown && !attempt.is_denied);
        if let Some(open) = open {
            assert!(
                open.gateway == by.gateway || !configured.contains(&open.gateway.as_str()),
                "{id} moves from {} to {}, and nobody knows whether the first has it",
                open.gateway,
                by.gateway
            );
        }
        self.attempts.push(by);
    }

    /// A callback was taken, and was new before the end where it is in time. One about a way that was never tried is not
    /// believed.
    pub(super) fn said(&mut self, callback: &Callback, is_in_time: bool) {
        let channel = callback.channel;
        if !self.attempts.iter().any(|attempt| attempt.channel == channel) {
            return;
        }
        let known =
            self.parts.entry((channel, callback.part)).or_insert((callback.status, callback.parts, None));
        if !known.0.is_final() {
            known.0 = callback.status;
        }
        known.2 = callback.price.or(known.2);
        let of = |(by, _): &&(Channel, u32)| *by == channel;
        let all = self.parts.keys().filter(of).all(|key| self.parts[key].0 == PartStatus::Delivered);
        let count = self.parts.keys().filter(of).count();
        self.is_delivered |= is_in_time && all && count >= callback.parts as usize;
    }

    /// Takes in what the spool shows, and checks every move since the last time. Returns them.
    pub(super) fn look(&mut self, view: &MessageView) -> Vec<(State, State)> {
        let id = self.id;
        let mut moves = Vec::new();
        for event in &view.events[self.events..] {
            if event.state != self.state {
                let told = || view.events.iter().map(|event| (event.state, &event.note)).collect::<Vec<_>>();
                assert!(
                    self.state.may_become(event.state),
                    "{id}: {} -> {}: {:?}",
                    self.state,
                    event.state,
                    told()
                );
                moves.push((self.state, event.state));
            }
            self.state = event.state;
        }
        self.events = view.events.len();
        assert_eq!(view.state, self.state, "{id}: every move has its line");
        assert_eq!(view.attempts as usize, self.attempts.len(), "{id}");
        let is_open = !self.is_final() && self.state != State::Claimed;
        assert!(!(self.is_delivered && is_open), "{id} is {} though it is delivered", self.state);
        let mut paid: Vec<Price> = self.parts.values().filter_map(|(.., price)| *price).collect();
        assert_eq!(
            view.price,
            (!paid.is_empty()).then(|| paid.drain(..).sum()),
            "{id}: each part costs once"
        );
        let due: Vec<_> = self.parts.iter().filter(|(_, (status, ..))| status.is_final()).collect();
        for ((channel, _), (.., paid)) in due {
            assert!(paid.is_none_or(|paid| paid == price(*channel)), "{id}");
        }
        self.view = Some(view.clone());
        moves
    }

    /// What its end says must be so in truth.
    pub(super) fn check_end(&self, platform: &Platform) {
        let id = self.id;
        let State::Final(end) = self.state else { panic!("{id} has not ended: {}", self.state) };
        let cause = self.view.as_ref().and_then(|view| view.cause.clone()).unwrap();
        if self.is_delivered {
            assert_eq!(
                end,
                FinalState::Delivered,
                "{id}: the platform itself has said that it was delivered"
            );
        }
        let is_true = match end {
            FinalState::Delivered => platform.ended(id, End::Delivered),
            FinalState::Undelivered => platform.ended(id, End::Undeliverable),
            FinalState::Failed => self.is_refused || self.on_unknown == OnUnknown::Fail,
            FinalState::Cancelled => self.is_cancelled || self.is_escalation() || self.same_as.is_some(),
            FinalState::Expired if cause.status.class == 2 => {
                platform.taken.iter().any(|taken| taken.handed.id == id)
            }
            FinalState::Expired => {
                let at_end = self
                    .view
                    .as_ref()
                    .and_then(|view| view.events.iter().find(|event| event.state == self.state));
                platform.ended(id, End::Expired)
                    || at_end.is_some_and(|event| event.at >= at(self.expires_at))
            }
        };
        assert!(is_true, "{id} ended as {end:?}, which is not so: {cause:?} {self:#?}");
    }

    /// Mails by which this news was told.
    pub(super) fn mails(&self, news: &str) -> BTreeSet<String> {
        let events = self.view.iter().flat_map(|view| &view.events);
        let start = format!("{news}report filed as ");
        events.filter_map(|event| event.note.strip_prefix(&start).map(str::to_owned)).collect()
    }
}

/// After a claim: nobody was overtaken, and one at a time.
pub(super) fn check_order(all: &BTreeMap<MessageId, Known>, claimed: &[MessageId]) {
    for sms in claimed.iter().map(|id| &all[id]) {
        let others = all
            .values()
            .filter(|other| other.id != sms.id && (&other.phone, other.lane) == (&sms.phone, sms.lane));
        for other in others.filter(|other| other.waits()) {
            assert!(other.order > sms.order, "{} overtakes {}, which is {}", sms.id, other.id, other.state);
            assert_eq!(other.state, State::Due, "{} goes while {} is under way", sms.id, other.id);
        }
    }
}

/// The others of an escalation's recipient, or what goes in their stead.
fn others<'a>(all: &'a BTreeMap<MessageId, Known>, of: &Known) -> Vec<&'a Known> {
    let is_other = |other: &&Known| {
        other.id.submission == of.id.submission && other.recipient == of.recipient && !other.is_escalation()
    };
    all.values().filter(is_other).map(|other| other.same_as.map_or(other, |id| &all[&id])).collect()
}

fn is(known: &Known, end: FinalState) -> bool {
    known.state == State::Final(end)
}

fn has_failed(known: &Known) -> bool {
    matches!(known.state, State::Final(end) if end.is_failure())
}

/// An escalation has moved, or is to have moved, by `now`.
pub(super) fn check_escalation(
    all: &BTreeMap<MessageId, Known>,
    one: &Known,
    moves: &[(State, State)],
    now: i64,
) {
    let Some((HoldReason::Escalation, until)) = one.hold else { return };
    let (id, others) = (one.id, others(all, one));
    let is_had = others.iter().any(|other| is(other, FinalState::Delivered));
    let is_lost = others.iter().all(|other| other.is_final()) && others.iter().any(|other| has_failed(other));
    if let State::Held | State::Due = one.state {
        assert!(!is_had, "{id} is {} though its recipient has the message", one.state);
    }
    if one.state == State::Held {
        assert!(!is_lost, "{id} waits though all others have failed");
    }
    if moves.contains(&(State::Held, State::Due)) {
        assert!(is_lost || until <= now, "{id} goes before its time");
    }
    if moves.contains(&(State::Due, State::Claimed)) {
        assert!(!is_had, "{id} is sent though its recipient has the message");
    }
    if !moves.is_empty() && is(one, FinalState::Cancelled) && !one.is_cancelled {
        let is_moot = others.iter().all(|other| is(other, FinalState::Cancelled));
        assert!(is_had || is_moot, "{id} is given up, and nobody has the message");
    }
}
