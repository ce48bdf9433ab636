//! A text, a mail and a note in one commit.

use jiff::Timestamp;

use super::{Settings, Spoken, Unspoken, Vigil};
use crate::bounce::{Letter, Notice};
use crate::model::{Lane, MailId, MailKind, OutgoingMail, ReversePath};
use crate::retry::later;
use crate::spool::SpoolError;
use crate::wording::{OwnTemplate, OwnWords};

impl Vigil {
    /// A text with a mail and a note in one commit; the mail and the note alone where no text can be sent. Where nobody
    /// would be told at all nothing is noted.
    pub(super) async fn tell_or_mail(
        &self,
        told: Text<'_>,
        mail: impl Fn(Option<&str>) -> Option<OutgoingMail>,
        now: Timestamp,
    ) -> Result<Tried, SpoolError> {
        let Text { to, text, listener, key, note } = told;
        let pair = (key.to_owned(), note.to_owned());
        let mut untold = None;
        if !to.is_empty() {
            let notes = vec![pair.clone()];
            let spoken = Spoken {
                listener: listener.to_owned(),
                to: to.to_vec(),
                text,
                lane: Lane::Critical,
                is_reported: true,
                mails: mail(None).into_iter().collect(),
                notes: Box::new(move |_| notes),
            };
            match self.speaker.speak(spoken, now).await {
                Ok(id) => {
                    tracing::info!(%id, listener, "a text about it is on its way");
                    return Ok(Tried::Told);
                }
                Err(Unspoken::Later(why)) => {
                    tracing::warn!(why, listener, "the text about it is not taken now, and tried again");
                    return Ok(Tried::Later);
                }
                Err(Unspoken::Refused(why)) => {
                    tracing::error!(
                        why,
                        listener,
                        "no text about it can be sent; mend the rules or whom it is for"
                    );
                    untold = Some(why);
                }
            }
        }
        match (mail(untold.as_deref()), untold) {
            (Some(mail), _) => self.spool.file_mail(mail, Some(pair), now).await?,
            (None, Some(_)) => return Ok(Tried::Untold),
            (None, None) => self.spool.set_note(pair.0, pair.1).await?,
        }
        Ok(Tried::Told)
    }
}

/// What came of telling something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// It is told and noted, as far as there is anybody to tell.
    Told,
    /// It has to be tried again soon.
    Later,
    /// No text of it can be sent, as things stand, and nobody gets a mail: nothing is noted.
    Untold,
}

/// A text and what is noted with it.
pub(super) struct Text<'a> {
    pub(super) to: &'a [String],
    pub(super) text: String,
    pub(super) listener: &'a str,
    pub(super) key: &'a str,
    pub(super) note: &'a str,
}

/// A mail to the operator, where there is one.
pub(super) fn mail(settings: &Settings, subject: &str, text: &str, now: Timestamp) -> Option<OutgoingMail> {
    let operator = settings.operator.as_ref()?;
    let id = MailId::new(now);
    let letter = Letter { hostname: &settings.hostname, from: &settings.from, to: operator, id, now };
    Some(OutgoingMail {
        id,
        about: None,
        kind: MailKind::Notice,
        reverse_path: ReversePath::Null,
        recipient: operator.clone(),
        bytes: Notice { letter, subject, text }.to_bytes(),
        expires_at: later(now, settings.lifetime),
    })
}

/// The words of a template, or the usual ones where it fails.
pub(super) fn filled(template: &OwnTemplate, words: &OwnWords<'_>, usual: impl FnOnce() -> String) -> String {
    template.render(words).unwrap_or_else(|problem| {
        tracing::warn!(name = words.name, problem, "the template failed; the usual words are sent");
        usual()
    })
}
