//! What intake commits in one transaction: a mail or form post, and the SMS that came of it.

use std::borrow::Cow;

use jiff::Timestamp;

use super::{
    Cause, Client, Lane, MailAddress, MessageId, Notify, OnUnknown, Orcpt, OutgoingMail, Passage, Reason,
    Remembered, Ret, Sms, SubmissionId, TellUrl, Ways,
};

/// One accepted mail or form post.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// The id told to the client.
    pub id: SubmissionId,
    /// When its last octet had arrived.
    pub received_at: Timestamp,
    /// Who handed it in.
    pub client: Client,
    /// Who is told about its fate.
    pub report_to: ReportTo,
    /// Where a program is told of each SMS's end; for a form post.
    pub tell_url: Option<TellUrl>,
    /// What a report returns of it.
    pub original: Original,
    /// Its SMS, in order; ordinals 1 to n.
    pub messages: Vec<Message>,
    /// Mail that it causes at once (postmaster's); mostly none.
    pub forwards: Vec<OutgoingMail>,
    /// What is to be known of it after a crash.
    pub remembered: Remembered,
}

/// Who is told when something could not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportTo {
    /// The mail's sender.
    Sender(MailAddress),
    /// The operator, by configuration.
    Operator(MailAddress),
    /// Nobody, and why: null reverse path, automatic mail, no address configured.
    Nobody(String),
}

/// What is kept of the original for a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Original {
    /// `ENVID`.
    pub envid: Option<String>,
    /// `RET`.
    pub ret: Option<Ret>,
    /// The `Message-ID` header's value with its angle brackets.
    pub message_id: Option<String>,
    /// The decoded subject.
    pub subject: Option<String>,
    /// The header section as received, our `Received:` line first; or the whole mail where `RET=FULL`
    /// asked for it and it is small enough. Empty for a form post.
    pub content: Vec<u8>,
    /// Whether `content` is the whole mail.
    pub is_full: bool,
}

/// One SMS with what its report needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The SMS.
    pub sms: Sms,
    /// The recipient that it came from.
    pub recipient: Recipient,
    /// The rule that decided, for the timeline; `default` without one.
    pub rule: String,
    /// How it is to reach the phone.
    pub delivery: Delivery,
    /// How it starts.
    pub fate: Fate,
    /// What stands between it and the platform.
    pub passage: Passage,
}

/// How an SMS is to reach its phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// How urgent.
    pub lane: Lane,
    /// Names of gateways, in the order in which they are tried; empty stands for all there are, in
    /// the order of the configuration.
    pub gateways: Vec<String>,
    /// By which doors of the platform.
    pub ways: Ways,
    /// When the platform could not tell for long whether it has it.
    pub on_unknown: OnUnknown,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// When its sender is told that it is late; `None` where nobody wants to know.
    pub delayed_at: Option<Timestamp>,
}

impl Delivery {
    /// The usual: one SMS by any gateway, given up at `expires_at`.
    pub fn until(expires_at: Timestamp) -> Self {
        Self {
            lane: Lane::Normal,
            gateways: Vec::new(),
            ways: Ways::default(),
            on_unknown: OnUnknown::Resend,
            expires_at,
            delayed_at: None,
        }
    }
}

/// A recipient as the client named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The envelope address, or the form's destination as written.
    pub address: String,
    /// Which reports are wanted.
    pub notify: Notify,
    /// The recipient that the sender first wrote.
    pub orcpt: Option<Orcpt>,
}

/// How an SMS starts in the spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// To be sent now.
    Due,
    /// To be sent later.
    Held {
        /// When.
        until: Timestamp,
        /// Why.
        reason: HoldReason,
    },
    /// A rule refused this recipient while others of the same mail were accepted: final at once
    /// and reported.
    Refused(Cause),
    /// A rule dropped it: final at once, recorded, not reported.
    Dropped(Cause),
    /// That SMS of the same submission, which is sent, brings the same words to the same phone: final at once, recorded, not
    /// reported. Its recipient has the words when that one is delivered, and what takes the place of the
    /// recipient's SMS goes by that one's fate.
    SameAs(MessageId),
}

impl Fate {
    /// Why it ends at once; `None` where it does not.
    pub fn cause(&self) -> Option<Cow<'_, Cause>> {
        match self {
            Self::Due | Self::Held { .. } => None,
            Self::Refused(cause) | Self::Dropped(cause) => Some(Cow::Borrowed(cause)),
            Self::SameAs(other) => {
                let text = format!("{} {other}", Reason::SameAsAnother.words());
                Some(Cow::Owned(Reason::SameAsAnother.told(text)))
            }
        }
    }
}

/// Why an SMS waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HoldReason {
    /// Somebody wants it then.
    Scheduled,
    /// It takes the place of the others of its recipient, and of those that go in their stead ([`Fate::SameAs`]), if
    /// none of them is delivered by then; at once when all of them have failed.
    Escalation,
    /// Whom it is for sleeps until then.
    Quiet,
    /// It is a summary: until then others fold into it.
    Summary,
    /// A budget is spent until then.
    Budget,
}

impl HoldReason {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Scheduled, Self::Escalation, Self::Quiet, Self::Summary, Self::Budget];

    /// The word used in the spool and the logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Escalation => "escalation",
            Self::Quiet => "quiet",
            Self::Summary => "summary",
            Self::Budget => "budget",
        }
    }
}
