//! From an accepted connection to a session: who the client is, whether it may come in, TLS.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use socket2::SockRef;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info};

use crate::model::{Client, Door, EnhancedStatus};

use super::connection::{self, Ended, Service};
use super::gate::{Arrival, Bounds, Full, Permit};
use super::metrics::{Cause, End};
use super::proxy::{self, Proxied};
use super::reply::Reply;
use super::server::{Live, Shared};
use super::session::{Awaited, Encryption, Session, Terms};
use super::settings::{Listener, Tls};
use super::shutdown::Shutdown;

/// How long a load balancer may take for its header, where that is less than the time of a command: it has
/// it at hand when it connects.
const HEADER_TIME: Duration = Duration::from_secs(10);

/// Why a connection goes no further.
struct Refusal {
    cause: Cause,
    /// For the client and the log.
    reason: String,
}

impl Refusal {
    /// Those who may never come in get 554 (RFC 5321 section 3.1), the others may come again.
    fn reply(&self, hostname: &str) -> Reply {
        match self.cause {
            Cause::Network => Reply::new(554, EnhancedStatus::POLICY, self.reason.clone()),
            Cause::InAll | Cause::PerClient | Cause::PerNetwork | Cause::ProxyHeader => {
                Reply::farewell(hostname, EnhancedStatus::new(4, 7, 0), &self.reason)
            }
        }
    }
}

impl From<Full> for Refusal {
    fn from(full: Full) -> Self {
        Self { cause: Cause::from(&full), reason: full.to_string() }
    }
}

/// Lets a connection in, or refuses it without waiting for anything.
pub(super) fn knock(
    stream: TcpStream,
    peer: SocketAddr,
    listener: &str,
    shared: &Arc<Shared>,
    shutdown: &Shutdown,
    connections: &mut JoinSet<()>,
) {
    let live = shared.live.load_full();
    let address = peer.ip().to_canonical();
    // A listener that a reload has dropped keeps its settings, so that there always is one.
    let Some(known) = live.listener(listener) else { return };
    let arrival = match shared.gate.arrive(live.settings.limits.connections) {
        Ok(arrival) => arrival,
        Err(full) => {
            return refuse(&stream, address, known, &live, shared, full.into());
        }
    };
    let proxied = known.proxies.iter().any(|network| network.contains(&address));
    let visit = Visit {
        listener: listener.to_owned(),
        live: Arc::clone(&live),
        shared: Arc::clone(shared),
        shutdown: shutdown.clone(),
    };
    if proxied {
        connections.spawn(visit.behind_proxy(stream, address, arrival));
        return;
    }
    match visit.identify(address, arrival) {
        Ok(permit) => drop(connections.spawn(visit.converse(stream, address, permit))),
        Err(refusal) => refuse(&stream, address, known, &live, shared, refusal),
    }
}

/// Sends without waiting: the send buffer of a new socket has room for a line, and if not, the
/// client goes without a reason. Where TLS is expected, the line would only confuse.
fn refuse(
    stream: &TcpStream,
    client: IpAddr,
    listener: &Listener,
    live: &Live,
    shared: &Shared,
    refusal: Refusal,
) {
    shared.guard.metrics().connection_refused(refusal.cause);
    if let Some(left_out) = shared.guard.may_log(client) {
        let reason = &refusal.reason;
        info!(%client, listener = %listener.name, reason, left_out, "connection refused");
    }
    if let Tls::Implicit(_) = listener.tls {
        return;
    }
    let mut line = Vec::new();
    refusal.reply(&live.settings.hostname).write_to(&mut line);
    if let Err(error) = SockRef::from(stream).send(&line) {
        debug!(%error, "the refused client was gone already");
    }
}

/// A connection on its way in.
struct Visit {
    listener: String,
    live: Arc<Live>,
    shared: Arc<Shared>,
    shutdown: Shutdown,
}

impl Visit {
    /// Whether this client may come in here and now.
    fn identify(&self, client: IpAddr, arrival: Arrival) -> Result<Permit, Refusal> {
        let settings = &self.live.settings;
        let Some(listener) = self.live.listener(&self.listener) else {
            return Err(Refusal { cause: Cause::Network, reason: "this listener is no more".to_owned() });
        };
        if !listener.networks.iter().any(|network| network.contains(&client)) {
            let reason = format!("{client} is in none of the networks that this listener serves");
            return Err(Refusal { cause: Cause::Network, reason });
        }
        let bounds = Bounds::new(&settings.limits, settings.network(listener, client));
        arrival.identify(client, bounds).map_err(Refusal::from)
    }

    /// Reads the header of a load balancer and goes on with the client that it names.
    async fn behind_proxy(mut self, mut stream: TcpStream, balancer: IpAddr, arrival: Arrival) {
        let Some(listener) = self.live.listener(&self.listener) else { return };
        let time = HEADER_TIME.min(self.live.settings.limits.command_time);
        let header = timeout(time, read_header(&mut stream));
        let Some(header) = self.shutdown.unless_begun(header).await else { return };
        let header =
            header.unwrap_or_else(|_| Err(NoHeader::Wrong("no PROXY header came in time".to_owned())));
        let client = match header {
            Ok(Proxied::Client(client)) => client.ip(),
            Ok(Proxied::Local) => balancer,
            Err(NoHeader::Left) => {
                debug!(%balancer, listener = %listener.name, "the load balancer only looked in");
                return;
            }
            Err(NoHeader::Wrong(reason)) => {
                let refusal = Refusal { cause: Cause::ProxyHeader, reason };
                return refuse(&stream, balancer, listener, &self.live, &self.shared, refusal);
            }
        };
        match self.identify(client, arrival) {
            Ok(permit) => self.converse(stream, client, permit).await,
            Err(refusal) => refuse(&stream, client, listener, &self.live, &self.shared, refusal),
        }
    }

    async fn converse(self, stream: TcpStream, address: IpAddr, permit: Permit) {
        let Self { listener: name, live, shared, shutdown } = self;
        let Some(listener) = live.listener(&name) else { return };
        debug!(client = %address, listener = %name, "connection opened");
        if let Err(error) = stream.set_nodelay(true) {
            debug!(client = %address, %error, "TCP_NODELAY was not set");
        }
        let opened = shared.guard.metrics().connection_accepted();
        let limits = live.settings.limits;
        let until = Instant::now() + limits.session_time;
        let policy = live.settings.policy(listener, address);
        let (tls, acceptor) = match &listener.tls {
            Tls::Off => (Encryption::Off, None),
            Tls::StartTls(identity) => (Encryption::Possible, Some(TlsAcceptor::from(identity.config()))),
            Tls::Implicit(identity) => (Encryption::Active, Some(TlsAcceptor::from(identity.config()))),
        };
        let terms = Terms {
            profile: policy.profile,
            auth: policy.auth,
            auth_without_tls: policy.auth_without_tls,
            mechanisms: live.mechanisms(policy.auth_mechanisms.as_deref()),
            tls,
            nonce: nonce(),
        };
        let client = Client { door: Door::Smtp, listener: name.clone(), address, helo: None, account: None };
        let mut session = Session::new(Arc::clone(&live.session), terms, client);
        let capture = policy.capture.as_ref();
        let begin = |capture| shared.recorder.open(capture, &name, address, Timestamp::now());
        // Boxed, as few have one and every task would have the room for it.
        let capture = capture.map(|capture| Box::new(begin(capture)));
        let mut service = Service { shared: &shared, limits, acceptor, shutdown, until };
        let ended = match tls {
            // Boxed, so that a connection without TLS does not carry the room for it.
            Encryption::Active => {
                Box::pin(async {
                    match connection::shake_hands(stream, &mut service).await {
                        Ok(stream) => connection::serve(stream, &mut session, &mut service, capture).await,
                        Err(ended) => ended,
                    }
                })
                .await
            }
            Encryption::Off | Encryption::Possible => {
                connection::serve(stream, &mut session, &mut service, capture).await
            }
        };
        let place = Place { client: address, listener: &name, offers_starttls: tls == Encryption::Possible };
        shared.guard.metrics().session_ended(place.log_end(&ended, &shared));
        drop((opened, permit));
    }
}

/// Whose session it was, and where.
struct Place<'a> {
    client: IpAddr,
    listener: &'a str,
    offers_starttls: bool,
}

impl Place<'_> {
    /// Logs how the session ended, and says what it counts as.
    fn log_end(&self, ended: &Ended, shared: &Shared) -> End {
        let Self { client, listener, .. } = *self;
        match ended {
            Ended::Closed(end) => {
                debug!(%client, listener, ?end, "connection closed");
                *end
            }
            // The client believes that it has to send it again, and somebody may look for it here.
            Ended::Left(Awaited::Message) => {
                if let Some(left_out) = shared.guard.may_log(client) {
                    let text = "the client closed the connection inside a message, which was not kept";
                    info!(%client, listener, left_out, "{text}");
                }
                End::Left
            }
            Ended::Left(awaited @ (Awaited::Command | Awaited::Secret)) => {
                debug!(%client, listener, ?awaited, "connection closed by the client");
                End::Left
            }
            // What an operator looks for when an old printer stays silent, and what may help it.
            Ended::Handshake(error) => {
                let switch = self.offers_starttls.then_some("hide_starttls");
                if let Some(left_out) = shared.guard.may_log(client) {
                    info!(%client, listener, %error, switch, left_out, "TLS handshake failed");
                }
                End::Tls
            }
            Ended::Failed(error) => {
                debug!(%client, listener, %error, "connection lost");
                End::Left
            }
        }
    }
}

/// What nobody can foresee; where the system has nothing random, CRAM-MD5 is no weaker than by its MD5.
fn nonce() -> u64 {
    let mut octets = [0; 8];
    let random = rustls::crypto::ring::default_provider().secure_random.fill(&mut octets);
    if random.is_ok() { u64::from_ne_bytes(octets) } else { fastrand::u64(..) }
}

/// Why there is no header of a load balancer.
enum NoHeader {
    /// The connection was closed before its first octet, as simple health checks do.
    Left,
    /// This is wrong.
    Wrong(String),
}

/// Reads a header octet by octet as long as its end is not known, so that nothing behind it is taken.
async fn read_header(stream: &mut TcpStream) -> Result<Proxied, NoHeader> {
    let mut header = Vec::new();
    loop {
        match proxy::read(&header) {
            Ok(Some((proxied, _))) => return Ok(proxied),
            Ok(None) => {}
            Err(error) => return Err(NoHeader::Wrong(error.to_string())),
        }
        match stream.read_u8().await {
            Ok(octet) => header.push(octet),
            Err(_) if header.is_empty() => return Err(NoHeader::Left),
            Err(error) => {
                return Err(NoHeader::Wrong(format!("the PROXY header was broken off: {error}")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::receiver::Receiver;
    use super::super::{Limits, Metrics, Server, Settings};
    use super::*;
    use crate::intake;
    use crate::model::{Envelope, MailAddress, ReversePath};

    struct Nobody;

    #[async_trait::async_trait]
    impl Receiver for Nobody {
        async fn recipient(
            &self,
            _: &Client,
            _: &ReversePath,
            _: &MailAddress,
        ) -> Result<(), intake::Refusal> {
            Ok(())
        }

        async fn mail(&self, _: &Client, _: Envelope, _: Vec<u8>) -> Result<String, intake::Refusal> {
            Ok("ID".to_owned())
        }
    }

    /// 10,000 idle connections are to take under 60 MB, so 6 KB each: the task, and the input buffer of
    /// `link`.
    #[tokio::test]
    async fn the_task_of_a_connection_is_small() {
        let bind = "127.0.0.1:0".parse().unwrap();
        let listener = Listener::new("lan", bind, vec!["127.0.0.0/8".parse().unwrap()]);
        let settings = Settings::new("relay.test", vec![listener], Limits::default());
        let server = Server::bind(settings, Arc::new(Nobody), Metrics::new()).unwrap();
        let shared = server.shared();
        let socket = tokio::net::TcpListener::bind(bind).await.unwrap();
        let (_client, accepted) =
            tokio::join!(TcpStream::connect(socket.local_addr().unwrap()), socket.accept());
        let (stream, peer) = accepted.unwrap();
        let (_stop, shutdown) = tokio::sync::watch::channel(false);
        let visit = Visit {
            listener: "lan".to_owned(),
            live: shared.live.load_full(),
            shared: Arc::clone(shared),
            shutdown: shutdown.into(),
        };
        let permit = visit.identify(peer.ip(), shared.gate.arrive(1).unwrap()).ok().unwrap();
        let octets = size_of_val(&visit.converse(stream, peer.ip(), permit));
        assert!(octets <= 3072, "{octets}");
    }
}
