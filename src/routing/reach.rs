//! Rules that can never match, as far as that can be told without solving regular expressions.
//!
//! Told: an empty or unknown name, a network from which nobody is let in, a condition about mail
//! on a rule that only form posts can reach, and a rule behind one that asks for the same or less.

use ipnet::IpNet;

use super::build::{Fault, FaultKind, KnownAccount, KnownListener, Place};
use super::rule::{Conditions, Rule};
use crate::model::Door;
use crate::pattern::Pattern;

/// One fault for each rule that can never match.
pub(super) fn unreachable(
    rules: &[Rule],
    listeners: &[KnownListener],
    accounts: &[KnownAccount],
) -> Vec<Fault> {
    let world = World { listeners, accounts };
    let mut faults = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let own = world.contradiction(rule);
        let fault = own.or_else(|| {
            let by = rules[..index].iter().find(|earlier| covers(&earlier.when, &rule.when))?;
            Some((None, FaultKind::Shadowed { rule: rule.name.clone(), by: by.name.clone() }))
        });
        if let Some((key, kind)) = fault {
            faults.push(Fault { place: Place::Rule { index, key }, kind });
        }
    }
    faults
}

struct World<'a> {
    listeners: &'a [KnownListener],
    accounts: &'a [KnownAccount],
}

type Found = Option<(Option<&'static str>, FaultKind)>;

impl World<'_> {
    /// What in the rule itself keeps it from matching.
    fn contradiction(&self, rule: &Rule) -> Found {
        let name = || rule.name.clone();
        let Conditions { networks, listeners, accounts, envelope_sender, header_sender, .. } = &rule.when;
        let lists = [
            ("client", networks.as_ref().map(Vec::len)),
            ("listener", listeners.as_ref().map(Vec::len)),
            ("account", accounts.as_ref().map(Vec::len)),
        ];
        if let Some((key, _)) = lists.into_iter().find(|(_, length)| *length == Some(0)) {
            return Some((Some(key), FaultKind::EmptyCondition { rule: name(), key }));
        }
        let no_such = |key, missing: &String| {
            (Some(key), FaultKind::NoSuch { rule: name(), key, name: missing.clone() })
        };
        let unknown = |wanted: &String| !self.listeners.iter().any(|known| known.name == *wanted);
        if let Some(missing) = listeners.iter().flatten().find(|wanted| unknown(wanted)) {
            return Some(no_such("listener", missing));
        }
        let unknown = |wanted: &String| !self.accounts.iter().any(|known| known.name == *wanted);
        if let Some(missing) = accounts.iter().flatten().find(|wanted| unknown(wanted)) {
            return Some(no_such("account", missing));
        }

        let named: Vec<&KnownListener> = self
            .listeners
            .iter()
            .filter(|known| listeners.as_ref().is_none_or(|wanted| wanted.contains(&known.name)))
            .collect();
        // The doors that are left to the rule, by its listeners and by its accounts.
        let of_accounts = |door: Door| {
            self.accounts.iter().filter(move |known| {
                known.door == door && accounts.as_ref().is_some_and(|wanted| wanted.contains(&known.name))
            })
        };
        let left = |door: Door| {
            (listeners.is_none() || named.iter().any(|known| known.door == door))
                && (accounts.is_none() || of_accounts(door).next().is_some())
        };
        let (by_smtp, by_http) = (left(Door::Smtp), left(Door::Http));
        if !by_smtp && !by_http {
            let door = if of_accounts(Door::Smtp).next().is_some() { Door::Smtp } else { Door::Http };
            return Some((Some("account"), FaultKind::AccountElsewhere { rule: name(), door }));
        }
        let about_mail = [("envelope_sender", envelope_sender), ("header_sender", header_sender)];
        if let Some((key, _)) = about_mail.into_iter().find(|(_, pattern)| pattern.is_some())
            && !by_smtp
        {
            return Some((Some(key), FaultKind::NotInForms { rule: name(), key }));
        }
        if let Some(networks) = networks {
            let through = |door: Door| named.iter().filter(move |known| known.door == door);
            let mut let_in: Vec<&IpNet> = Vec::new();
            if by_smtp {
                let_in.extend(through(Door::Smtp).flat_map(|known| &known.networks));
            }
            if by_http && accounts.is_some() {
                let_in.extend(of_accounts(Door::Http).flat_map(|known| &known.networks));
            } else if by_http {
                let_in.extend(through(Door::Http).flat_map(|known| &known.networks));
            }
            // Without any listener there is another error already.
            let reached = networks.iter().any(|net| let_in.iter().any(|open| overlap(net, open)));
            if !named.is_empty() && !reached {
                return Some((Some("client"), FaultKind::NetworkNotLetIn { rule: name() }));
            }
        }
        None
    }
}

fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

/// Whether everything that meets `narrow` meets `wide` too.
fn covers(wide: &Conditions, narrow: &Conditions) -> bool {
    let networks = match (&wide.networks, &narrow.networks) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => narrow.iter().all(|net| wide.iter().any(|outer| outer.contains(net))),
    };
    let names = |wide: &Option<Vec<String>>, narrow: &Option<Vec<String>>| match (wide, narrow) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => narrow.iter().all(|name| wide.contains(name)),
    };
    let patterns = |wide: &Option<Pattern>, narrow: &Option<Pattern>| match (wide, narrow) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => wide.same_as(narrow),
    };
    networks
        && names(&wide.listeners, &narrow.listeners)
        && names(&wide.accounts, &narrow.accounts)
        && patterns(&wide.envelope_sender, &narrow.envelope_sender)
        && patterns(&wide.header_sender, &narrow.header_sender)
        && patterns(&wide.recipient, &narrow.recipient)
        && patterns(&wide.subject, &narrow.subject)
        && patterns(&wide.text, &narrow.text)
}
