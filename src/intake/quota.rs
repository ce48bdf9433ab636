//! What accounts have used: messages of the last minute, and parts of SMS of the calendar day.
//!
//! A reservation is made before the commit and given back when the commit fails, so that as many as
//! come together never get more than the limit. A day is one of the system's time zone. What is used of
//! it is asked of the spool the first time, so that it survives a restart; from then on it is counted
//! here, and the spool tells what ended before it was ever tried: that is given back. Messages of the last
//! minute are known to this process only.
//!
//! Three things are not exact. What ends unused while the spool is asked is not given back. A caller that goes away while its message is being committed has used its
//! parts, until the next day or a restart, although the message may not be there. A limit that comes with
//! a reload does not see what is being committed in that moment.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use tokio::sync::OnceCell;

use super::refusal::{Refusal, RefusalKind};
use crate::routing::Allowance;
use crate::spool::{Spool, SpoolError};

/// The time over which messages are counted.
const MINUTE: Duration = Duration::from_secs(60);
/// Days of one account that are remembered: messages that came just before midnight may be committed
/// after it.
const DAYS: usize = 2;

/// The counters of all accounts. An account has one once it has used something that is limited; the
/// configuration bounds how many there are.
pub(super) struct Quota {
    spool: Arc<dyn Spool>,
    zone: fn() -> TimeZone,
    accounts: Mutex<HashMap<String, Arc<Account>>>,
}

/// The counters of one account.
struct Account {
    name: String,
    window: Mutex<Window>,
    /// The one used last is the last.
    days: Mutex<VecDeque<Arc<Day>>>,
}

/// One calendar day of one account.
struct Day {
    start: Timestamp,
    end: Timestamp,
    /// Empty until the spool has told.
    used: OnceCell<Used>,
    /// Whether the log has said that nothing is left.
    is_told: AtomicBool,
}

/// The parts of a day.
struct Used {
    parts: AtomicU64,
    /// When the spool had told: what ended unused before may be missing in its number already.
    told_at: Timestamp,
}

/// When the messages of the last minute came.
#[derive(Debug, Default)]
struct Window(VecDeque<Instant>);

/// What a message that is about to be committed has taken. It stays taken unless it is given back.
#[must_use]
pub(super) struct Reservation {
    account: Option<Arc<Account>>,
    slot: Option<Instant>,
    parts: Option<(Arc<Day>, u64)>,
}

impl Quota {
    /// Counters beside what `spool` knows.
    pub(super) fn new(spool: Arc<dyn Spool>) -> Self {
        Self { spool, zone: TimeZone::system, accounts: Mutex::default() }
    }

    /// Whether one more message of this account would be taken now; it is not counted.
    ///
    /// # Errors
    /// [`RefusalKind::TooFast`].
    pub(super) fn check_rate(&self, account: &str, allowance: &Allowance) -> Result<(), Refusal> {
        let Some(limit) = allowance.messages_per_minute else { return Ok(()) };
        let account = self.account(account);
        let wait = lock(&account.window).wait(limit, Instant::now());
        wait.map_or(Ok(()), |wait| Err(too_fast(&account.name, limit, wait)))
    }

    /// Whether anything is left of this account's parts at `now`.
    ///
    /// # Errors
    /// [`RefusalKind::QuotaSpent`], or what the spool's error becomes.
    pub(super) async fn check_parts(
        &self,
        account: &str,
        allowance: &Allowance,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.heed_unused();
        let Some(limit) = allowance.parts_per_day else { return Ok(()) };
        let account = self.account(account);
        let day = self.day(&account, now);
        let used = self.used(&account, &day).await?.parts.load(Ordering::Relaxed);
        if used < u64::from(limit.get()) {
            Ok(())
        } else {
            Err(self.spent(&account, &day, limit, used, 1, now))
        }
    }

    /// Takes a message with `parts` out of what its account may use at `now`: all of it or nothing.
    ///
    /// # Errors
    /// [`RefusalKind::QuotaSpent`] or [`RefusalKind::TooFast`]; [`RefusalKind::NotAllowed`] for a message
    /// that not even a whole day has the parts for; or what the spool's error becomes.
    pub(super) async fn reserve(
        &self,
        account: &str,
        allowance: &Allowance,
        parts: u64,
        now: Timestamp,
    ) -> Result<Reservation, Refusal> {
        self.heed_unused();
        let known = lock(&self.accounts).contains_key(account);
        if !known && allowance.messages_per_minute.is_none() && allowance.parts_per_day.is_none() {
            return Ok(Reservation { account: None, slot: None, parts: None });
        }
        let account = self.account(account);
        let day = self.day(&account, now);
        let limit = allowance.parts_per_day.filter(|_| parts > 0);
        if let Some(limit) = limit {
            if parts > u64::from(limit.get()) {
                let name = &account.name;
                let text =
                    format!("the message takes {parts} parts, and account `{name}` may send {limit} a day");
                return Err(Refusal { kind: RefusalKind::NotAllowed, text });
            }
            self.used(&account, &day).await?;
        }
        let mut reservation = Reservation { account: Some(Arc::clone(&account)), slot: None, parts: None };
        if let Some(limit) = allowance.messages_per_minute {
            let slot = lock(&account.window).take(limit, Instant::now);
            reservation.slot = Some(slot.map_err(|wait| too_fast(&account.name, limit, wait))?);
        }
        // Counted where the day is known, also without a limit: a reload may bring one back.
        if let Some(used) = day.used.get() {
            let most = limit.map_or(u64::MAX, |limit| u64::from(limit.get()));
            match (take(&used.parts, parts, most), limit) {
                (Ok(()), _) => reservation.parts = Some((day, parts)),
                (Err(used), Some(limit)) => {
                    reservation.give_back();
                    return Err(self.spent(&account, &day, limit, used, parts, now));
                }
                // Nobody sends so many.
                (Err(_), None) => {}
            }
        }
        Ok(reservation)
    }

    fn account(&self, name: &str) -> Arc<Account> {
        let mut accounts = lock(&self.accounts);
        if let Some(account) = accounts.get(name) {
            return Arc::clone(account);
        }
        let account =
            Arc::new(Account { name: name.to_owned(), window: Mutex::default(), days: Mutex::default() });
        accounts.insert(name.to_owned(), Arc::clone(&account));
        account
    }

    /// The day of `now`. One that is not known yet (the first, the next, or another because the clock
    /// was set) begins with asking the spool.
    fn day(&self, account: &Account, now: Timestamp) -> Arc<Day> {
        let (start, end) = day_of(now, (self.zone)());
        let mut days = lock(&account.days);
        if let Some(day) = days.iter().find(|day| day.start == start) {
            return Arc::clone(day);
        }
        let day = Arc::new(Day { start, end, used: OnceCell::new(), is_told: AtomicBool::new(false) });
        days.push_back(Arc::clone(&day));
        while days.len() > DAYS {
            days.pop_front();
        }
        day
    }

    /// Nothing is reserved before the spool has answered, so its answer misses nothing.
    async fn used<'a>(&self, account: &Account, day: &'a Day) -> Result<&'a Used, SpoolError> {
        let ask = async || {
            let parts = self.spool.parts_of_account_since(account.name.clone(), day.start).await?;
            Ok::<_, SpoolError>(Used { parts: AtomicU64::new(parts), told_at: Timestamp::now() })
        };
        day.used.get_or_try_init(ask).await
    }

    /// Gives back what ended without having been tried since this was last looked at: what was cancelled, and
    /// escalations that nobody needed.
    fn heed_unused(&self) {
        for unused in self.spool.signals().unused.take() {
            let Some(account) = lock(&self.accounts).get(&unused.account).cloned() else { continue };
            let is_its_day = |day: &&Arc<Day>| (day.start..day.end).contains(&unused.accepted_at);
            let day = lock(&account.days).iter().find(is_its_day).cloned();
            // A day that the spool has not told of yet will be told without it.
            let used = day.as_ref().and_then(|day| day.used.get());
            if let Some(used) = used.filter(|used| used.told_at < unused.ended_at) {
                give_back(&used.parts, u64::from(unused.parts));
            }
        }
    }

    fn spent(
        &self,
        account: &Account,
        day: &Day,
        limit: NonZeroU32,
        used: u64,
        parts: u64,
        now: Timestamp,
    ) -> Refusal {
        let name = &account.name;
        let left = u64::from(limit.get()).saturating_sub(used);
        let next = day.end.to_zoned((self.zone)()).strftime("%Y-%m-%d %H:%M %:z").to_string();
        if !day.is_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                account = name,
                parts_per_day = limit.get(),
                left,
                "the account has too few parts left today; until {next} its messages are refused for the moment, \
                 and a client without a queue loses them: raise parts_per_day and reload if they matter"
            );
        }
        let text = match left {
            0 => format!(
                "account `{name}` has used its {limit} parts of today; it may send again from {next} on"
            ),
            _ => format!(
                "the message takes {parts} parts, and account `{name}` has {left} of its {limit} left today; the \
                 next day begins {next}"
            ),
        };
        let wait = Duration::try_from(day.end.duration_since(now)).unwrap_or(Duration::ZERO);
        Refusal { kind: RefusalKind::QuotaSpent { retry_after: wait }, text }
    }
}

impl Reservation {
    /// The commit failed: nothing was used.
    pub(super) fn give_back(self) {
        if let Some((used, parts)) =
            self.parts.as_ref().and_then(|(day, parts)| Some((day.used.get()?, *parts)))
        {
            give_back(&used.parts, parts);
        }
        if let (Some(account), Some(slot)) = (&self.account, self.slot) {
            lock(&account.window).give_back(slot);
        }
    }
}

impl Window {
    /// How long until one more fits under `limit`; `None` when it does now.
    fn wait(&mut self, limit: NonZeroU32, now: Instant) -> Option<Duration> {
        while self.0.front().is_some_and(|at| now.saturating_duration_since(*at) >= MINUTE) {
            self.0.pop_front();
        }
        // The newest one that has to be over a minute old first.
        let in_the_way = self.0.len().checked_sub(usize::try_from(limit.get()).unwrap_or(usize::MAX))?;
        let at = self.0.get(in_the_way)?;
        Some(MINUTE.saturating_sub(now.saturating_duration_since(*at)))
    }

    /// Counts one more, or says how long it has to wait. The clock is read here, under the lock, so that
    /// times stand in order.
    fn take(&mut self, limit: NonZeroU32, clock: impl FnOnce() -> Instant) -> Result<Instant, Duration> {
        let now = clock();
        match self.wait(limit, now) {
            Some(wait) => Err(wait),
            None => {
                self.0.push_back(now);
                Ok(now)
            }
        }
    }

    fn give_back(&mut self, slot: Instant) {
        if let Some(at) = self.0.iter().rposition(|at| *at == slot) {
            self.0.remove(at);
        }
    }
}

/// Adds `parts` unless that is more than `limit` in all; the error is what is used.
fn take(used: &AtomicU64, parts: u64, limit: u64) -> Result<(), u64> {
    let add = |used: u64| used.checked_add(parts).filter(|sum| *sum <= limit);
    used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).map(|_| ())
}

/// Takes `parts` off again.
fn give_back(used: &AtomicU64, parts: u64) {
    // Always a number.
    let _ = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| Some(used.saturating_sub(parts)));
}

fn too_fast(account: &str, limit: NonZeroU32, wait: Duration) -> Refusal {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let messages = if limit.get() == 1 { "message" } else { "messages" };
    let text = format!("account `{account}` may send {limit} {messages} a minute; try again in {seconds} s");
    Refusal { kind: RefusalKind::TooFast { retry_after: wait }, text }
}

/// The beginning of the calendar day of `now` and of the next one. A day has 23 or 25 hours where the
/// clock is put forward or back.
fn day_of(now: Timestamp, zone: TimeZone) -> (Timestamp, Timestamp) {
    let local = now.to_zoned(zone);
    let start = local.start_of_day().map_or(now, |start| start.timestamp());
    let next = local.checked_add(1.day()).and_then(|next| next.start_of_day());
    // Only the last day of the calendar has no next one.
    (start, next.map_or(Timestamp::MAX, |next| next.timestamp()))
}

/// Nothing can panic while a lock is held, so a poisoned one is still consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
