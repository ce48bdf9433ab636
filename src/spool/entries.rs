//! What the spool hands out to be worked on, and what it is told of it.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{
    Cause, Channel, Client, FinalState, Lane, MessageId, OnUnknown, Original, OutgoingMail, Price, Recipient,
    ReportTo, Sms, State, SubmissionId, TellUrl, Way,
};

/// Most SMS of one [`Call`].
pub const MOST_IN_A_CALL: usize = 200;

/// How many calls a gateway can take now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// The gateway.
    pub gateway: String,
    /// Calls of each lane, by [`Lane::index`]. Every call that is claimed takes one of each, so that fewer for
    /// the less urgent ones keep some free for the more urgent ones.
    pub calls: [usize; 3],
    /// Whether its messages wait here when there is no room: it is only busy. Otherwise it is shut, at fault or
    /// paused for long, and what finds no room here goes by its next gateway.
    pub is_open: bool,
    /// Whether its last calls broke, so that the next may tie a message to it for long. What is critical does not go
    /// there while one of its other gateways is open.
    pub may_hang: bool,
}

/// What goes to the platform in one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// By which gateway.
    pub gateway: String,
    /// By which of its doors.
    pub way: Way,
    /// One SMS; several by [`Way::Legacy`] only, all with the same sender, text and options.
    pub messages: Vec<Claimed>,
}

/// An SMS that the caller now has to try.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// What to send.
    pub sms: Sms,
    /// Which attempt this is, from 1; its beginning is on disk.
    pub attempt: u32,
    /// When the submission was accepted.
    pub accepted_at: Timestamp,
    /// When the SMS is given up.
    pub expires_at: Timestamp,
    /// Its lane.
    pub lane: Lane,
    /// Whether another way follows when this one fails.
    pub has_next_way: bool,
    /// How long this way may stay silent after the platform accepted it, where another one follows.
    pub silence: Option<Duration>,
    /// How often in a row the gateway that it goes by has said that it did not take it, by [`Again::Counted`].
    pub failures: u32,
    /// Whether its order has another gateway besides.
    pub has_other_gateway: bool,
}

/// An SMS that the platform is to be asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which SMS.
    pub id: MessageId,
    /// Its latest attempt.
    pub attempt: u32,
    /// How often it has been asked about in this state before; 0 the first time.
    pub asked: u32,
    /// When it came into this state.
    pub since: Timestamp,
    /// When the SMS is given up.
    pub expires_at: Timestamp,
    /// The channel that it went by.
    pub channel: Channel,
    /// When the platform cannot tell whether it has it.
    pub on_unknown: OnUnknown,
    /// Whether the platform was only to check it and to send nothing, by the SMS's own options.
    pub is_simulation: bool,
    /// Whether another way follows when this one fails.
    pub has_next_way: bool,
    /// When this way counts as silent and the next is tried; `None` where none follows.
    pub silent_at: Option<Timestamp>,
}

/// What became of an attempt or a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The platform has it; ask at `ask_at` whether it arrived.
    Sent {
        /// The platform's count of parts.
        parts: Option<u32>,
        /// Whether the platform took it as UCS-2.
        unicode: Option<bool>,
        /// The platform's own id, where it gave another than ours.
        platform_id: Option<String>,
        /// When to ask first.
        ask_at: Timestamp,
        /// Words for the timeline.
        note: String,
    },
    /// Try again at `at`.
    Retry {
        /// When.
        at: Timestamp,
        /// Why.
        cause: Cause,
        /// By which of its gateways.
        by: Again,
    },
    /// This way failed; try the next one, at once.
    NextWay {
        /// Why.
        cause: Cause,
    },
    /// Nobody can say whether it was taken; ask at `ask_at`.
    Unknown {
        /// When to ask.
        ask_at: Timestamp,
        /// Why.
        cause: Cause,
    },
    /// Asked, and nothing new; ask again at `ask_at`. For an SMS that is unknown or sent. Leaves no
    /// line in the timeline.
    AskAgain {
        /// When.
        ask_at: Timestamp,
    },
    /// The end. The class of the cause's status says which reports are wanted: 2 a success, 5 a failure.
    Final {
        /// Which end.
        state: FinalState,
        /// Why.
        cause: Cause,
    },
}

/// By which of its gateways an SMS is tried again. It is as accepted once more when its next way begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Again {
    /// In their order.
    InOrder,
    /// In their order; the gateway has said that it did not take this one, and that counts. See
    /// [`Claimed::failures`].
    Counted,
    /// In their order, which from now on begins behind the gateway that it went by: the others are tried before it.
    OthersFirst {
        /// All gateways that there are, which is the order where it names none.
        known: Vec<String>,
    },
    /// By the one that it went by and no other, since that one may have it.
    Same,
}

/// What the platform's word about a part came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Something new; where the SMS is now, and by which gateway it went.
    New {
        /// Which SMS.
        id: MessageId,
        /// Where it is now.
        state: State,
        /// The gateway of its last attempt, if it had any.
        gateway: Option<String>,
    },
    /// New, but about an SMS that had ended before.
    Late {
        /// Which SMS.
        id: MessageId,
        /// How it had ended.
        state: FinalState,
    },
    /// All of it was known.
    Repeated,
    /// About an id that nobody knows, while answers are awaited that may tell it: kept until then.
    Early,
    /// About an SMS that cannot be read back: it is set aside, and nothing was kept.
    Damaged,
    /// About no SMS of ours.
    UnknownId,
}

/// What somebody is told of an SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum News {
    /// How it ended.
    Ended,
    /// That it is late.
    Delayed,
    /// That its recipient stands for several phones.
    Expanded,
}

/// News of one submission that somebody is to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The submission.
    pub submission: SubmissionId,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// Who handed it in.
    pub client: Client,
    /// Who is told.
    pub report_to: ReportTo,
    /// What is returned of it.
    pub original: Original,
    /// The news, by ordinal; never empty.
    pub outcomes: Vec<Outcome>,
}

/// One SMS of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What is to be told of it.
    pub news: News,
    /// The SMS.
    pub sms: Sms,
    /// The recipient that it came from.
    pub recipient: Recipient,
    /// Where it is. Final for [`News::Ended`].
    pub state: State,
    /// Why; for [`News::Delayed`] why it waits, as far as that is known.
    pub cause: Cause,
    /// When it ended, became late, or was accepted, as the news is.
    pub at: Timestamp,
    /// The gateway of its last attempt, if it had any.
    pub gateway: Option<String>,
    /// When it was last tried, if ever.
    pub last_attempt_at: Option<Timestamp>,
    /// When it is given up: `Will-Retry-Until`.
    pub expires_at: Timestamp,
    /// Whether it goes in place of the others of its recipient: a text of its own, also where it goes to one
    /// of their phones.
    pub is_escalation: bool,
    /// The other SMS of the same recipient to the same phone: the pieces of one text.
    pub siblings: Siblings,
}

/// What is known of the other pieces of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Siblings {
    /// Not final yet.
    pub unfinished: u32,
    /// Ended as a failure.
    pub failed: u32,
    /// Of these, those of which somebody was told already.
    pub failure_told: u32,
    /// Whether somebody was told already that one of them is late.
    pub delay_told: bool,
}

/// A program that is to be told how an SMS ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Telling {
    /// Which SMS.
    pub id: MessageId,
    /// Whom to call.
    pub to: TellUrl,
    /// Which attempt of the call this is, from 1.
    pub attempt: u32,
    /// When the SMS ended.
    pub ended_at: Timestamp,
    /// The recipient as the form named it.
    pub recipient: String,
    /// The SMS.
    pub sms: Sms,
    /// How it ended.
    pub state: FinalState,
    /// Why.
    pub cause: Cause,
    /// What it cost, as far as the platform said.
    pub price: Option<Price>,
}

/// What became of telling a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TellStep {
    /// It knows.
    Told,
    /// Try again at `at`.
    Retry {
        /// When.
        at: Timestamp,
        /// Why.
        cause: Cause,
    },
    /// It was not called after all: its attempt does not count, and it may be called at `at`.
    NotCalled {
        /// When.
        at: Timestamp,
        /// Why.
        cause: Cause,
    },
    /// It cannot be told.
    Failed {
        /// Why.
        cause: Cause,
    },
}

/// A mail that the caller now has to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedMail {
    /// The mail.
    pub mail: OutgoingMail,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// What became of an outgoing mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailStep {
    /// The smarthost took it.
    Sent,
    /// Try again at `at`.
    Retry {
        /// When.
        at: Timestamp,
        /// Why.
        cause: Cause,
    },
    /// It can't be delivered; `instead` is committed with that fact.
    Failed {
        /// Why.
        cause: Cause,
        /// A mail to the operator in its place.
        instead: Option<OutgoingMail>,
    },
}

/// The longest waits that there can be in the queues, by what was configured. See
/// [`shorten_waits`](super::Spool::shorten_waits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// Of an SMS that is tried again.
    pub due: Duration,
    /// Of a question whether the platform has an SMS.
    pub unknown: Duration,
    /// Of a question whether an SMS has arrived.
    pub sent: Duration,
    /// Of a mail.
    pub mail: Duration,
    /// Of a call to a program.
    pub tellings: Duration,
}

/// What bites. The first comes first in a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// A budget.
    Budget,
    /// A limit, of which there may be one for each phone.
    Limit,
}

/// Something that the operator is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its row. A later one is higher.
    pub seq: i64,
    /// What bites.
    pub topic: Topic,
    /// When it happened.
    pub at: Timestamp,
    /// What it is about, in one line.
    pub about: String,
    /// Sentences.
    pub words: String,
}
