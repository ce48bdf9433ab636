//! Client of the platform's SMS Universal API and its status endpoint.

use std::time::Duration;

use crate::model::Secret;

/// One account at the platform.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name in logs.
    pub name: String,
    /// Scheme, host and port, without a path: `https://lora-api.agiletelecom.com`.
    pub base_url: String,
    /// How we show who we are.
    pub credentials: Credentials,
    /// A certificate authority (PEM) trusted instead of the system's roots.
    pub ca_pem: Option<Vec<u8>>,
    /// For the connection to stand, TLS included.
    pub connect_time: Duration,
    /// For the whole call.
    pub total_time: Duration,
}

/// `X-Api-Key`, or HTTP Basic.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// The account's API key.
    ApiKey(Secret),
    /// User name and password.
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: Secret,
    },
}
