//! Storms: what `[storm]` and the rules say of them, and what it comes to for one mail or form.

use std::time::Duration;

use crate::model::{LimitStep, SummaryForm};
use crate::pattern::Pattern;
use crate::wording::Template;

/// What a rule or the defaults say about storms. `None` leaves it to the defaults, or there to nothing.
#[derive(Clone, Debug, Default)]
pub struct Storming {
    /// What folds with similar ones; `Some(None)` is nothing.
    pub similar: Option<Option<SimilarBy>>,
    /// What is told together with others, at intervals; `Some(None)` is nothing.
    pub digest: Option<Option<DigestBy>>,
    /// Most SMS to one phone; empty for no limit.
    pub per_destination: Option<Vec<LimitStep>>,
    /// Most mails and forms of one source; empty for no limit.
    pub per_source: Option<Vec<LimitStep>>,
    /// In how many parts at most a summary is told.
    pub parts: Option<u32>,
    /// The IANA name of the time zone of a summary's times.
    pub zone: Option<String>,
    /// How a recovery finds its problem; `Some(None)` is not at all.
    pub pair: Option<Option<PairBy>>,
    /// `Some(true)`: nothing folds or waits for a limit. `Some(false)`: not even one-time passwords are looked for.
    pub exempt: Option<bool>,
}

/// What counts as similar.
#[derive(Clone, Debug)]
pub struct SimilarBy {
    /// How long after the first one, or a summary.
    pub window: Duration,
    /// What is the same about them; the words without numbers and times where there is none.
    pub key: Option<Template>,
}

/// How many different ones are told together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestBy {
    /// How long the first of them waits.
    pub every: Duration,
    /// In how many parts at most; those of a summary where there is none.
    pub parts: Option<u32>,
}

/// By what a recovery finds its problem.
#[derive(Clone, Debug)]
pub enum PairBy {
    /// A mail that answers another, by `In-Reply-To` or `References`, takes its place.
    Replies,
    /// Problem and recovery have the same key.
    Key {
        /// What both have.
        key: Template,
        /// What the subject or the text of a recovery has.
        recovery: Pattern,
    },
}

/// What holds for one mail or form.
#[derive(Clone, Debug, Default)]
pub struct StormPlan {
    /// What folds with similar ones.
    pub similar: Option<SimilarBy>,
    /// How long the first of many waits for the others.
    pub digest: Option<Duration>,
    /// Most SMS to one phone; empty for no limit.
    pub per_destination: Vec<LimitStep>,
    /// Most mails and forms of one source; empty for no limit.
    pub per_source: Vec<LimitStep>,
    /// How a summary is written.
    pub summary: SummaryForm,
    /// How a recovery finds its problem.
    pub pair: Option<PairBy>,
    /// What the operator says about it; `None` leaves it to lane and words.
    pub exempt: Option<bool>,
}

impl Storming {
    /// A rule whose SMS go out one by one, whatever comes.
    pub fn off() -> Self {
        Self {
            similar: Some(None),
            digest: Some(None),
            per_destination: Some(Vec::new()),
            per_source: Some(Vec::new()),
            pair: Some(None),
            ..Self::default()
        }
    }

    /// What `self`, a rule's word, and else `defaults` say.
    pub(super) fn plan(&self, defaults: &Self) -> StormPlan {
        fn over<T: Clone>(own: &Option<T>, default: &Option<T>) -> Option<T> {
            own.as_ref().or(default.as_ref()).cloned()
        }
        let digest = over(&self.digest, &defaults.digest).flatten();
        let parts = digest.and_then(|digest| digest.parts).or(self.parts).or(defaults.parts);
        StormPlan {
            similar: over(&self.similar, &defaults.similar).flatten(),
            digest: digest.map(|digest| digest.every),
            per_destination: over(&self.per_destination, &defaults.per_destination).unwrap_or_default(),
            per_source: over(&self.per_source, &defaults.per_source).unwrap_or_default(),
            summary: SummaryForm {
                parts: parts.unwrap_or(SummaryForm::default().parts),
                zone: over(&self.zone, &defaults.zone),
            },
            pair: over(&self.pair, &defaults.pair).flatten(),
            exempt: self.exempt.or(defaults.exempt),
        }
    }

    /// The named groups that the templates use which hold for a rule with this.
    pub(super) fn groups_over<'a>(&'a self, defaults: &'a Self) -> impl Iterator<Item = &'a str> {
        let similar = self.similar.as_ref().or(defaults.similar.as_ref()).and_then(Option::as_ref);
        let pair = self.pair.as_ref().or(defaults.pair.as_ref()).and_then(Option::as_ref);
        let of_pair = pair.and_then(|pair| match pair {
            PairBy::Key { key, .. } => Some(key),
            PairBy::Replies => None,
        });
        let keys = similar.and_then(|similar| similar.key.as_ref()).into_iter().chain(of_pair);
        keys.flat_map(Template::groups).map(String::as_str)
    }
}

impl StormPlan {
    /// Whether SMS go out one by one, whatever comes.
    pub fn is_off(&self) -> bool {
        let Self { similar, digest, per_destination, per_source, summary: _, pair, exempt: _ } = self;
        similar.is_none()
            && digest.is_none()
            && per_destination.is_empty()
            && per_source.is_empty()
            && pair.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(most: u32, seconds: u64) -> LimitStep {
        LimitStep { most, within: Duration::from_secs(seconds) }
    }

    fn defaults() -> Storming {
        Storming {
            similar: Some(Some(SimilarBy { window: Duration::from_secs(600), key: None })),
            digest: Some(Some(DigestBy { every: Duration::from_secs(900), parts: Some(3) })),
            per_destination: Some(vec![step(1, 60)]),
            per_source: Some(vec![step(9, 60)]),
            parts: Some(1),
            zone: Some("Europe/Rome".to_owned()),
            pair: Some(Some(PairBy::Replies)),
            exempt: None,
        }
    }

    #[test]
    fn a_rule_s_word_counts_key_by_key() {
        let own = Storming {
            digest: Some(None),
            per_destination: Some(vec![step(2, 60)]),
            exempt: Some(true),
            ..Storming::default()
        };
        let plan = own.plan(&defaults());
        assert_eq!(plan.similar.as_ref().map(|similar| similar.window), Some(Duration::from_secs(600)));
        assert_eq!((plan.digest, plan.exempt), (None, Some(true)));
        assert_eq!(
            (plan.per_destination.clone(), plan.per_source.clone()),
            (vec![step(2, 60)], vec![step(9, 60)])
        );
        assert_eq!(plan.summary, SummaryForm { parts: 1, zone: Some("Europe/Rome".to_owned()) });
        assert!(matches!(plan.pair, Some(PairBy::Replies)));
        assert!(!plan.is_off());
        let plan = Storming::default().plan(&defaults());
        assert_eq!((plan.digest, plan.summary.parts), (Some(Duration::from_secs(900)), 3));
    }

    #[test]
    fn a_rule_may_be_off_and_nothing_is_said_by_default() {
        assert!(Storming::off().plan(&defaults()).is_off());
        let plan = Storming::default().plan(&Storming::default());
        assert!(plan.is_off());
        assert_eq!((plan.summary, plan.exempt), (SummaryForm::default(), None));
    }
}
