//! What an SMS has to pass before it may go out, by the rules that it was accepted by.

use std::net::IpAddr;
use std::time::Duration;

use crate::mail::Headers;
use crate::model::{
    Client, ClientKey, Digest, Door, Lane, Limit, LimitScope, LimitStep, Pairing, Passage, PhoneNumber,
    Similar, SmsText,
};
use crate::routing::{Facts, PairBy, Plan, StormPlan};
use crate::storm::{one_time, similar};
use crate::wording::Source;

/// Most mails that a mail answers: the first of a thread, which the others are about, and the latest.
const MAX_ENDS: usize = 20;

/// What a mail says about the mails before it, for a recovery that answers its problem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Thread {
    /// Its own `Message-ID:`.
    own: Option<String>,
    /// Those of `In-Reply-To:` and `References:`, none twice, at most [`MAX_ENDS`].
    answers: Vec<String>,
}

impl Thread {
    pub(super) fn of(headers: Headers<'_>) -> Self {
        let field = |name| headers.field(name).unwrap_or_default();
        let own = ids(&field("Message-ID")).next().map(str::to_owned);
        let (replies, references) = (field("In-Reply-To"), field("References"));
        let first = ids(&references).next();
        let latest: Vec<&str> = ids(&references).collect();
        let mut answers: Vec<String> = Vec::new();
        for id in ids(&replies).take(MAX_ENDS / 2).chain(first).chain(latest.into_iter().rev()) {
            let is_known = own.as_deref() == Some(id) || answers.iter().any(|known| known == id);
            if answers.len() < MAX_ENDS && !is_known {
                answers.push(id.to_owned());
            }
        }
        Self { own, answers }
    }
}

/// The ids between angle brackets (RFC 5322 section 3.6.4), or all of a field that has none.
fn ids(field: &str) -> impl Iterator<Item = &str> {
    let bare = Some(field.trim()).filter(|field| !field.is_empty() && !field.contains('<'));
    let within = field.split('<').skip(1).filter_map(|rest| rest.split_once('>'));
    within.map(|(id, _)| id.trim()).filter(|id| !id.is_empty()).chain(bare)
}

/// Why an SMS neither folds nor waits for a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exempt {
    /// It is critical.
    Critical,
    /// It brings a one-time password.
    OneTimePassword,
    /// The rule says so.
    Rule,
}

/// What is explained of storms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExplainedStorm {
    /// Why it neither folds nor waits for a limit; `None` where it may.
    pub exempt: Option<Exempt>,
    /// What is compared: the words without numbers and times, or what the operator's template made of them.
    pub similar_key: Option<String>,
    /// What problem and recovery have in common, where a template says so.
    pub pair_key: Option<String>,
    /// Why a template for a key could not be used.
    pub problem: Option<String>,
    /// What it has to pass; empty where storms are off.
    pub passage: Passage,
}

/// What the SMS of one recipient's words have in common.
pub(super) struct Passing<'a> {
    /// All that was decided.
    pub(super) whole: &'a Plan,
    plan: &'a StormPlan,
    lane: Lane,
    /// Nobody gets what is only simulated, and it takes no room from what somebody gets.
    is_simulated: bool,
    client: &'a Client,
    /// What the operator's template made of the words.
    key: Option<String>,
    pairing: Pairing,
    pair_key: Option<String>,
    /// Why a template could not be used.
    pub(super) problem: Option<String>,
}

impl<'a> Passing<'a> {
    /// Of words that are `distilled` for the recipient `to`, as for [`Wording::compose`](crate::wording::Wording::compose).
    pub(super) fn new(
        plan: &'a Plan,
        facts: &Facts<'a>,
        source: &Source<'_>,
        distilled: &str,
        to: &str,
        thread: impl FnOnce() -> Thread,
    ) -> Self {
        let storm = &plan.delivery.storm;
        let mut problem = None;
        // A template that fails gives words of its own, which are no key.
        let mut filled = |key: &str, template: &crate::wording::Template| {
            let (filled, wrong) = template.render(source, distilled, to, &plan.groups);
            match wrong {
                None => Some(filled).filter(|filled| !filled.is_empty()),
                Some(wrong) => {
                    problem.get_or_insert_with(|| format!("the key of `storm.{key}`: {wrong}"));
                    None
                }
            }
        };
        let similar = storm.similar.as_ref().and_then(|similar| similar.key.as_ref());
        let key = similar.and_then(|template| filled("similar", template));
        let mut pair_key = None;
        let whose = pairs_of(facts.origin.client);
        let pairing = match &storm.pair {
            None => Pairing::default(),
            Some(PairBy::Replies) => {
                let Thread { own, answers } = thread();
                let name = |id: &String| similar::key("mail", &whose, id);
                Pairing { own: own.as_ref().map(name), ends: answers.iter().map(name).collect() }
            }
            Some(PairBy::Key { key, recovery }) => {
                pair_key = filled("pair", key);
                let name = pair_key.as_ref().map(|key| similar::key("pair", &whose, key));
                match recovery.is_in(facts.subject) || recovery.is_in(facts.text) {
                    true => Pairing { own: None, ends: name.into_iter().collect() },
                    false => Pairing { own: name, ends: Vec::new() },
                }
            }
        };
        Self {
            whole: plan,
            plan: storm,
            lane: plan.delivery.lane,
            is_simulated: plan.options.simulation,
            client: facts.origin.client,
            key,
            pairing,
            pair_key,
            problem,
        }
    }

    /// Of the SMS to `destination` that bring `text`, however many they are. Those that are given to the platform now, which
    /// holds them until their time, are told by no summary, which would come before, and take no room of today.
    pub(super) fn of(&self, destination: &PhoneNumber, text: &str, is_with_platform: bool) -> ExplainedStorm {
        let exempt = self.exempt(text);
        let mut passage = Passage {
            is_exempt: exempt.is_some(),
            passes_hold: self.passes_hold(text),
            summary: self.plan.summary.clone(),
            ..Passage::default()
        };
        let mut explained = ExplainedStorm {
            exempt,
            similar_key: None,
            pair_key: self.pair_key.clone(),
            problem: self.problem.clone(),
            passage: Passage::default(),
        };
        if !self.is_simulated {
            if exempt.is_none() && !is_with_platform {
                if let Some(wanted) = &self.plan.similar {
                    let words = self.compared(text);
                    let key = similar::key(&self.whole.rule, destination.as_str(), &words);
                    passage.similar = Some(Similar { key, window: wanted.window });
                    explained.similar_key = Some(words);
                }
                passage.digest = self.plan.digest.map(|every| Digest {
                    key: similar::key("digest", destination.as_str(), self.lane.as_str()),
                    every,
                });
            }
            if !is_with_platform {
                let of_phone = self.limits(destination).into_iter();
                passage.limits = of_phone.chain(self.limit_of_source()).collect();
            }
            passage.pairing = self.pairing.clone();
        }
        explained.passage = passage;
        explained
    }

    /// Of an SMS that takes the place of others `after` so long: somebody waits for it, so that the first goes at once even
    /// where a digest told of those. Of a storm of them the others fold, among themselves.
    pub(super) fn of_escalation(
        &self,
        destination: &PhoneNumber,
        text: &SmsText,
        after: Duration,
    ) -> Passage {
        let is_exempt = self.exempt(&text.body).is_some();
        let similar = self.plan.similar.as_ref().map(|similar| similar.window);
        let window = similar.or(self.plan.digest).filter(|_| !is_exempt && !self.is_simulated);
        let key = || similar::key(&self.whole.rule, destination.as_str(), &self.compared(&text.body));
        let limits = if self.is_simulated { None } else { self.limits(destination) };
        Passage {
            is_exempt,
            similar: window.map(|window| Similar { key: format!("escalation {}", key()), window }),
            passes_hold: self.passes_hold(&text.body),
            limits: limits.into_iter().collect(),
            summary: self.plan.summary.clone(),
            escalates_after: Some(after),
            ..Passage::default()
        }
    }

    /// What is the same about similar ones.
    fn compared(&self, text: &str) -> String {
        self.key.clone().unwrap_or_else(|| similar::masked(text))
    }

    fn exempt(&self, words: &str) -> Option<Exempt> {
        match self.plan.exempt {
            Some(true) => Some(Exempt::Rule),
            _ if self.lane == Lane::Critical => Some(Exempt::Critical),
            Some(false) => None,
            None => one_time::is_one_time_password(words).then_some(Exempt::OneTimePassword),
        }
    }

    /// Whether a budget's ceiling alone holds it: a rule lets pass limits, but spends no more money.
    fn passes_hold(&self, words: &str) -> bool {
        self.lane == Lane::Critical
            || (self.plan.exempt != Some(false) && one_time::is_one_time_password(words))
    }

    fn limits(&self, destination: &PhoneNumber) -> Option<Limit> {
        limit(LimitScope::Destination, destination.as_str().to_owned(), &self.plan.per_destination)
    }

    fn limit_of_source(&self) -> Option<Limit> {
        let key = source_of(self.client)?;
        limit(LimitScope::Source, key, &self.plan.per_source)
    }
}

fn limit(scope: LimitScope, key: String, steps: &[LimitStep]) -> Option<Limit> {
    (!steps.is_empty()).then(|| Limit { key, scope, steps: steps.to_vec() })
}

/// Who counts as one source: the account, or else the client's address. The relay itself is none.
fn source_of(client: &Client) -> Option<String> {
    match (client.door, &client.account) {
        (Door::Relay, _) => None,
        (Door::Smtp | Door::Http, Some(account)) => Some(format!("account {account}")),
        (Door::Smtp | Door::Http, None) => Some(of_address(client.address)),
    }
}

/// Whose problems a recovery of this client can end, and whose it would be ended by: those of its account, or else of all
/// that have none.
fn pairs_of(client: &Client) -> String {
    match (client.door, &client.account) {
        (Door::Relay, _) => "relay".to_owned(),
        (Door::Smtp | Door::Http, Some(account)) => format!("account {account}"),
        (Door::Smtp | Door::Http, None) => String::new(),
    }
}

fn of_address(address: IpAddr) -> String {
    format!("client {}", ClientKey::from(address))
}

impl Exempt {
    /// Why, in words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Critical => "it is critical",
            Self::OneTimePassword => "it brings a one-time password",
            Self::Rule => "the rule says so",
        }
    }

    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::OneTimePassword => "one_time_password",
            Self::Rule => "rule",
        }
    }
}

impl ExplainedStorm {
    /// How long it folds with similar ones.
    pub fn window(&self) -> Option<Duration> {
        self.passage.similar.as_ref().map(|similar| similar.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(header: &str) -> Thread {
        Thread::of(Headers::new(header.as_bytes()))
    }

    #[test]
    fn a_thread_is_read_from_its_fields() {
        let read = thread(
            "Message-ID: <3@zabbix>\r\nReferences: <1@zabbix>\r\n <2@zabbix>\r\nIn-Reply-To: <2@zabbix>\r\n",
        );
        let answers = vec!["2@zabbix".to_owned(), "1@zabbix".to_owned()];
        assert_eq!(read, Thread { own: Some("3@zabbix".to_owned()), answers });
        assert_eq!(thread("Subject: x\r\n"), Thread::default());
        assert_eq!(thread("Message-ID: bare@host\r\n").own, Some("bare@host".to_owned()));
        assert_eq!(thread("Message-ID: <1@a>\r\nIn-Reply-To: <1@a>\r\n").answers, [""; 0], "not itself");
    }

    #[test]
    fn of_a_long_thread_the_first_and_the_latest_count() {
        let many: String = (0..100).map(|n| format!(" <{n}@a>\r\n")).collect();
        let answers = thread(&format!("References:{many}")).answers;
        assert_eq!(answers.len(), MAX_ENDS);
        for kept in [0, 99, 81] {
            assert!(answers.contains(&format!("{kept}@a")), "{kept}");
        }
        assert!(!answers.contains(&"80@a".to_owned()));
    }

    fn client(door: Door, address: &str, account: Option<&str>) -> Client {
        Client {
            door,
            listener: "lan".to_owned(),
            address: address.parse().unwrap(),
            helo: None,
            account: account.map(str::to_owned),
        }
    }

    #[test]
    fn a_source_is_an_account_or_what_counts_as_one_client() {
        let source = |client: Client| source_of(&client);
        assert_eq!(source(client(Door::Http, "10.0.0.7", Some("shop"))).unwrap(), "account shop");
        assert_eq!(source(client(Door::Smtp, "10.0.0.7", None)).unwrap(), "client 10.0.0.7");
        assert_eq!(source(client(Door::Smtp, "2001:db8::1:2", None)).unwrap(), "client 2001:db8::/64");
        assert_eq!(source(client(Door::Relay, "127.0.0.1", None)), None);
    }
}
