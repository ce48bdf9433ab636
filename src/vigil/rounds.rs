//! Sends tests and sees what became of them.

use std::time::Duration;

use jiff::Timestamp;

use super::heartbeat::{self, Known, Last, Open, Step, Verdict};
use super::telling::{Text, Tried, mail};
use super::{
    AGAIN, Heartbeat, LISTENER, LOOKS, Settings, Spoken, State, Unspoken, Vigil, json, note_key, words,
};
use crate::model::SubmissionId;
use crate::retry::later;
use crate::spool::SpoolError;

impl Vigil {
    /// Does for a test what is due; when something is next.
    pub(super) async fn see_to(
        &self,
        state: &mut State,
        settings: &Settings,
        heartbeat: &Heartbeat,
        now: Timestamp,
    ) -> Result<Timestamp, SpoolError> {
        let here_since = state.here_since.unwrap_or(now).min(now);
        let Some(known) = state.heartbeats.get_mut(&heartbeat.name) else { return Ok(Timestamp::MAX) };
        known.not_far_ahead(now);
        let after = |known: &Known| match known.step(&heartbeat.schedule, now) {
            Step::Wait(at) => at,
            Step::Look | Step::Send(_) | Step::LetGo(_) => later(now, look_every(heartbeat)),
        };
        match known.step(&heartbeat.schedule, now) {
            Step::Wait(at) => Ok(at),
            Step::LetGo(due) => {
                tracing::warn!(heartbeat = heartbeat.name, %due, "a test SMS was missed, and it is too late for it");
                let settled = Known { at: due, ..known.clone() };
                self.spool.set_note(note_key(&heartbeat.name), json(&settled)).await?;
                self.figures.count(&heartbeat.name, "missed");
                *known = settled;
                Ok(after(known))
            }
            Step::Send(due) => {
                self.send(known, heartbeat, due, now).await?;
                Ok(after(known))
            }
            Step::Look => {
                let Some(open) = known.open.clone().map(|open| open.not_after(now)) else { return Ok(now) };
                known.open = Some(open.clone());
                let view = match heartbeat::id(&open) {
                    Some(id) => self.spool.submission(id).await?,
                    None => None,
                };
                match open.judge(view.as_ref(), heartbeat.within, here_since, now) {
                    Verdict::Open(deadline) => return Ok(deadline.min(later(now, look_every(heartbeat)))),
                    Verdict::Delivered => self.passed(known, settings, heartbeat, now).await?,
                    Verdict::Failed(why) => {
                        let (due, id) = (known.at, Some(open.id.as_str()));
                        if !self.failed(known, heartbeat, due, &why, id, now).await? {
                            return Ok(later(now, AGAIN));
                        }
                    }
                }
                Ok(after(known))
            }
        }
    }

    async fn send(
        &self,
        known: &mut Known,
        heartbeat: &Heartbeat,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<(), SpoolError> {
        let (last, delivered_at) = (known.last.clone(), known.delivered_at);
        let opened = move |id: SubmissionId| Known {
            at: due,
            open: Some(Open { id: id.to_string(), sent_at: now }),
            last,
            delivered_at,
        };
        let (key, noted) = (note_key(&heartbeat.name), opened.clone());
        let spoken = Spoken {
            listener: heartbeat.name.clone(),
            to: heartbeat.to.clone(),
            text: heartbeat.words(now),
            lane: heartbeat.lane,
            is_reported: false,
            mails: Vec::new(),
            notes: Box::new(move |id| vec![(key, json(&noted(id)))]),
        };
        match self.speaker.speak(spoken, now).await {
            Ok(id) => {
                tracing::info!(heartbeat = heartbeat.name, %id, "a test SMS is on its way");
                *known = opened(id);
            }
            // Within the hour.
            Err(Unspoken::Later(why)) => {
                tracing::warn!(
                    heartbeat = heartbeat.name,
                    why,
                    "the test SMS is not taken now, and tried again"
                );
            }
            Err(Unspoken::Refused(why)) => {
                self.failed(known, heartbeat, due, &why, None, now).await?;
            }
        }
        Ok(())
    }

    async fn passed(
        &self,
        known: &mut Known,
        settings: &Settings,
        heartbeat: &Heartbeat,
        now: Timestamp,
    ) -> Result<(), SpoolError> {
        let had_failed = known.last.as_ref().is_some_and(|last| last.failure.is_some());
        let settled = Known {
            at: known.at,
            open: None,
            last: Some(Last { at: now, failure: None }),
            delivered_at: Some(now),
        };
        let note = (note_key(&heartbeat.name), json(&settled));
        let (subject, text) = words::passed_mail(&heartbeat.name);
        match mail(settings, &subject, &text, now).filter(|_| had_failed) {
            Some(mail) => self.spool.file_mail(mail, Some(note), now).await?,
            None => self.spool.set_note(note.0, note.1).await?,
        }
        tracing::info!(heartbeat = heartbeat.name, "the test SMS was delivered in time");
        self.figures.count(&heartbeat.name, "delivered");
        *known = settled;
        Ok(())
    }

    /// Tells that the test of the time `due` failed; `false` where that has to be tried again.
    async fn failed(
        &self,
        known: &mut Known,
        heartbeat: &Heartbeat,
        due: Timestamp,
        why: &str,
        id: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, SpoolError> {
        let (settings, name) = (self.settings.load_full(), &heartbeat.name);
        let last = Last { at: now, failure: Some(why.to_owned()) };
        let settled = Known { at: due, open: None, last: Some(last), delivered_at: known.delivered_at };
        let told = Text {
            to: &heartbeat.tell,
            text: heartbeat.failure_words(why),
            // Rules send the test by the way that it tests, and word of its failure by another one.
            listener: LISTENER,
            key: &note_key(name),
            note: &json(&settled),
        };
        let mail = |untold: Option<&str>| {
            let (subject, text) = words::failed_mail(name, heartbeat.within, why, id, untold);
            mail(&settings, &subject, &text, now)
        };
        match self.tell_or_mail(told, mail, now).await? {
            Tried::Told => {}
            Tried::Later => return Ok(false),
            // The page and readiness tell of it until one passes.
            Tried::Untold => self.spool.set_note(note_key(name), json(&settled)).await?,
        }
        tracing::error!(heartbeat = name, why, id, "the test SMS failed");
        self.figures.count(name, "failed");
        *known = settled;
        Ok(true)
    }
}

fn look_every(heartbeat: &Heartbeat) -> Duration {
    (heartbeat.within / 60).clamp(LOOKS.0, LOOKS.1)
}
