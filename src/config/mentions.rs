//! Names that nothing in the configuration mentions: senders may use any, but a name that is in no rule and no test may as
//! well be a slip, or of somebody who has left.

use std::collections::HashSet;
use std::ops::Range;

use super::reader::Reader;
use crate::pattern::Pattern;
use crate::routing::{Action, Conditions, Parts, Patterns, SendAction};

/// Most names that a warning shows.
const SHOWN: usize = 5;

/// Aliases and rotas that are not mentioned so far, each with its place.
pub(super) struct Unmentioned {
    aliases: Vec<(String, Option<Range<usize>>)>,
    rotas: Vec<(String, Option<Range<usize>>)>,
    /// Whether rules are told apart by names, or name some.
    rules_name_some: bool,
}

impl Unmentioned {
    /// Those that no rule, rota, other alias, escalation or quiet hours of `parts` mention; the places are those of the
    /// aliases and of the rotas, in order.
    pub(super) fn of(
        parts: &Parts,
        aliases: impl Iterator<Item = Option<Range<usize>>>,
        rotas: impl Iterator<Item = Option<Range<usize>>>,
    ) -> Self {
        // Whatever names a destination belongs here.
        let targets = parts.aliases.iter().flat_map(|(_, targets)| targets);
        let on_call = parts.rotas.iter().flat_map(|(_, rota)| rota.names());
        let quiet = parts.quiet.iter().flat_map(|quiet| &quiet.who);
        let of_rules = || sending(parts).flat_map(|send| send.to.iter().flatten().chain(&send.also_to));
        let all = targets.chain(on_call).chain(quiet).chain(escalations(parts)).chain(of_rules());
        let mentioned: HashSet<String> = all.map(|name| name.trim().to_lowercase()).collect();
        let mut patterns = Vec::new();
        parts.rules.iter().for_each(|rule| recipients(&rule.when, &mut patterns));
        let is_left = |name: &&String| {
            !mentioned.contains(&name.to_lowercase()) && !patterns.iter().any(|pattern| pattern.is_in(name))
        };
        let left = |names: Vec<&String>, places: Vec<Option<Range<usize>>>| {
            let pairs = names.into_iter().zip(places).filter(|(name, _)| is_left(name));
            pairs.map(|(name, place)| (name.clone(), place)).collect()
        };
        Self {
            aliases: left(parts.aliases.iter().map(|(name, _)| name).collect(), aliases.collect()),
            rotas: left(parts.rotas.iter().map(|(name, _)| name).collect(), rotas.collect()),
            rules_name_some: !patterns.is_empty() || of_rules().next().is_some(),
        }
    }

    /// Warns of those that no test mentions either, nor the relay's own SMS; `tested` are the recipients of the tests, `told`
    /// those of the relay's own SMS. Where neither rules nor tests mention any, names are for senders alone.
    pub(super) fn warn(&self, reader: &Reader, tested: &[String], told: &[String]) {
        if !self.rules_name_some && tested.is_empty() {
            return;
        }
        for (kind, names) in [(["alias", "aliases"], &self.aliases), (["rota", "rotas"], &self.rotas)] {
            let all = || tested.iter().chain(told);
            let is_tested = |name: &str| all().any(|to| to.trim().eq_ignore_ascii_case(name));
            let left: Vec<&(String, Option<Range<usize>>)> =
                names.iter().filter(|(name, _)| !is_tested(name)).collect();
            let Some((_, place)) = left.first() else { continue };
            let shown: Vec<String> =
                left.iter().take(SHOWN).map(|(name, _)| format!("`{}`", name.escape_debug())).collect();
            let more = match left.len().saturating_sub(SHOWN) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let (kind, them) = if left.len() == 1 { (kind[0], "it") } else { (kind[1], "them") };
            let text = format!(
                "no rule, rota, alias, escalation, quiet hours or test mentions the {kind} {}{more}; where senders use \
                 {them}, a [[test]] with {them} as `to` shows what they get, and otherwise remove {them}",
                shown.join(", ")
            );
            reader.warning(place.clone(), text);
        }
    }
}

fn sending(parts: &Parts) -> impl Iterator<Item = &SendAction> {
    parts.rules.iter().filter_map(|rule| match &rule.action {
        Action::Send(send) => Some(send),
        Action::Drop { .. } | Action::Refuse { .. } => None,
    })
}

/// The patterns that recipients are compared with, whatever follows from it.
fn recipients<'a>(when: &'a Conditions, found: &mut Vec<&'a Pattern>) {
    found.extend(when.recipient.iter().flat_map(Patterns::as_slice));
    let inner = [&when.any, &when.all, &when.not].into_iter().flatten().flatten();
    inner.for_each(|inner| recipients(inner, found));
}

fn escalations(parts: &Parts) -> impl Iterator<Item = &String> {
    let of_rules = sending(parts).map(|send| &send.delivering);
    let all = of_rules.chain([&parts.defaults.delivering]);
    all.flat_map(|one| one.escalation.iter().flatten().map(|escalation| &escalation.to))
}
