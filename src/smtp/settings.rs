//! What the SMTP door is told by the configuration.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::model::Secret;

use super::auth::Mechanism;
use super::profile::Profile;
use crate::credential::PasswordHash;
use crate::tls::Identity;

/// The whole door.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name in the greeting and in `Received:`.
    pub hostname: String,
    /// Where to listen.
    pub listeners: Vec<Listener>,
    /// Networks of clients that are treated otherwise than their listener says; the first that
    /// contains the client counts.
    pub networks: Vec<Network>,
    /// Who may authenticate. Empty: `AUTH` is offered nowhere.
    pub accounts: Vec<Account>,
    /// What a client may use up.
    pub limits: Limits,
}

/// One listening socket.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its name in logs and rules.
    pub name: String,
    /// Where it listens; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Client networks that may speak to it; others get 554 and are closed.
    pub networks: Vec<IpNet>,
    /// Load balancers: a connection from one of these begins with a PROXY header that names the
    /// client. Empty: nobody's header is read.
    pub proxies: Vec<IpNet>,
    /// Whether and how TLS is spoken.
    pub tls: Tls,
    /// What is forgiven.
    pub profile: Profile,
    /// Whether clients authenticate.
    pub auth: Auth,
    /// Whether they may do so where nothing is encrypted, as passwords can be read on the way then.
    pub auth_without_tls: bool,
    /// By which mechanisms, of those that some account can use; `None`: by all of them.
    pub auth_mechanisms: Option<Vec<Mechanism>>,
    /// Whether dialogues are written down.
    pub capture: Option<Arc<Capture>>,
}

/// TLS of a listener.
#[derive(Clone, Debug)]
pub enum Tls {
    /// None.
    Off,
    /// Offered by STARTTLS (RFC 3207).
    StartTls(Arc<Identity>),
    /// From the first octet on (RFC 8314 section 3.3).
    Implicit(Arc<Identity>),
}

/// Authentication on a listener (RFC 4954).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Not offered.
    Off,
    /// Offered.
    Offered,
    /// Offered, and MAIL without it is 530.
    Required,
}

/// Clients that are treated otherwise than their listener says.
#[derive(Clone, Debug)]
pub struct Network {
    /// Its name in logs.
    pub name: String,
    /// Who belongs to it.
    pub networks: Vec<IpNet>,
    /// Names of the listeners where it counts; empty: all.
    pub listeners: Vec<String>,
    /// What is forgiven, instead of the listener's.
    pub profile: Option<Profile>,
    /// Whether clients authenticate, instead of the listener's.
    pub auth: Option<Auth>,
    /// By which mechanisms, instead of the listener's.
    pub auth_mechanisms: Option<Vec<Mechanism>>,
    /// Where dialogues are written down, instead of the listener's.
    pub capture: Option<Arc<Capture>>,
    /// Connections at a time from all of it together.
    pub connections: Option<usize>,
}

/// Somebody who may authenticate.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name in logs and rules.
    pub name: String,
    /// What the client says as its name.
    pub username: String,
    /// For PLAIN and LOGIN.
    pub password: Option<PasswordHash>,
    /// For CRAM-MD5, which cannot work with a hash.
    pub cram_md5: Option<Secret>,
}

/// Where and how dialogues are written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// The directory; it is made, mode 0700.
    pub directory: PathBuf,
    /// Octets of one file; what comes after them is left out and the file says so.
    pub file_octets: usize,
    /// Files kept; the oldest go.
    pub files: usize,
    /// Whether phone numbers are masked.
    pub mask_numbers: bool,
}

/// Bounds on what a client may use up. A client is an IPv4 address or an IPv6 /64 where it is
/// counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a message after dot-unstuffing.
    pub message_octets: usize,
    /// Octets of memory for all messages under way, the first 64 KiB of each not counted; beyond
    /// it a large one gets 452.
    pub memory_octets: usize,
    /// Accepted recipients of one mail; at least 100 (RFC 5321 section 4.5.3.1.8).
    pub recipients: usize,
    /// Connections at a time over all listeners.
    pub connections: usize,
    /// Connections at a time from one client.
    pub connections_per_client: usize,
    /// What one connection may send.
    pub per_connection: Allotment,
    /// What one client may send in a minute, over all its connections.
    pub per_minute: Allotment,
    /// Refused commands of one connection after which each further refusal is delayed.
    pub errors_undelayed: usize,
    /// By how much.
    pub error_delay: Duration,
    /// Refused commands of one connection after which it is closed with 421.
    pub errors: usize,
    /// How long the answer to a failed authentication takes at least.
    pub auth_delay: Duration,
    /// Failed authentications of a client after which it may try no more.
    pub auth_failures: usize,
    /// For how long, and over how long they count.
    pub auth_window: Duration,
    /// For a whole command line to arrive, however its octets are spread.
    pub command_time: Duration,
    /// For a whole message to arrive after 354.
    pub message_time: Duration,
    /// For a whole session; a message that is under way then may end within its own time.
    pub session_time: Duration,
}

/// How much of something may come; `None` is without bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allotment {
    /// Messages, counted at MAIL.
    pub messages: Option<u64>,
    /// Recipients, counted at RCPT, refused ones too.
    pub recipients: Option<u64>,
    /// Octets of messages.
    pub octets: Option<u64>,
}

/// What holds for one connection: its listener's settings with those of its network over them.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What is forgiven.
    pub profile: Profile,
    /// Whether the client authenticates.
    pub auth: Auth,
    /// Whether it may do so in the clear.
    pub auth_without_tls: bool,
    /// By which mechanisms; `None`: by all that there are.
    pub auth_mechanisms: Option<Vec<Mechanism>>,
    /// Whether the dialogue is written down.
    pub capture: Option<Arc<Capture>>,
}

impl Tls {
    /// What it is spoken with.
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        match self {
            Self::Off => None,
            Self::StartTls(identity) | Self::Implicit(identity) => Some(identity),
        }
    }
}

impl Listener {
    /// A strict listener without TLS and authentication.
    pub fn new(name: &str, bind: SocketAddr, networks: Vec<IpNet>) -> Self {
        Self {
            name: name.to_owned(),
            bind,
            networks,
            proxies: Vec::new(),
            tls: Tls::Off,
            profile: Profile::default(),
            auth: Auth::Off,
            auth_without_tls: false,
            auth_mechanisms: None,
            capture: None,
        }
    }
}

impl Settings {
    /// A door where all clients are treated alike and nobody authenticates.
    pub fn new(hostname: &str, listeners: Vec<Listener>, limits: Limits) -> Self {
        let (networks, accounts) = (Vec::new(), Vec::new());
        Self { hostname: hostname.to_owned(), listeners, networks, accounts, limits }
    }

    /// The name of each listener that speaks TLS, with its certificate.
    pub fn identities(&self) -> impl Iterator<Item = (&str, &Arc<Identity>)> {
        self.listeners.iter().filter_map(|one| Some((one.name.as_str(), one.tls.identity()?)))
    }

    /// The first network of those in the configuration that `client` of `listener` belongs to.
    pub fn network(&self, listener: &Listener, client: IpAddr) -> Option<&Network> {
        self.networks.iter().find(|network| {
            (network.listeners.is_empty() || network.listeners.contains(&listener.name))
                && network.networks.iter().any(|one| one.contains(&client))
        })
    }

    /// What holds for `client` of `listener`.
    pub fn policy(&self, listener: &Listener, client: IpAddr) -> Policy {
        let network = self.network(listener, client);
        Policy {
            profile: network.and_then(|network| network.profile).unwrap_or(listener.profile),
            auth: network.and_then(|network| network.auth).unwrap_or(listener.auth),
            auth_without_tls: listener.auth_without_tls,
            auth_mechanisms: network
                .and_then(|network| network.auth_mechanisms.clone())
                .or_else(|| listener.auth_mechanisms.clone()),
            capture: network.and_then(|network| network.capture.clone()).or_else(|| listener.capture.clone()),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self {
            message_octets: 10 << 20,
            memory_octets: 256 << 20,
            recipients: 100,
            connections: 1000,
            connections_per_client: 50,
            per_connection: Allotment::default(),
            per_minute: Allotment::default(),
            errors_undelayed: 5,
            error_delay: Duration::from_secs(1),
            errors: 20,
            auth_delay: Duration::from_secs(2),
            auth_failures: 10,
            auth_window: minutes(10),
            command_time: minutes(5),
            message_time: minutes(10),
            session_time: minutes(60),
        }
    }
}
