//! A client's socket, or what TLS makes of it, as hyper gets it for HTTP/1.
//!
//! Reading, it lets the scanner of its [`Rewriter`] look at every octet, and that encode request lines where a listener
//! wants it; writing, it gives up on a client that
//! does not read; closing, it makes sure that the last answer can arrive.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::framing::{FramingError, Verdict};
use super::request_line::{RawPaths, Rewriter};

/// How long a closed connection is still read from when the client was not done sending.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// Octets that are read at a time where request lines may be encoded.
const READ_OCTETS: usize = 8 * 1024;
/// Octets thrown away at a time meanwhile.
const LINGER_OCTETS: usize = 8 * 1024;

/// A socket under watch.
#[derive(Debug)]
pub(super) struct Wire<S> {
    socket: S,
    rewriter: Rewriter,
    /// What has gone through the rewriter, and how much of it hyper has been given.
    passed: (Vec<u8>, usize),
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

impl<S> Wire<S> {
    /// Takes a fresh connection on which request lines to `raw_paths` may be raw.
    pub(super) fn new(socket: S, raw_paths: RawPaths, write_time: Duration) -> (Self, Heads) {
        let heads = Heads::default();
        let wire = Self {
            socket,
            rewriter: Rewriter::new(raw_paths),
            passed: (Vec::new(), 0),
            heads: heads.clone(),
            write_time,
            stalled: None,
            lingering: None,
        };
        (wire, heads)
    }

    /// Bounds how long a write may make no progress. Octets that TLS has taken are written when it is flushed.
    fn watch_write<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let write_time = self.write_time;
        let deadline = self.stalled.get_or_insert_with(|| Box::pin(sleep(write_time)));
        deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if let Some(scanner) = wire.rewriter.idle() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut wire.socket).poll_read(cx, buffer))?;
            let mut verdicts = wire.heads.0.lock().unwrap_or_else(PoisonError::into_inner);
            scanner.scan(&buffer.filled()[before..], &mut verdicts);
            return Poll::Ready(Ok(()));
        }
        let (passed, given) = &mut wire.passed;
        // All that was read may have been held back, which is not the end. It is bounded, so this is, too.
        while passed.is_empty() {
            let mut room = [0; READ_OCTETS];
            let mut read = ReadBuf::new(&mut room);
            ready!(Pin::new(&mut wire.socket).poll_read(cx, &mut read))?;
            let mut verdicts = wire.heads.0.lock().unwrap_or_else(PoisonError::into_inner);
            if read.filled().is_empty() {
                wire.rewriter.release(passed, &mut verdicts);
                break;
            }
            wire.rewriter.pass(read.filled(), passed, &mut verdicts);
        }
        let left = &passed[*given..];
        let now = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..now]);
        *given += now;
        if *given == passed.len() {
            wire.passed = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
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
        let wire = self.get_mut();
        let flushed = Pin::new(&mut wire.socket).poll_flush(cx);
        wire.watch_write(cx, flushed)
    }

    /// Closes our side. A socket that is dropped with unread octets in it is reset by the system,
    /// and the reset may overtake an answer such as 413 that the client, busy sending, has not yet
    /// read. So what still comes is thrown away for a while.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if wire.lingering.is_none() {
            let closed = Pin::new(&mut wire.socket).poll_shutdown(cx);
            ready!(wire.watch_write(cx, closed))?;
            if wire.rewriter.is_between_requests() {
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
