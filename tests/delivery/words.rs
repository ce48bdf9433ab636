//! What a row of the table is written in.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use sms_relay::emulator::{Fault, Outcome};
use sms_relay::model::OnUnknown;

/// A cell of the contract's table, by what the platform answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// 200 and accepted.
    Accepted,
    /// 200 and not accepted.
    NotAccepted,
    /// 200 with a body that cannot be read.
    Unreadable,
    /// This status code.
    Code(u16),
    /// This status code, and how `Retry-After` says for how long.
    Later(u16, Form),
    /// Nobody to talk to.
    NoConnection(Why),
    /// No answer in time after the request was written.
    TimeOut,
    /// The connection broke after the request was written.
    Broken,
    /// Nothing that the contract has a cell for; what the relay makes of it all the same.
    Beyond,
}

impl Cell {
    /// The contract's table, from top to bottom.
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::Accepted, Self::NotAccepted, Self::Unreadable];
        all.extend([400, 422].map(Self::Code));
        all.extend([401, 403, 404].map(Self::Code));
        for code in [408, 429] {
            all.extend(Form::ALL.map(|form| Self::Later(code, form)));
        }
        all.extend([500, 502, 503].map(Self::Code));
        all.extend(Why::ALL.map(Self::NoConnection));
        all.extend([Self::TimeOut, Self::Broken]);
        all
    }
}

/// How `Retry-After` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    Seconds,
    Date,
    Missing,
}

impl Form {
    pub const ALL: [Self; 3] = [Self::Seconds, Self::Date, Self::Missing];
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    Refused,
    Dns,
    Tls,
}

impl Why {
    pub const ALL: [Self; 3] = [Self::Refused, Self::Dns, Self::Tls];
}

/// By which of the platform's doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Universal,
    Legacy,
    Template,
}

impl By {
    pub const EACH: &[Self] = &[Self::Universal, Self::Legacy, Self::Template];
}

/// A fault of the emulator without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Status,
    Reset,
    Slow,
    Hold,
    Garbage,
    Truncated,
    Refuse,
    Partial,
    Delivered,
    Error,
    Expired,
    Never,
}

impl Kind {
    /// With both values of `recorded`, where there is one. The others are recorded as their kind says.
    const RECORDED: [Self; 6] =
        [Self::Status, Self::Reset, Self::Slow, Self::Hold, Self::Garbage, Self::Truncated];

    pub fn all_of_sends() -> Vec<(Self, bool)> {
        let mut all: Vec<_> =
            Self::RECORDED.into_iter().flat_map(|kind| [(kind, false), (kind, true)]).collect();
        all.push((Self::Refuse, false));
        all.extend(
            [Self::Partial, Self::Delivered, Self::Error, Self::Expired, Self::Never].map(|k| (k, true)),
        );
        all
    }

    /// To a question nothing is recorded.
    pub fn all_of_questions() -> Vec<(Self, bool)> {
        Self::RECORDED.into_iter().map(|kind| (kind, false)).collect()
    }

    /// A fault that is added to the emulator has to be added here, to the lists above, and to the table.
    fn of(fault: &Fault) -> (Self, bool) {
        match fault {
            Fault::Status { recorded, .. } => (Self::Status, *recorded),
            Fault::Reset { recorded } => (Self::Reset, *recorded),
            Fault::Slow { recorded, .. } => (Self::Slow, *recorded),
            Fault::Hold { recorded } => (Self::Hold, *recorded),
            Fault::Garbage { recorded } => (Self::Garbage, *recorded),
            Fault::Truncated { recorded } => (Self::Truncated, *recorded),
            Fault::Refuse { reasons: _ } => (Self::Refuse, false),
            Fault::Partial { processed: _ } => (Self::Partial, true),
            Fault::Deliver { outcome, delay_millis: _ } => match outcome {
                Outcome::Delivered => (Self::Delivered, true),
                Outcome::Error => (Self::Error, true),
                Outcome::Expired => (Self::Expired, true),
                Outcome::Never => (Self::Never, true),
            },
        }
    }
}

/// What the platform does with one call.
#[derive(Clone, Debug)]
pub enum Does {
    /// Nothing is wrong.
    Right,
    /// This.
    Fault(Fault),
    /// Asks for a pause with this code, if it says for how long. How long is the world's to say.
    Pause { code: u16, form: Form, recorded: bool },
    /// This, for longer than we wait.
    TooLong(Fault),
    /// Holds the call, and lets it go while we still wait.
    LetGo(Fault),
    /// It is not there.
    Away(Why),
}

impl Does {
    /// The fault to order, where `pause` is what it asks for.
    pub fn fault(&self, pause: Duration) -> Option<Fault> {
        match self {
            Self::Right | Self::Away(_) => None,
            Self::Fault(fault) | Self::TooLong(fault) | Self::LetGo(fault) => Some(fault.clone()),
            Self::Pause { code, form, recorded } => {
                let retry_after = match form {
                    Form::Seconds => Some(pause.as_secs().to_string()),
                    // A date has whole seconds: one more, so that it is no less than that.
                    Form::Date => {
                        let until = std::time::SystemTime::now() + pause + Duration::from_secs(1);
                        Some(httpdate::fmt_http_date(until))
                    }
                    Form::Missing => None,
                };
                Some(Fault::Status { code: *code, retry_after, body: None, recorded: *recorded })
            }
        }
    }

    pub fn kind(&self) -> Option<(Kind, bool)> {
        self.fault(Duration::ZERO).as_ref().map(Kind::of)
    }

    /// Whether the platform has the message after it.
    pub fn takes(&self) -> bool {
        match self {
            Self::Right | Self::LetGo(_) => true,
            Self::Away(_) => false,
            Self::Fault(Fault::Slow { .. }) => true,
            Self::Fault(_) | Self::Pause { .. } | Self::TooLong(_) => {
                self.kind().is_some_and(|(_, recorded)| recorded)
            }
        }
    }
}

/// What the gate before the gateway says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Open,
    Paused,
    Shut,
}

/// When something is done about the message next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It has ended.
    Never,
    /// As soon as the gate opens.
    Gate,
    /// It is tried again after the first wait of the back-off: half of it, or more by chance, to all of it.
    BackOff,
    /// When the pause is over that the platform asked for.
    Pause,
    /// The platform is asked whether it has it, after the time that is configured.
    Asked,
    /// The platform is asked whether it has arrived, after the time that is configured.
    Followed,
}

/// What whoever sent it is told of one phone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    pub action: String,
    pub status: String,
    /// `Diagnostic-Code`; what is expected is how it begins.
    pub diagnostic: String,
}

/// Told that it is late, while it waits, or that it failed, after the first answer.
pub fn told(action: &str, status: &str, diagnostic: &str) -> Told {
    Told { action: action.to_owned(), status: status.to_owned(), diagnostic: diagnostic.to_owned() }
}

/// Where a message is after the first answer.
#[derive(Clone, Debug)]
pub struct First {
    pub state: &'static str,
    pub next: Next,
    pub gate: Gate,
    pub told: Told,
}

/// The platform has it.
pub fn sent() -> First {
    let told = told("delayed", "4.4.0", "x-sms-relay; no status available yet");
    First { state: "sent", next: Next::Followed, gate: Gate::Open, told }
}

/// Final: it is reported with this code.
pub fn refused(diagnostic: &str) -> First {
    let told = told("failed", "5.3.0", diagnostic);
    First { state: "failed", next: Next::Never, gate: Gate::Open, told }
}

/// It waits for the gateway to be mended.
pub fn fault(diagnostic: &str) -> First {
    let told = told("delayed", "4.3.5", diagnostic);
    First { state: "due", next: Next::Gate, gate: Gate::Shut, told }
}

/// It waits with everybody else.
pub fn pause(status: &str, diagnostic: &str) -> First {
    let told = told("delayed", status, diagnostic);
    First { state: "due", next: Next::Pause, gate: Gate::Paused, told }
}

/// It waits alone.
pub fn back_off(status: &str, diagnostic: &str) -> First {
    let told = told("delayed", status, diagnostic);
    First { state: "due", next: Next::BackOff, gate: Gate::Open, told }
}

/// Nobody knows whether the platform has it.
pub fn unknown(status: &str, diagnostic: &str) -> First {
    let told = told("delayed", status, diagnostic);
    First { state: "unknown", next: Next::Asked, gate: Gate::Open, told }
}

/// How it ends, each phone by itself.
#[derive(Clone, Debug)]
pub struct End {
    /// The states that each phone's message went through.
    pub courses: Vec<&'static str>,
    pub told: Vec<Told>,
    /// Calls that send.
    pub sends: u64,
    /// Questions; `None` where it depends on how fast the machine is.
    pub asks: Option<u64>,
    /// Messages that the platform took.
    pub taken: usize,
    /// Between the first attempt and the second, at least; as the first answer wants it where nothing is said.
    pub wait: Option<Duration>,
}

/// What is told of a message in the last state of a course, where nothing else is said.
fn usual(course: &str) -> Told {
    match course.rsplit(' ').next() {
        Some("delivered") => told("delivered", "2.0.0", ""),
        Some("undelivered") => told("failed", "5.4.0", "x-qlara; "),
        Some("expired") => told("failed", "4.4.7", "x-qlara; "),
        _ => told("failed", "5.3.0", "x-qlara; http "),
    }
}

/// One phone, with this course.
pub fn end(course: &'static str) -> End {
    ends(&[course])
}

/// Several, each with its course.
pub fn ends(courses: &[&'static str]) -> End {
    End {
        courses: courses.to_vec(),
        told: courses.iter().map(|course| usual(course)).collect(),
        sends: 1,
        asks: Some(0),
        taken: courses.len(),
        wait: None,
    }
}

impl End {
    pub fn sends(self, sends: u64) -> Self {
        Self { sends, ..self }
    }

    pub fn asks(self, asks: u64) -> Self {
        Self { asks: Some(asks), ..self }
    }

    pub fn asks_some(self) -> Self {
        Self { asks: None, ..self }
    }

    pub fn taken(self, taken: usize) -> Self {
        Self { taken, ..self }
    }

    pub fn told(self, told: Told) -> Self {
        Self { told: vec![told; self.courses.len()], ..self }
    }

    pub fn after(self, wait: Duration) -> Self {
        Self { wait: Some(wait), ..self }
    }
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    pub cell: Cell,
    pub by: By,
    /// What the platform does with the calls that send, one after the other; nothing is wrong with later ones.
    pub sends: Vec<Does>,
    /// The same for questions.
    pub asks: Vec<Does>,
    /// The last of `asks` goes on for ever.
    pub never_tells: bool,
    /// Where nothing is done after the first answer; only the end counts without one.
    pub first: Option<First>,
    pub end: End,
    pub choice: OnUnknown,
    /// How long the platform is asked what it cannot tell.
    pub unknown_time: Duration,
    pub lifetime: Duration,
    /// Answers in the array form.
    pub array: bool,
    /// An SMS is the next way.
    pub then_sms: bool,
}

/// Long enough for everything here.
const LONG: Duration = Duration::from_secs(3600);

impl Row {
    pub fn new(cell: Cell, by: By, sends: Vec<Does>, first: Option<First>, end: End) -> Self {
        Self {
            cell,
            by,
            sends,
            asks: Vec::new(),
            never_tells: false,
            first,
            end,
            choice: OnUnknown::Resend,
            unknown_time: LONG,
            lifetime: LONG,
            array: false,
            then_sms: false,
        }
    }

    pub fn phones(&self) -> usize {
        self.end.courses.len()
    }

    /// Whether the platform says by a date for how long it wants a pause.
    pub fn has_date(&self) -> bool {
        let is_date = |does: &Does| matches!(does, Does::Pause { form: Form::Date, .. });
        self.sends.iter().chain(&self.asks).any(is_date)
    }

    /// Whether it ends by its lifetime.
    pub fn ends_by_time(&self) -> bool {
        self.lifetime < LONG
    }

    /// What the platform does first.
    pub fn first_does(&self) -> Does {
        self.sends.first().cloned().unwrap_or(Does::Right)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} by {:?}, {:?}", self.cell, self.by, self.sends)?;
        if self.asks.is_empty() { Ok(()) } else { write!(f, ", asked {:?}", self.asks) }
    }
}

/// `later` than `now`.
pub fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap()
}
