//! The mailbox that bounces arrive in: an SMTP server that keeps what it gets.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::intake::{Refusal, RefusalKind};
use crate::model::{Client, Envelope, MailAddress, ReversePath};
use crate::smtp::{BindError, Limits, Listener, Metrics, Receiver, Server, Settings};

/// Bounces that wait to be shown.
const CAPACITY: usize = 100;

/// A running mailbox.
pub(super) struct Mailbox {
    pub(super) address: SocketAddr,
    mails: mpsc::Receiver<Vec<u8>>,
    _stop: watch::Sender<bool>,
    _server: JoinHandle<()>,
}

struct Slot(mpsc::Sender<Vec<u8>>);

#[async_trait]
impl Receiver for Slot {
    async fn recipient(&self, _: &Client, _: &ReversePath, _: &MailAddress) -> Result<(), Refusal> {
        Ok(())
    }

    async fn mail(&self, _: &Client, _: Envelope, bytes: Vec<u8>) -> Result<String, Refusal> {
        match self.0.try_send(bytes) {
            Ok(()) => Ok("mailbox".to_owned()),
            Err(_) => Err(Refusal {
                kind: RefusalKind::StorageUnavailable,
                text: "the demo's mailbox is full".to_owned(),
            }),
        }
    }
}

impl Mailbox {
    pub(super) fn open() -> Result<Self, BindError> {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let bind = SocketAddr::new(loopback, 0);
        let listeners = vec![Listener::new("mailbox", bind, vec![IpNet::from(loopback)])];
        let limits = Limits { message_octets: 1 << 20, connections: 20, ..Limits::default() };
        let settings = Settings::new("mailbox.example", listeners, limits);
        let (sender, mails) = mpsc::channel(CAPACITY);
        let server = Server::bind(settings, Arc::new(Slot(sender)), Metrics::new())?;
        let address =
            server.local_addresses().first().map_or(SocketAddr::new(loopback, 0), |(_, address)| *address);
        let (stop, stopped) = watch::channel(false);
        Ok(Self { address, mails, _stop: stop, _server: tokio::spawn(server.run(stopped)) })
    }

    /// The next mail; `None` when none came within `limit`.
    pub(super) async fn next(&mut self, limit: Duration) -> Option<Vec<u8>> {
        tokio::time::timeout(limit, self.mails.recv()).await.ok().flatten()
    }
}
