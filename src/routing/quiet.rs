//! Quiet hours: when a phone gets nothing that can wait, since whoever carries it sleeps.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use super::fault::{Fault, FaultKind, Place};
use super::names::Names;
use crate::model::{DialPlan, PhoneNumber, QuietSpan};
use crate::rota::{ZonedHours, first_outside};

/// Days from which it is looked whether quiet hours end: clocks in one zone may have changed while those in another have
/// not, and every combination lasts for some weeks.
const MONTHS: std::ops::RangeInclusive<i8> = 1..=12;
const YEAR: i16 = 2026;

/// Quiet hours as written.
#[derive(Clone, Debug)]
pub struct QuietHours {
    /// Numbers and aliases; at least one, and none with a rota behind it.
    pub who: Vec<String>,
    /// When.
    pub hours: ZonedHours,
}

/// All quiet hours, by phone.
#[derive(Clone, Debug, Default)]
pub(super) struct Quiet(BTreeMap<PhoneNumber, Vec<ZonedHours>>);

impl Quiet {
    /// When what would be due at `at` may be: then, or at the end of the phone's quiet hours.
    pub(super) fn awake_from(&self, phone: &PhoneNumber, at: Timestamp) -> Timestamp {
        // `read` lets none in that never end.
        self.0.get(phone).and_then(|hours| first_outside(hours, at)).unwrap_or(at)
    }

    /// Those of the phone as data, for what is accepted for it.
    pub(super) fn spans(&self, phone: &PhoneNumber) -> Vec<QuietSpan> {
        self.0.get(phone).into_iter().flatten().map(ZonedHours::to_span).collect()
    }
}

/// Reads them; what is wrong goes to `faults` and the rest is kept.
pub(super) fn read(written: &[QuietHours], names: &Names, plan: &DialPlan, faults: &mut Vec<Fault>) -> Quiet {
    let mut quiet: BTreeMap<PhoneNumber, Vec<ZonedHours>> = BTreeMap::new();
    let mut told = BTreeSet::new();
    for (index, one) in written.iter().enumerate() {
        for (who, name) in one.who.iter().enumerate() {
            let mut fault = |kind| faults.push(Fault { place: Place::Quiet { index, who }, kind });
            let phones = match phones(name, names, plan) {
                Ok(phones) => phones,
                Err(kind) => {
                    fault(kind);
                    continue;
                }
            };
            for phone in phones {
                let hours = quiet.entry(phone.clone()).or_default();
                if !hours.contains(&one.hours) {
                    hours.push(one.hours.clone());
                }
                if !ends(hours) && told.insert(phone) {
                    fault(FaultKind::QuietForever(name.clone()));
                }
            }
        }
    }
    Quiet(quiet)
}

fn phones(name: &str, names: &Names, plan: &DialPlan) -> Result<Vec<PhoneNumber>, FaultKind> {
    let lower = name.trim().to_lowercase();
    if names.contains(&lower) {
        let fixed = names.fixed_phones(&lower).map(<[PhoneNumber]>::to_vec);
        return fixed.ok_or_else(|| FaultKind::QuietRota(name.to_owned()));
    }
    PhoneNumber::parse(name, plan).map(|phone| vec![phone]).map_err(FaultKind::QuietTarget)
}

/// Whether there is always a moment after them.
fn ends(hours: &[ZonedHours]) -> bool {
    let first = |month| -> Date { date(YEAR, month, 1) };
    let begin = |day: Date| day.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp());
    MONTHS.filter_map(|month| begin(first(month))).all(|at| first_outside(hours, at).is_some())
}
