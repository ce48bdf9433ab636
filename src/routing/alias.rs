//! Aliases: names for numbers and for other names, flattened once when the routing is built.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::build::{Fault, FaultKind, Place};
use super::recipient::MAX_SHOWN;
use crate::model::{DialPlan, PhoneNumber};

/// How deep aliases may stand in each other.
const MAX_DEPTH: usize = 32;

/// Flattens `aliases`; what is wrong goes to `faults` and the rest is kept.
pub(super) fn flatten(
    aliases: &[(String, Vec<String>)],
    plan: &DialPlan,
    faults: &mut Vec<Fault>,
) -> BTreeMap<String, Vec<PhoneNumber>> {
    let mut index = HashMap::new();
    for (n, (name, targets)) in aliases.iter().enumerate() {
        let mut fault = |kind| faults.push(Fault { place: Place::Alias { index: n, target: None }, kind });
        let fits = (1..=MAX_SHOWN).contains(&name.len());
        if !fits || name.trim() != name || name.chars().any(char::is_control) {
            fault(FaultKind::AliasName(name.clone()));
        } else if PhoneNumber::parse(name, plan).is_ok() {
            fault(FaultKind::AliasIsNumber(name.clone()));
        }
        if targets.is_empty() {
            fault(FaultKind::AliasEmpty(name.clone()));
        }
        if index.insert(name.to_lowercase(), n).is_some() {
            fault(FaultKind::AliasTwice(name.clone()));
        }
    }
    let mut walk = Walk { aliases, index, plan, faults, path: Vec::new(), done: HashMap::new() };
    for n in 0..aliases.len() {
        walk.visit(n);
    }
    let Walk { mut done, index, .. } = walk;
    index.into_iter().filter_map(|(name, n)| Some((name, done.remove(&n)?))).collect()
}

struct Walk<'a> {
    aliases: &'a [(String, Vec<String>)],
    index: HashMap<String, usize>,
    plan: &'a DialPlan,
    faults: &'a mut Vec<Fault>,
    /// The aliases that are being flattened, outermost first.
    path: Vec<usize>,
    done: HashMap<usize, Vec<PhoneNumber>>,
}

impl Walk<'_> {
    fn visit(&mut self, n: usize) {
        if self.done.contains_key(&n) {
            return;
        }
        if let Some(at) = self.path.iter().position(|&outer| outer == n) {
            let circle = self.path[at..].iter().chain([&n]);
            let names = circle.map(|&member| self.aliases[member].0.clone()).collect();
            self.fault(n, None, FaultKind::AliasLoop(names));
            return;
        }
        if self.path.len() == MAX_DEPTH {
            self.fault(n, None, FaultKind::AliasTooDeep(self.aliases[n].0.clone(), MAX_DEPTH));
            return;
        }
        self.path.push(n);
        let mut numbers = Vec::new();
        let mut seen = HashSet::new();
        for (t, target) in self.aliases[n].1.iter().enumerate() {
            let found = match self.index.get(&target.trim().to_lowercase()).copied() {
                Some(inner) => {
                    self.visit(inner);
                    self.done.get(&inner).cloned().unwrap_or_default()
                }
                None => match PhoneNumber::parse(target, self.plan) {
                    Ok(number) => vec![number],
                    Err(error) => {
                        self.fault(n, Some(t), FaultKind::AliasTarget(error));
                        Vec::new()
                    }
                },
            };
            numbers.extend(found.into_iter().filter(|number| seen.insert(number.clone())));
        }
        self.path.pop();
        self.done.insert(n, numbers);
    }

    fn fault(&mut self, index: usize, target: Option<usize>, kind: FaultKind) {
        self.faults.push(Fault { place: Place::Alias { index, target }, kind });
    }
}
