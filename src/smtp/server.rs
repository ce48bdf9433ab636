//! Listening sockets and the tasks that serve their connections.
//!
//! [`Server::run`] owns one task a listener, and each of those owns its connections' tasks: dropping
//! the future of `run` ends them all. A failure to bind ends the start; a failure to accept ends
//! nothing (R47).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error, info, warn};

use crate::model::{Client, Door, EnhancedStatus};

use super::connection::{self, Ended};
use super::gate::{Bounds, Gate, Permit};
use super::receiver::Receiver;
use super::reply::Reply;
use super::room::Room;
use super::session::{self, Session};
use super::{Limits, Listener, Settings};

/// Connections that wait to be accepted; the kernel may allow fewer (`net.core.somaxconn`).
const BACKLOG: i32 = 1024;
/// First and longest pause after a failure to accept. One connection that ends may cure it.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The SMTP door, all its sockets bound.
pub struct Server {
    doors: Vec<DoorSocket>,
    shared: Arc<Shared>,
}

/// A listener cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("SMTP listener `{listener}` cannot listen on {address}: {source}{}", advice(source))]
pub struct BindError {
    /// The listener's name in the configuration.
    pub listener: String,
    /// The address it was to listen on.
    pub address: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

fn advice(error: &io::Error) -> &'static str {
    let kind = error.kind();
    if kind == io::ErrorKind::AddrInUse {
        "; stop the program that listens there or choose another port"
    } else if kind == io::ErrorKind::PermissionDenied {
        "; ports below 1024 need CAP_NET_BIND_SERVICE"
    } else if kind == io::ErrorKind::AddrNotAvailable {
        "; this host does not have that address"
    } else {
        ""
    }
}

struct DoorSocket {
    listener: Arc<Listener>,
    socket: TcpListener,
    address: SocketAddr,
}

/// What all connections share.
struct Shared {
    session: Arc<session::Settings>,
    limits: Limits,
    gate: Arc<Gate>,
    receiver: Arc<dyn Receiver>,
}

impl Server {
    /// Binds every listener. Must be called inside a Tokio runtime with I/O and time enabled.
    ///
    /// # Errors
    /// [`BindError`] for the first listener that cannot listen; the others are closed again.
    pub fn bind(settings: Settings, receiver: Arc<dyn Receiver>) -> Result<Self, BindError> {
        let Settings { hostname, listeners, limits, .. } = settings;
        let doors = listeners
            .into_iter()
            .map(|listener| match listen(listener.bind) {
                Ok((socket, address)) => Ok(DoorSocket { listener: Arc::new(listener), socket, address }),
                Err(source) => Err(BindError { listener: listener.name, address: listener.bind, source }),
            })
            .collect::<Result<_, _>>()?;
        let session = session::Settings {
            hostname,
            message_octets: limits.message_octets,
            room: Room::new(limits.memory_octets),
            recipients: limits.recipients,
            errors: limits.errors,
        };
        let gate = Gate::new();
        Ok(Self { doors, shared: Arc::new(Shared { session: Arc::new(session), limits, gate, receiver }) })
    }

    /// Each listener's name and the address that it got, in the order of the settings.
    pub fn local_addresses(&self) -> Vec<(String, SocketAddr)> {
        self.doors.iter().map(|door| (door.listener.name.clone(), door.address)).collect()
    }

    /// Serves until `shutdown` becomes true (or its sender is gone) and the last session has ended.
    /// Then no connection is accepted any more, a session that waits for a command gets 421, and one
    /// inside a message may finish it. The caller bounds that: dropping this future ends everything.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let mut doors = JoinSet::new();
        for door in self.doors {
            doors.spawn(keep_open(door, Arc::clone(&self.shared), shutdown.clone()));
        }
        while let Some(ended) = doors.join_next().await {
            log_panic(ended);
        }
        drop(shutdown.wait_for(|stopping| *stopping).await);
    }
}

fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let socket = TcpListener::from_std(socket.into())?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        error!(%error, "an SMTP task panicked");
    }
}

/// Accepts until the shutdown, then waits for the connections of this listener.
async fn keep_open(door: DoorSocket, shared: Arc<Shared>, mut shutdown: watch::Receiver<bool>) {
    let DoorSocket { listener, socket, .. } = door;
    let mut connections = JoinSet::new();
    let (mut pause, mut retry_at) = (None, None);
    let stopping = shutdown.clone();
    let mut asked_to_stop = std::pin::pin!(async move { drop(shutdown.wait_for(|stop| *stop).await) });
    loop {
        tokio::select! {
            () = &mut asked_to_stop => break,
            Some(ended) = connections.join_next() => {
                log_panic(ended);
                // Its descriptor is free: no need to wait.
                retry_at = None;
            }
            accepted = accept_at(retry_at, &socket) => match accepted {
                Ok((stream, peer)) => {
                    retry_at = None;
                    if pause.take().is_some() {
                        info!(listener = %listener.name, "accepting again");
                    }
                    admit(stream, peer, &listener, &shared, &stopping, &mut connections);
                }
                Err(error) => {
                    pause = pause_after(&error, pause, &listener.name);
                    retry_at = pause.map(|pause| Instant::now() + pause);
                }
            },
        }
    }
    drop(socket);
    while let Some(ended) = connections.join_next().await {
        log_panic(ended);
    }
}

async fn accept_at(at: Option<Instant>, socket: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    if let Some(at) = at {
        sleep_until(at).await;
    }
    socket.accept().await
}

/// How long to wait before accepting again. A connection that its client gave up meanwhile costs no
/// pause; descriptors or memory that ran out do, and the pause grows while they stay short.
fn pause_after(error: &io::Error, before: Option<Duration>, listener: &str) -> Option<Duration> {
    let of_one_connection = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    );
    if of_one_connection {
        return before;
    }
    if before.is_none() {
        warn!(listener, %error, "cannot accept connections; trying again until it works");
    }
    Some(before.map_or(SHORTEST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE)))
}

/// Starts the connection's task, or refuses it at little cost.
fn admit(
    stream: TcpStream,
    peer: SocketAddr,
    listener: &Arc<Listener>,
    shared: &Arc<Shared>,
    stopping: &watch::Receiver<bool>,
    connections: &mut JoinSet<()>,
) {
    let address = peer.ip().to_canonical();
    match permit(address, listener, shared) {
        Ok(permit) => {
            let client = Client {
                door: Door::Smtp,
                listener: listener.name.clone(),
                address,
                helo: None,
                account: None,
            };
            connections.spawn(converse(stream, client, permit, Arc::clone(shared), stopping.clone()));
        }
        Err(reply) => {
            info!(client = %address, listener = %listener.name, reason = %reply.text(), "connection refused");
            refuse(&stream, &reply);
        }
    }
}

fn permit(address: IpAddr, listener: &Listener, shared: &Shared) -> Result<Permit, Reply> {
    if !listener.networks.iter().any(|network| network.contains(&address)) {
        let text = format!("{address} is in none of the networks that this listener serves");
        return Err(Reply::new(554, EnhancedStatus::POLICY, text));
    }
    shared
        .gate
        .admit(address, Bounds::new(&shared.limits, None))
        .map_err(|full| Reply::new(421, EnhancedStatus::new(4, 7, 0), full.to_string()))
}

/// Sends without waiting: the send buffer of a new socket has room for a line, and if not, the
/// client goes without a reason.
fn refuse(stream: &TcpStream, reply: &Reply) {
    let mut line = Vec::new();
    reply.write_to(&mut line);
    if let Err(error) = SockRef::from(stream).send(&line) {
        debug!(%error, "the refused client was gone already");
    }
}

async fn converse(
    stream: TcpStream,
    client: Client,
    permit: Permit,
    shared: Arc<Shared>,
    shutdown: watch::Receiver<bool>,
) {
    let (address, listener) = (client.address, client.listener.clone());
    debug!(client = %address, %listener, "connection opened");
    if let Err(error) = stream.set_nodelay(true) {
        debug!(client = %address, %error, "TCP_NODELAY was not set");
    }
    let session = Session::new(Arc::clone(&shared.session), client);
    match connection::serve(stream, session, &*shared.receiver, &shared.limits, shutdown).await {
        Ended::Closed => debug!(client = %address, %listener, "connection closed"),
        Ended::Left(awaited) => {
            debug!(client = %address, %listener, ?awaited, "connection closed by the client")
        }
        Ended::Failed(error) => debug!(client = %address, %listener, %error, "connection lost"),
    }
    drop(permit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_descriptors_are_short_and_one_lost_connection_costs_none() {
        let (emfile, enfile) = (io::Error::from_raw_os_error(24), io::Error::from_raw_os_error(23));
        let mut pause = None;
        let mut milliseconds = Vec::new();
        for _ in 0..9 {
            pause = pause_after(&emfile, pause, "lan");
            milliseconds.extend(pause.map(|pause| pause.as_millis()));
        }
        assert_eq!(milliseconds, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert_eq!(pause_after(&enfile, None, "lan"), Some(SHORTEST_PAUSE));
        assert_eq!(pause_after(&io::Error::from_raw_os_error(103), None, "lan"), None);
    }
}
