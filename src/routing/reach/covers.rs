//! Whether all that meets one set of conditions meets another, as far as that is sure.

use std::cell::Cell;

use ipnet::IpNet;

use crate::rota::Days;
use crate::routing::conditions::{Asked, Conditions};
use crate::routing::moment::{Moment, WEEK};

/// Most comparisons of two rules; what takes more is not sure.
const MAX_STEPS: u32 = 200;

/// Conditions that hold together.
#[derive(Clone, Debug)]
pub(super) struct Together<'a> {
    /// Each of them holds.
    pub(super) all: Vec<&'a Conditions>,
    /// Those of them whose `any` is still to be looked at, branch by branch.
    pub(super) open: Vec<&'a Conditions>,
}

impl<'a> Together<'a> {
    /// One, and what stands in its `all`.
    pub(super) fn of(one: &'a Conditions) -> Self {
        let mut all = Vec::new();
        spread(one, &mut all);
        Self { open: all.clone(), all }
    }

    /// The same where a branch of `split`'s `any` holds, too.
    pub(super) fn with_branch(&self, split: &'a Conditions, branch: &'a Conditions) -> Self {
        let Self { all: branches, .. } = Self::of(branch);
        let left = self.open.iter().filter(|one| !std::ptr::eq(**one, split)).copied();
        let open = left.chain(branches.iter().copied()).collect();
        Self { all: self.all.iter().copied().chain(branches).collect(), open }
    }
}

fn spread<'a>(one: &'a Conditions, all: &mut Vec<&'a Conditions>) {
    all.push(one);
    one.all.iter().flatten().for_each(|inner| spread(inner, all));
}

/// Whether everything that meets `narrow` meets `wide` too.
pub(super) fn covers(wide: &Conditions, narrow: &Together<'_>) -> bool {
    follows(wide, narrow, &Cell::new(MAX_STEPS))
}

fn follows(wide: &Conditions, narrow: &Together<'_>, steps: &Cell<u32>) -> bool {
    let Some(left) = steps.get().checked_sub(1) else { return false };
    steps.set(left);
    let as_it_is = leaves_follow(wide, narrow)
        && wide.all.iter().flatten().all(|one| follows(one, narrow, steps))
        && wide.any.as_ref().is_none_or(|list| list.iter().any(|one| follows(one, narrow, steps)))
        && wide.not.iter().flatten().all(|excluded| {
            let excluded = Together::of(excluded);
            let mut others = narrow.all.iter().flat_map(|one| one.not.iter().flatten());
            others.any(|other| follows(other, &excluded, steps))
        });
    as_it_is
        || narrow.open.iter().any(|split| {
            let branches = split.any.as_deref().unwrap_or_default();
            !branches.is_empty()
                && branches.iter().all(|branch| follows(wide, &narrow.with_branch(split, branch), steps))
        })
}

fn leaves_follow(wide: &Conditions, narrow: &Together<'_>) -> bool {
    let names = |own: &[String], wide: &[String]| own.iter().all(|name| wide.contains(name));
    let inside =
        |own: &[IpNet], wide: &[IpNet]| own.iter().all(|net| wide.iter().any(|outer| outer.contains(net)));
    wide.asked().all(|wide| {
        let mut own = narrow.all.iter().flat_map(|one| one.asked());
        match wide {
            Asked::Door(wide) => own.any(|own| matches!(own, Asked::Door(own) if own == wide)),
            Asked::Networks(wide) => own.any(|own| matches!(own, Asked::Networks(own) if inside(own, wide))),
            Asked::Listeners(wide) => own.any(|own| matches!(own, Asked::Listeners(own) if names(own, wide))),
            Asked::Accounts(wide) => own.any(|own| matches!(own, Asked::Accounts(own) if names(own, wide))),
            Asked::Moment(wide) => moment_follows(wide, narrow),
            Asked::Words(about, wide) => own
                .any(|own| matches!(own, Asked::Words(other, own) if other.is(about) && own.are_among(wide))),
        }
    })
}

fn moment_follows(wide: &Moment, narrow: &Together<'_>) -> bool {
    let moments = || narrow.all.iter().filter_map(|one| one.moment.as_deref());
    let same = || moments().filter(|own| own.zone == wide.zone);
    let are_days = |own: Days, wide: Days| WEEK.iter().all(|day| !own.contains(*day) || wide.contains(*day));
    wide.times
        .as_ref()
        .is_none_or(|wide| same().any(|own| own.times.as_ref().is_some_and(|own| own.are_among(wide))))
        && wide
            .weekdays
            .is_none_or(|wide| same().any(|own| own.weekdays.is_some_and(|own| are_days(own, wide))))
        && wide
            .dates
            .as_ref()
            .is_none_or(|wide| same().any(|own| own.dates.as_ref().is_some_and(|own| own.are_among(wide))))
}
