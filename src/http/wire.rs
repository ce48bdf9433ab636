//! A client's socket as hyper gets it.
//!
//! Reading, it lets the [`Scanner`] look at every octet; writing, it gives up on a client that
//! does not read; closing, it makes sure that the last answer can arrive.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::framing::{FramingError, Scanner, Verdict};

/// How long a closed connection is still read from when the client was not done sending.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// Octets thrown away at a time meanwhile.
const LINGER_OCTETS: usize = 8 * 1024;

/// A socket under watch.
#[derive(Debug)]
pub(super) struct Wire {
    socket: TcpStream,
    scanner: Scanner,
    heads: Heads,
    /// How long the client may leave us unable to write.
    write_time: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    lingering: Option<Pin<Box<Sleep>>>,
}

/// The verdicts on the heads that hyper has been given and has not yet served. hyper's buffer
/// bounds their number.
#[derive(Clone, Debug, Default)]
pub(super) struct Heads(Arc<Mutex<VecDeque<Verdict>>>);

impl Heads {
    /// The verdict on the head that hyper serves now; to be asked once for each, in order.
    pub(super) fn next(&self) -> Verdict {
        let mut verdicts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        verdicts.pop_front().unwrap_or(Err(FramingError::OutOfStep))
    }
}

impl Wire {
    /// Takes a fresh connection.
    pub(super) fn new(socket: TcpStream, write_time: Duration) -> (Self, Heads) {
        let heads = Heads::default();
        let wire = Self {
            socket,
            scanner: Scanner::new(),
            heads: heads.clone(),
            write_time,
            stalled: None,
            lingering: None,
        };
        (wire, heads)
    }

    /// Bounds how long a write may make no progress.
    fn watch_write(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let write_time = self.write_time;
        let deadline = self.stalled.get_or_insert_with(|| Box::pin(sleep(write_time)));
        deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut wire.socket).poll_read(cx, buffer))?;
        let mut verdicts = wire.heads.0.lock().unwrap_or_else(PoisonError::into_inner);
        wire.scanner.scan(&buffer.filled()[before..], &mut verdicts);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let written = Pin::new(&mut wire.socket).poll_write(cx, octets);
        wire.watch_write(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let written = Pin::new(&mut wire.socket).poll_write_vectored(cx, slices);
        wire.watch_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    /// Closes our side. A socket that is dropped with unread octets in it is reset by the system,
    /// and the reset may overtake an answer such as 413 that the client, busy sending, has not yet
    /// read. So what still comes is thrown away for a while.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if wire.lingering.is_none() {
            ready!(Pin::new(&mut wire.socket).poll_shutdown(cx))?;
            if wire.scanner.is_between_requests() {
                return Poll::Ready(Ok(()));
            }
        }
        let deadline = wire.lingering.get_or_insert_with(|| Box::pin(sleep(LINGER_TIME)));
        if deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        loop {
            let mut room = [0; LINGER_OCTETS];
            let mut thrown_away = ReadBuf::new(&mut room);
            match ready!(Pin::new(&mut wire.socket).poll_read(cx, &mut thrown_away)) {
                Ok(()) if !thrown_away.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}
