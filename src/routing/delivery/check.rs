//! What rules and defaults say about delivery and cannot mean together.

use super::{Api, ChannelStep, Delivering, Schedule};
use crate::model::Channel;
use crate::text::Split;
use crate::wording::Wording;

use crate::routing::{FaultKind, RecipientRefusal};

/// What is checked: a rule over the defaults, or the defaults over nothing.
pub(in crate::routing) struct Checked<'a> {
    pub(in crate::routing) own: &'a Delivering,
    pub(in crate::routing) defaults: &'a Delivering,
    /// The wording that holds.
    pub(in crate::routing) wording: &'a Wording,
    /// That of the defaults, where it is a rule's turn.
    pub(in crate::routing) default_wording: Option<&'a Wording>,
    pub(in crate::routing) campaign_id: Option<&'a str>,
}

impl Checked<'_> {
    /// What cannot be, each with the key whose place it is. What is wrong in the defaults by themselves is
    /// not told again for each rule.
    pub(in crate::routing) fn faults(&self) -> Vec<(&'static str, FaultKind)> {
        let mut faults = Vec::new();
        self.about_channels(&mut faults);
        self.about_legacy(&mut faults);
        faults
    }

    fn about_channels(&self, faults: &mut Vec<(&'static str, FaultKind)>) {
        let steps = self.own.channels_over(self.defaults);
        let has_template = steps.iter().any(|step| *step != ChannelStep::Sms);
        if let Some(own) = &self.own.channels {
            if own.is_empty() {
                faults.push(("channels", FaultKind::NoChannel));
            }
            let repeated = |(at, step): (usize, &ChannelStep)| {
                own[..at].iter().any(|earlier| earlier.channel() == step.channel()).then(|| step.channel())
            };
            if let Some(channel) = own.iter().enumerate().find_map(repeated) {
                faults.push(("channels", FaultKind::ChannelTwice(channel.as_str().to_lowercase())));
            }
        }
        if !has_template {
            // Those of the defaults are for the rules that have a template.
            let idle = [
                ("variables", self.own.variables.is_some()),
                ("silent_after", self.own.silent_after.is_some()),
            ];
            for (key, _) in idle.into_iter().filter(|(_, written)| *written && self.default_wording.is_some())
            {
                faults.push((key, FaultKind::WithoutChannels(key)));
            }
            return;
        }
        let by_platform = self.own.schedule_over(self.defaults) == Schedule::Platform;
        let key = self.place_of(&[
            ("schedule", self.own.schedule.is_some()),
            ("channels", self.own.channels.is_some()),
        ]);
        if let (true, Some(key)) = (by_platform, key) {
            faults.push((key, FaultKind::ScheduledTemplate));
        }
        let split = |wording: &Wording| wording.fitting.split == Split::Messages;
        let key = self.place_of(&[
            ("split", self.default_wording.is_none_or(|defaults| !split(defaults))),
            ("channels", self.own.channels.is_some()),
        ]);
        if let (true, Some(key)) = (split(self.wording), key) {
            faults.push((key, FaultKind::SplitTemplate));
        }
    }

    fn about_legacy(&self, faults: &mut Vec<(&'static str, FaultKind)>) {
        let Some(legacy) = self.own.legacy_over(self.defaults) else {
            let written = [
                ("legacy_unicode", self.own.legacy_unicode.is_some()),
                ("legacy_concatenated", self.own.legacy_concatenated.is_some()),
            ];
            // Those of the defaults are for the rules that send by it.
            for (key, _) in
                written.into_iter().filter(|(_, written)| *written && self.default_wording.is_some())
            {
                faults.push((key, FaultKind::WithoutLegacy(key)));
            }
            return;
        };
        let api = ("api", self.own.api == Some(Api::Legacy));
        if !self.own.channels_over(self.defaults).iter().any(|step| step.channel() == Channel::Sms) {
            // That of the defaults is for the rules that send an SMS.
            if api.1 {
                let key = if self.own.channels.is_some() { "channels" } else { "api" };
                faults.push((key, FaultKind::LegacyWithoutSms));
            }
            return;
        }
        let placeholders = |wording: &Wording| !wording.fitting.placeholders.is_empty();
        if placeholders(self.wording) {
            let changed = self.default_wording.is_none_or(|defaults| !placeholders(defaults));
            let key = self.place_of(&[("placeholders", changed), api]);
            faults.extend(key.map(|key| (key, FaultKind::LegacyPlaceholders)));
        }
        if self.campaign_id.is_some() {
            faults.push(("campaign_id", FaultKind::LegacyCampaign));
        }
        let fitting = &self.wording.fitting;
        if !legacy.concatenated && fitting.max_parts > 1 && fitting.split == Split::Parts {
            let key = self.place_of(&[
                ("legacy_concatenated", self.own.legacy_concatenated.is_some()),
                ("max_parts", self.default_wording.is_some_and(|one| one.fitting.max_parts <= 1)),
                api,
            ]);
            faults.extend(key.map(|key| (key, FaultKind::LegacyCut(fitting.max_parts))));
        }
    }

    /// The first key that is of this section; `None` where all are of the defaults, which are checked by
    /// themselves.
    fn place_of(&self, keys: &[(&'static str, bool)]) -> Option<&'static str> {
        keys.iter().find(|(_, own)| *own).map(|(key, _)| *key)
    }
}

/// Why nobody can be told at `to`.
pub(in crate::routing) fn nobody(to: &str, why: RecipientRefusal) -> FaultKind {
    match why {
        RecipientRefusal::NotAllowed { .. } | RecipientRefusal::NotForAccount { .. } => {
            FaultKind::EscalationNotAllowed(to.to_owned())
        }
        RecipientRefusal::Unknown(error) => FaultKind::EscalationTarget(error),
        RecipientRefusal::DomainNotOurs { address, .. } => FaultKind::EscalationAddress(address),
    }
}
