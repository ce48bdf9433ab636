//! How many connections a listener may have open, in all and from one client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::ClientKey;

/// Counts the connections of one listener. Each has its own, so that whoever floods one that is open to the
/// Internet takes no place from those who post forms at another.
#[derive(Debug)]
pub(super) struct Admission {
    places: Arc<Semaphore>,
    per_client: usize,
    clients: Arc<Mutex<HashMap<ClientKey, usize>>>,
}

/// One connection of a client; given back when dropped.
#[derive(Debug)]
pub(super) struct Visit {
    client: ClientKey,
    clients: Arc<Mutex<HashMap<ClientKey, usize>>>,
}

impl Admission {
    /// Takes `connections` in all and `per_client` from one client.
    pub(super) fn new(connections: usize, per_client: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS))),
            per_client,
            clients: Arc::default(),
        }
    }

    /// Counts a connection from `address`; `None` when the client has enough of them.
    pub(super) fn visit(&self, address: IpAddr) -> Option<Visit> {
        let client = ClientKey::from(address);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let open = clients.get(&client).copied().unwrap_or(0);
        if open >= self.per_client {
            return None;
        }
        clients.insert(client, open + 1);
        Some(Visit { client, clients: self.clients.clone() })
    }

    /// A place among all connections, if one is free now.
    pub(super) fn place_now(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// A place among all connections, once one is free. `None` never comes: nobody closes the
    /// semaphore.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().acquire_owned().await.ok()
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        match clients.get_mut(&self.client) {
            Some(open) if *open > 1 => *open -= 1,
            // The last one: the table holds only clients that are connected.
            Some(_) | None => drop(clients.remove(&self.client)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_its_number_and_not_one_more() {
        let admission = Admission::new(10, 2);
        let (one, two) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let first = admission.visit(one).unwrap();
        let _second = admission.visit(one).unwrap();
        assert!(admission.visit(one).is_none());
        assert!(admission.visit(two).is_some());
        drop(first);
        assert!(admission.visit(one).is_some());
    }

    #[test]
    fn neighbours_in_a_64_are_one_client() {
        let admission = Admission::new(10, 2);
        let visit = |address: &str| admission.visit(address.parse().unwrap());
        let first = visit("2001:db8:0:1::1").unwrap();
        let _second = visit("2001:db8:0:1:ffff::2").unwrap();
        assert!(visit("2001:db8:0:1::3").is_none());
        let _elsewhere = visit("2001:db8:0:2::1").unwrap();
        drop(first);
        assert!(visit("2001:db8:0:1::3").is_some());
    }

    #[test]
    fn clients_that_left_are_forgotten() {
        let admission = Admission::new(10, 2);
        let address = IpAddr::from([192, 0, 2, 1]);
        drop((admission.visit(address), admission.visit(address)));
        assert!(admission.clients.lock().unwrap().is_empty());
    }

    #[test]
    fn places_are_counted_over_all_clients() {
        let admission = Admission::new(1, 2);
        let place = admission.place_now().unwrap();
        assert!(admission.place_now().is_none());
        drop(place);
        assert!(admission.place_now().is_some());
    }
}
