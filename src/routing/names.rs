//! Names for phones: aliases, which stand for the same always, and rotas, which depend on the time. Both may stand in each
//! other, to a depth and never in a circle, whatever the time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::fault::{Fault, FaultKind, Place};
use super::recipient::MAX_SHOWN;
use crate::model::{DialPlan, PhoneNumber};
use crate::rota::Rota;

/// How deep names may stand in each other.
const MAX_DEPTH: usize = 32;

/// What is behind every name, by the name in lower case.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(BTreeMap<String, Behind>);

#[derive(Clone, Debug)]
enum Behind {
    /// The same phones always, none twice.
    Phones(Vec<PhoneNumber>),
    /// Something that has a rota behind it.
    Varying(Vec<Target>),
    /// Whoever is on call, by the names that the rota has.
    Rota(Box<Rota>, BTreeMap<String, Target>),
}

/// What one name that somebody wrote stands for.
#[derive(Clone, Debug)]
enum Target {
    Phone(PhoneNumber),
    /// A name in lower case.
    Name(String),
}

impl Names {
    /// Whether there is this name; in lower case.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The phones behind a name in lower case at a time, none twice; `None` where there is no such name.
    pub(super) fn phones(&self, name: &str, at: Timestamp) -> Option<Vec<PhoneNumber>> {
        match self.0.get(name)? {
            Behind::Phones(phones) => Some(phones.clone()),
            Behind::Varying(_) | Behind::Rota(..) => Some(self.found(name, Some(at))),
        }
    }

    /// The phones behind a name in lower case that are the same at any time; `None` where a rota is behind it.
    pub(super) fn fixed_phones(&self, name: &str) -> Option<&[PhoneNumber]> {
        match self.0.get(name)? {
            Behind::Phones(phones) => Some(phones),
            Behind::Varying(_) | Behind::Rota(..) => None,
        }
    }

    /// Every phone that is ever behind a name in lower case, as far as is known.
    pub(super) fn all_phones(&self, name: &str) -> Vec<PhoneNumber> {
        self.found(name, None)
    }

    fn found(&self, name: &str, at: Option<Timestamp>) -> Vec<PhoneNumber> {
        let mut found =
            Found { names: self, at, phones: Vec::new(), seen: BTreeSet::new(), asked: BTreeSet::new() };
        found.add_name(name);
        found.phones
    }

    /// The rota of a name in lower case, where it is one.
    pub(super) fn rota(&self, name: &str) -> Option<&Rota> {
        match self.0.get(name)? {
            Behind::Rota(rota, _) => Some(rota),
            Behind::Phones(_) | Behind::Varying(_) => None,
        }
    }
}

/// Phones on the way to a list.
struct Found<'a> {
    names: &'a Names,
    /// All times where it is `None`.
    at: Option<Timestamp>,
    phones: Vec<PhoneNumber>,
    seen: BTreeSet<PhoneNumber>,
    /// A name that comes twice brings nothing new, and one in a circle, which is told as a fault, ends here.
    asked: BTreeSet<String>,
}

impl Found<'_> {
    fn add(&mut self, target: &Target) {
        match target {
            Target::Phone(phone) => self.add_phone(phone),
            Target::Name(name) => self.add_name(name),
        }
    }

    fn add_phone(&mut self, phone: &PhoneNumber) {
        if self.seen.insert(phone.clone()) {
            self.phones.push(phone.clone());
        }
    }

    fn add_name(&mut self, name: &str) {
        if !self.asked.insert(name.to_owned()) {
            return;
        }
        match self.names.0.get(name) {
            Some(Behind::Phones(phones)) => phones.iter().for_each(|phone| self.add_phone(phone)),
            Some(Behind::Varying(targets)) => targets.iter().for_each(|target| self.add(target)),
            Some(Behind::Rota(rota, targets)) => {
                let who: Vec<&String> = match self.at {
                    Some(at) => rota.on_call(at).who.iter().collect(),
                    None => rota.names().collect(),
                };
                who.into_iter().filter_map(|name| targets.get(name)).for_each(|target| self.add(target));
            }
            None => {}
        }
    }
}

/// Reads aliases and rotas; what is wrong goes to `faults` and the rest is kept.
pub(super) fn read(
    aliases: &[(String, Vec<String>)],
    rotas: &[(String, Rota)],
    plan: &DialPlan,
    faults: &mut Vec<Fault>,
) -> Names {
    let mut index = BTreeMap::new();
    let of_alias = |n| Place::Alias { index: n, target: None };
    let written = aliases.iter().enumerate().map(|(n, (name, _))| (of_alias(n), name));
    let written = written.chain(rotas.iter().enumerate().map(|(n, (name, _))| (Place::Rota(n), name)));
    for (n, (place, name)) in written.enumerate() {
        let mut fault = |kind| faults.push(Fault { place, kind });
        let fits = (1..=MAX_SHOWN).contains(&name.len());
        if !fits || name.trim() != name || name.chars().any(char::is_control) {
            fault(FaultKind::AliasName(name.clone()));
        } else if PhoneNumber::parse(name, plan).is_ok() {
            fault(FaultKind::AliasIsNumber(name.clone()));
        }
        if matches!(place, Place::Alias { .. }) && aliases[n].1.is_empty() {
            fault(FaultKind::AliasEmpty(name.clone()));
        }
        if index.insert(name.to_lowercase(), n).is_some() {
            fault(FaultKind::AliasTwice(name.clone()));
        }
    }
    let mut walk = Walk { aliases, rotas, index, plan, faults, path: Vec::new(), done: BTreeMap::new() };
    for n in 0..aliases.len() + rotas.len() {
        walk.visit(n);
    }
    let Walk { mut done, index, .. } = walk;
    Names(index.into_iter().filter_map(|(name, n)| Some((name, done.remove(&n)?))).collect())
}

struct Walk<'a> {
    aliases: &'a [(String, Vec<String>)],
    rotas: &'a [(String, Rota)],
    /// Aliases by their places, and behind them rotas.
    index: BTreeMap<String, usize>,
    plan: &'a DialPlan,
    faults: &'a mut Vec<Fault>,
    /// The names that are being read, outermost first.
    path: Vec<usize>,
    done: BTreeMap<usize, Behind>,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, n: usize) {
        if self.done.contains_key(&n) {
            return;
        }
        if let Some(at) = self.path.iter().position(|&outer| outer == n) {
            let circle = self.path[at..].iter().chain([&n]);
            let names = circle.map(|&member| self.name(member).to_owned()).collect();
            self.fault(n, None, FaultKind::AliasLoop(names));
            return;
        }
        if self.path.len() == MAX_DEPTH {
            self.fault(n, None, FaultKind::AliasTooDeep(self.name(n).to_owned(), MAX_DEPTH));
            return;
        }
        self.path.push(n);
        let behind = match n.checked_sub(self.aliases.len()) {
            None => self.alias(n),
            Some(rota) => self.rota(n, rota),
        };
        self.path.pop();
        self.done.insert(n, behind);
    }

    fn name(&self, n: usize) -> &'a str {
        match n.checked_sub(self.aliases.len()) {
            None => &self.aliases[n].0,
            Some(rota) => &self.rotas[rota].0,
        }
    }

    fn alias(&mut self, n: usize) -> Behind {
        let written: &'a [String] = &self.aliases[n].1;
        let targets = written.iter().enumerate().filter_map(|(t, written)| self.target(n, Some(t), written));
        let targets: Vec<Target> = targets.collect();
        let mut phones = Vec::new();
        let mut seen = BTreeSet::new();
        for target in &targets {
            let found = match target {
                Target::Phone(phone) => std::slice::from_ref(phone),
                Target::Name(name) => match self.index.get(name).and_then(|inner| self.done.get(inner)) {
                    Some(Behind::Phones(phones)) => phones.as_slice(),
                    Some(Behind::Varying(_) | Behind::Rota(..)) => return Behind::Varying(targets),
                    None => &[],
                },
            };
            phones.extend(found.iter().filter(|phone| seen.insert((*phone).clone())).cloned());
        }
        Behind::Phones(phones)
    }

    fn rota(&mut self, n: usize, rota: usize) -> Behind {
        let rota: &'a Rota = &self.rotas[rota].1;
        let mut targets = BTreeMap::new();
        for written in rota.names() {
            if !targets.contains_key(written)
                && let Some(target) = self.target(n, None, written)
            {
                targets.insert(written.clone(), target);
            }
        }
        if rota.may_be_empty() {
            self.fault(n, None, FaultKind::NobodyOnCall(self.name(n).to_owned()));
        }
        Behind::Rota(Box::new(rota.clone()), targets)
    }

    /// What a name that stands behind `n` is, once it has been read itself.
    fn target(&mut self, n: usize, place: Option<usize>, written: &str) -> Option<Target> {
        let name = written.trim().to_lowercase();
        if let Some(inner) = self.index.get(&name).copied() {
            self.visit(inner);
            return Some(Target::Name(name));
        }
        match PhoneNumber::parse(written, self.plan) {
            Ok(number) => Some(Target::Phone(number)),
            Err(error) => {
                self.fault(n, place, FaultKind::AliasTarget(error));
                None
            }
        }
    }

    fn fault(&mut self, n: usize, target: Option<usize>, kind: FaultKind) {
        let place = match n.checked_sub(self.aliases.len()) {
            None => Place::Alias { index: n, target },
            Some(rota) => Place::Rota(rota),
        };
        self.faults.push(Fault { place, kind });
    }
}
