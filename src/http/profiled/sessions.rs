//! Sessions that a login has given, for APIs that have them. They live in memory: a client whose session is gone logs
//! in again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::http::{Account, Login};

/// How long a session lives without a request.
const IDLE: Duration = Duration::from_secs(15 * 60);
/// Most sessions; one more ends the one that idles longest, of an account that has the most: one that logs in for each SMS
/// takes no session from others.
const MOST: usize = 1000;

/// All sessions.
#[derive(Debug, Default)]
pub(in crate::http) struct Sessions(HashMap<String, Session>);

#[derive(Debug)]
struct Session {
    account: String,
    /// What the account had to show when the session began.
    login: Option<Login>,
    address: IpAddr,
    used: Instant,
}

impl Sessions {
    /// Begins the session `name` of `account` from `address`.
    pub(super) fn begin(&mut self, name: String, account: &Account, address: IpAddr, now: Instant) {
        self.0.retain(|_, session| !session.is_over(now));
        if self.0.len() >= MOST {
            let mut numbers: HashMap<&str, usize> = HashMap::new();
            self.0.values().for_each(|session| *numbers.entry(&session.account).or_default() += 1);
            let most = numbers.values().copied().max().unwrap_or_default();
            let of_most =
                self.0.iter().filter(|(_, session)| numbers.get(session.account.as_str()) == Some(&most));
            let oldest = of_most.min_by_key(|(_, session)| session.used).map(|(name, _)| name.clone());
            oldest.and_then(|oldest| self.0.remove(&oldest));
        }
        let (login, account) = (account.login.clone(), account.name.clone());
        self.0.insert(name, Session { account, login, address, used: now });
    }

    /// The account of the session `name`, if a request from `address` may use it. One whose account is gone, or has
    /// another credential by now, is over.
    pub(super) fn account<'a>(
        &mut self,
        name: &str,
        accounts: &'a [Account],
        address: IpAddr,
        now: Instant,
    ) -> Option<&'a Account> {
        // Whoever else shows it does not end it.
        let session = self.0.get_mut(name).filter(|session| session.address == address)?;
        let account = accounts.iter().find(|account| session.is_of(account) && account.is_from(address));
        if account.is_none() || session.is_over(now) {
            self.0.remove(name);
            return None;
        }
        session.used = now;
        account
    }
}

impl Session {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) >= IDLE
    }

    fn is_of(&self, account: &Account) -> bool {
        let is_same = match (&self.login, &account.login) {
            (None, None) => true,
            (Some(then), Some(now)) => now.is_the_same(then),
            (None, Some(_)) | (Some(_), None) => false,
        };
        self.account == account.name && is_same
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const SECOND: Duration = Duration::from_secs(1);

    fn account(name: &str, password: Option<&str>) -> Account {
        let login = |password| Login::with_password(name.to_owned(), Secret::from(password));
        Account {
            name: name.to_owned(),
            networks: vec!["127.0.0.0/8".parse().unwrap()],
            login: password.map(login),
            profiles: None,
            may_choose_sender: false,
            may_choose_lane: false,
            may_see_all: false,
            accepted: crate::profile::Answers::default(),
            program: None,
        }
    }

    fn who(sessions: &mut Sessions, accounts: &[Account], address: IpAddr, now: Instant) -> Option<String> {
        sessions.account("s", accounts, address, now).map(|account| account.name.clone())
    }

    #[test]
    fn a_session_is_its_accounts_until_it_idles() {
        let (mut sessions, start) = (Sessions::default(), Instant::now());
        let accounts = [account("nas", Some("p1")), account("camera", Some("p2"))];
        sessions.begin("s".to_owned(), &accounts[1], HERE, start);
        let late = start + IDLE - SECOND;
        assert_eq!(who(&mut sessions, &accounts, HERE, late).as_deref(), Some("camera"));
        assert_eq!(who(&mut sessions, &accounts, HERE, late + IDLE - SECOND).as_deref(), Some("camera"));
        assert_eq!(who(&mut sessions, &accounts, HERE, late + 2 * IDLE - SECOND), None);
        assert!(sessions.0.is_empty());
        assert!(sessions.account("t", &accounts, HERE, start).is_none());
    }

    #[test]
    fn a_session_is_bound_to_its_address() {
        let (mut sessions, start) = (Sessions::default(), Instant::now());
        let accounts = [account("nas", Some("p1"))];
        sessions.begin("s".to_owned(), &accounts[0], HERE, start);
        // The second is none of the account's.
        for elsewhere in [IpAddr::from([127, 0, 0, 2]), IpAddr::from([192, 0, 2, 1])] {
            assert_eq!(who(&mut sessions, &accounts, elsewhere, start), None);
            assert!(who(&mut sessions, &accounts, HERE, start).is_some());
        }
    }

    #[test]
    fn an_account_that_logs_in_all_the_time_takes_no_session_from_others() {
        let (mut sessions, start) = (Sessions::default(), Instant::now());
        let accounts = [account("nas", Some("p1")), account("camera", Some("p2"))];
        sessions.begin("s".to_owned(), &accounts[1], HERE, start);
        for n in 0..2 * MOST {
            sessions.begin(n.to_string(), &accounts[0], HERE, start + SECOND);
        }
        assert_eq!(sessions.0.len(), MOST);
        assert_eq!(who(&mut sessions, &accounts, HERE, start + SECOND).as_deref(), Some("camera"));
    }

    #[test]
    fn a_session_ends_with_its_account_or_its_password() {
        let start = Instant::now();
        let (before, open) = (account("nas", Some("p1")), account("nas", None));
        let elsewhere = Account { networks: Vec::new(), ..before.clone() };
        for (began, after) in [
            (&before, vec![]),
            (&before, vec![account("nas", Some("p2"))]),
            (&before, vec![account("camera", Some("p1"))]),
            (&before, vec![open.clone()]),
            (&open, vec![before.clone()]),
            (&before, vec![elsewhere]),
        ] {
            let mut sessions = Sessions::default();
            sessions.begin("s".to_owned(), began, HERE, start);
            assert_eq!(who(&mut sessions, &after, HERE, start), None);
            let again = [began.clone()];
            assert_eq!(who(&mut sessions, &again, HERE, start), None, "it is over");
        }
        let mut sessions = Sessions::default();
        sessions.begin("s".to_owned(), &open, HERE, start);
        assert!(who(&mut sessions, &[open], HERE, start).is_some());
    }

    #[test]
    fn one_more_than_the_most_ends_the_one_that_idles_longest() {
        let (mut sessions, start) = (Sessions::default(), Instant::now());
        let accounts = [account("nas", Some("p1"))];
        sessions.begin("s".to_owned(), &accounts[0], HERE, start);
        for n in 1..MOST {
            sessions.begin(n.to_string(), &accounts[0], HERE, start + SECOND);
        }
        assert!(sessions.account("1", &accounts, HERE, start + 2 * SECOND).is_some());
        assert!(who(&mut sessions, &accounts, HERE, start + 3 * SECOND).is_some());
        sessions.begin("more".to_owned(), &accounts[0], HERE, start + 4 * SECOND);
        assert_eq!(sessions.0.len(), MOST);
        for is_there in ["s", "1", "more"] {
            assert!(sessions.account(is_there, &accounts, HERE, start + 4 * SECOND).is_some(), "{is_there}");
        }
        sessions.begin("later".to_owned(), &accounts[0], HERE, start + 4 * SECOND + IDLE);
        assert_eq!(sessions.0.len(), 1, "those that are over make room");
    }
}
