//! Listening sockets and the tasks that serve their connections.
//!
//! [`Server::run`] owns one task a listener, and each of those owns its connections' tasks: dropping
//! the future of `run` ends them all. A failure to bind ends the start; a failure to accept ends
//! nothing (R47). Everything but the sockets can be exchanged while it runs ([`Handle::reload`]); a
//! connection keeps what it began with.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::{error, info, warn};

use super::accounts::Accounts;
use super::admission;
use super::auth::Mechanism;
use super::capture::Recorder;
use super::gate::Gate;
use super::guard::Guard;
use super::metrics::Metrics;
use super::receiver::Receiver;
use super::room::Room;
use super::session;
use super::settings::{Listener, Settings};
use super::shutdown::Shutdown;
use crate::tls;

/// Connections that wait to be accepted; the kernel may allow fewer (`net.core.somaxconn`).
const BACKLOG: i32 = 1024;
/// First and longest pause after a failure to accept. One connection that ends may cure it.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long the disk may take at the end for what was captured.
const CAPTURE_TIME: Duration = Duration::from_secs(2);

/// The SMTP door, all its sockets bound.
pub struct Server {
    doors: Vec<DoorSocket>,
    shared: Arc<Shared>,
}

/// Exchanges the settings of a door that is open.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

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
    listener: String,
    socket: TcpListener,
    address: SocketAddr,
}

/// What all connections share.
pub(super) struct Shared {
    pub(super) live: ArcSwap<Live>,
    pub(super) gate: Arc<Gate>,
    pub(super) guard: Guard,
    pub(super) recorder: Recorder,
    pub(super) receiver: Arc<dyn Receiver>,
}

/// The settings that hold now, and what is made of them.
pub(super) struct Live {
    pub(super) settings: Settings,
    pub(super) session: Arc<session::Settings>,
    pub(super) accounts: Arc<Accounts>,
    mechanisms: Arc<[Mechanism]>,
}

impl Live {
    fn new(settings: Settings, room: Room) -> Self {
        let accounts = Accounts::new(settings.accounts.clone());
        let session =
            session::Settings { hostname: settings.hostname.clone(), room, limits: settings.limits };
        Self {
            mechanisms: accounts.mechanisms().into(),
            accounts: Arc::new(accounts),
            session: Arc::new(session),
            settings,
        }
    }

    /// The mechanisms that accounts can use, of those that are `wanted`.
    pub(super) fn mechanisms(&self, wanted: Option<&[Mechanism]>) -> Arc<[Mechanism]> {
        match wanted {
            None => Arc::clone(&self.mechanisms),
            Some(wanted) => self.mechanisms.iter().copied().filter(|one| wanted.contains(one)).collect(),
        }
    }

    pub(super) fn listener(&self, name: &str) -> Option<&Listener> {
        self.settings.listeners.iter().find(|listener| listener.name == name)
    }
}

impl Server {
    /// Binds every listener. Must be called inside a Tokio runtime with I/O and time enabled.
    ///
    /// # Errors
    /// [`BindError`] for the first listener that cannot listen; the others are closed again.
    pub fn bind(
        settings: Settings,
        receiver: Arc<dyn Receiver>,
        metrics: Metrics,
    ) -> Result<Self, BindError> {
        let doors = settings
            .listeners
            .iter()
            .map(|listener| match listen(listener.bind) {
                Ok((socket, address)) => Ok(DoorSocket { listener: listener.name.clone(), socket, address }),
                Err(source) => {
                    Err(BindError { listener: listener.name.clone(), address: listener.bind, source })
                }
            })
            .collect::<Result<_, _>>()?;
        let shared = Shared {
            gate: Gate::new(),
            guard: Guard::new(&settings.limits, metrics),
            recorder: Recorder::new(),
            receiver,
            live: ArcSwap::from_pointee(Live::new(
                settings.clone(),
                Room::new(settings.limits.memory_octets),
            )),
        };
        Ok(Self { doors, shared: Arc::new(shared) })
    }

    /// Each listener's name and the address that it got, in the order of the settings.
    pub fn local_addresses(&self) -> Vec<(String, SocketAddr)> {
        self.doors.iter().map(|door| (door.listener.clone(), door.address)).collect()
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// For reloads while [`run`](Self::run) works.
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// Serves until `shutdown` becomes true (or its sender is gone) and the last session has ended.
    /// Then no connection is accepted any more, a session that waits for a command gets 421, and one
    /// inside a message may finish it. The caller bounds that: dropping this future ends everything.
    pub async fn run(self, shutdown: watch::Receiver<bool>) {
        let mut shutdown = Shutdown::from(shutdown);
        let mut doors = JoinSet::new();
        for door in self.doors {
            doors.spawn(keep_open(door, Arc::clone(&self.shared), shutdown.clone()));
        }
        let mut looks = interval(tls::LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                ended = doors.join_next() => match ended {
                    Some(ended) => log_panic(ended),
                    None => break,
                },
                _ = looks.tick() => look_at_certificates(&self.shared),
            }
        }
        shutdown.begun().await;
        // The process ends soon, and the thread that writes captures with it.
        let recorder = self.shared.recorder.clone();
        let written = spawn_blocking(move || recorder.flush(CAPTURE_TIME)).await;
        if !written.unwrap_or(true) {
            warn!("the last lines of captured dialogues are not on disk yet; some may be missing");
        }
    }
}

impl Handle {
    /// Takes new settings. Sockets stay as they are: a listener that is not named any more keeps what it
    /// had, and a new one is not opened.
    pub fn reload(&self, mut settings: Settings) {
        let before = self.0.live.load();
        for listener in &before.settings.listeners {
            if !settings.listeners.iter().any(|new| new.name == listener.name) {
                settings.listeners.push(listener.clone());
            }
        }
        // A new room counts from nothing, so that the old one is kept where it can be.
        let same_room = before.settings.limits.memory_octets == settings.limits.memory_octets;
        let room =
            if same_room { before.session.room.clone() } else { Room::new(settings.limits.memory_octets) };
        self.0.guard.reload(&settings.limits);
        self.0.live.store(Arc::new(Live::new(settings, room)));
        look_at_certificates(&self.0);
    }
}

/// Tells of certificates that have expired or soon will.
fn look_at_certificates(shared: &Shared) {
    let live = shared.live.load();
    let identities = live.settings.identities().map(|(listener, identity)| (listener, identity.as_ref()));
    shared.guard.metrics().expiry().look(identities, Timestamp::now());
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
async fn keep_open(door: DoorSocket, shared: Arc<Shared>, shutdown: Shutdown) {
    let DoorSocket { listener, socket, .. } = door;
    let mut connections = JoinSet::new();
    let (mut pause, mut retry_at) = (None, None);
    let mut asked_to_stop = shutdown.clone();
    let mut asked_to_stop = std::pin::pin!(asked_to_stop.begun());
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
                        info!(listener, "accepting again");
                    }
                    admission::knock(stream, peer, &listener, &shared, &shutdown, &mut connections);
                }
                Err(error) => {
                    pause = pause_after(&error, pause, &listener);
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
