//! One connection: moves octets between a stream and its [`Session`], with a limit on every wait.
//!
//! Knows nothing of sockets, so that a TLS stream is served alike.

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, info, warn};

use crate::intake::Refusal;
use crate::model::{Client, MailAddress, Masked, ReversePath};

use super::auth::Credentials;
use super::capture::{Dialogue, Said};
use super::command::MailFrom;
use super::guard::Guard;
use super::link::{Filled, Link};
use super::metrics::End;
use super::reply::Reply;
use super::server::Shared;
use super::session::{Awaited, Delivery, Ending, Login, Question, Session, Step, Why};
use super::settings::Limits;
use super::shutdown::Shutdown;

/// How a connection ended, for the log.
#[derive(Debug)]
pub(super) enum Ended {
    /// The session said its last word.
    Closed(End),
    /// The client closed it while this was awaited. In a message: nothing was delivered (R52).
    Left(Awaited),
    /// The TLS handshake failed.
    Handshake(io::Error),
    /// Reading or writing failed; the client may have reset the connection.
    Failed(io::Error),
}

/// What serves a connection beside its stream and its session.
pub(super) struct Service<'a> {
    pub(super) shared: &'a Shared,
    pub(super) limits: Limits,
    /// For STARTTLS.
    pub(super) acceptor: Option<TlsAcceptor>,
    /// Becoming true, it ends a session that waits for a command with 421; one inside a message may
    /// finish that message first.
    pub(super) shutdown: Shutdown,
    /// When the session as a whole is to end.
    pub(super) until: Instant,
}

/// Who ended the conversation, or what interrupted it.
enum Left {
    Client(Awaited),
    Server(End),
    ForTls,
}

/// Greets the client and serves it until its session ends. The session and its service are borrowed, as
/// each move of them would be room in the task of every connection.
pub(super) async fn serve<S>(
    stream: S,
    session: &mut Session,
    service: &mut Service<'_>,
    capture: Option<Box<Dialogue>>,
) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut link = Link::new(stream, service.limits.command_time, capture);
    let greeting = session.greeting();
    let talked = match link.send(&greeting).await {
        Ok(()) => talk(&mut link, session, service).await,
        Err(error) => Err(error),
    };
    match talked {
        Ok(Left::ForTls) => {
            let (stream, mut capture) = link.into_parts();
            // Boxed, so that a connection without TLS does not carry the room for it.
            let secured = Box::pin(async {
                let stream = match shake_hands(stream, service).await {
                    Ok(stream) => stream,
                    Err(ended) => return ended,
                };
                if let Some(capture) = &mut capture {
                    capture.note("TLS begins", Timestamp::now());
                }
                session.secured();
                let mut link = Link::new(stream, service.limits.command_time, capture);
                let talked = talk(&mut link, session, service).await;
                finish(talked, link).await
            });
            secured.await
        }
        talked => finish(talked, link).await,
    }
}

async fn finish<S>(talked: io::Result<Left>, mut link: Link<S>) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match talked {
        Ok(Left::Client(awaited)) => {
            link.end_capture("the client closed the connection");
            Ended::Left(awaited)
        }
        // A session that has TLS never asks for it.
        Ok(Left::ForTls) => Ended::Closed(End::Tls),
        Ok(Left::Server(end)) => {
            let closed = link.close().await;
            link.end_capture("the relay closed the connection");
            closed.map_or_else(Ended::Failed, |()| Ended::Closed(end))
        }
        Err(error) => {
            link.end_capture(&format!("the connection was lost: {error}"));
            Ended::Failed(error)
        }
    }
}

/// A TLS handshake that may take as long as a command, and is not waited for when the daemon stops.
pub(super) async fn shake_hands<S>(stream: S, service: &mut Service<'_>) -> Result<TlsStream<S>, Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Asked for only where there is an acceptor.
    let Some(acceptor) = &service.acceptor else {
        return Err(Ended::Handshake(io::ErrorKind::Unsupported.into()));
    };
    let shaken = timeout(service.limits.command_time, acceptor.accept(stream));
    let Some(shaken) = service.shutdown.unless_begun(shaken).await else {
        return Err(Ended::Closed(End::Shutdown));
    };
    let shaken = shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let version = shaken.as_ref().ok().and_then(|stream| stream.get_ref().1.protocol_version());
    service.shared.guard.note_handshake(version);
    shaken.map_err(Ended::Handshake)
}

async fn talk<S>(link: &mut Link<S>, session: &mut Session, service: &mut Service<'_>) -> io::Result<Left>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut clock = Clock { message_by: None };
    let mut deadline = clock.deadline(session, &service.limits);
    loop {
        let awaited = session.awaited();
        if awaited != Awaited::Message && service.shutdown.has_begun() {
            link.send(&session.end(Ending::ShuttingDown)).await?;
            return Ok(Left::Server(End::Shutdown));
        }
        // Looked at here, too: a client that never pauses never waits for input.
        if awaited != Awaited::Message && Instant::now() >= service.until {
            link.send(&session.end(Ending::TooLong)).await?;
            return Ok(Left::Server(End::TimedOut));
        }
        let before = session.octets();
        let (used, step) = session.feed(link.unread());
        link.consume(used, said(awaited));
        let came = session.octets() - before;
        if came > 0 {
            // As they come, so that a message that is too big or broken off counts like any other.
            service.shared.guard.octets(session.client().address, came, &service.limits);
        }
        if let Some(step) = step {
            match perform(step, link, session, service).await? {
                Next::GoOn => {}
                Next::Close(end) => return Ok(Left::Server(end)),
                Next::Tls => return Ok(Left::ForTls),
            }
            deadline = clock.deadline(session, &service.limits);
            continue;
        }
        if awaited != Awaited::Message && session.awaited() == Awaited::Message {
            // A chunk has begun, without a word of ours.
            deadline = clock.deadline(session, &service.limits);
            continue;
        }
        // Nothing complete is buffered: only now the replies of a batch go out (RFC 2920).
        link.flush().await?;
        let (ending, end) = match link.fill(awaited, deadline, service.until, &mut service.shutdown).await? {
            Filled::Some => continue,
            Filled::End => return Ok(Left::Client(awaited)),
            Filled::Late => (Ending::TimedOut(awaited), End::TimedOut),
            Filled::TooLong => (Ending::TooLong, End::TimedOut),
            Filled::ShuttingDown => (Ending::ShuttingDown, End::Shutdown),
        };
        link.send(&session.end(ending)).await?;
        return Ok(Left::Server(end));
    }
}

/// What a session has time for. One deadline holds for a whole command and one for a whole message: octets
/// that trickle in don't move them (R49), nor do the chunks of one message.
struct Clock {
    /// When the message under way is to end.
    message_by: Option<Instant>,
}

impl Clock {
    /// When what is awaited now is to be there.
    fn deadline(&mut self, session: &Session, limits: &Limits) -> Instant {
        let now = Instant::now();
        let command_by = now + limits.command_time;
        if !session.is_in_message() {
            self.message_by = None;
            return command_by;
        }
        let message_by = *self.message_by.get_or_insert(now + limits.message_time);
        match session.awaited() {
            Awaited::Command | Awaited::Secret => command_by.min(message_by),
            Awaited::Message => message_by,
        }
    }
}

fn said(awaited: Awaited) -> Said {
    match awaited {
        Awaited::Command => Said::Command,
        Awaited::Secret => Said::Secret,
        Awaited::Message => Said::Message,
    }
}

enum Next {
    GoOn,
    Close(End),
    Tls,
}

async fn perform<S>(
    step: Step,
    link: &mut Link<S>,
    session: &mut Session,
    service: &mut Service<'_>,
) -> io::Result<Next>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut step = step;
    loop {
        step = match step {
            Step::Reply(reply) => {
                reply_to(&[reply], link, session, service).await?;
                return Ok(Next::GoOn);
            }
            Step::Close(replies, why) => {
                reply_to(&replies, link, session, service).await?;
                return Ok(Next::Close(match why {
                    Why::Quit => End::Quit,
                    Why::Errors => End::Errors,
                    Why::Spent => End::Spent,
                    Why::NoAccount => End::NoAccount,
                    Why::NotSmtp => End::NotSmtp,
                }));
            }
            Step::StartTls(reply) => {
                // What came behind the command was not encrypted, and is never obeyed (RFC 3207
                // section 4.2, CVE-2011-0411).
                link.forget_unread();
                link.send(&reply).await?;
                link.flush().await?;
                return Ok(Next::Tls);
            }
            Step::AskSender(mail) => ask_sender(*mail, session, service).await,
            Step::Ask(question) => ask(*question, session, service).await,
            Step::Deliver(delivery) => deliver(*delivery, session, service).await,
            Step::FailLogin(why) => {
                link.flush().await?;
                let answer_at = Instant::now() + service.limits.auth_delay;
                let login = service.shared.guard.fail_login(session.client().address);
                log_login(&login, Some(why), session, service);
                service.shutdown.sleep_until(answer_at).await;
                session.login_answer(login)
            }
            Step::Authenticate(credentials) => {
                // The replies before it need not wait for a hash.
                link.flush().await?;
                let login = login(*credentials, session, service).await;
                session.login_answer(login)
            }
        }
    }
}

async fn reply_to<S>(
    replies: &[Reply],
    link: &mut Link<S>,
    session: &mut Session,
    service: &mut Service<'_>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let pause = session.take_pause();
    if !pause.is_zero() {
        link.flush().await?;
        service.shutdown.sleep_until(Instant::now() + pause).await;
    }
    if let (Some(about), Some(reply)) = (session.take_about(), replies.first()) {
        service.shared.guard.note(about, reply.code());
    }
    for reply in replies {
        log_refusal(reply, session, &service.shared.guard);
        link.send(reply).await?;
    }
    Ok(())
}

async fn ask_sender(mail: MailFrom, session: &mut Session, service: &Service<'_>) -> Step {
    let client = session.client();
    if let Some(account) = &client.account
        && !service.shared.live.load().accounts.has(account)
    {
        return session.account_removed();
    }
    let answer = match service.shared.guard.message(client.address, &service.limits) {
        Ok(()) => service.shared.receiver.sender(client, &mail.reverse_path).await,
        Err(refusal) => Err(refusal),
    };
    if let Err(refusal) = &answer {
        log_not_taken(Refused::Sender(&mail.reverse_path), refusal, client, service);
    }
    session.sender_answer(mail, answer)
}

async fn ask(question: Question, session: &mut Session, service: &Service<'_>) -> Step {
    let client = session.client();
    let answer = match service.shared.guard.recipient(client.address, &service.limits) {
        Ok(()) => {
            service.shared.receiver.recipient(client, &question.reverse_path, &question.recipient).await
        }
        Err(refusal) => Err(refusal),
    };
    if let Err(refusal) = &answer {
        log_not_taken(Refused::Recipient(&question.recipient), refusal, client, service);
    }
    session.recipient_answer(question, answer)
}

/// Who was not taken.
enum Refused<'a> {
    Sender(&'a ReversePath),
    Recipient(&'a MailAddress),
}

fn log_not_taken(refused: Refused<'_>, refusal: &Refusal, client: &Client, service: &Service<'_>) {
    let Some(left_out) = service.shared.guard.may_log(client.address) else { return };
    let (sender, recipient, what) = match refused {
        Refused::Sender(path) => (Some(for_log(&path.to_string())), None, "sender refused"),
        Refused::Recipient(address) => (None, Some(for_log(&address.to_string())), "recipient refused"),
    };
    info!(
        client = %client.address,
        listener = %client.listener,
        account = client.account,
        sender = sender.map(display),
        recipient = recipient.map(display),
        reason = %for_log(&refusal.text),
        left_out,
        "{what}"
    );
}

async fn deliver(delivery: Delivery, session: &mut Session, service: &Service<'_>) -> Step {
    // The place is given back at the end of this function.
    let Delivery { envelope, bytes, place: _place } = delivery;
    let (recipients, octets) = (envelope.recipients.len(), bytes.len());
    let answer = service.shared.receiver.mail(session.client(), envelope, bytes).await;
    let (client, listener) = (&session.client().address, &session.client().listener);
    let account = session.client().account.as_deref();
    match &answer {
        Ok(id) => info!(%id, %client, %listener, account, recipients, octets, "mail accepted"),
        Err(refusal) => {
            if let Some(left_out) = service.shared.guard.may_log(*client) {
                let reason = for_log(&refusal.text);
                info!(%client, %listener, account, recipients, octets, %reason, left_out, "mail refused");
            }
        }
    }
    session.mail_answer(answer)
}

/// A client that is wrong, or was so too often, waits for its answer: otherwise it would have it as fast as
/// it can ask.
async fn login(credentials: Credentials, session: &Session, service: &mut Service<'_>) -> Login {
    let answer_at = Instant::now() + service.limits.auth_delay;
    // Those of now: a password that was changed is no good any more, however long the session lasts.
    let accounts = Arc::clone(&service.shared.live.load().accounts);
    let login = service.shared.guard.login(credentials, session.client().address, &accounts);
    let login = service.shutdown.unless_begun(login).await.unwrap_or(Login::Unavailable);
    log_login(&login, None, session, service);
    match login {
        Login::Account(_) | Login::Unavailable => {}
        Login::Failed | Login::TooMany => service.shutdown.sleep_until(answer_at).await,
    }
    login
}

/// A wrong user name is not logged: it is often a password in the wrong place.
fn log_login(login: &Login, why: Option<&str>, session: &Session, service: &Service<'_>) {
    let (client, listener) = (&session.client().address, &session.client().listener);
    if let Login::Account(account) = login {
        debug!(%client, %listener, account, "authenticated");
        return;
    }
    let Some(left_out) = service.shared.guard.may_log(*client) else { return };
    match login {
        Login::Account(_) => {}
        Login::Failed => warn!(%client, %listener, why, left_out, "authentication failed"),
        Login::TooMany => {
            warn!(%client, %listener, left_out, "authentication not tried: too many failures");
        }
        Login::Unavailable => {
            warn!(%client, %listener, left_out, "authentication not tried: too many at a time");
        }
    }
}

/// The operator of a device that speaks in its own way has to learn which switch it needs; the
/// device shows nobody the reply.
fn log_refusal(reply: &Reply, session: &mut Session, guard: &Guard) {
    if reply.code() < 400 {
        return;
    }
    let (code, text) = (reply.code(), for_log(&reply.text()));
    let switch = session.take_advice();
    let (client, listener) = (&session.client().address, &session.client().listener);
    if let Some(switch) = switch
        && let Some(left_out) = guard.may_log(*client)
    {
        info!(%client, %listener, code, %text, switch, left_out, "command refused; with this switch in its profile it would be taken");
    } else {
        debug!(%client, %listener, code, %text, "command refused");
    }
}

/// Numbers masked and control characters escaped (R55).
fn for_log(text: &str) -> String {
    Masked(text).to_string().escape_debug().to_string()
}
