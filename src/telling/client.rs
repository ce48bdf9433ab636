//! One call, one answer: nothing is retried here, no redirect is followed, no proxy of the environment is
//! used, and no answer is read past 64 KiB. What it says does not matter, its status and `Retry-After` do.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};

use super::judge::Called;
use super::message::SIGNATURE;
use crate::gateway::first_cause;

/// Most octets of an answer that are read, so that its connection can be used again.
const MAX_ANSWER: usize = 64 * 1024;
/// Idle connections are closed by us after this.
const IDLE_TIME: Duration = Duration::from_secs(45);
/// Idle connections to one host.
const IDLE_CONNECTIONS: usize = 2;

/// One call.
pub(super) enum Call {
    /// Of JSON, signed.
    Post {
        /// Where.
        url: Url,
        /// Of the SMS.
        id: String,
        /// By which the program knows us.
        signature: String,
        /// The JSON.
        body: String,
    },
    /// Everything is in the URL.
    Get(Url),
}

/// A client for each scheme: a machine without certificate authorities can still call by http.
pub(super) struct Client {
    plain: Result<reqwest::Client, String>,
    encrypted: Result<reqwest::Client, String>,
}

impl Client {
    /// Calls end after `total_time`, answer included. Installs rustls' `ring` provider as the process's default where
    /// there is none yet.
    pub(super) fn new(total_time: Duration) -> Self {
        // An error says that a provider is installed already, which is all we want.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .timeout(total_time)
                .pool_idle_timeout(IDLE_TIME)
                .pool_max_idle_per_host(IDLE_CONNECTIONS)
                .user_agent(concat!("sms-relay/", env!("CARGO_PKG_VERSION")))
        };
        let built = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|error| format!("the client cannot start: {}", first_cause(&error)))
        };
        Self { plain: built(builder().tls_certs_only([])), encrypted: built(builder()) }
    }

    /// Makes `call`.
    pub(super) async fn call(&self, call: Call) -> Called {
        let (Call::Post { url, .. } | Call::Get(url)) = &call;
        let client = if url.scheme() == "https" { &self.encrypted } else { &self.plain };
        let client = match client {
            Ok(client) => client,
            Err(why) => return Called::Silent(why.clone()),
        };
        let request = match call {
            Call::Post { url, id, signature, body } => client
                .post(url)
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .header("idempotency-key", id)
                .header(SIGNATURE, signature)
                .body(body),
            Call::Get(url) => client.get(url),
        };
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_timeout() => {
                return Called::Silent("no answer within the total time".to_owned());
            }
            Err(error) => return Called::Silent(first_cause(&error)),
        };
        let status = response.status().as_u16();
        let retry_after =
            response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut octets = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            octets += chunk.len();
            if octets > MAX_ANSWER {
                break;
            }
        }
        Called::Answered { status, retry_after }
    }
}
