//! Who was heard of by a submission.

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::model::{Client, Door, Fate, Source, SourceKind, Submission};

/// The names that are to be heard of; what comes of others is not remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listened {
    /// Rules.
    pub rules: BTreeSet<String>,
    /// Accounts of both doors.
    pub accounts: BTreeSet<String>,
    /// All networks of the SMTP door, in their order: a client is of the first that has it.
    pub networks: Vec<ListenedNetwork>,
}

/// A network of the SMTP door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenedNetwork {
    /// Its name.
    pub name: String,
    /// The listeners where it counts; all where there is none.
    pub listeners: Vec<String>,
    /// Its addresses.
    pub networks: Vec<IpNet>,
    /// Whether it is to be heard of.
    pub is_expected: bool,
}

impl Listened {
    /// Those who are to be heard of and were, by this submission. What a rule drops was heard; what is refused, and
    /// what the relay itself hands in, was not.
    pub(super) fn heard(&self, submission: &Submission) -> Vec<Source> {
        let client = &submission.client;
        if client.door == Door::Relay {
            return Vec::new();
        }
        let taken = submission.messages.iter().filter(|message| !matches!(message.fate, Fate::Refused(_)));
        let rules: BTreeSet<&String> =
            taken.map(|message| &message.rule).filter(|rule| self.rules.contains(*rule)).collect();
        let account = client.account.as_ref().filter(|account| self.accounts.contains(*account));
        let rules = rules.into_iter().map(|name| Source::new(SourceKind::Rule, name));
        let account = account.map(|name| Source::new(SourceKind::Account, name));
        let network = self.network(client).map(|name| Source::new(SourceKind::Network, name));
        rules.chain(account).chain(network).collect()
    }

    fn network(&self, client: &Client) -> Option<&str> {
        let is_in = |network: &&ListenedNetwork| {
            (network.listeners.is_empty() || network.listeners.contains(&client.listener))
                && network.networks.iter().any(|one| one.contains(&client.address))
        };
        let found = self.networks.iter().find(is_in).filter(|_| client.door == Door::Smtp)?;
        found.is_expected.then_some(&found.name)
    }
}
