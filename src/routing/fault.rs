//! What can be wrong between parts of a routing, in words for the operator.

use super::DEFAULT_RULE;
use super::conditions::MAX_NESTING;
use crate::model::{Door, PhoneError};

/// Most characters of a campaign (SMS Universal API, `campaignId`).
pub(super) const MAX_CAMPAIGN: usize = 255;

/// Something that cannot be; `Display` says what and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct Fault {
    /// Which part is wrong.
    pub place: Place,
    /// What is wrong with it.
    pub kind: FaultKind,
}

/// A part of [`Parts`](super::Parts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The list of domains, or one of them.
    Domains(Option<usize>),
    /// An alias, or one of its targets.
    Alias {
        /// Which alias.
        index: usize,
        /// Which of its targets.
        target: Option<usize>,
    },
    /// A rota.
    Rota(usize),
    /// One of those whose quiet hours are told.
    Quiet {
        /// Which of the quiet hours.
        index: usize,
        /// Which of `who`.
        who: usize,
    },
    /// One of the recipients that name their destinations in their text.
    TextRecipient(usize),
    /// A rule, or one of its keys.
    Rule {
        /// Which rule.
        index: usize,
        /// The key as the configuration writes it.
        key: Option<&'static str>,
    },
    /// The template of the defaults.
    DefaultText,
    /// Another key of the defaults.
    Default(&'static str),
    /// What happens when no rule matches.
    NoMatch,
}

/// What is wrong with a part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// No domain at all.
    #[error("no domain is given; write at least one, like \"sms.local\"")]
    NoDomain,
    /// Neither a domain nor an address literal.
    #[error("`{0}` is not a domain; write it like \"sms.local\", \"[192.0.2.1]\" or \"[IPv6:2001:db8::1]\"")]
    Domain(String),
    /// Blank space around, control characters, nothing, or over 64 octets.
    #[error("`{}` cannot be the name of an alias; use up to 64 letters, digits, dots and dashes", .0.escape_debug())]
    AliasName(String),
    /// A number of its own.
    #[error("alias `{0}` is a phone number itself, and mail for that phone would go elsewhere; rename it")]
    AliasIsNumber(String),
    /// Stands for nothing.
    #[error("alias `{0}` is empty; give at least one number")]
    AliasEmpty(String),
    /// Names are compared without regard to case.
    #[error("alias `{0}` is there twice (upper and lower case are the same); remove one")]
    AliasTwice(String),
    /// Leads back to itself.
    #[error("aliases go in a circle: {}; remove one of them", .0.join(" -> "))]
    AliasLoop(Vec<String>),
    /// Nested too deep.
    #[error("alias `{0}` is more than {1} aliases deep; write the numbers directly")]
    AliasTooDeep(String, usize),
    /// Neither number nor alias.
    #[error("{0}, and there is no alias of that name")]
    AliasTarget(PhoneError),
    /// There are times without anybody.
    #[error("at some times nobody is on call by rota `{0}`; write `otherwise`, or shifts for the whole week")]
    NobodyOnCall(String),
    /// Neither number nor alias.
    #[error("quiet hours for nobody: {0}, and there is no alias of that name")]
    QuietTarget(PhoneError),
    /// Whoever is on call.
    #[error(
        "`{0}` is a rota or has one behind it, and quiet hours are a person's, on call or not; name those who have them"
    )]
    QuietRota(String),
    /// No time is left.
    #[error(
        "the quiet hours of `{0}` never end, all that there are for it taken together, and what is not critical would \
         never be sent; leave some time of the week"
    )]
    QuietForever(String),
    /// Leads to a destination that is not allowed.
    #[error("alias `{0}` leads to a number that `allowed` does not cover; add its prefix there")]
    AliasNotAllowed(String),
    /// Not a local part, or one that means something else already.
    #[error(
        "`{}` cannot be a recipient that names its destinations in its text; use a name that is no number, no \
         alias and not postmaster", .0.escape_debug()
    )]
    TextRecipient(String),
    /// The template names a group that none of the rule's patterns has.
    #[error(
        "the template of rule `{rule}` names the group `{group}`, but no pattern of the rule has it; write (?P<{group}>...) in one of them"
    )]
    NoSuchGroup {
        /// The rule.
        rule: String,
        /// The group.
        group: String,
    },
    /// The template of the defaults names a group, and is used without any pattern.
    #[error(
        "the template names the group `{0}`, but what no rule takes is sent by it too, and there no pattern finds one; \
         give the rules that have the group a `text` of their own, or write no_match = \"refuse\" in [routing]"
    )]
    GroupWithoutRule(String),
    /// The name of "no rule".
    #[error("`{DEFAULT_RULE}` stands for \"no rule\" in logs; give the rule another name")]
    RuleName,
    /// Two rules of one name.
    #[error("there are two rules with the name `{0}`; rename one")]
    RuleTwice(String),
    /// Conditions in conditions in conditions.
    #[error(
        "the conditions of rule `{0}` stand more than {MAX_NESTING} deep in each other; write them flatter, or as several rules"
    )]
    TooDeep(String),
    /// Conditions that ask for nothing, within others.
    #[error(
        "rule `{rule}` has an empty condition in `{key}`; write something like {{ subject = \"fire\" }} there"
    )]
    NoCondition {
        /// The rule.
        rule: String,
        /// `any`, `all` or `not`.
        key: &'static str,
    },
    /// An empty list of those who get it.
    #[error("`to` of rule `{0}` names nobody; write an alias, a rota or a number, or leave it out")]
    NoDestination(String),
    /// Neither number nor alias.
    #[error("the rule sends it to nobody: {0}, and there is no alias of that name")]
    Destination(PhoneError),
    /// Leads to a destination that is not allowed.
    #[error("`{0}` leads to a number that `allowed` in [routing] does not cover; add its prefix there")]
    DestinationNotAllowed(String),
    /// A name that does not exist, in one of several conditions.
    #[error("rule `{rule}` asks for the {key} `{name}`, and there is none of that name")]
    NoSuchInner {
        /// The rule.
        rule: String,
        /// `listener` or `account`.
        key: &'static str,
        /// The name.
        name: String,
    },
    /// Conditions that exclude each other.
    #[error("rule `{rule}` can never match: {why}")]
    Contradiction {
        /// The rule.
        rule: String,
        /// What excludes what.
        why: String,
    },
    /// An empty list of alternatives.
    #[error("rule `{rule}` can never match: `{key}` is empty; name at least one, or leave the key out")]
    EmptyCondition {
        /// The rule.
        rule: String,
        /// The key.
        key: &'static str,
    },
    /// A name that does not exist.
    #[error("rule `{rule}` can never match: there is no {key} `{name}`")]
    NoSuch {
        /// The rule.
        rule: String,
        /// `listener` or `account`.
        key: &'static str,
        /// The name.
        name: String,
    },
    /// An earlier rule takes everything.
    #[error("rule `{rule}` can never match: rule `{by}` before it takes everything that it asks for")]
    Shadowed {
        /// The rule.
        rule: String,
        /// The earlier one.
        by: String,
    },
    /// Asks for a network from which nobody is let in.
    #[error("rule `{rule}` can never match: no listener or account that it names lets these networks in")]
    NetworkNotLetIn {
        /// The rule.
        rule: String,
    },
    /// Asks for an account and for something that only a mail has, or an SMTP listener.
    #[error("rule `{rule}` can never match: `{key}` is about mail, and only form posts are left to it")]
    NotInForms {
        /// The rule.
        rule: String,
        /// The key about mail.
        key: &'static str,
    },
    /// Asks for accounts that come through none of the listeners it asks for.
    #[error(
        "rule `{rule}` can never match: `account` names accounts of {} only, and `listener` no listener of that kind",
        .door.as_str().to_ascii_uppercase()
    )]
    AccountElsewhere {
        /// The rule.
        rule: String,
        /// The kind of all the accounts.
        door: Door,
    },
    /// Nothing to send from.
    #[error("rule `{0}` has no sender and there is no default; set `sender` here or in [defaults]")]
    NoSender(String),
    /// Too long for the platform.
    #[error("campaign_id of rule `{0}` has {1} characters; the platform takes {MAX_CAMPAIGN}")]
    CampaignTooLong(String, usize),
    /// An empty list of channels.
    #[error("`channels` is empty, so nothing could be sent; name at least one, like \"sms\"")]
    NoChannel,
    /// An id and a channel name one message at the platform.
    #[error("`channels` has {0} twice; keep one of them")]
    ChannelTwice(String),
    /// Only a template has variables, and only where another way follows does silence matter.
    #[error(
        "`{0}` means nothing without a template in `channels`; write one like channels = [\"rcs:alert_v2\", \"sms\"]"
    )]
    WithoutChannels(&'static str),
    /// The platform takes no time for a template.
    #[error(
        "the platform schedules SMS only, and `channels` has a template; write schedule = \"relay\", or leave the \
         template out"
    )]
    ScheduledTemplate,
    /// Each of several SMS would be sent as the whole template.
    #[error(
        "`split = \"messages\"` would send the template in `channels` once for each piece of a text; write \
         split = \"parts\""
    )]
    SplitTemplate,
    /// Only the legacy API can be told.
    #[error("`{0}` is for the legacy API only; write api = \"legacy\" too, or remove it")]
    WithoutLegacy(&'static str),
    /// Nothing goes by the API that was chosen.
    #[error("`api = \"legacy\"` means nothing where `channels` has no \"sms\"; add it, or remove `api`")]
    LegacyWithoutSms,
    /// The legacy API sends `{name}` as it is.
    #[error("the legacy API fills no placeholders in; write api = \"universal\", or remove `placeholders`")]
    LegacyPlaceholders,
    /// The legacy API knows no campaigns.
    #[error("the legacy API has no `campaign_id`; write api = \"universal\", or remove it")]
    LegacyCampaign,
    /// The platform would cut what the relay counts on.
    #[error(
        "without `legacy_concatenated` the platform cuts after one part, and `max_parts` is {0}; write max_parts = 1, \
         so that the relay cuts at a word"
    )]
    LegacyCut(u32),
    /// Neither number nor alias.
    #[error("the escalation goes nowhere: {0}, and there is no alias of that name")]
    EscalationTarget(PhoneError),
    /// An address where a name is wanted.
    #[error("the escalation goes nowhere: `{0}` is an address; write an alias or a number")]
    EscalationAddress(String),
    /// Leads to a destination that is not allowed.
    #[error("the escalation to `{0}` is not covered by `allowed` in [routing]; add its prefix there")]
    EscalationNotAllowed(String),
    /// Sending by default needs a sender.
    #[error("what no rule takes is to be sent, but there is no sender; set `sender` in [defaults]")]
    NoDefaultSender,
}

impl FaultKind {
    /// Whether it only does nothing: the rules can be used, and may not do what was meant.
    pub fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::Contradiction { .. }
                | Self::Shadowed { .. }
                | Self::NetworkNotLetIn { .. }
                | Self::NotInForms { .. }
                | Self::AccountElsewhere { .. }
        )
    }
}
