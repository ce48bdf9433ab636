//! What intake commits in one transaction: a mail or form post, and the SMS that came of it.

use jiff::Timestamp;

use super::{Cause, Client, MailAddress, Notify, Orcpt, OutgoingMail, Ret, Sms, SubmissionId};

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
    /// What a report returns of it.
    pub original: Original,
    /// Its SMS, in order; ordinals 1 to n.
    pub messages: Vec<Message>,
    /// Mail that it causes at once (postmaster's); mostly none.
    pub forwards: Vec<OutgoingMail>,
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
    /// When it is given up.
    pub expires_at: Timestamp,
    /// How it starts.
    pub fate: Fate,
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
    /// A rule refused this recipient while others of the same mail were accepted: final at once
    /// and reported.
    Refused(Cause),
    /// A rule dropped it: final at once, recorded, not reported.
    Dropped(Cause),
}
