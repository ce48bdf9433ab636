//! Which rules can take a mail or form at all, so that few of many are asked.
//!
//! A rule needs something when it cannot match without: a network that the client is in, or one of some patterns in a
//! field. By what there is a set of the rules that can still match is kept; whoever is left is asked in the order of the rules, and
//! says itself whether it matches. So the result is that of asking all of them, and only the time differs.
//!
//! A field is looked through when the first rule that needs it is reached, and once for all phones.

use std::borrow::Borrow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::tree::{Case, Field, Group, Leaf, Node, Value};
use crate::model::Client;
use crate::pattern::{Bits, Pattern, Sieve};

/// What some conditions cannot hold without. `None` is nothing; of what is given, each needs one of its list.
#[derive(Clone, Debug, Default)]
struct Needs<'a> {
    /// The client's address is in one of these.
    networks: Option<Vec<IpNet>>,
    /// It came through one of these.
    listeners: Option<Vec<&'a String>>,
    /// It came from one of these.
    accounts: Option<Vec<&'a String>>,
    /// One is found in the field.
    words: BTreeMap<Field, Vec<&'a Pattern>>,
}

/// An index of rules by their needs. Rules are numbers, in their order.
#[derive(Clone, Debug)]
pub(super) struct Candidates {
    networks: Named<IpNet>,
    /// Lengths of prefixes that networks have, each with whether it is of IPv6.
    lengths: Vec<(bool, u8)>,
    listeners: Named<String>,
    accounts: Named<String>,
    /// Of the recipient, which differs between the phones of a mail.
    recipient: Option<Words>,
    /// Of the other fields that are needed, in the order in which they are looked at.
    words: Vec<(Field, Words)>,
}

/// Rules by names of which they need one.
#[derive(Clone, Debug)]
struct Named<K> {
    /// Those that need none.
    open: Bits,
    by: BTreeMap<K, Vec<usize>>,
}

/// Rules by patterns of which they need one.
#[derive(Clone, Debug)]
struct Words {
    /// Those that need none.
    open: Bits,
    sieve: Sieve,
}

/// The rules that can match, as far as it is the same for all phones of one mail or form.
#[derive(Clone, Debug, Default)]
pub(super) struct Left {
    by_client: OnceCell<Bits>,
    /// In the order of the fields that are needed.
    by_words: Vec<OnceCell<Bits>>,
}

impl Left {
    /// With room for what is asked by `candidates`.
    pub(super) fn prepare(&mut self, candidates: &Candidates) {
        self.by_words.resize(candidates.words.len(), OnceCell::new());
    }
}

impl<'a> Needs<'a> {
    /// Of conditions that must hold all.
    fn of(group: &'a Group) -> Self {
        let mut needs = Self::default();
        group.0.iter().for_each(|node| needs.and(Self::of_node(node)));
        needs
    }

    fn of_node(node: &'a Node) -> Self {
        let none = Self::default;
        match node {
            Node::Leaf(Leaf::Networks(nets)) => Self { networks: Some(nets.clone()), ..none() },
            Node::Leaf(Leaf::Listeners(names)) => Self { listeners: Some(names.iter().collect()), ..none() },
            Node::Leaf(Leaf::Accounts(names)) => Self { accounts: Some(names.iter().collect()), ..none() },
            Node::Leaf(Leaf::Words(field, wanted)) => {
                let patterns = wanted.numbered().map(|(_, pattern)| pattern).collect();
                Self { words: BTreeMap::from([(*field, patterns)]), ..none() }
            }
            Node::Leaf(Leaf::Door(_) | Leaf::Times(..) | Leaf::Weekdays(..) | Leaf::Dates(..))
            | Node::Not(_) => none(),
            Node::All(list) => {
                let mut needs = none();
                list.iter().for_each(|group| needs.and(Self::of(group)));
                needs
            }
            Node::Any(list) => list.iter().map(Self::of).reduce(Self::or).unwrap_or_default(),
        }
    }

    /// Adds the needs of conditions that must hold besides. Where both need something of one kind, one of them will do.
    fn and(&mut self, other: Self) {
        let Self { networks, listeners, accounts, words } = other;
        self.networks = self.networks.take().or(networks);
        self.listeners = self.listeners.take().or(listeners);
        self.accounts = self.accounts.take().or(accounts);
        for (field, patterns) in words {
            self.words.entry(field).or_insert(patterns);
        }
    }

    /// The needs where these conditions hold or those.
    fn or(self, other: Self) -> Self {
        fn both<T>(one: Option<Vec<T>>, other: Option<Vec<T>>) -> Option<Vec<T>> {
            one.zip(other).map(|(one, other)| one.into_iter().chain(other).collect())
        }
        let mut words = other.words;
        let of_both = |(field, own): (Field, Vec<_>)| Some((field, both(Some(own), words.remove(&field))?));
        Self {
            networks: both(self.networks, other.networks),
            listeners: both(self.listeners, other.listeners),
            accounts: both(self.accounts, other.accounts),
            words: self.words.into_iter().filter_map(of_both).collect(),
        }
    }
}

impl<K: Ord> Named<K> {
    fn new(count: usize, needs: impl Iterator<Item = (usize, Vec<K>)>) -> Self {
        let mut open = Bits::all(count);
        let mut by = BTreeMap::<K, Vec<usize>>::new();
        for (rule, names) in needs {
            open.remove(rule);
            names.into_iter().for_each(|name| by.entry(name).or_default().push(rule));
        }
        Self { open, by }
    }

    fn add<Q: Ord + ?Sized>(&self, name: &Q, passed: &mut Bits)
    where
        K: Borrow<Q>,
    {
        self.by.get(name).into_iter().flatten().for_each(|rule| passed.insert(*rule));
    }

    fn pass<Q: Ord + ?Sized>(&self, name: Option<&Q>) -> Bits
    where
        K: Borrow<Q>,
    {
        let mut passed = self.open.clone();
        name.into_iter().for_each(|name| self.add(name, &mut passed));
        passed
    }
}

impl Words {
    /// `None` where no rule needs anything of the field.
    fn new(rules: &[Needs<'_>], field: Field) -> Option<Self> {
        let mut open = Bits::all(rules.len());
        let of_field = rules.iter().enumerate();
        let of_field = of_field.filter_map(|(rule, needs)| Some((rule, needs.words.get(&field)?.clone())));
        let needs: Vec<(usize, Vec<&Pattern>)> = of_field.collect();
        needs.iter().for_each(|(rule, _)| open.remove(*rule));
        (!needs.is_empty()).then(|| Self { open, sieve: Sieve::new(rules.len(), needs) })
    }
}

impl Candidates {
    /// The index of rules with these conditions.
    pub(super) fn new<'a>(rules: impl IntoIterator<Item = &'a Group>) -> Self {
        let rules: Vec<Needs<'_>> = rules.into_iter().map(Needs::of).collect();
        let count = rules.len();
        let each = || rules.iter().enumerate();
        let owned = |names: &Vec<&String>| names.iter().map(|name| (*name).clone()).collect();
        let trunced = |nets: &Vec<IpNet>| nets.iter().map(IpNet::trunc).collect();
        let networks = each().filter_map(|(n, needs)| Some((n, trunced(needs.networks.as_ref()?))));
        let listeners = each().filter_map(|(n, needs)| Some((n, owned(needs.listeners.as_ref()?))));
        let accounts = each().filter_map(|(n, needs)| Some((n, owned(needs.accounts.as_ref()?))));
        let networks = Named::new(count, networks);
        let kind = |network: &IpNet| (matches!(network, IpNet::V6(_)), network.prefix_len());
        let mut lengths: Vec<(bool, u8)> = networks.by.keys().map(kind).collect();
        lengths.sort_unstable();
        lengths.dedup();
        let mut fields: Vec<Field> = rules.iter().flat_map(|needs| needs.words.keys().copied()).collect();
        fields.sort_unstable();
        fields.dedup();
        fields.retain(|field| *field != Field::Recipient);
        let words = fields.into_iter().filter_map(|field| Some((field, Words::new(&rules, field)?)));
        Self {
            networks,
            lengths,
            listeners: Named::new(count, listeners),
            accounts: Named::new(count, accounts),
            recipient: Words::new(&rules, Field::Recipient),
            words: words.collect(),
        }
    }

    /// The rules that can take it, in order: all that do, and few others. What is not known yet is open.
    pub(super) fn walk<'a>(&'a self, case: &Case<'a>) -> Walk<'a> {
        let mut left = case.seen.left.by_client.get_or_init(|| self.by_client(case.origin.client)).clone();
        if let Some(words) = &self.recipient {
            left &= &words.sieve.pass_either(case.recipient, case.destination.as_str());
        }
        Walk { candidates: self, case: *case, left, asked: Bits::none(self.words.len()), next: 0 }
    }

    fn by_client(&self, client: &Client) -> Bits {
        let mut left = self.by_address(client.address);
        left &= &self.listeners.pass(Some(&client.listener));
        left &= &self.accounts.pass(client.account.as_ref());
        left
    }

    fn by_address(&self, address: IpAddr) -> Bits {
        let mut passed = self.networks.open.clone();
        for (_, length) in self.lengths.iter().filter(|(is_v6, _)| *is_v6 == address.is_ipv6()) {
            if let Ok(network) = IpNet::new(address, *length) {
                self.networks.add(&network.trunc(), &mut passed);
            }
        }
        passed
    }
}

/// The rules that are left, in order.
pub(super) struct Walk<'a> {
    candidates: &'a Candidates,
    case: Case<'a>,
    left: Bits,
    /// The fields that were looked through.
    asked: Bits,
    next: usize,
}

impl Iterator for Walk<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        loop {
            let rule = self.left.next(self.next)?;
            self.next = rule;
            if !self.ask(rule) {
                self.next = rule + 1;
                return Some(rule);
            }
        }
    }
}

impl Walk<'_> {
    /// Looks a field through that this rule needs; whether there was one.
    fn ask(&mut self, rule: usize) -> bool {
        for (n, (field, words)) in self.candidates.words.iter().enumerate() {
            if self.asked.contains(n) || words.open.contains(rule) {
                continue;
            }
            self.asked.insert(n);
            let look = || match self.case.value(*field) {
                Value::Known(text) => words.sieve.pass(text),
                Value::Missing => words.open.clone(),
                Value::NotYetKnown => Bits::all(words.open.length()),
            };
            match self.case.seen.left.by_words.get(n) {
                Some(kept) => self.left &= kept.get_or_init(look),
                None => self.left &= &look(),
            }
            return true;
        }
        false
    }
}
