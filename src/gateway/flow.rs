//! When a gateway last called back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

/// The time of each gateway's latest callback. Clones share it. It is not kept over a restart: until the first
/// callback the platform is asked as if there were none.
#[derive(Clone, Debug, Default)]
pub struct Flow(Arc<Mutex<HashMap<String, Timestamp>>>);

impl Flow {
    /// A callback about a message of `gateway` was taken at `now`.
    pub fn came(&self, gateway: &str, now: Timestamp) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match latest.get_mut(gateway) {
            Some(last) => *last = now,
            None => drop(latest.insert(gateway.to_owned(), now)),
        }
    }

    /// When the latest one of `gateway` came; `None` when none has come since the start.
    pub fn last(&self, gateway: &str) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(gateway).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gateway_has_its_own_and_clones_share_it() {
        let flow = Flow::default();
        let seen = flow.clone();
        let at = |second| Timestamp::from_second(second).unwrap();
        flow.came("a", at(1));
        flow.came("b", at(2));
        flow.came("a", at(3));
        assert_eq!((seen.last("a"), seen.last("b"), seen.last("c")), (Some(at(3)), Some(at(2)), None));
    }
}
