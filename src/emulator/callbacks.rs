//! Callbacks that wait to be made, in order or shuffled, and where they go.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::Instant;

use super::EmulatorError;
use super::message::Accepted;

/// For one callback.
const TIME: Duration = Duration::from_secs(10);

/// How callbacks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallbackSettings {
    /// How often each callback is sent, one after another or, shuffled, at any time.
    pub copies: u32,
    /// Of a hundred messages, how many have their callbacks sent [`copies`](Self::copies) times; the others once.
    pub copied_percent: u8,
    /// Whether parts and messages come in random order, of all that wait, instead of the order in which messages
    /// ended.
    pub shuffled: bool,
    /// After the end of the message.
    pub delay: Duration,
    /// Callbacks at a time; in order, messages at a time.
    pub concurrency: usize,
}

impl Default for CallbackSettings {
    /// Once, in order, at once, 16 at a time.
    fn default() -> Self {
        Self { copies: 1, copied_percent: 100, shuffled: false, delay: Duration::ZERO, concurrency: 16 }
    }
}

/// Where callbacks go.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) client: reqwest::Client,
    pub(super) url: reqwest::Url,
}

impl Target {
    /// A user name and password in `url` are shown as HTTP Basic.
    ///
    /// # Errors
    /// When it is no URL of http or https, or there can be no client.
    pub(super) fn new(url: &str) -> Result<Self, EmulatorError> {
        let url = reqwest::Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| EmulatorError::CallbackUrl { url: url.to_owned() })?;
        // An error says that a provider is installed already, which is all we want.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().timeout(TIME);
        if url.scheme() == "http" {
            // Plain text needs no roots, and a machine without any can still use it.
            builder = builder.tls_certs_only([]);
        }
        Ok(Self { client: builder.build()?, url })
    }
}

/// Callbacks about one message, to be made one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Work {
    /// The message.
    pub(super) number: u64,
    /// Its parts.
    pub(super) parts: RangeInclusive<u32>,
    /// How often each.
    pub(super) copies: u32,
}

impl Work {
    /// How many callbacks it is.
    pub(super) fn callbacks(&self) -> u64 {
        self.parts.clone().map(|_| u64::from(self.copies)).sum()
    }
}

/// All that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Those whose delay is not over. It is the same for all, so that they are in its order.
    waiting: VecDeque<(Instant, Work)>,
    ready: VecDeque<Work>,
}

impl Queue {
    /// Takes the callbacks of a message that has ended, and says how many they are.
    pub(super) fn add(&mut self, message: &Accepted, settings: &CallbackSettings, now: Instant) -> u64 {
        let copied = fastrand::u8(..100) < settings.copied_percent;
        let copies = if copied { settings.copies.max(1) } else { 1 };
        let Some(at) = now.checked_add(settings.delay) else { return 0 };
        let (number, parts) = (message.number, 1..=message.parts);
        let all = Work { number, parts: parts.clone(), copies }.callbacks();
        if settings.shuffled {
            for part in parts {
                for _ in 0..copies {
                    self.waiting.push_back((at, Work { number, parts: part..=part, copies: 1 }));
                }
            }
        } else {
            self.waiting.push_back((at, Work { number, parts, copies }));
        }
        all
    }

    /// The next that is ready: the first, or any.
    pub(super) fn next(&mut self, now: Instant, shuffled: bool) -> Option<Work> {
        while self.waiting.front().is_some_and(|(at, _)| *at <= now) {
            self.ready.extend(self.waiting.pop_front().map(|(_, work)| work));
        }
        if shuffled && !self.ready.is_empty() {
            self.ready.swap_remove_back(fastrand::usize(..self.ready.len()))
        } else {
            self.ready.pop_front()
        }
    }

    /// When the next delay is over.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.waiting.front().map(|(at, _)| *at)
    }
}
