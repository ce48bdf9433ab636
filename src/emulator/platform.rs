//! The platform's one state, and every change to it. No lock is held across a wait.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::callbacks::{Queue, Target, Work};
use super::faults::{Endpoint, Fault, FaultError, FaultRule, Faults, Outcome};
use super::fields::Reply;
use super::message::{Accepted, Channel, Status};
use super::parts::Count;
use super::record::{Record, Requests};
use super::{Delivery, Settings};
use crate::model::same_secret;

/// The price of one part in thousandths of a credit, as in the documents' examples.
pub(super) const PRICE: i64 = 35;

/// Everything that endpoints and tasks share.
pub(super) struct Platform {
    pub(super) settings: Settings,
    state: Mutex<State>,
    /// Raised with every change of the state.
    changed: watch::Sender<u64>,
    /// Raised to let go what is held.
    released: watch::Sender<u64>,
}

struct State {
    record: Record,
    faults: Faults,
    /// Thousandths of a credit; may go below zero, for nobody documents what happens then.
    credit: i64,
    /// When which message ends.
    due: BTreeSet<(Instant, u64)>,
    /// When and how each message that is due ends.
    endings: HashMap<u64, (Instant, Outcome)>,
    /// Callbacks that are to be made.
    callbacks: Queue,
    /// Where to; nowhere without one.
    target: Option<Target>,
    /// Whether they wait.
    paused: bool,
}

/// A message as a request brings it.
pub(super) struct NewMessage {
    pub(super) channel: Channel,
    pub(super) message_id: String,
    /// The id that the answer and the callbacks name, where it is another one.
    pub(super) platform_id: Option<String>,
    pub(super) destination: String,
    pub(super) sender: String,
    pub(super) body: String,
    pub(super) text: String,
    pub(super) count: Count,
    pub(super) simulation: bool,
    pub(super) campaign_id: Option<String>,
    pub(super) udh_data: Option<String>,
    pub(super) enable_notification: bool,
    pub(super) placeholders: Option<BTreeMap<String, String>>,
    pub(super) scheduled_at: Option<Timestamp>,
    pub(super) skip_rcs_override: bool,
}

impl Platform {
    pub(super) fn new(settings: Settings, target: Option<Target>) -> Arc<Self> {
        let state = State {
            record: Record::keeping(settings.keep),
            faults: Faults::default(),
            credit: i64::from(settings.credit) * 1000,
            due: BTreeSet::new(),
            endings: HashMap::new(),
            callbacks: Queue::default(),
            target,
            paused: false,
        };
        Arc::new(Self {
            settings,
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
            released: watch::Sender::new(0),
        })
    }

    /// The state stays whole wherever a holder of the lock might panic, so a poisoned lock is used on.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.changed.send_modify(|version| *version += 1);
        changed
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&Record) -> T) -> T {
        read(&self.state().record)
    }

    /// Tells of every change from now on.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Waits until the record is as wanted; false when that took longer than `limit`.
    pub(super) async fn wait_until(&self, wanted: impl Fn(&Record) -> bool, limit: Duration) -> bool {
        let mut changes = self.changes();
        let waiting = async {
            while !self.read(&wanted) {
                // The sender lives as long as we do.
                if changes.changed().await.is_err() {
                    break;
                }
            }
        };
        tokio::time::timeout(limit, waiting).await.is_ok()
    }

    /// Counts a request and checks its credentials.
    ///
    /// # Errors
    /// A 401 in the platform's form.
    pub(super) fn admit(&self, endpoint: Endpoint, headers: &HeaderMap) -> Result<(), Reply> {
        let authorized = self.is_authorized(headers);
        self.change(|state| {
            let Requests { send, status, legacy, credit, template, unauthorized, faulted: _ } =
                &mut state.record.requests;
            match endpoint {
                Endpoint::Send => *send += 1,
                Endpoint::Status => *status += 1,
                Endpoint::Legacy => *legacy += 1,
                Endpoint::Credit => *credit += 1,
                Endpoint::Template => *template += 1,
            }
            *unauthorized += u64::from(!authorized);
        });
        if authorized {
            return Ok(());
        }
        Err(Reply::fail(StatusCode::UNAUTHORIZED, "authentication", "Invalid or missing API key"))
    }

    fn is_authorized(&self, headers: &HeaderMap) -> bool {
        let Settings { api_key, basic, .. } = &self.settings;
        if api_key.is_none() && basic.is_none() {
            return true;
        }
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let by_key = || {
            api_key.as_ref().zip(text("x-api-key")).is_some_and(|(key, offered)| same_secret(key, offered))
        };
        let by_basic = || {
            let (username, password) = basic.as_ref()?;
            let encoded = text(AUTHORIZATION.as_str())?.strip_prefix("Basic ")?;
            let offered = String::from_utf8(base64::prelude::BASE64_STANDARD.decode(encoded).ok()?).ok()?;
            let (name, word) = offered.split_once(':')?;
            Some(name == username && same_secret(password, word))
        };
        by_key() || by_basic().unwrap_or(false)
    }

    /// Accepts messages in one step and pays for them. Without `delivery`, they end as the
    /// settings say. The credit that is left comes back, in thousandths.
    pub(super) fn accept(&self, messages: Vec<NewMessage>, delivery: Option<Delivery>) -> i64 {
        let delivery = delivery.unwrap_or(self.settings.delivery);
        let (now, instant) = (Timestamp::now(), Instant::now());
        self.change(|state| {
            for new in messages {
                let wait = new.scheduled_at.and_then(|at| Duration::try_from(at.duration_since(now)).ok());
                let ends = instant.checked_add(wait.unwrap_or_default() + delivery.delay);
                let (simulation, cost) = (new.simulation, i64::from(new.count.parts) * PRICE);
                let waits = simulation || wait.is_some_and(|wait| !wait.is_zero());
                let status = if waits { Status::Unknown } else { Status::Sent };
                let (number, forgotten) = state.record.keep(new.accepted(now, status));
                for number in forgotten {
                    if let Some((ends, _)) = state.endings.remove(&number) {
                        state.due.remove(&(ends, number));
                    }
                }
                if !simulation {
                    state.credit -= cost;
                    if let Some(ends) = ends {
                        state.due.insert((ends, number));
                        state.endings.insert(number, (ends, delivery.outcome));
                    }
                }
            }
            state.credit
        })
    }

    /// The credit that is left, in thousandths.
    pub(super) fn credit(&self) -> i64 {
        self.state().credit
    }

    /// Ends every message whose time has come. The time of the next one comes back.
    pub(super) fn end_due(&self) -> Option<Instant> {
        let now = Instant::now();
        let next = self.state().due.first().map(|(at, _)| *at)?;
        if next > now {
            return Some(next);
        }
        self.change(|state| {
            while let Some((at, number)) = state.due.first().copied()
                && at <= now
            {
                state.due.remove(&(at, number));
                let outcome = state.endings.remove(&number).map(|(_, outcome)| outcome);
                let status = match outcome.unwrap_or_default() {
                    Outcome::Delivered => Status::Delivered,
                    Outcome::Error => Status::Error,
                    Outcome::Expired => Status::Expired,
                    Outcome::Never => Status::Sent,
                };
                let ended_at = status.callback().map(|_| Timestamp::now());
                state.record.set_status(number, status, ended_at);
                if ended_at.is_some()
                    && state.target.is_some()
                    && let Some(message) = state.record.numbered(number)
                    && message.enable_notification
                {
                    state.record.callbacks.waiting +=
                        state.callbacks.add(message, &self.settings.callbacks, now);
                }
            }
            state.due.first().map(|(at, _)| *at)
        })
    }

    /// The next callbacks that are to be made, one after another, with their message and where to.
    pub(super) fn next_callbacks(&self) -> Option<(Work, Accepted, Target)> {
        let mut state = self.state();
        if state.paused {
            return None;
        }
        let target = state.target.clone()?;
        loop {
            let work = state.callbacks.next(Instant::now(), self.settings.callbacks.shuffled)?;
            if let Some(message) = state.record.numbered(work.number).cloned() {
                return Some((work, message, target));
            }
            // It was forgotten meanwhile and is not called back.
            state.record.callbacks.waiting -= work.callbacks();
        }
    }

    /// When the next callback's delay is over; `None` when none waits, or all do.
    pub(super) fn next_callback_at(&self) -> Option<Instant> {
        let state = self.state();
        if state.paused || state.target.is_none() { None } else { state.callbacks.next_at() }
    }

    /// Where callbacks go.
    pub(super) fn target(&self) -> Option<Target> {
        self.state().target.clone()
    }

    /// Sends callbacks about what ends from now on there, and those that wait.
    pub(super) fn set_target(&self, target: Target) {
        self.change(|state| state.target = Some(target));
    }

    /// Keeps callbacks back, or lets them go.
    pub(super) fn pause_callbacks(&self, paused: bool) {
        self.change(|state| state.paused = paused);
    }

    /// Sets the credit that is left, in thousandths.
    pub(super) fn set_credit(&self, thousandths: i64) {
        self.change(|state| state.credit = thousandths);
    }

    /// An id of the platform's own, where the settings want one.
    pub(super) fn own_id(&self) -> Option<String> {
        self.settings.own_ids.then(new_id)
    }

    /// Counts a callback that was answered, or given up.
    pub(super) fn count_callback(&self, taken: bool) {
        self.change(|state| {
            let callbacks = &mut state.record.callbacks;
            let count = if taken { &mut callbacks.taken } else { &mut callbacks.given_up };
            *count += 1;
            callbacks.waiting -= 1;
        });
    }

    pub(super) fn order(&self, rules: Vec<FaultRule>) -> Result<(), FaultError> {
        self.change(|state| state.faults.order(rules))
    }

    pub(super) fn rules(&self) -> Vec<FaultRule> {
        self.state().faults.rules().cloned().collect()
    }

    pub(super) fn clear_faults(&self) {
        self.change(|state| state.faults.clear());
        self.release();
    }

    /// The fault for a request, counted.
    pub(super) fn strike(&self, endpoint: Endpoint, messages: &[(&str, &str)]) -> Option<Fault> {
        let fault = self.state().faults.strike(endpoint, messages)?;
        self.change(|state| state.record.requests.faulted += 1);
        Some(fault)
    }

    pub(super) fn release(&self) {
        self.released.send_modify(|times| *times += 1);
    }

    /// Waits until [`Platform::release`] is called.
    pub(super) async fn hold(self: Arc<Self>) {
        let mut released = self.released.subscribe();
        let _held = Held::new(Arc::clone(&self));
        // The sender lives as long as we do.
        let _ = released.changed().await;
    }
}

impl NewMessage {
    fn accepted(self, accepted_at: Timestamp, status: Status) -> Accepted {
        Accepted {
            number: 0,
            accepted_at,
            channel: self.channel,
            message_id: self.message_id,
            platform_id: self.platform_id,
            destination: self.destination,
            sender: self.sender,
            body: self.body,
            text: self.text,
            encoding: self.count.encoding,
            parts: self.count.parts,
            simulation: self.simulation,
            campaign_id: self.campaign_id,
            udh_data: self.udh_data,
            enable_notification: self.enable_notification,
            placeholders: self.placeholders,
            scheduled_at: self.scheduled_at,
            skip_rcs_override: self.skip_rcs_override,
            status,
            ended_at: None,
        }
    }
}

/// One request that is held; it may also end because its client goes away.
struct Held(Arc<Platform>);

impl Held {
    fn new(platform: Arc<Platform>) -> Self {
        platform.change(|state| state.record.held += 1);
        Self(platform)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.change(|state| state.record.held -= 1);
    }
}

/// An id for a message whose client gave none: a random UUID (RFC 9562 section 5.4).
pub(super) fn new_id() -> String {
    let mut octets = fastrand::u128(..);
    octets = octets & !(0xf << 76) | 4 << 76;
    octets = octets & !(0x3 << 62) | 2 << 62;
    let hex = format!("{octets:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
