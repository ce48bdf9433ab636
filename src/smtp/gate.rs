//! How many connections are open, in all and from each client address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts connections. The map holds open connections only, so the limit in all bounds it.
#[derive(Debug)]
pub(super) struct Gate {
    in_all: usize,
    per_client: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    in_all: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// Why a connection is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// All connections are taken.
    InAll,
    /// This client has as many as it may.
    Client,
}

/// One open connection; dropping it makes room for the next.
#[derive(Debug)]
pub(super) struct Permit {
    gate: Arc<Gate>,
    client: IpAddr,
}

impl Gate {
    pub(super) fn new(in_all: usize, per_client: usize) -> Arc<Self> {
        Arc::new(Self { in_all, per_client, open: Mutex::default() })
    }

    /// Admits a connection from `client`, unless a limit is reached.
    pub(super) fn admit(self: &Arc<Self>, client: IpAddr) -> Result<Permit, Full> {
        let mut open = self.open();
        if open.in_all >= self.in_all {
            return Err(Full::InAll);
        }
        let of_client = open.by_client.get(&client).copied().unwrap_or(0);
        if of_client >= self.per_client {
            return Err(Full::Client);
        }
        open.in_all += 1;
        open.by_client.insert(client, of_client + 1);
        Ok(Permit { gate: Arc::clone(self), client })
    }

    /// Nothing can panic while the lock is held, so a poisoned one is still consistent.
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.gate.open();
        open.in_all -= 1;
        match open.by_client.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                open.by_client.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn client(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
    }

    #[test]
    fn each_limit_holds_at_n_and_not_at_n_plus_one() {
        let gate = Gate::new(3, 2);
        let first = gate.admit(client(1)).unwrap();
        let second = gate.admit(client(1)).unwrap();
        assert_eq!(gate.admit(client(1)).unwrap_err(), Full::Client);
        let other = gate.admit(client(2)).unwrap();
        assert_eq!(gate.admit(client(3)).unwrap_err(), Full::InAll);
        drop(first);
        let again = gate.admit(client(1)).unwrap();
        drop((second, other, again));
        assert_eq!(gate.open().in_all, 0);
        assert!(gate.open().by_client.is_empty());
    }
}
