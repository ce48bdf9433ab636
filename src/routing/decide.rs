//! From what is known of a mail or form to what becomes of it, rule by rule.

use std::sync::Arc;

use jiff::Timestamp;

use super::rule::{Action, SendAction};
use super::tree::{Case, Content, Truth};
use super::why::{Unmet, why_not};
use super::{
    DEFAULT_RULE, Decision, Escalation, EscalationPlan, Facts, NO_RULE, NoMatch, Origin, Plan, Planted,
    Refused, Routing,
};
use crate::model::{PhoneNumber, SmsOptions};
use crate::text::Split;
use crate::wording::{Groups, Wording};

/// Most rules that go on which take one mail for one phone; the last of them ends it as a rule would that does not.
pub const MAX_CONTINUING: usize = 16;

/// One rule that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The rule.
    pub rule: String,
    /// What kept it from matching; empty for one that matched.
    pub unmet: Vec<Unmet>,
}

impl Routing {
    /// Whether some rule may take a recipient, before the content is known. `recipient` is the
    /// local part (a form's destination) as written, `destinations` what it resolved to. `Ok`
    /// when at least one destination could be sent or dropped; what only the content can tell may hold and may not.
    ///
    /// # Errors
    /// [`Refused`] when [`Routing::decide`] would refuse every destination at this time, whatever the content.
    pub fn could_route(
        &self,
        origin: &Origin,
        now: Timestamp,
        recipient: &str,
        destinations: &[PhoneNumber],
    ) -> Result<(), Refused> {
        let mut seen = Content::default();
        seen.prepare(&self.index, &self.candidates);
        let mut refused = None;
        for destination in destinations {
            let case =
                Case { index: &self.index, origin, now, recipient, destination, facts: None, seen: &seen };
            match self.certain_refusal(&case) {
                Some(reason) => refused = refused.or(Some(reason)),
                None => return Ok(()),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    fn certain_refusal(&self, case: &Case<'_>) -> Option<Refused> {
        for rule in self.candidates.walk(case).filter_map(|rule| self.rules.get(rule)) {
            match (rule.when.truth(case), &rule.action) {
                (Truth::No, _) | (Truth::NotYetKnown, Action::Refuse { .. }) => {}
                (Truth::Yes, Action::Refuse { reason }) => {
                    return Some(Refused { rule: rule.name.clone(), reason: reason.clone() });
                }
                (Truth::Yes | Truth::NotYetKnown, Action::Send(_) | Action::Drop { .. }) => return None,
            }
        }
        match self.no_match {
            NoMatch::Send => None,
            NoMatch::Refuse => Some(Refused { rule: DEFAULT_RULE.to_owned(), reason: NO_RULE.to_owned() }),
        }
    }

    /// What becomes of the SMS to `destination`, one of the numbers that `recipient` (as for
    /// [`Routing::could_route`]) resolved to. The first rule whose conditions all hold decides; where it goes on, the rules
    /// behind it are asked too. At least one decision, in the order of the rules; all but the last are to send.
    pub fn decide(&self, facts: &Facts, recipient: &str, destination: &PhoneNumber) -> Vec<Decision> {
        self.decide_next(&mut Content::default(), facts, recipient, destination)
    }

    /// As [`Routing::decide`] for one phone of several: `content` is empty for the first, and kept for all
    /// that get the same content.
    pub fn decide_next(
        &self,
        content: &mut Content,
        facts: &Facts,
        recipient: &str,
        destination: &PhoneNumber,
    ) -> Vec<Decision> {
        let mut decisions = Vec::new();
        let few = |case: &_| self.candidates.walk(case);
        self.ask(content, facts, recipient, destination, few, |case, rule, matches| {
            if matches {
                decisions.push(self.act(rule, case, facts));
            }
        });
        if decisions.is_empty() {
            decisions.push(self.otherwise(facts, destination));
        }
        decisions
    }

    /// The same as [`Routing::decide`] says, each with the rules that were asked since the one before, up to the one that
    /// matched; with the last also those behind it that were asked in vain.
    pub fn try_rules(
        &self,
        facts: &Facts,
        recipient: &str,
        destination: &PhoneNumber,
    ) -> Vec<(Vec<Tried>, Decision)> {
        let (mut all, mut tried) = (Vec::new(), Vec::new());
        let every = |_: &_| 0..self.rules.len();
        self.ask(&mut Content::default(), facts, recipient, destination, every, |case, rule, matches| {
            let unmet = if matches { Vec::new() } else { why_not(&rule.when, case) };
            tried.push(Tried { rule: rule.name.clone(), unmet });
            if matches {
                all.push((std::mem::take(&mut tried), self.act(rule, case, facts)));
            }
        });
        match all.last_mut() {
            Some((of_last, _)) => of_last.append(&mut tried),
            None => all.push((tried, self.otherwise(facts, destination))),
        }
        all
    }

    /// Calls `told` for each rule that is asked, with whether it matches. `which` are asked, by their numbers in order: at least
    /// those that can match.
    fn ask<'a, Which: Iterator<Item = usize>>(
        &'a self,
        content: &'a mut Content,
        facts: &'a Facts,
        recipient: &'a str,
        destination: &'a PhoneNumber,
        which: impl FnOnce(&Case<'a>) -> Which,
        mut told: impl FnMut(&Case<'_>, &Planted, bool),
    ) {
        content.prepare(&self.index, &self.candidates);
        let case = Case {
            index: &self.index,
            origin: &facts.origin,
            now: facts.now,
            recipient,
            destination,
            facts: Some(facts),
            seen: content,
        };
        let mut continuing = 0;
        for rule in which(&case).filter_map(|number| self.rules.get(number)) {
            let matches = rule.when.truth(&case) == Truth::Yes;
            told(&case, rule, matches);
            if matches {
                continuing += 1;
                if !rule.continues() || continuing == MAX_CONTINUING {
                    return;
                }
            }
        }
    }

    /// What becomes of it where no rule matches.
    fn otherwise(&self, facts: &Facts, destination: &PhoneNumber) -> Decision {
        match self.no_match {
            NoMatch::Send => {
                self.plan(DEFAULT_RULE, &SendAction::default(), Groups::new(), facts, destination)
            }
            NoMatch::Refuse => Decision::Refuse { rule: DEFAULT_RULE.to_owned(), reason: NO_RULE.to_owned() },
        }
    }

    fn act(&self, rule: &Planted, case: &Case<'_>, facts: &Facts) -> Decision {
        let name = rule.name.clone();
        match &rule.action {
            Action::Send(action) => {
                let mut groups = Groups::new();
                rule.when.groups(case, &mut groups);
                self.plan(&rule.name, action, groups, facts, case.destination)
            }
            Action::Drop { reason } => Decision::Drop { rule: name, reason: reason.clone() },
            Action::Refuse { reason } => Decision::Refuse { rule: name, reason: reason.clone() },
        }
    }

    fn plan(
        &self,
        rule: &str,
        action: &SendAction,
        groups: Groups,
        facts: &Facts,
        destination: &PhoneNumber,
    ) -> Decision {
        // `Parts::build` refuses a routing in which one of these can be reached.
        let refuse = |reason: &str| Decision::Refuse { rule: rule.to_owned(), reason: reason.to_owned() };
        let sender = action.sender.as_ref().or(facts.requested_sender).or(self.defaults.sender.as_ref());
        let Some(sender) = sender else { return refuse("no sender is configured") };
        let phones = self.phones(action, destination, facts.now);
        if phones.is_empty() {
            return refuse("nobody is behind the names of this rule");
        }
        let wording = action.wording.as_ref().unwrap_or(&self.defaults.wording);
        let placeholders = &wording.fitting.placeholders;
        let escalation = action.delivering.escalation_over(&self.defaults.delivering);
        let escalation =
            escalation.and_then(|escalation| self.escalation_plan(escalation, wording, facts.now));
        Decision::Send(Plan {
            rule: rule.to_owned(),
            phones,
            report: action.report,
            sender: sender.clone(),
            wording: Arc::clone(wording),
            groups,
            lifetime: action.lifetime.unwrap_or(self.defaults.lifetime),
            options: SmsOptions {
                campaign_id: action.campaign_id.clone(),
                simulation: action.simulation,
                skip_rcs_override: action.skip_rcs_override,
                enable_notification: action.enable_notification,
                placeholders: (!placeholders.is_empty()).then(|| placeholders.clone()),
                ..SmsOptions::default()
            },
            delivery: action.delivering.plan(&self.defaults.delivering, facts, escalation),
        })
    }

    /// Who gets it, none twice.
    fn phones(&self, action: &SendAction, destination: &PhoneNumber, now: Timestamp) -> Vec<PhoneNumber> {
        let mut phones = Vec::new();
        if action.to.is_none() {
            phones.push(destination.clone());
        }
        for name in action.to.iter().flatten().chain(&action.also_to) {
            for phone in self.recipients.resolve_written(name, now).unwrap_or_default() {
                if !phones.contains(&phone) {
                    phones.push(phone);
                }
            }
        }
        phones
    }

    /// `None` where nobody is behind it, which [`Parts::build`](super::Parts::build) refuses.
    fn escalation_plan(
        &self,
        escalation: &Escalation,
        wording: &Wording,
        now: Timestamp,
    ) -> Option<EscalationPlan> {
        // Whoever is on call when it comes to that.
        let then = now.checked_add(escalation.after).unwrap_or(now);
        let phones = self.recipients.resolve_written(&escalation.to, then).ok()?;
        let mut wording = wording.clone();
        wording.fitting.split = Split::Parts;
        if let Some(text) = &escalation.text {
            wording.template = text.clone();
        }
        let (after, to) = (escalation.after, escalation.to.clone());
        Some(EscalationPlan { after, to, phones, wording: Arc::new(wording) })
    }
}
