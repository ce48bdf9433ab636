//! A failure (or a success that was asked for) as the bytes of an RFC 3464 report.
//!
//! Five mails are written here: [`Report`], a `multipart/report` about one mail or form post and
//! all its recipients (RFC 3461, 3464, 6522); [`Summary`], one plain mail about many of them, for
//! an address that has had too many reports; [`Undeliverable`], which tells the operator that a
//! report could not be handed to its addressee (RFC 5321 section 6.1); [`ReturnedMail`], a
//! `multipart/report` about mail for the postmaster; and [`Notice`], a plain mail to the operator about the relay
//! itself.
//!
//! All five are pure 7-bit ASCII with CRLF line ends and lines of at most 998 octets, whatever
//! they quote, so that any smarthost takes them and no MTA has to recode them (RFC 6522 section
//! 3). Nothing that they quote can add a header field, a MIME part or a recipient.
//!
//! Who is told, when, and how often is decided elsewhere.

mod encode;
mod field;
mod human;
mod notice;
mod original;
mod returned;
mod smarthost;
mod status;
mod summary;
mod undeliverable;

use jiff::Timestamp;

use crate::model::{
    Cause, Client, Door, EnhancedStatus, MailAddress, MailId, Masked, MessageId, Orcpt, Original,
    PhoneNumber, SubmissionId,
};
use field::AutoSubmitted;

pub use notice::Notice;
pub use returned::ReturnedMail;
pub use summary::{Summary, SummaryEntry};
pub use undeliverable::Undeliverable;

/// One report: everything that goes into it, borrowed from whoever knows it.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Where it comes from and goes to.
    pub letter: Letter<'a>,
    /// Whom it is written for.
    pub audience: Audience,
    /// Our id of the mail or form post.
    pub submission: SubmissionId,
    /// When it was accepted: `Arrival-Date`.
    pub received_at: Timestamp,
    /// Who handed it in. A form post (`Door::Http`) has no third part.
    pub client: &'a Client,
    /// What is returned of it.
    pub original: &'a Original,
    /// What became of its recipients; not empty (a report about nobody says so and has no
    /// recipient fields, which RFC 3464 does not allow).
    pub recipients: &'a [ReportedRecipient<'a>],
    /// Whether the words of the SMS are quoted. Without them a mail is never returned whole either,
    /// whatever its sender asked for (RFC 3461 section 4.3 leaves less to the MTA).
    pub include_text: bool,
    /// The human part in words of the operator's; `None` for the usual ones.
    pub human: Option<&'a str>,
}

/// What every mail of ours has at its top.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// Our host name: `Reporting-MTA`, and the right side of the `Message-ID`.
    pub hostname: &'a str,
    /// `From`: an address that a person reads.
    pub from: &'a MailAddress,
    /// `To`.
    pub to: &'a MailAddress,
    /// The left side of the `Message-ID`; its random part also keeps the boundary from being
    /// guessed by whoever wrote the original.
    pub id: MailId,
    /// `Date`.
    pub now: Timestamp,
}

/// Whom a report is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Whoever sent the mail. Phone numbers behind an alias are masked (RFC 3464 section 4.2).
    Sender,
    /// Whoever runs the relay.
    Operator,
}

/// What became of one recipient at one phone: one SMS, or the pieces of a text that took several.
#[derive(Clone, Copy, Debug)]
pub struct ReportedRecipient<'a> {
    /// Our ids of the SMS; not empty.
    pub ids: &'a [MessageId],
    /// The envelope address, or a form's destination as written.
    pub address: &'a str,
    /// `ORCPT`.
    pub orcpt: Option<&'a Orcpt>,
    /// The phone; not shown for [`Action::Expanded`], which is about the name.
    pub phone: &'a PhoneNumber,
    /// The words of each SMS.
    pub texts: &'a [&'a str],
    /// What is to be told.
    pub action: Action,
    /// Why.
    pub cause: &'a Cause,
    /// When it was last tried, if ever.
    pub last_attempt_at: Option<Timestamp>,
    /// When that was known.
    pub at: Timestamp,
    /// How long it will be tried, for [`Action::Delayed`].
    pub retry_until: Option<Timestamp>,
    /// The host name of the gateway that it went by, if it went by any: `Remote-MTA`.
    pub platform: Option<&'a str>,
}

/// `Action` of RFC 3464 section 2.3.3. The order is that of a report: what asks for something to be done
/// comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// It did not reach the phone and will not.
    Failed,
    /// It is late, and not given up.
    Delayed,
    /// The name stands for several phones and is on its way to them; of each phone only a failure is told.
    Expanded,
    /// The platform took it; whether the phone has it will not be known.
    Relayed,
    /// The phone has it.
    Delivered,
}

impl Action {
    /// In the order of a report.
    pub const ALL: [Self; 5] = [Self::Failed, Self::Delayed, Self::Expanded, Self::Relayed, Self::Delivered];

    /// The keyword of RFC 3464.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Expanded => "expanded",
            Self::Relayed => "relayed",
            Self::Delivered => "delivered",
        }
    }

    /// The begin of a subject.
    fn subject(self) -> &'static str {
        match self {
            Self::Failed => "SMS not delivered",
            Self::Delayed => "SMS delayed",
            Self::Expanded => "SMS on its way to several phones",
            Self::Relayed => "SMS handed to the platform",
            Self::Delivered => "SMS delivered",
        }
    }
}

impl ReportedRecipient<'_> {
    /// The status of the cause, in the class that the action has (RFC 3463 section 2): what is late has
    /// not failed, and what was given up for a passing reason stays in class 4.
    pub fn status(&self) -> EnhancedStatus {
        let status = self.cause.status;
        match (self.action, status.class) {
            (Action::Failed, 4 | 5)
            | (Action::Delayed, 4)
            | (Action::Expanded | Action::Relayed | Action::Delivered, 2) => status,
            (Action::Failed, _) => EnhancedStatus::new(5, 0, 0),
            (Action::Delayed, 5) => EnhancedStatus { class: 4, ..status },
            (Action::Delayed, _) => EnhancedStatus::new(4, 0, 0),
            (Action::Expanded | Action::Relayed | Action::Delivered, _) => EnhancedStatus::SUCCESS,
        }
    }

    /// When it was last tried; a name that stands for several phones is not tried itself.
    fn tried_at(&self) -> Option<Timestamp> {
        self.last_attempt_at.filter(|_| self.action != Action::Expanded)
    }

    /// The phone as `audience` may see it (RFC 3464 section 4.2): masked for a sender who wrote an alias.
    /// `None` where no one phone is meant.
    pub fn shown_phone(&self, audience: Audience) -> Option<String> {
        let phone = self.phone.as_str();
        let written = self.address.rsplit_once('@').map_or(self.address, |(local, _)| local);
        let digits: String = written.chars().filter(char::is_ascii_digit).collect();
        let digits = digits.trim_start_matches('0');
        if self.action == Action::Expanded {
            None
        } else if audience == Audience::Operator || digits.len() >= 6 && phone.ends_with(digits) {
            Some(phone.to_owned())
        } else {
            Some(Masked(phone).to_string())
        }
    }
}

impl Report<'_> {
    /// The whole mail.
    pub fn to_bytes(&self) -> Vec<u8> {
        let returned = original::returned(self);
        let about = self.original.message_id.as_deref();
        let cause = match self.client.door {
            Door::Smtp => AutoSubmitted::Replied,
            Door::Http | Door::Relay => AutoSubmitted::Generated,
        };
        let out = self.letter.head(&self.subject(), cause, about);
        let mut parts = Parts::open(out, &self.letter, "multipart/report; report-type=delivery-status");
        match self.human {
            Some(words) => parts.text(&human::foreign(words)),
            None => parts.text(&human::text(self, returned)),
        }
        parts.begin("message/delivery-status", None);
        status::write(self, &mut parts.out);
        if let Some(returned) = returned {
            returned.write(&mut parts);
        }
        parts.close()
    }

    fn subject(&self) -> String {
        let what = headline(self.recipients.iter().map(|recipient| recipient.action));
        match (self.original.subject.as_deref().map(field::one_line), self.client.door) {
            (Some(subject), _) if !subject.is_empty() => format!("{what}: {subject}"),
            (_, Door::Http) => format!("{what}: form post {}", self.submission),
            (_, Door::Smtp) => format!("{what}: mail {}", self.submission),
            (_, Door::Relay) => format!("{what}: SMS {} of the relay", self.submission),
        }
    }
}

/// What a subject begins with: the action that comes first in the report.
fn headline(actions: impl Iterator<Item = Action>) -> &'static str {
    actions.min().map_or("What became of SMS", Action::subject)
}

impl Letter<'_> {
    /// The fields that do not depend on the body; `about` is the `Message-ID` that it answers.
    fn head(&self, subject: &str, auto_submitted: AutoSubmitted, about: Option<&str>) -> Vec<u8> {
        let mut out = Vec::with_capacity(4096);
        field::write(&mut out, "From", &format!("\"SMS relay\" {}", field::mailbox(self.from)));
        field::write(&mut out, "To", &field::mailbox(self.to));
        field::write_subject(&mut out, subject);
        field::write(&mut out, "Date", &field::date(self.now));
        field::write(&mut out, "Message-ID", &format!("<{}@{}>", self.id, field::host(self.hostname)));
        if let Some(id) = about.and_then(field::message_id) {
            field::write(&mut out, "In-Reply-To", id);
            field::write(&mut out, "References", id);
        }
        field::write(&mut out, "Auto-Submitted", auto_submitted.as_str());
        field::write(&mut out, "MIME-Version", "1.0");
        out
    }
}

/// The body of a multipart mail while it is written.
struct Parts {
    out: Vec<u8>,
    boundary: String,
}

impl Parts {
    /// Ends the header section in `out` and begins the body.
    fn open(mut out: Vec<u8>, letter: &Letter<'_>, content_type: &str) -> Self {
        // `=_` cannot stand in quoted-printable (RFC 2045 section 6.7), and the id's 80 random bits
        // were not known to whoever wrote what is returned as it came.
        let boundary = format!("=_{}", letter.id);
        field::write(&mut out, "Content-Type", &format!("{content_type}; boundary=\"{boundary}\""));
        Self { out, boundary }
    }

    /// Starts a part; what is written to `out` next is its body.
    fn begin(&mut self, content_type: &str, encoding: Option<&str>) {
        // The line end before a boundary belongs to the boundary (RFC 2046 section 5.1.1).
        self.out.extend_from_slice(b"\r\n--");
        self.out.extend_from_slice(self.boundary.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        field::write(&mut self.out, "Content-Type", content_type);
        if let Some(encoding) = encoding {
            field::write(&mut self.out, "Content-Transfer-Encoding", encoding);
        }
        self.out.extend_from_slice(b"\r\n");
    }

    /// A part for people; `text` has LF line ends.
    fn text(&mut self, text: &str) {
        self.begin("text/plain; charset=utf-8", Some("quoted-printable"));
        encode::quoted_printable(text.replace('\n', "\r\n").as_bytes(), &mut self.out);
    }

    fn close(mut self) -> Vec<u8> {
        self.out.extend_from_slice(b"\r\n--");
        self.out.extend_from_slice(self.boundary.as_bytes());
        self.out.extend_from_slice(b"--\r\n");
        self.out
    }
}

#[cfg(test)]
mod tests;
