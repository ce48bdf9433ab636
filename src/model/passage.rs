//! What stands between an SMS and the platform: storms are folded, limits and budgets hold.

use std::time::Duration;

use jiff::civil::Time;
use serde::{Deserialize, Serialize};

/// What an SMS has to pass once it would be due, by the rules that it was accepted by. The empty one lets it pass.
///
/// The spool asks in this order: [`pairing`](Self::pairing), [`quiet`](Self::quiet), [`similar`](Self::similar),
/// [`digest`](Self::digest), [`limits`](Self::limits), [`budgets`](Self::budgets).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Passage {
    /// It neither folds nor waits for a limit, but counts for limits: what is critical, one-time passwords, and what a
    /// rule lets pass.
    pub is_exempt: bool,
    /// No budget's hold level holds it, only a ceiling: what is critical, and one-time passwords.
    pub passes_hold: bool,
    /// Where its text is several SMS: they pass together or not at all, and are one of what a summary tells of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pieces: Option<Pieces>,
    /// Hours in which its phone gets nothing that can wait: it is held until they end, whenever it would be due, and
    /// counts for nothing before. Empty for what need not wait.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quiet: Vec<QuietSpan>,
    /// Those that say nearly the same within a while are told by one summary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similar: Option<Similar>,
    /// It is told together with others, at intervals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// All of these must have room; what finds none is told by the next summary.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// Problem and recovery.
    pub pairing: Pairing,
    /// All of these must have room; what finds none is held.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<Charge>,
    /// How a summary is written that it folds into.
    pub summary: SummaryForm,
    /// Of an escalation: how long those that it takes the place of may be without a delivery, from when they go. Where a
    /// summary tells of them, from when that goes. Where nothing folds it means nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalates_after: Option<Duration>,
    /// The id of the submission that it counts as in the limit of its source, where that is not its own: summaries to
    /// several phones of what came in together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts_as: Option<String>,
}

/// Several SMS that are one text, all of one submission and to one phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pieces {
    /// The ordinal of the first of them; the others follow it.
    pub first: u32,
    /// How many they are, at least 2.
    pub count: u32,
}

/// Hours of some days of the week.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuietSpan {
    /// The days on which they begin: bit 0 stands for Monday, bit 6 for Sunday.
    pub days: u8,
    /// When they begin.
    pub from: Time,
    /// When they end: the next such time, so that one that is the same as `from` makes it a whole day.
    pub to: Time,
    /// The IANA name of the time zone whose clock shows it; `None` is that of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// Those with the same key within a window fold: the first goes at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Similar {
    /// What is the same about them.
    pub key: String,
    /// From the first one, or from the summary before.
    pub window: Duration,
}

/// Those with the same key are told together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// What they are gathered by.
    pub key: String,
    /// How long the first of them waits.
    pub every: Duration,
}

/// Most SMS in a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// What is counted together: the scope's phone or source, in a form that is the same after a restart.
    pub key: String,
    /// Whose limit it is.
    pub scope: LimitScope,
    /// All of these hold at once; at least one.
    pub steps: Vec<LimitStep>,
}

/// Whose limit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitScope {
    /// The phone's: SMS that go to it.
    Destination,
    /// The client's: mails and forms, each counted once however many phones it is for.
    Source,
}

/// At most so many in any such while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitStep {
    /// How many, at least 1.
    pub most: u32,
    /// In how long.
    pub within: Duration,
}

/// By what a recovery finds its problem.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pairing {
    /// What a recovery would name: kept while this SMS is held or folded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<String>,
    /// Held and folded SMS to the same phone with one of these as their own are ended by this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<String>,
}

/// How a summary is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SummaryForm {
    /// In how many parts at most, at least 1.
    pub parts: u32,
    /// The IANA name of the time zone of its times; `None` is that of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

impl Default for SummaryForm {
    fn default() -> Self {
        Self { parts: 2, zone: None }
    }
}

/// A budget that an SMS is charged to, and what it takes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// Which budget, in a form that is the same after a restart.
    pub key: String,
    /// From when to when it is counted.
    pub period: Period,
    /// In what.
    pub unit: Unit,
    /// What this SMS takes of it, as predicted; the platform's own price takes its place once it is known.
    pub amount: u64,
    /// From here on the operator is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warn: Option<u64>,
    /// What would go beyond is held, but for what [passes](Passage::passes_hold).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<u64>,
    /// What would go beyond is held, whatever it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<u64>,
    /// The IANA name of the time zone whose days these are; `None` is that of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// How long a budget lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From the first to the last.
    Month,
}

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Parts of SMS.
    Parts,
    /// Millionths of the account's currency.
    Money,
}

impl Pieces {
    /// The ordinal of the last of them.
    pub fn last(self) -> u32 {
        self.first.saturating_add(self.count.saturating_sub(1))
    }
}

impl Passage {
    /// Whether nothing stands in the way, nor counts.
    pub fn is_empty(&self) -> bool {
        let Self {
            is_exempt: _,
            passes_hold: _,
            pieces: _,
            quiet,
            similar,
            digest,
            limits,
            pairing,
            budgets,
            summary: _,
            escalates_after: _,
            counts_as: _,
        } = self;
        quiet.is_empty()
            && similar.is_none()
            && digest.is_none()
            && limits.is_empty()
            && *pairing == Pairing::default()
            && budgets.is_empty()
    }

    /// The limits of its phone.
    pub fn phone_limits(&self) -> Vec<&Limit> {
        self.limits.iter().filter(|limit| limit.scope == LimitScope::Destination).collect()
    }

    /// Whether it has to pass again where it has waited since it passed.
    pub fn is_asked_again(&self) -> bool {
        !self.quiet.is_empty() || self.limits.iter().any(|limit| limit.scope == LimitScope::Destination)
    }
}
