//! Rules that can never match, as far as that can be told without solving regular expressions.
//!
//! Told: an empty or unknown name, conditions that exclude each other, a network from which nobody is let in, a condition about
//! mail on a rule that only form posts can reach, and a rule behind one that asks for the same or less.

mod covers;

use ipnet::IpNet;

use super::build::{KnownAccount, KnownListener};
use super::conditions::{Conditions, MAX_NESTING};
use super::fault::{Fault, FaultKind, Place};
use super::moment::{Moment, WEEK};
use super::rule::{Action, Rule};
use crate::model::Door;
use covers::{Together, covers};

/// One fault for each rule that can never match, or names what there is not.
pub(super) fn unreachable(
    rules: &[Rule],
    listeners: &[KnownListener],
    accounts: &[KnownAccount],
) -> Vec<Fault> {
    let world = World { listeners, accounts };
    let mut faults = Vec::new();
    // Those that are asked in vain behind one that takes all they want.
    let mut ending: Vec<&Rule> = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        // Deeper ones are a fault of their own.
        if rule.when.depth(MAX_NESTING + 1) > MAX_NESTING {
            continue;
        }
        let together = Together::of(&rule.when);
        let fault = world.misnamed(rule).or_else(|| world.impossible(&rule.name, &together)).or_else(|| {
            let by = ending.iter().find(|earlier| covers(&earlier.when, &together))?;
            Some((None, FaultKind::Shadowed { rule: rule.name.clone(), by: by.name.clone() }))
        });
        if let Some((key, kind)) = fault {
            faults.push(Fault { place: Place::Rule { index, key }, kind });
        } else if !matches!(&rule.action, Action::Send(send) if send.continues) {
            ending.push(rule);
        }
    }
    faults
}

struct World<'a> {
    listeners: &'a [KnownListener],
    accounts: &'a [KnownAccount],
}

/// A fault with the key whose place it is.
type Found = Option<(Option<&'static str>, FaultKind)>;

impl World<'_> {
    /// What is empty, or named and not there.
    fn misnamed(&self, rule: &Rule) -> Found {
        let name = || rule.name.clone();
        if let Some(key) = empty_list(&rule.when) {
            return Some((Some(key), FaultKind::EmptyCondition { rule: name(), key }));
        }
        if let Some((key, missing)) = self.unknown(&rule.when) {
            return Some((Some(key), FaultKind::NoSuch { rule: name(), key, name: missing.clone() }));
        }
        rule.when.inner().find_map(|(outer, list)| {
            let kind = match list.is_empty() {
                true => Some(FaultKind::NoCondition { rule: name(), key: outer }),
                false => list.iter().find_map(|one| self.misnamed_within(&rule.name, outer, one)),
            };
            kind.map(|kind| (Some(outer), kind))
        })
    }

    fn misnamed_within(&self, rule: &str, outer: &'static str, one: &Conditions) -> Option<FaultKind> {
        let name = || rule.to_owned();
        if one.is_empty() {
            return Some(FaultKind::NoCondition { rule: name(), key: outer });
        }
        if let Some(key) = empty_list(one) {
            return Some(FaultKind::EmptyCondition { rule: name(), key });
        }
        if let Some((key, missing)) = self.unknown(one) {
            return Some(FaultKind::NoSuchInner { rule: name(), key, name: missing.clone() });
        }
        one.inner().find_map(|(key, list)| match list.is_empty() {
            true => Some(FaultKind::NoCondition { rule: name(), key }),
            false => list.iter().find_map(|inner| self.misnamed_within(rule, key, inner)),
        })
    }

    /// A name of what is not there.
    fn unknown<'c>(&self, one: &'c Conditions) -> Option<(&'static str, &'c String)> {
        let no_listener = |wanted: &&String| !self.listeners.iter().any(|known| known.name == **wanted);
        let no_account = |wanted: &&String| !self.accounts.iter().any(|known| known.name == **wanted);
        let listener = one.listeners.iter().flatten().find(no_listener).map(|name| ("listener", name));
        listener.or_else(|| one.accounts.iter().flatten().find(no_account).map(|name| ("account", name)))
    }

    /// What keeps conditions from holding together.
    fn impossible(&self, rule: &str, together: &Together<'_>) -> Found {
        let contradiction =
            |key, why: String| Some((Some(key), FaultKind::Contradiction { rule: rule.to_owned(), why }));
        if let Some(key) = excluded(&together.all) {
            return contradiction(key, format!("what it asks for by `{key}` excludes each other"));
        }
        if let Some(found) = self.not_let_in(rule, &together.all) {
            return Some(found);
        }
        let mut excluded = together.all.iter().flat_map(|one| one.not.iter().flatten());
        if excluded.any(|excluded| covers(excluded, together)) {
            return contradiction("not", "its `not` excludes everything that it asks for".to_owned());
        }
        for split in &together.open {
            let Some(branches) = split.any.as_deref().filter(|branches| !branches.is_empty()) else {
                continue;
            };
            let is_impossible = |branch: &Conditions| {
                // The branches of one `any` at a time: those of others would multiply them.
                let own = together.with_branch(split, branch);
                let open = Together::of(branch).open;
                self.impossible(rule, &Together { open, ..own }).is_some()
            };
            if branches.iter().all(is_impossible) {
                return contradiction(
                    "any",
                    "no branch of its `any` can hold together with the rest".to_owned(),
                );
            }
        }
        None
    }

    /// What of the doors, and of who is let in there, keeps conditions from holding together.
    fn not_let_in(&self, rule: &str, together: &[&Conditions]) -> Found {
        let name = || rule.to_owned();
        let is_named = |known: &str, of: fn(&Conditions) -> &Option<Vec<String>>| {
            together.iter().all(|one| of(one).as_ref().is_none_or(|wanted| wanted.iter().any(|w| w == known)))
        };
        let door = together.iter().find_map(|one| one.door);
        let has_listeners = door.is_some() || together.iter().any(|one| one.listeners.is_some());
        let has_accounts = together.iter().any(|one| one.accounts.is_some());
        let named: Vec<&KnownListener> = self
            .listeners
            .iter()
            .filter(|known| door.is_none_or(|door| known.door == door))
            .filter(|known| is_named(&known.name, |one| &one.listeners))
            .collect();
        if door.is_some() && named.is_empty() {
            let why = match together.iter().any(|one| one.listeners.is_some()) {
                true => "`listener` names none of the kind that it asks for by `door`".to_owned(),
                false => "there is no listener of the kind that it asks for by `door`".to_owned(),
            };
            return Some((Some("door"), FaultKind::Contradiction { rule: name(), why }));
        }
        // The doors that are left to the rule, by its listeners and by its accounts.
        let of_accounts = |door: Door| {
            self.accounts.iter().filter(move |known| {
                known.door == door && has_accounts && is_named(&known.name, |one| &one.accounts)
            })
        };
        let left = |door: Door| {
            (!has_listeners || named.iter().any(|known| known.door == door))
                && (!has_accounts || of_accounts(door).next().is_some())
        };
        let (by_smtp, by_http) = (left(Door::Smtp), left(Door::Http));
        // What the relay itself hands in comes from this machine, and has no account.
        let by_relay = !has_accounts && named.iter().any(|known| known.door == Door::Relay);
        if !by_smtp && !by_http && !by_relay {
            let door = if of_accounts(Door::Smtp).next().is_some() { Door::Smtp } else { Door::Http };
            return Some((Some("account"), FaultKind::AccountElsewhere { rule: name(), door }));
        }
        let about_mail = ["helo", "envelope_sender", "header_sender", "header"];
        let mut asked = together.iter().flat_map(|one| one.patterns()).map(|(key, _)| key);
        if let Some(key) = asked.find(|key| about_mail.contains(key)).filter(|_| !by_smtp) {
            return Some((Some(key), FaultKind::NotInForms { rule: name(), key }));
        }
        let through = |door: Door| named.iter().filter(move |known| known.door == door);
        let mut let_in: Vec<&IpNet> = Vec::new();
        if by_smtp {
            let_in.extend(through(Door::Smtp).flat_map(|known| &known.networks));
        }
        if by_http && has_accounts {
            let_in.extend(of_accounts(Door::Http).flat_map(|known| &known.networks));
        } else if by_http {
            let_in.extend(through(Door::Http).flat_map(|known| &known.networks));
        }
        if by_relay {
            let_in.extend(through(Door::Relay).flat_map(|known| &known.networks));
        }
        let reached =
            |networks: &[IpNet]| networks.iter().any(|net| let_in.iter().any(|open| overlap(net, open)));
        // Without any listener there is another error already.
        let is_shut = together.iter().filter_map(|one| one.networks.as_ref()).any(|nets| !reached(nets));
        (is_shut && !named.is_empty()).then(|| (Some("client"), FaultKind::NetworkNotLetIn { rule: name() }))
    }
}

/// The key of a list of alternatives that has none.
fn empty_list(one: &Conditions) -> Option<&'static str> {
    let lists = [
        ("client", one.networks.as_ref().map(Vec::len)),
        ("listener", one.listeners.as_ref().map(Vec::len)),
        ("account", one.accounts.as_ref().map(Vec::len)),
    ];
    let days = one.moment.as_ref().and_then(|moment| moment.weekdays).filter(|days| days.is_empty());
    let list = lists.into_iter().find(|(_, length)| *length == Some(0)).map(|(key, _)| key);
    list.or(days.map(|_| "weekday"))
}

fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

/// The key by which two of them exclude each other.
fn excluded(together: &[&Conditions]) -> Option<&'static str> {
    let have_common = |one: &[String], other: &[String]| one.iter().any(|name| other.contains(name));
    together.iter().enumerate().find_map(|(n, one)| {
        together[n..].iter().find_map(|other| {
            let both = |of: fn(&Conditions) -> &Option<Vec<String>>| {
                of(one).as_ref().zip(of(other).as_ref()).is_some_and(|(one, other)| !have_common(one, other))
            };
            let networks = one.networks.as_ref().zip(other.networks.as_ref());
            if one.door.zip(other.door).is_some_and(|(one, other)| one != other) {
                Some("door")
            } else if networks.is_some_and(|(one, other)| {
                !one.iter().any(|net| other.iter().any(|open| overlap(net, open)))
            }) {
                Some("client")
            } else if both(|one| &one.listeners) {
                Some("listener")
            } else if both(|one| &one.accounts) {
                Some("account")
            } else {
                let (one, other) = one.moment.as_deref().zip(other.moment.as_deref())?;
                (one.zone == other.zone).then(|| moments_excluded(one, other)).flatten()
            }
        })
    })
}

/// The same of two times by one clock, or of one by itself.
fn moments_excluded(one: &Moment, other: &Moment) -> Option<&'static str> {
    let times = one.times.as_ref().zip(other.times.as_ref());
    let days = one.weekdays.zip(other.weekdays);
    let dates = one.dates.as_ref().zip(other.dates.as_ref());
    let off_days = |one: &Moment, other: &Moment| {
        one.dates.as_ref().zip(other.weekdays).is_some_and(|(dates, days)| dates.exclude_weekdays(days))
    };
    if times.is_some_and(|(one, other)| one.common(other).is_none()) {
        Some("time")
    } else if days
        .is_some_and(|(one, other)| !WEEK.iter().any(|day| one.contains(*day) && other.contains(*day)))
    {
        Some("weekday")
    } else if dates.is_some_and(|(one, other)| one.exclude(other))
        || off_days(one, other)
        || off_days(other, one)
    {
        Some("date")
    } else {
        None
    }
}
