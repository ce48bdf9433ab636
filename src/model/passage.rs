//! What stands between an SMS and the platform: storms are folded, limits and budgets hold.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What an SMS has to pass once it would be due, by the rules that it was accepted by. The empty one lets it pass.
///
/// The spool asks in this order: [`pairing`](Self::pairing), [`similar`](Self::similar), [`digest`](Self::digest),
/// [`limits`](Self::limits), [`budgets`](Self::budgets).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Passage {
    /// It neither folds nor waits for a limit, but counts for limits and budgets, and is held only by a budget's
    /// second ceiling: what is critical, and one-time passwords.
    pub is_exempt: bool,
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
    /// What would go beyond is held, but for what is exempt.
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

impl Passage {
    /// Whether nothing stands in the way, nor counts.
    pub fn is_empty(&self) -> bool {
        let Self { is_exempt: _, similar, digest, limits, pairing, budgets, summary: _ } = self;
        similar.is_none()
            && digest.is_none()
            && limits.is_empty()
            && *pairing == Pairing::default()
            && budgets.is_empty()
    }
}
