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

#[cfg(test)]
mod tests {
    use super::*;

    fn network(name: &str, addresses: &str, listeners: &[&str], is_expected: bool) -> ListenedNetwork {
        ListenedNetwork {
            name: name.to_owned(),
            listeners: listeners.iter().map(|name| (*name).to_owned()).collect(),
            networks: vec![addresses.parse().unwrap(), "2001:db8::/64".parse().unwrap()],
            is_expected,
        }
    }

    fn client(door: Door, listener: &str, address: &str) -> Client {
        let (listener, address) = (listener.to_owned(), address.parse().unwrap());
        Client { door, listener, address, helo: None, account: None }
    }

    #[test]
    fn a_client_is_of_the_first_network_that_has_it_where_it_comes_in() {
        let listened = Listened {
            networks: vec![
                network("guests", "10.0.0.0/30", &["wan"], true),
                network("printers", "10.0.0.0/29", &[], false),
                network("hall", "10.0.0.0/28", &[], true),
            ],
            ..Listened::default()
        };
        let smtp =
            |listener, address| listened.network(&client(Door::Smtp, listener, address)).map(str::to_owned);
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(smtp("wan", "10.0.0.3"), some("guests"));
        assert_eq!(smtp("lan", "10.0.0.3"), None, "of the printers, whom nobody expects");
        assert_eq!(smtp("wan", "10.0.0.4"), None, "the printers' as well");
        assert_eq!(smtp("lan", "10.0.0.8"), some("hall"));
        assert_eq!(smtp("lan", "10.0.0.16"), None);
        assert_eq!(smtp("wan", "2001:db8::7"), some("guests"));
        // Networks are of the SMTP door.
        assert_eq!(listened.network(&client(Door::Http, "lan", "10.0.0.8")), None);
    }
}
