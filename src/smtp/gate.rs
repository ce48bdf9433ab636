//! How many connections are open: in all, from each client and from each configured network.
//!
//! The limits come with each question, since a reload may change them while connections are open. One
//! that is lowered closes nobody; it holds for those who come.
//!
//! A connection takes its place in two steps. [`Gate::arrive`] counts it in all as soon as it is accepted.
//! [`Arrival::identify`] counts it for its client and its network once these are known: at once, or
//! behind a load balancer after the PROXY header. So a balancer that connects and says nothing takes a
//! place in all from the first moment, and is never counted as if it were the client.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::settings::{Limits, Network};
use crate::model::ClientKey;

/// Counts connections. Its maps hold clients and networks with open connections only, so the limit in
/// all bounds them.
#[derive(Debug, Default)]
pub(super) struct Gate {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    in_all: usize,
    by_client: HashMap<ClientKey, usize>,
    by_network: HashMap<Arc<str>, usize>,
}

/// The limits that hold for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds<'a> {
    /// Connections in all.
    pub(super) in_all: usize,
    /// Connections of one client.
    pub(super) per_client: usize,
    /// The network it belongs to and the connections of that together. A network without a limit is
    /// counted with `usize::MAX`, so that a reload that sets one finds the open ones counted.
    pub(super) network: Option<(&'a str, usize)>,
}

/// Why a connection is not admitted; its text is for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// All connections are taken.
    InAll,
    /// This client has as many as it may.
    Client(ClientKey),
    /// The network of this name has as many as it may.
    Network(Arc<str>),
}

/// An open connection of nobody in particular yet; dropping it makes room for the next.
#[derive(Debug)]
pub(super) struct Arrival {
    gate: Arc<Gate>,
}

/// An open connection of a client; dropping it makes room for the next.
#[derive(Debug)]
pub(super) struct Permit {
    arrival: Arrival,
    client: ClientKey,
    network: Option<Arc<str>>,
}

impl<'a> Bounds<'a> {
    /// What `limits` and the client's network say.
    pub(super) fn new(limits: &Limits, network: Option<&'a Network>) -> Self {
        Self {
            in_all: limits.connections,
            per_client: limits.connections_per_client,
            network: network
                .map(|network| (network.name.as_str(), network.connections.unwrap_or(usize::MAX))),
        }
    }
}

impl Gate {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Takes a place for a connection whose client is not known yet.
    ///
    /// # Errors
    /// [`Full::InAll`].
    pub(super) fn arrive(self: &Arc<Self>, in_all: usize) -> Result<Arrival, Full> {
        let mut open = self.open();
        if open.in_all >= in_all {
            return Err(Full::InAll);
        }
        open.in_all += 1;
        Ok(Arrival { gate: Arc::clone(self) })
    }

    /// Nothing can panic while the lock is held, so a poisoned one is still consistent.
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrival {
    /// Counts the connection for its client and the client's network. The place in all is taken
    /// already; `bounds.in_all` is not looked at.
    ///
    /// # Errors
    /// The limit that is reached; the place in all is free again then.
    pub(super) fn identify(self, client: IpAddr, bounds: Bounds<'_>) -> Result<Permit, Full> {
        let client = ClientKey::from(client);
        let network = self.gate.open().count(client, bounds)?;
        Ok(Permit { arrival: self, client, network })
    }
}

impl Open {
    fn count(&mut self, client: ClientKey, bounds: Bounds<'_>) -> Result<Option<Arc<str>>, Full> {
        let of_client = self.by_client.get(&client).copied().unwrap_or(0);
        if of_client >= bounds.per_client {
            return Err(Full::Client(client));
        }
        let network = match bounds.network {
            None => None,
            Some((name, limit)) => {
                let (name, of_network) = match self.by_network.get_key_value(name) {
                    Some((name, count)) => (Arc::clone(name), *count),
                    None => (Arc::from(name), 0),
                };
                if of_network >= limit {
                    return Err(Full::Network(name));
                }
                self.by_network.insert(Arc::clone(&name), of_network + 1);
                Some(name)
            }
        };
        self.by_client.insert(client, of_client + 1);
        Ok(network)
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.gate.open().in_all -= 1;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.arrival.gate.open();
        release(&mut open.by_client, &self.client);
        if let Some(network) = &self.network {
            release(&mut open.by_network, network);
        }
        // The place in all goes with the arrival, after this lock.
    }
}

fn release<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    match counts.get_mut(key) {
        Some(count) if *count > 1 => *count -= 1,
        Some(_) | None => {
            counts.remove(key);
        }
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InAll => f.write_str("too many connections are open; try again later"),
            Self::Client(client) => {
                write!(f, "too many connections are open from {client}; try again later")
            }
            Self::Network(name) => {
                write!(f, "too many connections are open from network `{name}`; try again later")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn bounds(in_all: usize, per_client: usize) -> Bounds<'static> {
        Bounds { in_all, per_client, network: None }
    }

    fn counts(gate: &Gate) -> (usize, usize, usize) {
        let open = gate.open();
        (open.in_all, open.by_client.values().sum(), open.by_network.values().sum())
    }

    fn is_empty(gate: &Gate) -> bool {
        let open = gate.open();
        open.in_all == 0 && open.by_client.is_empty() && open.by_network.is_empty()
    }

    fn admit(gate: &Arc<Gate>, client: IpAddr, bounds: Bounds<'_>) -> Result<Permit, Full> {
        gate.arrive(bounds.in_all)?.identify(client, bounds)
    }

    #[test]
    fn in_all_and_per_client_hold_at_n_and_not_at_n_plus_one() {
        let gate = Gate::new();
        let first = admit(&gate, client(1), bounds(3, 2)).unwrap();
        let second = admit(&gate, client(1), bounds(3, 2)).unwrap();
        let full = admit(&gate, client(1), bounds(3, 2)).unwrap_err();
        assert_eq!(full.to_string(), "too many connections are open from 192.0.2.1; try again later");
        assert_eq!(counts(&gate).0, 2, "a refused one has no place in all");
        let other = admit(&gate, client(2), bounds(3, 2)).unwrap();
        let full = admit(&gate, client(3), bounds(3, 2)).unwrap_err();
        assert_eq!(full, Full::InAll);
        assert_eq!(full.to_string(), "too many connections are open; try again later");
        drop(first);
        let again = admit(&gate, client(1), bounds(3, 2)).unwrap();
        drop((second, other, again));
        assert!(is_empty(&gate));
    }

    #[test]
    fn a_network_holds_at_n_and_not_at_n_plus_one_whoever_its_clients_are() {
        let gate = Gate::new();
        let printers = Bounds { network: Some(("printers", 2)), ..bounds(9, 9) };
        let first = admit(&gate, client(1), printers).unwrap();
        let second = admit(&gate, client(2), printers).unwrap();
        let full = admit(&gate, client(3), printers).unwrap_err();
        assert_eq!(
            full.to_string(),
            "too many connections are open from network `printers`; try again later"
        );
        assert_eq!(counts(&gate), (2, 2, 2), "the refused one counts nowhere");
        let elsewhere = admit(&gate, client(3), bounds(9, 9)).unwrap();
        let other = admit(&gate, client(3), Bounds { network: Some(("phones", 1)), ..bounds(9, 9) }).unwrap();
        drop(first);
        let third = admit(&gate, client(3), printers).unwrap();
        drop((second, third, elsewhere, other));
        assert!(is_empty(&gate));
    }

    #[test]
    fn neighbours_in_a_64_are_one_client() {
        let gate = Gate::new();
        let _one = admit(&gate, "2001:db8::1".parse().unwrap(), bounds(9, 1)).unwrap();
        let full = admit(&gate, "2001:db8::2".parse().unwrap(), bounds(9, 1)).unwrap_err();
        assert_eq!(full.to_string(), "too many connections are open from 2001:db8::/64; try again later");
        let _other = admit(&gate, "2001:db8:0:1::1".parse().unwrap(), bounds(9, 1)).unwrap();
    }

    #[test]
    fn who_is_not_identified_counts_in_all_and_nowhere_else() {
        let gate = Gate::new();
        let silent = gate.arrive(2).unwrap();
        let speaking = gate.arrive(2).unwrap();
        assert_eq!(gate.arrive(2).unwrap_err(), Full::InAll);
        assert_eq!(counts(&gate), (2, 0, 0));
        let net = Bounds { network: Some(("lan", 1)), ..bounds(2, 1) };
        let permit = speaking.identify(client(1), net).unwrap();
        assert_eq!(counts(&gate), (2, 1, 1));
        assert_eq!(silent.identify(client(1), net).unwrap_err(), Full::Client(client(1).into()));
        assert_eq!(counts(&gate), (1, 1, 1), "who fails here gives the place in all back");
        drop(permit);
        assert!(is_empty(&gate));
        drop(gate.arrive(1).unwrap());
        assert!(is_empty(&gate));
    }

    #[test]
    fn a_limit_that_is_lowered_holds_for_those_who_come() {
        let gate = Gate::new();
        let unbounded = Network { connections: None, ..network("lan") };
        let bounded = Network { connections: Some(2), ..network("lan") };
        let limits = Limits::default();
        let open = [1, 2].map(|n| admit(&gate, client(n), Bounds::new(&limits, Some(&unbounded))).unwrap());
        let full = admit(&gate, client(3), Bounds::new(&limits, Some(&bounded))).unwrap_err();
        assert_eq!(full, Full::Network("lan".into()), "those without a limit were counted");
        assert_eq!(admit(&gate, client(1), bounds(9, 1)).unwrap_err(), Full::Client(client(1).into()));
        assert_eq!(admit(&gate, client(3), bounds(2, 9)).unwrap_err(), Full::InAll);
        drop(open);
        assert!(is_empty(&gate));
    }

    fn network(name: &str) -> Network {
        Network {
            name: name.to_owned(),
            networks: Vec::new(),
            listeners: Vec::new(),
            profile: None,
            auth: None,
            auth_mechanisms: None,
            capture: None,
            connections: None,
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Act {
        Admit(u8, Option<bool>),
        Arrive,
        Identify(usize, u8, Option<bool>),
        Drop(usize),
        DropArrival(usize),
    }

    fn act() -> impl Strategy<Value = Act> {
        let network = || proptest::option::of(any::<bool>());
        prop_oneof![
            4 => (0u8..4, network()).prop_map(|(client, network)| Act::Admit(client, network)),
            2 => Just(Act::Arrive),
            2 => (any::<usize>(), 0u8..4, network())
                .prop_map(|(n, client, network)| Act::Identify(n, client, network)),
            2 => any::<usize>().prop_map(Act::Drop),
            1 => any::<usize>().prop_map(Act::DropArrival),
        ]
    }

    proptest! {
        /// Whatever comes and goes, the counts are those of what is open, and no limit is passed.
        #[test]
        fn counts_are_what_is_open(acts in proptest::collection::vec(act(), 0..60)) {
            let gate = Gate::new();
            let (mut arrivals, mut permits) = (Vec::new(), Vec::new());
            for act in acts {
                let with = |network: Option<bool>| Bounds {
                    network: network.map(|other| if other { ("b", 3) } else { ("a", 2) }),
                    ..bounds(7, 3)
                };
                match act {
                    Act::Admit(n, network) => permits.extend(admit(&gate, client(n), with(network))),
                    Act::Arrive => arrivals.extend(gate.arrive(7)),
                    Act::Identify(n, c, network) if !arrivals.is_empty() => {
                        let arrival: Arrival = arrivals.swap_remove(n % arrivals.len());
                        permits.extend(arrival.identify(client(c), with(network)));
                    }
                    Act::Drop(n) if !permits.is_empty() => drop(permits.swap_remove(n % permits.len())),
                    Act::DropArrival(n) if !arrivals.is_empty() => {
                        drop(arrivals.swap_remove(n % arrivals.len()));
                    }
                    Act::Identify(..) | Act::Drop(_) | Act::DropArrival(_) => {}
                }
                let of_network = |name| {
                    permits.iter().filter(|permit| permit.network.as_deref() == Some(name)).count()
                };
                let (a, b) = (of_network("a"), of_network("b"));
                prop_assert_eq!(counts(&gate), (arrivals.len() + permits.len(), permits.len(), a + b));
                prop_assert!(arrivals.len() + permits.len() <= 7 && a <= 2 && b <= 3);
                prop_assert!(gate.open().by_client.values().all(|count| (1..=3).contains(count)));
            }
            drop((arrivals, permits));
            prop_assert!(is_empty(&gate));
        }
    }
}
