//! What the spool shows to whoever looks.

use jiff::Timestamp;

use crate::model::{
    Cause, Channel, Client, HoldReason, Lane, MessageId, OutgoingMail, PartStatus, Price, Recipient, Sms,
    State,
};

/// One submission with its timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct SubmissionView {
    /// When it was accepted.
    pub received_at: Timestamp,
    /// Who handed it in.
    pub client: Client,
    /// Its subject, if it had any.
    pub subject: Option<String>,
    /// Its SMS, by ordinal.
    pub messages: Vec<MessageView>,
    /// Its mails.
    pub mails: Vec<MailView>,
}

/// One SMS with its timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageView {
    /// The SMS.
    pub sms: Sms,
    /// The number that it got when it was accepted.
    pub number: i64,
    /// The recipient that it came from.
    pub recipient: Recipient,
    /// The rule that decided.
    pub rule: String,
    /// Where it is.
    pub state: State,
    /// Why it is held, while it is.
    pub hold_reason: Option<HoldReason>,
    /// The summary that it was folded into.
    pub folded_into: Option<MessageId>,
    /// What it tells of, where it is a summary.
    pub tells_of: Option<TellsOf>,
    /// Its lane.
    pub lane: Lane,
    /// The gateway of its last attempt, if it had any.
    pub gateway: Option<String>,
    /// The channel of its last attempt, or of its first one to come.
    pub channel: Channel,
    /// The platform's count of parts.
    pub platform_parts: Option<u32>,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// Attempts begun.
    pub attempts: u32,
    /// Each of them.
    pub tries: Vec<Try>,
    /// When something is done about it next; `None` in a final state.
    pub next_at: Option<Timestamp>,
    /// Why it ended.
    pub cause: Option<Cause>,
    /// What the platform said of its parts, by channel and part.
    pub callbacks: Vec<PartView>,
    /// The sum of what its parts cost, as far as the platform said.
    pub price: Option<Price>,
    /// Every move: when, into which state, why.
    pub events: Vec<Event>,
}

/// What a summary tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TellsOf {
    /// How many SMS. One that was folded and is a summary itself counts as those that it tells of.
    pub count: u64,
    /// The first of what was folded into it, up to [`MOST_FOLDED_SHOWN`], and whatever has become of it.
    pub first: Vec<MessageId>,
}

/// Most SMS that a view of a summary names.
pub const MOST_FOLDED_SHOWN: usize = 100;

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Try {
    /// Which, from 1.
    pub attempt: u32,
    /// By which gateway.
    pub gateway: Option<String>,
    /// By which channel.
    pub channel: Channel,
    /// When it began.
    pub began_at: Timestamp,
    /// When its end was written.
    pub ended_at: Option<Timestamp>,
    /// What came of it, in words.
    pub outcome: Option<String>,
}

/// What is known of one part by callbacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartView {
    /// By which channel.
    pub channel: Channel,
    /// Which part, from 1.
    pub part: u32,
    /// Of how many.
    pub parts: u32,
    /// What became of it.
    pub status: PartStatus,
    /// The platform's words.
    pub description: String,
    /// What it cost.
    pub price: Option<Price>,
    /// When the word came to us.
    pub at: Timestamp,
}

/// One line of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Into which state.
    pub state: State,
    /// Why, in words.
    pub note: String,
}

/// One outgoing mail, as a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailView {
    /// The mail.
    pub mail: OutgoingMail,
    /// `due`, `claimed`, `sent` or `failed`.
    pub state: String,
    /// Attempts begun.
    pub attempts: u32,
    /// Every move: when, into which state, why.
    pub events: Vec<MailEvent>,
}

/// One line of a mail's timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailEvent {
    /// When.
    pub at: Timestamp,
    /// `due`, `claimed`, `sent` or `failed`.
    pub state: String,
    /// Why, in words.
    pub note: String,
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// SMS that wait on purpose.
    pub held: usize,
    /// SMS that a summary tells of which has not ended.
    pub folded: usize,
    /// SMS to be sent.
    pub due: usize,
    /// SMS under way to the platform.
    pub claimed: usize,
    /// SMS of unknown outcome.
    pub unknown: usize,
    /// SMS that the platform has and the handset has not confirmed.
    pub sent: usize,
    /// Mails not yet sent.
    pub mail: usize,
    /// Programs not yet told.
    pub tellings: usize,
}

/// How the budgets stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budgets {
    /// Each that something was charged to, or was to be, in its current period.
    pub spent: Vec<Spent>,
    /// How many SMS wait for one.
    pub held: u64,
}

/// One period of a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The budget's key; see [`crate::budget::key()`].
    pub key: String,
    /// The first moment of the period.
    pub begins: Timestamp,
    /// The first moment of the next one.
    pub ends: Timestamp,
    /// How much is spent: parts, or millionths of the account's currency.
    pub amount: u64,
}
