//! TLS of the listeners: which certificate they show, which protocol is spoken behind it, and who the client is by
//! its own certificate.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::{ProtocolVersion, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::info;

use super::desk::Lines;
use super::figures::Handshake;
use super::{Listener, Settings};
use crate::tls::{Clients, Expiry, Identity, IdentityError, subject};

/// What may be spoken, the best first (RFC 9113 section 3.1, RFC 7301 section 6).
const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";
/// The first octet of whoever speaks TLS: the content type `handshake` (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;
/// The whole answer for a client that speaks HTTP where TLS is spoken.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 48\r\n\
    Cache-Control: no-store\r\nConnection: close\r\n\r\n\
    this port speaks HTTPS; use https:// in the URL\n";
/// How long it may take to read that.
const PLAIN_HTTP_TIME: Duration = Duration::from_secs(2);

/// TLS of a listener: TLS 1.2 and 1.3, HTTP/2 for clients that know it and HTTP/1.1 for the others.
#[derive(Clone)]
pub struct Tls {
    identity: Arc<Identity>,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Shows the certificate of `identity`, and takes those of `clients`; without, none is asked for.
    ///
    /// # Errors
    /// [`IdentityError::Refused`]; none is known.
    pub fn new(identity: Arc<Identity>, clients: Option<&Clients>) -> Result<Self, IdentityError> {
        let config = identity.config_with(&[HTTP_2, HTTP_1], clients)?;
        Ok(Self { identity, config })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// The TLS that holds now, by the names of the listeners.
#[derive(Debug)]
pub(super) struct Secured {
    by_listener: ArcSwap<HashMap<String, Arc<Tls>>>,
    expiry: Expiry,
}

impl Secured {
    pub(super) fn new(listeners: &[Listener], expiry: Expiry) -> Self {
        Self { by_listener: ArcSwap::from_pointee(by_listener(listeners)), expiry }
    }

    /// That of a listener; `None` where none is spoken.
    pub(super) fn of(&self, listener: &str) -> Option<Arc<Tls>> {
        self.by_listener.load().get(listener).cloned()
    }

    /// Takes that of new settings. A listener that is not named any more keeps what it had.
    fn reload(&self, settings: &Settings) {
        let mut now = HashMap::clone(&self.by_listener.load());
        now.retain(|name, _| !settings.listeners.iter().any(|listener| listener.name == *name));
        now.extend(by_listener(&settings.listeners));
        self.by_listener.store(Arc::new(now));
        self.look();
    }

    /// Tells of certificates that have expired or soon will.
    pub(super) fn look(&self) {
        let all = self.by_listener.load();
        let identities = all.iter().map(|(name, tls)| (name.as_str(), tls.identity.as_ref()));
        self.expiry.look(identities, Timestamp::now());
    }
}

fn by_listener(listeners: &[Listener]) -> HashMap<String, Arc<Tls>> {
    listeners.iter().filter_map(|one| Some((one.name.clone(), one.tls.clone()?))).collect()
}

/// Exchanges the TLS of a door that is open.
#[derive(Clone, Debug)]
pub struct Handle(pub(super) Arc<Secured>);

impl Handle {
    /// Takes the TLS of new settings and nothing else of them; open connections keep what they began with.
    pub fn reload(&self, settings: &Settings) {
        self.0.reload(settings);
    }
}

/// Shakes hands within `time`. `None`: the connection is over, and the log knows why.
pub(super) async fn shake_hands(
    tls: &Tls,
    mut stream: TcpStream,
    time: Duration,
    (listener, client): (&str, IpAddr),
    lines: &Lines,
) -> Option<TlsStream<TcpStream>> {
    let by = Instant::now() + time;
    let mut first = [0];
    let peeked = timeout_at(by, stream.peek(&mut first)).await.unwrap_or_else(|_| Err(late()));
    let shaken = match peeked {
        Ok(1..) if first[0] != HANDSHAKE => {
            if first[0].is_ascii_uppercase() {
                let _ = timeout(PLAIN_HTTP_TIME, refuse(&mut stream)).await;
            }
            Err(io::Error::new(io::ErrorKind::InvalidData, "the client does not speak TLS"))
        }
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => {
            let acceptor = TlsAcceptor::from(Arc::clone(&tls.config));
            timeout_at(by, acceptor.accept(stream)).await.unwrap_or_else(|_| Err(late()))
        }
        Err(failure) => Err(failure),
    };
    match shaken {
        Ok(stream) => {
            let certificates = stream.get_ref().1.peer_certificates();
            if let Some(certificate) = certificates.and_then(|chain| chain.first()) {
                info!(%client, listener, subject = subject(certificate), "client certificate");
            }
            Some(stream)
        }
        Err(failure) => {
            if let Some(left_out) = lines.next() {
                info!(%client, listener, error = %failure, left_out, "TLS handshake failed");
            }
            None
        }
    }
}

/// What is counted of a handshake that was done.
pub(super) fn handshake(stream: &TlsStream<TcpStream>) -> Handshake {
    match stream.get_ref().1.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => Handshake::Tls13,
        _ => Handshake::Tls12,
    }
}

/// Whether the client wants HTTP/2. One that did not say gets HTTP/1.1.
pub(super) fn is_http2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP_2)
}

fn late() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

/// Tells a client that speaks HTTP what is spoken here. What it sends is thrown away, or the system would reset the
/// connection before the answer is read.
async fn refuse(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(PLAIN_HTTP).await?;
    stream.shutdown().await?;
    let mut thrown_away = [0; 1024];
    while stream.read(&mut thrown_away).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_plain_http_has_its_length() {
        let text = std::str::from_utf8(PLAIN_HTTP).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{text}");
    }
}
