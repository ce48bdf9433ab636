//! Client of the platform's API: the universal SMS door, the legacy one with the account's credit, the templates of
//! the other channels, and the status endpoint.
//!
//! One call, one judgement: nothing is retried here. Which failures mean that the request was
//! never written is known from the connector alone: an error while connecting (name, TCP, TLS, or
//! their time limit). Everything after that counts as written, so the message may have been taken.
//! That errs on the careful side twice: a connection that the platform closed just as we reused it
//! (the HTTP library repeats the request by itself only when not one octet of it was written), and
//! a time limit that ran out while such a repeated request was connecting.
//!
//! No redirect is followed, no proxy of the environment is used, and no answer is read past
//! 64 KiB. The credentials travel in a header that is marked as sensitive and are blanked where
//! the platform echoes them.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue, RETRY_AFTER};
use secrecy::ExposeSecret as _;

use super::Gateway;
use super::answer::{self, Answer, Body, NoAnswer};
use super::legacy::ManyRequest;
use super::template::{self, TemplateRequest};
use super::wire::SendRequest;
use super::words::{self, Blanked};
use crate::model::{
    Channel, CreditOutcome, Legacy, MessageId, Reason, Secret, SendOutcome, Sms, StatusOutcome, Template,
};

/// Most octets of an answer that are read; real ones have a few hundred.
const MAX_ANSWER: usize = 64 * 1024;
/// Idle connections are closed by us after this, before common balancers (60 s) do it to us in
/// the middle of a request.
const IDLE_TIME: Duration = Duration::from_secs(45);

/// One account at the platform.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name in logs.
    pub name: String,
    /// Scheme, host and port, with a path only where a proxy puts the API below one:
    /// `https://lora-api.agiletelecom.com`.
    pub base_url: String,
    /// How we show who we are.
    pub credentials: Credentials,
    /// Certificate authorities (PEM, one or several) trusted instead of the system's roots.
    pub ca_pem: Option<Vec<u8>>,
    /// For the connection to stand, name and TLS included. Shorter than `total_time`.
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

/// Why a gateway can't be set up. Every one is a mistake of the configuration or of the machine;
/// nothing here shows a secret.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The base URL is none, or has parts that it can't have.
    #[error("gateway `{name}`: base_url {why}; write it like https://host or https://host:port")]
    BaseUrl {
        /// The gateway.
        name: String,
        /// What is wrong with it. The URL itself is not shown: it may hold a password.
        why: String,
    },
    /// The key, user name or password can't stand in a header.
    #[error("gateway `{name}`: {why}")]
    Credentials {
        /// The gateway.
        name: String,
        /// Which, and what is wrong with it.
        why: &'static str,
    },
    /// The certificate authorities can't be read.
    #[error("gateway `{name}`: the certificate authority is not usable: {why}; give PEM certificates")]
    Authority {
        /// The gateway.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The time limits exclude each other.
    #[error(
        "gateway `{name}`: the connect time {connect:?} must be longer than nothing and shorter than the total time {total:?}"
    )]
    Times {
        /// The gateway.
        name: String,
        /// For connecting.
        connect: Duration,
        /// For the whole call.
        total: Duration,
    },
    /// The HTTP client can't be built: mostly, the system has no certificate authorities.
    #[error("gateway `{name}`: the HTTPS client cannot start: {why}")]
    Client {
        /// The gateway.
        name: String,
        /// What is wrong.
        why: String,
    },
}

/// The client.
pub struct Universal {
    name: String,
    base_url: String,
    client: reqwest::Client,
    credentials: (HeaderName, HeaderValue),
    blanked: Blanked,
}

impl Universal {
    /// Checks the settings and sets the client up. Opens no connection.
    ///
    /// Installs rustls' `ring` provider as the process's default where there is none yet.
    ///
    /// # Errors
    /// A [`GatewayError`] that names what is wrong in the settings.
    pub fn new(settings: Settings) -> Result<Self, GatewayError> {
        // An error says that a provider is installed already, which is all we want.
        let _ = rustls::crypto::ring::default_provider().install_default();

        let Settings { name, base_url, credentials, ca_pem, connect_time, total_time } = settings;
        let base_url =
            checked_base_url(&base_url).map_err(|why| GatewayError::BaseUrl { name: name.clone(), why })?;
        if connect_time.is_zero() || connect_time >= total_time {
            return Err(GatewayError::Times { name, connect: connect_time, total: total_time });
        }
        let (header, blanked) = match header(&credentials) {
            Ok(made) => made,
            Err(why) => return Err(GatewayError::Credentials { name, why }),
        };

        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(connect_time)
            .timeout(total_time)
            .pool_idle_timeout(IDLE_TIME)
            .user_agent(concat!("sms-relay/", env!("CARGO_PKG_VERSION")));
        let has_authority = ca_pem.is_some();
        if let Some(pem) = ca_pem {
            let authority = |why: String| GatewayError::Authority { name: name.clone(), why };
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| authority(first_cause(&error)))?;
            if certificates.is_empty() {
                return Err(authority("there is no certificate in it".to_owned()));
            }
            builder = builder.tls_certs_only(certificates);
        } else if base_url.starts_with("http://") {
            // Plain text needs no roots, and a machine without any can still use it.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| {
            let (name, why) = (name.clone(), first_cause(&error));
            match has_authority {
                true => GatewayError::Authority { name, why },
                false => GatewayError::Client { name, why },
            }
        })?;
        Ok(Self { name, base_url, client, credentials: header, blanked })
    }

    async fn post(&self, path: &str, body: &impl serde::Serialize) -> Result<Answer, NoAnswer> {
        self.call(self.client.post(format!("{}{path}", self.base_url)).json(body)).await
    }

    async fn call(&self, request: reqwest::RequestBuilder) -> Result<Answer, NoAnswer> {
        let (header, value) = &self.credentials;
        let mut response = request
            .header(header, value)
            .header(ACCEPT, "application/json")
            .send()
            .await
            .map_err(no_answer)?;
        let retry_after =
            response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let status = response.status();
        let mut octets = Vec::new();
        let body = loop {
            match response.chunk().await {
                Ok(Some(chunk)) if octets.len() + chunk.len() > MAX_ANSWER => {
                    break Body::Part(octets, format!("it has more than {MAX_ANSWER} octets"));
                }
                Ok(Some(chunk)) => octets.extend_from_slice(&chunk),
                Ok(None) => break Body::Whole(octets),
                Err(error) => break Body::Part(octets, why_lost(&error)),
            }
        };
        Ok(Answer { status, retry_after, body })
    }
}

#[async_trait]
impl Gateway for Universal {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, sms: &Sms) -> SendOutcome {
        let called = self.post("/api/message-server/sms/send", &SendRequest::of(sms)).await;
        answer::send(called, &sms.id, &self.blanked, Timestamp::now())
    }

    async fn send_many(&self, sms: &[Sms], legacy: Legacy) -> SendOutcome {
        let Some(request) = ManyRequest::of(sms, legacy) else {
            return not_sent("there was nothing to send");
        };
        let called = self.post("/api/services/sms/send", &request).await;
        answer::send_many(called, sms.len(), &self.blanked, Timestamp::now())
    }

    async fn send_template(&self, sms: &Sms, template: &Template) -> SendOutcome {
        let Some(channel) = template::path(template.channel) else {
            return not_sent("SMS has no templates; the configuration named one");
        };
        // This door has no simulation: what is asked for would really be sent.
        if sms.options.simulation {
            return not_sent("a template cannot be simulated");
        }
        let path = format!("/api/message-server/{channel}/send");
        let called = self.post(&path, &TemplateRequest::of(sms, template)).await;
        answer::send_template(called, &sms.id, &self.blanked, Timestamp::now())
    }

    async fn status(&self, id: &MessageId, channel: Channel) -> StatusOutcome {
        // The letters, digits and dash of an id need no escaping in a path.
        let url = format!("{}/api/partner-gateway/v1/messages/status/{id}?channel={channel}", self.base_url);
        let called = self.call(self.client.get(url)).await;
        answer::status(called, &self.blanked, Timestamp::now())
    }

    async fn credit(&self) -> CreditOutcome {
        let url = format!("{}/api/services/sms/credit", self.base_url);
        let called = self.call(self.client.get(url)).await;
        answer::credit(called, &self.blanked, Timestamp::now())
    }
}

/// A mistake of ours that no call could mend.
fn not_sent(why: &str) -> SendOutcome {
    SendOutcome::Refused(Reason::Refused.told(format!("it was not sent: {why}")))
}

/// Neither the credentials nor the HTTP client's inner state.
impl fmt::Debug for Universal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Universal")
            .field("name", &self.name)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// The base URL without its last slash, or what is wrong with it, without showing it.
fn checked_base_url(written: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(written).map_err(|error| format!("is not a URL ({error})"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(format!("has the scheme `{}`, not https or http", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("contains a user name or password, which belong in the gateway's credentials".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a `?` or `#`, which an address of an API does not have".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

type Header = (HeaderName, HeaderValue);

/// The header that shows who we are, and what of it must not be seen when it is echoed.
fn header(credentials: &Credentials) -> Result<(Header, Blanked), &'static str> {
    let (name, text, blanked) = match credentials {
        Credentials::ApiKey(key) => {
            if key.expose_secret().is_empty() {
                return Err("the API key is empty");
            }
            (HeaderName::from_static("x-api-key"), key.clone(), vec![key.clone()])
        }
        Credentials::Basic { username, password } => {
            // RFC 7617 section 2.
            if username.is_empty() || username.contains(':') {
                return Err("the user name is empty or contains a colon, which HTTP Basic cannot carry");
            }
            let pair = Secret::from(format!("{username}:{}", password.expose_secret()));
            let encoded = Secret::from(base64::prelude::BASE64_STANDARD.encode(pair.expose_secret()));
            let text = Secret::from(format!("Basic {}", encoded.expose_secret()));
            (AUTHORIZATION, text, vec![encoded, password.clone()])
        }
    };
    let mut value = HeaderValue::from_str(text.expose_secret()).map_err(
        |_| "the API key contains a character that an HTTP header cannot carry (a line end, perhaps)",
    )?;
    value.set_sensitive(true);
    Ok(((name, value), Blanked(blanked)))
}

/// Whether the request can have been written before it failed.
fn no_answer(error: reqwest::Error) -> NoAnswer {
    if error.is_connect() && error.is_timeout() {
        NoAnswer::NotConnected("no connection within the connect time".to_owned())
    } else if error.is_connect() || error.is_builder() {
        NoAnswer::NotConnected(first_cause(&error))
    } else {
        NoAnswer::Lost(why_lost(&error))
    }
}

fn why_lost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        "no complete answer within the total time".to_owned()
    } else {
        first_cause(error)
    }
}

/// The first cause of an error, on one line. The outer ones only repeat it, and show the URL, which may hold what
/// others must not read.
pub(crate) fn first_cause(error: &reqwest::Error) -> String {
    let mut text = "no cause was given".to_owned();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    words::one_line(&text)
}

#[cfg(test)]
#[path = "universal_tests.rs"]
mod tests;
