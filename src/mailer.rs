//! Outgoing mail through the operator's smarthost.

use std::time::Duration;

use crate::model::Secret;

/// The smarthost.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name or address.
    pub host: String,
    /// Its port: 25, 465 or 587 mostly.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// User name and password for AUTH.
    pub login: Option<(String, Secret)>,
    /// A certificate authority (PEM) trusted instead of the system's roots.
    pub ca_pem: Option<Vec<u8>>,
    /// What we call ourselves in EHLO.
    pub hello_name: String,
    /// For one whole mail: connecting, AUTH, data, answer.
    pub total_time: Duration,
}

/// How the connection to the smarthost is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Plain text.
    Off,
    /// STARTTLS, required.
    StartTls,
    /// TLS from the first octet.
    Implicit,
}
