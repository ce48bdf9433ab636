//! What `reporting`, `notices` and `vigil` do.

use std::time::Duration;

use super::super::clock::{MINUTE, SECOND, at, millis};
use super::{SHORTEST, World};
use crate::reporting::cases;
use crate::retry::later;
use crate::spool::{Queue, Spool};

impl World {
    pub(super) async fn tell(&mut self) {
        let now = self.timestamp();
        self.told_at = self.clock.now();
        let reporting = self.reporting.as_ref().unwrap();
        while cases::look(reporting, &mut self.ledger, &mut self.waiting_cases, now).await.unwrap().is_none()
        {
        }
    }

    /// Tells the operator what there is to tell.
    pub(super) async fn notify(&mut self) {
        let now = self.clock.now();
        // Mails an hour are counted by a clock that nobody puts back: the runtime's, which stands still here.
        tokio::time::advance(Duration::from_millis((now - self.advanced).unsigned_abs())).await;
        self.advanced = now;
        let notices = self.notices.as_ref().unwrap();
        self.notice_at = loop {
            match notices.tell(&mut self.memory).await {
                None => break i64::MAX,
                Some(wait) if wait.is_zero() => {}
                Some(wait) => break millis(later(at(now), wait)).max(now + 1),
            }
        };
    }

    /// The spool's signal that somebody was heard of.
    pub(super) fn heard(&mut self) {
        if self.watch_at < i64::MAX {
            self.watch_at = self.watch_at.min(self.clock.now() + SECOND);
        }
    }

    /// Looks who is silent and what became of tests; whether that made an SMS.
    pub(super) async fn watch(&mut self) -> bool {
        let now = self.clock.now();
        let before = self.books.last(self.directory.path());
        let vigil = self.vigil.as_ref().unwrap();
        let next = millis(vigil.look(at(now)).await.unwrap()).max(now + SECOND);
        self.watch_at = if next < self.watched_until { next } else { i64::MAX };
        self.books.last(self.directory.path()) != before
    }

    /// When the loops have something to do again.
    pub(super) async fn look_ahead(&mut self, is_new: bool) {
        let (now, spool) = (self.clock.now(), self.spool());
        if is_new || self.track_at <= now {
            let (_, is_sent) = self.books.are_any_unknown_or_sent(self.directory.path());
            self.track_at = if is_sent { self.next_track().await } else { i64::MAX };
        }
        if is_new || self.tell_at <= now {
            let window = self.config.reporting.window;
            let cases = spool.next_due(Queue::Cases).await.unwrap().map(|due| later(due, window));
            let delays = spool.next_due(Queue::Delays).await.unwrap();
            let next = [cases, delays].into_iter().flatten().min();
            // What is beyond the hourly most is looked at again and again.
            self.tell_at =
                next.map_or(i64::MAX, |next| millis(next).max(now + SHORTEST).max(self.told_at + MINUTE));
        }
    }
}
