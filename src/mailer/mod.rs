//! Outgoing mail through the operator's smarthost.
//!
//! One mail, one connection, one answer: taken, refused for good, or not now. The mail's octets
//! arrive as they are in the spool, dots and all; what the mailer adds is the envelope. It never
//! retries by itself, and what is unclear is not now.
//!
//! It speaks through `lettre`'s connection and not its transport, because the transport's error does
//! not tell at which step a 5xx came: one at the greeting or at AUTH is about us and the operator's
//! settings, and would make every report undeliverable if it counted against the mail.
//!
//! Two limits are admitted: a reply of three digits without a space behind them (which RFC 5321
//! section 4.2.1 allows a client to meet) counts as a broken connection, and a
//! reply lost behind the final dot sends the mail again, as it does with every SMTP client.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use lettre::address::{Address, Envelope};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::{ClientId, Extension};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::ExposeSecret as _;
use tokio::time::timeout;

use crate::model::{Cause, EnhancedStatus, MailAddress, OutgoingMail, ReversePath, Secret};

/// For the parting QUIT: the mail has been taken by then, and nothing depends on the answer.
const QUIT_TIME: Duration = Duration::from_secs(2);
/// Most of a server's words that are kept, in characters.
const MAX_WORDS: usize = 400;

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

/// Sends mail through one smarthost.
pub struct Mailer {
    host: String,
    port: u16,
    tls: Protection,
    login: Option<Credentials>,
    hello_name: ClientId,
    total_time: Duration,
}

/// [`Tls`] with what it needs.
enum Protection {
    Off,
    StartTls(TlsParameters),
    Implicit(TlsParameters),
}

/// Why no mail can be sent with these settings.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// The certificate authority's file has no certificate, or a damaged one.
    #[error("the smarthost's certificate authority is not a PEM file with a certificate: {0}")]
    CertificateAuthority(String),
    /// TLS cannot be set up.
    #[error("TLS to the smarthost cannot be set up: {0}")]
    Tls(String),
    /// The name for EHLO is no host name and no address.
    #[error("`{0}` cannot be said in EHLO; it should be a host name like relay.example.com")]
    HelloName(String),
}

/// What came of sending a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailOutcome {
    /// The smarthost has it.
    Sent,
    /// The smarthost will never take it: a 5xx to the envelope or the data, or a mail that needs an
    /// extension (8BITMIME, SMTPUTF8) that it does not have.
    Refused(Cause),
    /// Not now, or nobody knows.
    Later(Cause),
}

impl Mailer {
    /// Checks the settings and reads the roots of trust. Connects to nothing.
    ///
    /// # Errors
    /// [`MailerError`] names the setting.
    pub fn new(settings: Settings) -> Result<Self, MailerError> {
        let tls = match settings.tls {
            Tls::Off => Protection::Off,
            Tls::StartTls => Protection::StartTls(tls_parameters(&settings)?),
            Tls::Implicit => Protection::Implicit(tls_parameters(&settings)?),
        };
        let login = settings
            .login
            .map(|(user, password)| Credentials::new(user, password.expose_secret().to_owned()));
        Ok(Self {
            hello_name: hello_name(&settings.hello_name)?,
            host: settings.host,
            port: settings.port,
            tls,
            login,
            total_time: settings.total_time,
        })
    }

    /// Sends one mail; takes at most the settings' total time and two seconds to part.
    pub async fn send(&self, mail: &OutgoingMail) -> MailOutcome {
        match timeout(self.total_time, self.hand_over(mail)).await {
            Ok(Ok(mut connection)) => {
                // Its answer changes nothing: the mail is theirs since the reply to the final dot.
                let _ = timeout(QUIT_TIME, connection.quit()).await;
                MailOutcome::Sent
            }
            Ok(Err(outcome)) => outcome,
            Err(_) => MailOutcome::Later(Cause::new(
                EnhancedStatus::new(4, 4, 2),
                format!("{} did not finish within {:?}.", self.server(), self.total_time),
            )),
        }
    }

    async fn hand_over(&self, mail: &OutgoingMail) -> Result<AsyncSmtpConnection, MailOutcome> {
        let mut connection = self.connect().await.map_err(|error| {
            let text = format!("{} could not be used.", self.server());
            MailOutcome::Later(Cause::new(EnhancedStatus::new(4, 4, 1), text).with_diagnostic(words(&error)))
        })?;
        let bytes = wire_form(&mail.bytes);
        let offers = |extension| connection.server_info().supports_feature(extension);
        let from = match &mail.reverse_path {
            ReversePath::Null => None,
            ReversePath::Path(address) => Some(address),
        };
        let ascii = mail.recipient.is_ascii() && from.is_none_or(MailAddress::is_ascii);
        let lacks = if !ascii && !offers(Extension::SmtpUtfEight) {
            // RFC 6531 section 3.5.
            Some((EnhancedStatus::new(5, 6, 7), "an address that is not ASCII (SMTPUTF8)"))
        } else if !bytes.is_ascii() && !offers(Extension::EightBitMime) {
            // RFC 6152 section 3.
            Some((EnhancedStatus::new(5, 6, 3), "an 8-bit mail (8BITMIME)"))
        } else {
            None
        };
        if let Some((status, what)) = lacks {
            connection.abort().await;
            return Err(MailOutcome::Refused(Cause::new(
                status,
                format!("{} cannot take {what}.", self.server()),
            )));
        }
        let envelope =
            Envelope::new(from.map(wire_address), vec![wire_address(&mail.recipient)]).map_err(|error| {
                MailOutcome::Later(Cause::new(EnhancedStatus::new(4, 3, 0), error.to_string()))
            })?;
        match connection.send(&envelope, &bytes).await {
            Ok(_) => Ok(connection),
            Err(error) => Err(self.judge(&error)),
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, lettre::transport::smtp::Error> {
        let implicit = match &self.tls {
            Protection::Implicit(parameters) => Some(parameters.clone()),
            Protection::Off | Protection::StartTls(_) => None,
        };
        // For each of the server's addresses; a dead one leaves time for the next.
        let connect_time = Some(self.total_time / 3);
        let server = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, connect_time, &self.hello_name, implicit, None)
                .await?;
        match &self.tls {
            Protection::StartTls(parameters) => {
                connection.starttls(parameters.clone(), &self.hello_name).await?;
            }
            Protection::Off | Protection::Implicit(_) => {}
        }
        if let Some(login) = &self.login {
            connection.auth(DEFAULT_MECHANISMS, login).await?;
        }
        Ok(connection)
    }

    /// What an error after AUTH means for the mail.
    fn judge(&self, error: &lettre::transport::smtp::Error) -> MailOutcome {
        let words = words(error);
        let code = error.status().map(u16::from);
        // "Authentication required" and its kin (RFC 4954 section 6) are about our settings.
        let about_us = matches!(code, Some(530 | 534 | 535 | 538));
        let class = if error.is_permanent() && !about_us { 5 } else { 4 };
        let status = words
            .split_whitespace()
            .nth(1)
            .and_then(EnhancedStatus::parse)
            .filter(|status| status.class == class)
            .unwrap_or(EnhancedStatus::new(class, 0, 0));
        let what = match (class, code) {
            (5, _) => "refused the mail",
            (_, Some(_)) => "put the mail off",
            (_, None) => "broke the connection",
        };
        let cause = Cause::new(status, format!("{} {what}.", self.server())).with_diagnostic(words);
        if class == 5 { MailOutcome::Refused(cause) } else { MailOutcome::Later(cause) }
    }

    fn server(&self) -> String {
        format!("The mail server {}:{}", self.host, self.port)
    }
}

fn tls_parameters(settings: &Settings) -> Result<TlsParameters, MailerError> {
    let builder = TlsParameters::builder(settings.host.clone());
    let builder = match &settings.ca_pem {
        None => builder,
        Some(pem) => {
            let damaged =
                |error: &dyn std::fmt::Display| MailerError::CertificateAuthority(error.to_string());
            // An empty list of roots would be found out at the first mail only.
            if CertificateDer::pem_slice_iter(pem).next().is_none() {
                return Err(damaged(&"it has no certificate"));
            }
            let authority = Certificate::from_pem(pem).map_err(|error| damaged(&error))?;
            builder.certificate_store(CertificateStore::None).add_root_certificate(authority)
        }
    };
    builder.build().map_err(|error| MailerError::Tls(error.to_string()))
}

fn hello_name(name: &str) -> Result<ClientId, MailerError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => Ok(ClientId::Ipv4(address)),
        Ok(IpAddr::V6(address)) => Ok(ClientId::Ipv6(address)),
        Err(_) if !name.is_empty() && name.len() <= 255 && name.chars().all(allowed) => {
            Ok(ClientId::Domain(name.to_owned()))
        }
        Err(_) => Err(MailerError::HelloName(name.escape_debug().to_string())),
    }
}

/// The address with its local part quoted where SMTP wants it; our type has checked it already.
fn wire_address(address: &MailAddress) -> Address {
    let text = address.to_string();
    let local = text.strip_suffix(address.domain()).and_then(|text| text.strip_suffix('@'));
    Address::new_dangerous(local.unwrap_or(address.local()), address.domain())
}

/// What a server said (`550 5.1.1 no such user`), or what went wrong without it; one line.
fn words(error: &lettre::transport::smtp::Error) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    let text = match (error.status(), source) {
        (Some(code), Some(said)) => format!("{code} {said}"),
        (Some(code), None) => code.to_string(),
        (None, _) => error.to_string(),
    };
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = text.chars().map(visible).take(MAX_WORDS).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The mail with CRLF line ends only, and without the last: `lettre` writes one before the final
/// dot. A bare CR or LF may not be sent (RFC 5321 section 2.3.8), and a dot behind a bare LF would
/// go out unstuffed and might end the mail at a server that takes LF for a line end.
fn wire_form(mail: &[u8]) -> Cow<'_, [u8]> {
    let mut fixed: Option<Vec<u8>> = None;
    for (at, &byte) in mail.iter().enumerate() {
        let bare = match byte {
            b'\r' => mail.get(at + 1) != Some(&b'\n'),
            b'\n' => at == 0 || mail[at - 1] != b'\r',
            _ => false,
        };
        if bare {
            fixed.get_or_insert_with(|| mail[..at].to_vec()).extend_from_slice(b"\r\n");
        } else if let Some(fixed) = &mut fixed {
            fixed.push(byte);
        }
    }
    match fixed {
        Some(mut fixed) => {
            if fixed.ends_with(b"\r\n") {
                fixed.truncate(fixed.len() - 2);
            }
            Cow::Owned(fixed)
        }
        None => Cow::Borrowed(mail.strip_suffix(b"\r\n").unwrap_or(mail)),
    }
}

#[cfg(test)]
mod tests;
