//! Watches for what does not happen: those who are expected and silent, and tests that do not arrive.
//!
//! - Who is expected and was not heard of for too long is told of once, by a text and by mail to the operator, and once
//!   more when they are heard of again. Those who fall silent within [`GATHERED`] share one text.
//! - A heartbeat is an SMS that the relay sends at times, by the rules, the spool, the platform and its callback like any
//!   other. One that is not delivered in time is told of by mail, and by a text to others where there are such.
//!
//! What was told, sent and found out is written in the commit of what tells or sends it, so that no crash makes it
//! happen twice or be forgotten. [`View`] is all that is known, for readiness, metrics and pages.

mod expected;
mod figures;
mod heartbeat;
mod rounds;
mod schedule;
mod settings;
mod silence;
mod speaker;
mod telling;
mod view;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use prometheus_client::registry::Registry;
use tokio::sync::{Mutex, Notify, watch};

use crate::model::Source;
use crate::retry::later;
use crate::spool::{Expected, Heard, Spool, SpoolError};
use figures::Figures;
use heartbeat::Known;
pub use schedule::Schedule;
pub use settings::{Expectation, Heartbeat, Settings};
use silence::Told;
pub use speaker::{Speaker, Spoken, Unspoken};
pub use view::{ExpectedView, HeartbeatView, View};

/// Those who fall silent, or are heard of again, within this time of the last such text share the next one: where a
/// switch dies, nobody gets forty texts.
pub const GATHERED: Duration = Duration::from_secs(5 * 60);
/// What rules know as the listener of words about who is silent.
pub const LISTENER: &str = "expect";
/// Longest sleep of the loop.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
/// Shortest time between two looks, however many are heard of.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// When what the spool did not take is tried again.
const AGAIN: Duration = Duration::from_secs(30);
/// How often it is looked at what became of a test, at least and at most.
const LOOKS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// How often it is noted at most that the relay is there.
const ALIVE_EVERY: Duration = Duration::from_secs(10 * 60);
/// A time that is further ahead was written by a clock that has been put back since.
const AHEAD: Duration = Duration::from_secs(60);
/// The key of the note of whose silence was told.
const TOLD: &str = "vigil:told";
/// The key of the note of when the relay was last there.
const ALIVE: &str = "vigil:alive";

/// The watch.
pub struct Vigil {
    spool: Arc<dyn Spool>,
    speaker: Arc<dyn Speaker>,
    settings: ArcSwap<Settings>,
    state: Mutex<State>,
    view: ArcSwap<View>,
    figures: Figures,
    is_changed: AtomicBool,
    reloaded: Notify,
    zone: TimeZone,
}

/// What is remembered from one look to the next.
#[derive(Default)]
struct State {
    /// From when on the relay hears; nothing before the first look.
    here_since: Option<Timestamp>,
    /// When it was noted last that it is there.
    alive_at: Option<Timestamp>,
    /// When the next look is to be; nothing after one that failed.
    next_at: Option<Timestamp>,
    /// Whose silence was told.
    told: BTreeMap<String, Told>,
    /// When silence, and its end, were told last.
    told_at: [Option<Timestamp>; 2],
    /// By the names of the tests.
    heartbeats: BTreeMap<String, Known>,
}

impl Vigil {
    /// Looks at nothing yet.
    pub fn new(spool: Arc<dyn Spool>, speaker: Arc<dyn Speaker>, settings: Settings) -> Self {
        Self {
            spool,
            speaker,
            settings: ArcSwap::from_pointee(settings),
            state: Mutex::default(),
            view: ArcSwap::default(),
            figures: Figures::default(),
            is_changed: AtomicBool::new(true),
            reloaded: Notify::new(),
            zone: TimeZone::system(),
        }
    }

    /// Puts the metrics into `registry`; once.
    pub fn register(&self, registry: &mut Registry) {
        self.figures.register(registry);
    }

    /// Takes new settings, at once.
    pub fn reload(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
        self.is_changed.store(true, Ordering::Release);
        self.reloaded.notify_one();
    }

    /// What was known at the last look.
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// Why the relay is not ready for it, a sentence each.
    pub fn trouble(&self) -> Vec<String> {
        self.view.load().trouble(self.settings.load().silence_is_trouble)
    }

    /// Looks whenever something is due, until `shutdown` turns true.
    pub async fn run(self: Arc<Self>, mut shutdown: watch::Receiver<bool>) {
        let signals = self.spool.signals();
        while !*shutdown.borrow() {
            let wait = self.look_now().await;
            tokio::select! {
                () = stopped(&mut shutdown) => break,
                () = self.reloaded.notified() => continue,
                () = tokio::time::sleep(wait.min(SHORTEST_WAIT)) => {}
            }
            let rest = wait.saturating_sub(SHORTEST_WAIT);
            tokio::select! {
                () = stopped(&mut shutdown) => {}
                () = self.reloaded.notified() => {}
                () = signals.heard.notified() => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
        let now = Timestamp::now();
        let mut state = self.state.lock().await;
        if let Err(error) = self.note_alive(&mut state, now).await {
            tracing::debug!(%error, "until when the relay was there is not noted");
        }
    }

    /// Until the next look.
    async fn look_now(&self) -> Duration {
        let now = Timestamp::now();
        match self.look(now).await {
            Ok(next) => Duration::try_from(next.duration_since(now)).unwrap_or_default().min(LONGEST_WAIT),
            Err(error) => {
                tracing::warn!(%error, "who is silent and what became of tests cannot be seen now");
                AGAIN
            }
        }
    }

    /// Looks at everything at `now`; when to look again.
    ///
    /// # Errors
    /// The spool's; what was not done is done at the next look.
    pub(crate) async fn look(&self, now: Timestamp) -> Result<Timestamp, SpoolError> {
        let mut state = self.state.lock().await;
        let state = &mut *state;
        // A reload that comes meanwhile has this done again.
        let is_changed = self.is_changed.swap(false, Ordering::AcqRel);
        let settings = self.settings.load_full();
        if is_changed && let Err(error) = self.begin(state, &settings, now).await {
            self.is_changed.store(true, Ordering::Release);
            return Err(error);
        }
        let next_at = state.next_at.take();
        let late = next_at.and_then(|at| Duration::try_from(now.duration_since(at)).ok()).unwrap_or_default();
        if late > alive_every(&settings) {
            // The machine stood still, or its clock was set forward: nobody was heard of meanwhile.
            tracing::warn!(late = words::spelled(late), "the relay was not there to hear anybody");
            state.here_since = Some(now);
            self.spool.expect(expected(&settings), late, now).await?;
            self.note_alive(state, now).await?;
        }
        let mut next = later(now, LONGEST_WAIT);
        if !settings.expected.is_empty() {
            let every = alive_every(&settings);
            let is_old = |at: Timestamp| now < at || later(at, every) <= now;
            if state.alive_at.is_none_or(is_old) {
                self.note_alive(state, now).await?;
            }
            // From the last note on, so that two are never further apart, however many looks there are between.
            next = next.min(later(state.alive_at.unwrap_or(now), every));
        }
        let mut heard = self.spool.heard().await?;
        let is_ahead = |at: Timestamp| at > later(now, AHEAD);
        if heard.iter().any(|one| is_ahead(one.since) || is_ahead(silence::from(one))) {
            self.spool.expect(expected(&settings), Duration::ZERO, now).await?;
            heard = self.spool.heard().await?;
        }
        let heard: BTreeMap<Source, Heard> =
            heard.into_iter().map(|heard| (heard.source.clone(), heard)).collect();
        next = next.min(self.tell_news(state, &settings, &heard, now).await?);
        for heartbeat in &settings.heartbeats {
            next = next.min(self.see_to(state, &settings, heartbeat, now).await?);
        }
        let view = see(state, &settings, &heard, now);
        self.figures.show(&self.view.load(), &view);
        self.view.store(Arc::new(view));
        state.next_at = Some(next);
        Ok(next)
    }

    /// After a start or a reload.
    async fn begin(&self, state: &mut State, settings: &Settings, now: Timestamp) -> Result<(), SpoolError> {
        let is_start = state.here_since.is_none();
        let mut away = Duration::ZERO;
        if is_start {
            let told = self.spool.note(TOLD.to_owned()).await?;
            state.told = told.and_then(|told| serde_json::from_str(&told).ok()).unwrap_or_default();
            let alive: Option<Timestamp> =
                self.spool.note(ALIVE.to_owned()).await?.and_then(|at| at.parse().ok());
            // What lies within the time between two notes may have been life: who crashes again and again is there.
            away = alive.map_or(Duration::ZERO, |at| {
                Duration::try_from(now.duration_since(at))
                    .unwrap_or_default()
                    .saturating_sub(alive_every(settings))
            });
        }
        self.spool.expect(expected(settings), away, now).await?;
        if is_start && !settings.expected.is_empty() {
            // Before anything else, so that this time does not count twice.
            self.note_alive(state, now).await?;
        }
        let is_there = |name: &String| settings.heartbeats.iter().any(|one| one.name == *name);
        state.heartbeats.retain(|name, _| is_there(name));
        for heartbeat in &settings.heartbeats {
            if state.heartbeats.contains_key(&heartbeat.name) {
                continue;
            }
            let key = note_key(&heartbeat.name);
            let noted = self.spool.note(key.clone()).await?;
            let known = match noted.and_then(|noted| serde_json::from_str::<Known>(&noted).ok()) {
                Some(known) => Known { open: known.open.map(|open| open.not_after(now)), ..known },
                None => {
                    let known = Known::new(now);
                    self.spool.set_note(key, json(&known)).await?;
                    known
                }
            };
            state.heartbeats.insert(heartbeat.name.clone(), known);
        }
        state.here_since.get_or_insert(now);
        Ok(())
    }

    async fn note_alive(&self, state: &mut State, now: Timestamp) -> Result<(), SpoolError> {
        if self.settings.load().expected.is_empty() {
            return Ok(());
        }
        self.spool.set_note(ALIVE.to_owned(), now.to_string()).await?;
        state.alive_at = Some(now);
        Ok(())
    }
}

fn see(state: &State, settings: &Settings, heard: &BTreeMap<Source, Heard>, now: Timestamp) -> View {
    let expected = settings.expected.iter().filter_map(|one| {
        let heard = heard.get(&one.source)?;
        Some(ExpectedView {
            kind: one.source.kind,
            name: one.source.name.clone(),
            within_seconds: one.within.as_secs(),
            since: heard.since,
            heard_at: heard.at,
            is_silent: silence::is_silent(heard, one.within, now),
            silent_at: silence::due(heard, one.within),
        })
    });
    let heartbeats = settings.heartbeats.iter().map(|one| {
        let known = state.heartbeats.get(&one.name);
        let last = known.and_then(|known| known.last.as_ref());
        HeartbeatView {
            name: one.name.clone(),
            next_at: one.schedule.next(now),
            open: known.and_then(|known| known.open.as_ref()).map(|open| open.id.clone()),
            ended_at: last.map(|last| last.at),
            delivered_at: known.and_then(|known| known.delivered_at),
            failure: last.and_then(|last| last.failure.clone()),
        }
    });
    View { expected: expected.collect(), heartbeats: heartbeats.collect() }
}

fn expected(settings: &Settings) -> Vec<Expected> {
    let expected = settings.expected.iter();
    expected.map(|one| Expected { source: one.source.clone(), grain: silence::grain(one.within) }).collect()
}

/// How often it is noted that the relay is there: a hundred times in the shortest time that somebody may be silent.
fn alive_every(settings: &Settings) -> Duration {
    let shortest = settings.expected.iter().map(|one| one.within).min().unwrap_or(LONGEST_WAIT);
    (shortest / 100).clamp(SHORTEST_WAIT, ALIVE_EVERY)
}

fn note_key(heartbeat: &str) -> String {
    format!("heartbeat:{heartbeat}")
}

/// Our types have only names for keys, so that it never fails.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Resolves when the process is to stop.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // An error means that whoever could stop us is gone, which is a reason to stop as well.
    let _ = shutdown.wait_for(|stop| *stop).await;
}
