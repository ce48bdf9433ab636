//! One SMTP session as a pure state machine (RFC 5321 section 4.1.4): octets in, steps out.
//!
//! It has no socket, no clock and no storage. The server feeds it what arrives, does what each
//! [`Step`] says, and brings the answers of the [`Receiver`](super::Receiver) back. Replies come in
//! the order of the commands, however many arrive at a time (RFC 2920, R12).
//!
//! - here: lines to commands, what may come when, how a session ends
//! - `hello`: greeting, EHLO and what it offers, STARTTLS
//! - `transaction`: MAIL, RCPT, DATA, BDAT
//! - `login`: AUTH

mod hello;
mod login;
#[cfg(test)]
mod tests;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use secrecy::zeroize::Zeroizing;

use crate::intake::Refusal;
use crate::model::{Client, EnhancedStatus, Envelope, MailAddress, Notify, Orcpt, ReversePath};

use super::auth::{Credentials, Exchange, Mechanism};
use super::command::{self, Command, CommandError, MailFrom};
use super::lines::{Line, LineReader, MAX_LINE};
use super::patience::{Patience, is_counted};
use super::profile::Profile;
use super::reply::Reply;
use super::room::{Place, Room};
use super::settings::{Auth, Limits};
use super::used::Used;
use transaction::{RefusedChunk, Transaction};

/// What every session of the door is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name in the greeting, and the domain of `<Postmaster>`.
    pub hostname: String,
    /// Where large messages find their memory.
    pub room: Room,
    /// What a client may use up.
    pub limits: Limits,
}

/// What holds for one session.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What is forgiven.
    pub profile: Profile,
    /// Whether the client authenticates.
    pub auth: Auth,
    /// Whether it may do so in the clear.
    pub auth_without_tls: bool,
    /// By which mechanisms it may.
    pub mechanisms: Arc<[Mechanism]>,
    /// What there is of TLS.
    pub tls: Encryption,
    /// Random and used for no other session: what CRAM-MD5 challenges are made of.
    pub nonce: u64,
}

/// TLS as a session sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// There is none.
    Off,
    /// The client may ask for it.
    Possible,
    /// Everything is encrypted.
    Active,
}

/// What the server does next. After [`AskSender`](Step::AskSender), [`Ask`](Step::Ask),
/// [`Authenticate`](Step::Authenticate), [`FailLogin`](Step::FailLogin) and [`Deliver`](Step::Deliver) it
/// brings the answer before it feeds more octets.
#[derive(Debug)]
pub enum Step {
    /// Send the reply.
    Reply(Reply),
    /// Ask whether the sender may send now, then call [`Session::sender_answer`].
    AskSender(Box<MailFrom>),
    /// Ask the receiver about a recipient, then call [`Session::recipient_answer`].
    Ask(Box<Question>),
    /// Hand the mail to the receiver, then call [`Session::mail_answer`].
    Deliver(Box<Delivery>),
    /// Check the credentials, then call [`Session::login_answer`].
    Authenticate(Box<Credentials>),
    /// The credentials are nobody's for this reason: count a failure, then call [`Session::login_answer`].
    FailLogin(&'static str),
    /// Send the reply, forget all octets that came behind the command, shake hands, and then call
    /// [`Session::secured`].
    StartTls(Reply),
    /// Send the replies and close the connection.
    Close(Vec<Reply>, Why),
}

/// A recipient that the receiver is to judge.
#[derive(Debug)]
pub struct Question {
    /// The reverse path of the transaction.
    pub reverse_path: ReversePath,
    /// The recipient.
    pub recipient: MailAddress,
    notify: Notify,
    orcpt: Option<Orcpt>,
}

/// A complete mail.
#[derive(Debug)]
pub struct Delivery {
    /// Sender, parameters and the accepted recipients, at least one.
    pub envelope: Envelope,
    /// The message.
    pub bytes: Vec<u8>,
    /// Its place in memory, to be kept until the message is gone.
    pub place: Place,
}

/// How the client has greeted; with a name or, where that is forgiven, without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeted {
    No,
    Helo,
    Ehlo,
}

/// What became of an authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// It is this account.
    Account(String),
    /// The credentials are wrong.
    Failed,
    /// It was not tried: the client has failed too often.
    TooMany,
    /// It cannot be told now.
    Unavailable,
}

/// What the session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// A command line.
    Command,
    /// A line of an AUTH exchange.
    Secret,
    /// The message after 354, up to its final dot, or the octets of a BDAT.
    Message,
}

/// What a reply decides about. Commands in the wrong order, and those that cannot be read, are about
/// nothing: a client that does not wait for answers (RFC 2920) sends RCPT and DATA behind a MAIL that
/// was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Whether a mail may begin.
    Sender,
    /// Whether a recipient is taken.
    Recipient,
    /// Whether a mail is taken.
    Message,
}

/// Why a session ends itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// QUIT.
    Quit,
    /// Too much was refused, or what follows cannot be understood.
    Errors,
    /// The connection's allotment is used up.
    Spent,
    /// The account was removed while its session was open.
    NoAccount,
    /// The client speaks something else than SMTP.
    NotSmtp,
}

/// Why the server ends a session that did not end itself (R10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A command or a message did not arrive in time.
    TimedOut(Awaited),
    /// The session as a whole took too long.
    TooLong,
    /// The daemon stops.
    ShuttingDown,
}

/// One session. See the module.
#[derive(Debug)]
pub struct Session {
    settings: Arc<Settings>,
    terms: Terms,
    client: Client,
    greeted: Greeted,
    lines: LineReader,
    /// AUTH exchanges begun: no challenge comes twice.
    exchanges: u64,
    exchange: Option<Exchange>,
    transaction: Option<Transaction>,
    refused_chunk: Option<RefusedChunk>,
    used: Used,
    about: Option<About>,
    refused: usize,
    pause: Duration,
    advice: Advice,
}

/// What the operator is told about a client whose way of speaking could be forgiven: once a session.
#[derive(Debug)]
enum Advice {
    /// Nothing so far.
    Nothing,
    /// This switch of the profile; not told yet.
    Switch(&'static str),
    /// It is told.
    Told,
}

impl Session {
    /// A session with `client`, which has not said its name yet.
    pub fn new(settings: Arc<Settings>, terms: Terms, client: Client) -> Self {
        let client = Client { helo: None, account: None, ..client };
        Self {
            settings,
            terms,
            client,
            greeted: Greeted::No,
            lines: LineReader::default(),
            exchanges: 0,
            exchange: None,
            transaction: None,
            refused_chunk: None,
            used: Used::default(),
            about: None,
            refused: 0,
            pause: Duration::ZERO,
            advice: Advice::Nothing,
        }
    }

    /// The peer, with the name that it last gave itself and its account.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What holds for this session.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What the session waits for between two steps.
    pub fn awaited(&self) -> Awaited {
        if self.refused_chunk.is_some() || self.transaction.as_ref().is_some_and(Transaction::takes_octets) {
            Awaited::Message
        } else if self.exchange.is_some() {
            Awaited::Secret
        } else {
            Awaited::Command
        }
    }

    /// Whether a message has begun and has not ended; between its chunks, commands are awaited.
    pub fn is_in_message(&self) -> bool {
        self.refused_chunk.is_some() || self.transaction.as_ref().is_some_and(Transaction::has_message)
    }

    /// Octets of messages that have come in this session, whatever became of them.
    pub fn octets(&self) -> u64 {
        self.used.octets_sent()
    }

    /// What the last reply is about, if it is one that is counted; asked once a step.
    pub fn take_about(&mut self) -> Option<About> {
        self.about.take()
    }

    /// How long the last reply is to be held back, asked once a step: a client that gets everything
    /// wrong is served slowly.
    pub fn take_pause(&mut self) -> Duration {
        std::mem::take(&mut self.pause)
    }

    /// The switch of the profile that would have let in what was refused last; told once a session.
    pub fn take_advice(&mut self) -> Option<&'static str> {
        match self.advice {
            Advice::Switch(switch) => {
                self.advice = Advice::Told;
                Some(switch)
            }
            Advice::Nothing | Advice::Told => None,
        }
    }

    /// Takes octets up to the next step or the end of `input`; answers with how many it took.
    pub fn feed(&mut self, input: &[u8]) -> (usize, Option<Step>) {
        if self.awaited() == Awaited::Message {
            return self.feed_message(input);
        }
        let (used, line) = self.lines.feed(input);
        let step = line.and_then(|line| match (line, self.exchange.take()) {
            (Line::Complete(line), Some(exchange)) => {
                Some(self.exchange_line(exchange, &Zeroizing::new(line)))
            }
            // It may be `AUTH PLAIN` with a password.
            (Line::Complete(line), None) => self.line(&Zeroizing::new(line)),
            (Line::TooLong, exchange) => {
                let detail = if exchange.is_some() { 6 } else { 2 };
                let text = format!("the line is longer than {MAX_LINE} octets");
                Some(self.answer(Reply::new(500, EnhancedStatus::new(5, 5, detail), text)))
            }
        });
        (used, step)
    }

    /// The last reply of a session that the server ends.
    pub fn end(&self, ending: Ending) -> Reply {
        let (subject, detail, text) = match ending {
            Ending::TimedOut(Awaited::Command | Awaited::Secret) => {
                (4, 2, "no complete command came in time")
            }
            Ending::TimedOut(Awaited::Message) => (4, 2, "the message did not end in time; nothing was kept"),
            Ending::TooLong => (4, 2, "the session has lasted long enough; come again in a new one"),
            Ending::ShuttingDown => (3, 2, "the service is stopping; try again later"),
        };
        self.farewell((4, subject, detail), text)
    }

    /// Ends the session of an account that is no more. Not with 550: it may only have got another name, and
    /// a new session will tell.
    pub fn account_removed(&self) -> Step {
        let text = "the account of this session was removed or renamed; come again in a new one";
        Step::Close(vec![self.farewell((4, 7, 0), text)], Why::NoAccount)
    }

    fn farewell(&self, (class, subject, detail): (u8, u16, u16), text: &str) -> Reply {
        Reply::farewell(&self.settings.hostname, EnhancedStatus::new(class, subject, detail), text)
    }

    fn line(&mut self, line: &[u8]) -> Option<Step> {
        match command::parse(line, &self.terms.profile) {
            // Its octets follow before there is anything to say.
            Ok(Command::Bdat { octets, last }) => self.bdat(octets, last),
            Ok(command) => Some(self.command(command)),
            Err(error) => {
                if let Some(switch) = command::forgiven_by(line, &self.terms.profile) {
                    self.advise(switch);
                }
                Some(self.misunderstood(&error))
            }
        }
    }

    fn advise(&mut self, switch: &'static str) {
        if let Advice::Nothing = self.advice {
            self.advice = Advice::Switch(switch);
        }
    }

    fn misunderstood(&mut self, error: &CommandError) -> Step {
        let text = error.to_string();
        let reply = match error.status() {
            (code, Some(enhanced)) => Reply::new(code, enhanced, text),
            (code, None) => Reply::plain(code, vec![text.into()]),
        };
        match error {
            CommandError::Http => {
                Step::Close(vec![self.farewell((4, 7, 0), &error.to_string())], Why::NotSmtp)
            }
            // How many octets follow is not known, and they must not be taken for commands.
            CommandError::ChunkSize => {
                let farewell = self.farewell((4, 7, 0), "what follows cannot be told from commands");
                Step::Close(vec![reply, farewell], Why::Errors)
            }
            CommandError::ControlCharacter
            | CommandError::NotUtf8
            | CommandError::Unknown
            | CommandError::NotImplemented(_)
            | CommandError::HelloName(_)
            | CommandError::Syntax(_)
            | CommandError::ReversePath(_)
            | CommandError::ForwardPath(_)
            | CommandError::ParameterSyntax
            | CommandError::ParameterValue(_)
            | CommandError::ValueNotImplemented(_)
            | CommandError::Duplicate(_)
            | CommandError::UnknownParameter(_) => self.answer(reply),
        }
    }

    fn command(&mut self, command: Command) -> Step {
        match command {
            Command::Ehlo(name) => self.ehlo(name),
            Command::Helo(name) => self.helo(name),
            Command::StartTls => self.start_tls(),
            Command::Auth { mechanism, initial } => self.auth(&mechanism, initial.as_ref()),
            Command::Mail(mail) => self.mail(mail),
            Command::Rcpt(rcpt) => self.rcpt(rcpt),
            Command::Data => self.data(),
            Command::Bdat { .. } => self.say(503, (5, 5, 1), "say MAIL and RCPT first"),
            Command::Rset => self.rset(),
            Command::Noop => self.say(250, (2, 0, 0), "ok"),
            Command::Vrfy => self.say(252, (2, 0, 0), "send a mail and RCPT will tell"),
            Command::Help => self.say(
                214,
                (2, 0, 0),
                "EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT (RFC 5321)",
            ),
            Command::Quit => {
                let text = format!("{} closes, goodbye", self.settings.hostname);
                Step::Close(vec![Reply::new(221, EnhancedStatus::SUCCESS, text)], Why::Quit)
            }
        }
    }

    fn say(&mut self, code: u16, enhanced: (u8, u16, u16), text: &'static str) -> Step {
        let (class, subject, detail) = enhanced;
        self.answer(Reply::new(code, EnhancedStatus::new(class, subject, detail), text))
    }

    /// Counts what is refused for good. Temporary refusals are not counted: a client that sends too many
    /// recipients is told so for each and then goes on with the accepted ones (RFC 5321 section
    /// 4.5.3.1.10).
    fn answer(&mut self, reply: Reply) -> Step {
        if is_counted(reply.code()) { self.count_error(reply) } else { Step::Reply(reply) }
    }

    fn count_error(&mut self, reply: Reply) -> Step {
        self.refused += 1;
        let patience = Patience::after(self.refused, &self.settings.limits);
        self.pause = patience.delay;
        if patience.close {
            let farewell = self.farewell((4, 7, 0), "too many errors");
            return Step::Close(vec![reply, farewell], Why::Errors);
        }
        Step::Reply(reply)
    }

    fn refuse(&mut self, refusal: &Refusal) -> Step {
        self.answer(Reply::from(refusal))
    }
}
