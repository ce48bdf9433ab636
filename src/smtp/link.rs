//! A stream with its buffers and its clock.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::capture::{Dialogue, Said};
use super::reply::Reply;
use super::session::Awaited;
use super::shutdown::Shutdown;

/// Input buffer while commands are awaited, in octets: an idle connection holds no more.
const COMMAND_INPUT: usize = 1024;
/// Input buffer while a message arrives, in octets.
const MESSAGE_INPUT: usize = 32 * 1024;
/// Replies are sent at the latest when they are this many octets, whatever more is pipelined.
const OUTPUT: usize = 16 * 1024;
/// After our last reply, what the client still sends is thrown away up to these bounds: closing a
/// socket with unread input resets the connection, and the client would not see the reply.
const LINGER_TIME: Duration = Duration::from_secs(1);
const LINGER_OCTETS: usize = 1024 * 1024;

/// How a wait for input ended.
pub(super) enum Filled {
    /// There is some.
    Some,
    /// The client has closed its side.
    End,
    /// Nothing complete came in time.
    Late,
    /// The session's time is over.
    TooLong,
    /// The daemon stops.
    ShuttingDown,
}

/// A stream with its buffers; what goes through it is captured where that is wanted.
pub(super) struct Link<S> {
    stream: S,
    input: Vec<u8>,
    start: usize,
    end: usize,
    output: Vec<u8>,
    write_time: Duration,
    capture: Option<Box<Dialogue>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    pub(super) fn new(stream: S, write_time: Duration, capture: Option<Box<Dialogue>>) -> Self {
        Self { stream, input: Vec::new(), start: 0, end: 0, output: Vec::new(), write_time, capture }
    }

    /// The stream and the capture; what was not taken of the input is gone.
    pub(super) fn into_parts(self) -> (S, Option<Box<Dialogue>>) {
        (self.stream, self.capture)
    }

    pub(super) fn unread(&self) -> &[u8] {
        &self.input[self.start..self.end]
    }

    /// The session has taken these octets.
    pub(super) fn consume(&mut self, octets: usize, said: Said) {
        if let Some(capture) = &mut self.capture
            && octets > 0
        {
            capture.client(&self.input[self.start..self.start + octets], said, Timestamp::now());
        }
        // A line of AUTH has a password in it, and an idle connection keeps its buffer for hours. What the
        // kernel and TLS have copied of it is out of reach.
        if said != Said::Message {
            self.input[self.start..self.start + octets].fill(0);
        }
        self.start += octets;
    }

    pub(super) fn forget_unread(&mut self) {
        let octets = self.end - self.start;
        if octets > 0 {
            self.note(&format!("{octets} octets behind STARTTLS were thrown away"));
        }
        self.start = self.end;
    }

    pub(super) fn note(&mut self, text: &str) {
        if let Some(capture) = &mut self.capture {
            capture.note(text, Timestamp::now());
        }
    }

    /// The last event of the capture, behind what the client left unfinished.
    pub(super) fn end_capture(&mut self, why: &str) {
        if let Some(capture) = self.capture.take() {
            capture.end(why, Timestamp::now());
        }
    }

    /// Puts a reply behind the others; it goes out with [`flush`](Self::flush) or when enough wait.
    pub(super) async fn send(&mut self, reply: &Reply) -> io::Result<()> {
        let start = self.output.len();
        reply.write_to(&mut self.output);
        if let Some(capture) = &mut self.capture {
            capture.server(&self.output[start..], Timestamp::now());
        }
        if self.output.len() >= OUTPUT { self.flush().await } else { Ok(()) }
    }

    /// A client that does not read its replies is given up like one that does not write.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let written = async {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await
        };
        timeout(self.write_time, written).await.map_err(|_| io::ErrorKind::TimedOut)??;
        self.output = Vec::new();
        Ok(())
    }

    /// Reads more once everything was taken: until `deadline`, and while a command is awaited until
    /// the session's end and the shutdown.
    pub(super) async fn fill(
        &mut self,
        awaited: Awaited,
        deadline: Instant,
        until: Instant,
        shutdown: &mut Shutdown,
    ) -> io::Result<Filled> {
        let in_message = awaited == Awaited::Message;
        let size = if in_message { MESSAGE_INPUT } else { COMMAND_INPUT };
        if self.input.len() != size {
            self.input = vec![0; size];
        }
        (self.start, self.end) = (0, 0);
        // Octets that always lie ready would win over every timer.
        if Instant::now() >= deadline {
            return Ok(Filled::Late);
        }
        let until_all = if in_message { deadline } else { deadline.min(until) };
        let read = timeout_at(until_all, self.stream.read(&mut self.input));
        let read = if in_message {
            read.await
        } else {
            match shutdown.unless_begun(read).await {
                Some(read) => read,
                None => return Ok(Filled::ShuttingDown),
            }
        };
        match read {
            Ok(Ok(0)) => Ok(Filled::End),
            Ok(Ok(octets)) => {
                self.end = octets;
                Ok(Filled::Some)
            }
            Ok(Err(error)) => Err(error),
            Err(_) if until_all < deadline => Ok(Filled::TooLong),
            Err(_) => Ok(Filled::Late),
        }
    }

    /// Sends what is left, ends our side and reads the client's rest for a moment.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.flush().await?;
        let lingered = async {
            self.stream.shutdown().await?;
            let mut thrown_away = 0;
            let mut rest = vec![0; COMMAND_INPUT];
            while thrown_away < LINGER_OCTETS {
                match self.stream.read(&mut rest).await? {
                    0 => break,
                    octets => thrown_away += octets,
                }
            }
            Ok(())
        };
        timeout(LINGER_TIME, lingered).await.unwrap_or(Ok(()))
    }
}
