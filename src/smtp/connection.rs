//! One connection: moves octets between a stream and its [`Session`], with a limit on every wait.
//!
//! Knows nothing of sockets, so that a TLS stream is served alike.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{debug, info};

use crate::model::Masked;

use super::Limits;
use super::receiver::Receiver;
use super::reply::Reply;
use super::session::{Awaited, Delivery, Ending, Question, Session, Step};

/// Input buffer while commands are awaited, in octets: an idle connection holds no more.
const COMMAND_INPUT: usize = 2 * 1024;
/// Input buffer while a message arrives, in octets.
const MESSAGE_INPUT: usize = 32 * 1024;
/// Replies are sent at the latest when they are this many octets, whatever more is pipelined.
const OUTPUT: usize = 16 * 1024;
/// After our last reply, what the client still sends is thrown away up to these bounds: closing a
/// socket with unread input resets the connection, and the client would not see the reply.
const LINGER_TIME: Duration = Duration::from_secs(1);
const LINGER_OCTETS: usize = 1024 * 1024;

/// How a connection ended, for the log.
#[derive(Debug)]
pub(super) enum Ended {
    /// The session said its last word: QUIT, too many errors, a time-out, the shutdown.
    Closed,
    /// The client closed it while this was awaited. In a message: nothing was delivered (R52).
    Left(Awaited),
    /// Reading or writing failed; the client may have reset the connection.
    Failed(io::Error),
}

/// Serves `stream` until its session ends. `shutdown` becoming true ends a session that waits for a
/// command with 421; one inside a message may finish that message first.
pub(super) async fn serve<S>(
    stream: S,
    mut session: Session,
    receiver: &dyn Receiver,
    limits: &Limits,
    mut shutdown: watch::Receiver<bool>,
) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut link = Link::new(stream, limits.command_time);
    match talk(&mut link, &mut session, receiver, limits, &mut shutdown).await {
        Ok(Left::Client(awaited)) => Ended::Left(awaited),
        Ok(Left::Server) => match link.close().await {
            Ok(()) => Ended::Closed,
            Err(error) => Ended::Failed(error),
        },
        Err(error) => Ended::Failed(error),
    }
}

/// Who ended the conversation.
enum Left {
    Client(Awaited),
    Server,
}

async fn talk<S>(
    link: &mut Link<S>,
    session: &mut Session,
    receiver: &dyn Receiver,
    limits: &Limits,
    shutdown: &mut watch::Receiver<bool>,
) -> io::Result<Left>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    link.send(&session.greeting()).await?;
    // One deadline for the whole command or message: octets that trickle in don't move it (R49).
    let mut deadline = Instant::now() + limits.command_time;
    loop {
        let awaited = session.awaited();
        if awaited == Awaited::Command && *shutdown.borrow() {
            link.send(&session.end(Ending::ShuttingDown)).await?;
            return Ok(Left::Server);
        }
        let (used, step) = session.feed(link.unread());
        link.consume(used);
        if let Some(step) = step {
            if let Next::Close = perform(step, link, session, receiver).await? {
                return Ok(Left::Server);
            }
            deadline = Instant::now()
                + match session.awaited() {
                    Awaited::Command => limits.command_time,
                    Awaited::Message => limits.message_time,
                };
            continue;
        }
        // Nothing complete is buffered: only now the replies of a batch go out (RFC 2920).
        link.flush().await?;
        match link.fill(awaited, deadline, shutdown).await? {
            Filled::Some => {}
            Filled::End => return Ok(Left::Client(awaited)),
            Filled::Stopped(ending) => {
                link.send(&session.end(ending)).await?;
                return Ok(Left::Server);
            }
        }
    }
}

enum Next {
    GoOn,
    Close,
}

async fn perform<S>(
    step: Step,
    link: &mut Link<S>,
    session: &mut Session,
    receiver: &dyn Receiver,
) -> io::Result<Next>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut step = step;
    loop {
        step = match step {
            Step::Reply(reply) => {
                log_refusal(&reply, session);
                link.send(&reply).await?;
                return Ok(Next::GoOn);
            }
            Step::Close(replies) => {
                for reply in &replies {
                    log_refusal(reply, session);
                    link.send(reply).await?;
                }
                return Ok(Next::Close);
            }
            Step::Ask(question) => ask(*question, session, receiver).await,
            Step::Deliver(delivery) => deliver(*delivery, session, receiver).await,
        }
    }
}

async fn ask(question: Question, session: &mut Session, receiver: &dyn Receiver) -> Step {
    let answer = receiver.recipient(session.client(), &question.reverse_path, &question.recipient).await;
    if let Err(refusal) = &answer {
        info!(
            client = %session.client().address,
            listener = %session.client().listener,
            recipient = %for_log(&question.recipient.to_string()),
            reason = %for_log(&refusal.text),
            "recipient refused"
        );
    }
    session.recipient_answer(question, answer)
}

async fn deliver(delivery: Delivery, session: &mut Session, receiver: &dyn Receiver) -> Step {
    // The place is given back at the end of this function.
    let Delivery { envelope, bytes, place: _place } = delivery;
    let (recipients, octets) = (envelope.recipients.len(), bytes.len());
    let answer = receiver.mail(session.client(), envelope, bytes).await;
    let (client, listener) = (&session.client().address, &session.client().listener);
    match &answer {
        Ok(id) => info!(%id, %client, %listener, recipients, octets, "mail accepted"),
        Err(refusal) => {
            let reason = for_log(&refusal.text);
            info!(%client, %listener, recipients, octets, %reason, "mail refused");
        }
    }
    session.mail_answer(answer)
}

fn log_refusal(reply: &Reply, session: &Session) {
    if reply.code() >= 400 {
        let client = &session.client().address;
        debug!(%client, code = reply.code(), text = %for_log(&reply.text()), "command refused");
    }
}

/// Numbers masked and control characters escaped (R55).
fn for_log(text: &str) -> String {
    Masked(text).to_string().escape_debug().to_string()
}

/// How a wait for input ended.
enum Filled {
    Some,
    End,
    Stopped(Ending),
}

/// A stream with its buffers.
struct Link<S> {
    stream: S,
    input: Vec<u8>,
    start: usize,
    end: usize,
    output: Vec<u8>,
    write_time: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    fn new(stream: S, write_time: Duration) -> Self {
        Self { stream, input: Vec::new(), start: 0, end: 0, output: Vec::new(), write_time }
    }

    fn unread(&self) -> &[u8] {
        &self.input[self.start..self.end]
    }

    fn consume(&mut self, octets: usize) {
        self.start += octets;
    }

    /// Puts a reply behind the others; it goes out with [`flush`](Self::flush) or when enough wait.
    async fn send(&mut self, reply: &Reply) -> io::Result<()> {
        reply.write_to(&mut self.output);
        if self.output.len() >= OUTPUT { self.flush().await } else { Ok(()) }
    }

    /// A client that does not read its replies is given up like one that does not write.
    async fn flush(&mut self) -> io::Result<()> {
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
    /// the shutdown.
    async fn fill(
        &mut self,
        awaited: Awaited,
        deadline: Instant,
        shutdown: &mut watch::Receiver<bool>,
    ) -> io::Result<Filled> {
        let size = match awaited {
            Awaited::Command => COMMAND_INPUT,
            Awaited::Message => MESSAGE_INPUT,
        };
        if self.input.len() != size {
            self.input = vec![0; size];
        }
        (self.start, self.end) = (0, 0);
        // A sender that is gone has stopped, too: its end of the channel went with the daemon.
        let stopping = async {
            match awaited {
                Awaited::Command => drop(shutdown.wait_for(|stopping| *stopping).await),
                Awaited::Message => std::future::pending().await,
            }
        };
        let read = tokio::select! {
            biased;
            read = timeout_at(deadline, self.stream.read(&mut self.input)) => read,
            () = stopping => return Ok(Filled::Stopped(Ending::ShuttingDown)),
        };
        match read {
            Ok(Ok(0)) => Ok(Filled::End),
            Ok(Ok(octets)) => {
                self.end = octets;
                Ok(Filled::Some)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Ok(Filled::Stopped(Ending::TimedOut(awaited))),
        }
    }

    /// Sends what is left, ends our side and reads the client's rest for a moment.
    async fn close(&mut self) -> io::Result<()> {
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
