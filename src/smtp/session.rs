//! One SMTP session as a pure state machine (RFC 5321 section 4.1.4): octets in, steps out.
//!
//! It has no socket, no clock and no storage. The server feeds it what arrives, does what each
//! [`Step`] says, and brings the answers of the [`Receiver`](super::Receiver) back. Replies come in
//! the order of the commands, however many arrive at a time (RFC 2920, R12).

use std::sync::Arc;

use crate::intake::Refusal;
use crate::model::{
    Client, EnhancedStatus, Envelope, EnvelopeRecipient, MailAddress, Notify, Orcpt, ReversePath,
};

use super::address::ForwardPath;
use super::command::{self, Command, CommandError, MailFrom, RcptTo};
use super::data::{Data, DataReceiver};
use super::lines::{Line, LineReader, MAX_LINE};
use super::profile::Profile;
use super::reply::Reply;
use super::room::{Place, Room};

/// What a session is told: its host's name and its limits.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name in the greeting, and the domain of `<Postmaster>`.
    pub hostname: String,
    /// Octets of a message after dot-unstuffing; the value of `SIZE`.
    pub message_octets: usize,
    /// Accepted recipients of one mail.
    pub recipients: usize,
    /// Where large messages find their memory.
    pub room: Room,
    /// Permanently refused commands after which the session is closed with 421.
    pub errors: usize,
}

/// What the server does next. After [`Ask`](Step::Ask) and [`Deliver`](Step::Deliver) it brings
/// the answer before it feeds more octets.
#[derive(Debug)]
pub enum Step {
    /// Send the reply.
    Reply(Reply),
    /// Ask the receiver about a recipient, then call [`Session::recipient_answer`].
    Ask(Box<Question>),
    /// Hand the mail to the receiver, then call [`Session::mail_answer`].
    Deliver(Box<Delivery>),
    /// Send the replies and close the connection.
    Close(Vec<Reply>),
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

/// What the session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// A command line.
    Command,
    /// The message after 354, up to its final dot.
    Message,
}

/// Why the server ends a session that did not end itself (R10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A command or a message did not arrive in time.
    TimedOut(Awaited),
    /// The daemon stops.
    ShuttingDown,
}

/// One session. See the module.
#[derive(Debug)]
pub struct Session {
    settings: Arc<Settings>,
    client: Client,
    lines: LineReader,
    message: Option<DataReceiver>,
    transaction: Option<Envelope>,
    refused: usize,
}

impl Session {
    /// A session with `client`, which has not said its name yet.
    pub fn new(settings: Arc<Settings>, client: Client) -> Self {
        let client = Client { helo: None, ..client };
        Self { settings, client, lines: LineReader::default(), message: None, transaction: None, refused: 0 }
    }

    /// The first thing to send.
    pub fn greeting(&self) -> Reply {
        Reply::plain(220, vec![format!("{} ESMTP sms-relay", self.settings.hostname).into()])
    }

    /// The peer, with the name that it last gave itself.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What the session waits for between two steps.
    pub fn awaited(&self) -> Awaited {
        if self.message.is_some() { Awaited::Message } else { Awaited::Command }
    }

    /// Takes octets up to the next step or the end of `input`; answers with how many it took.
    pub fn feed(&mut self, input: &[u8]) -> (usize, Option<Step>) {
        if let Some(message) = &mut self.message {
            let (used, data) = message.feed(input);
            return (used, data.map(|data| self.message_ended(data)));
        }
        let (used, line) = self.lines.feed(input);
        let step = line.map(|line| match line {
            Line::Complete(line) => self.line(&line),
            Line::TooLong => self.answer(Reply::new(
                500,
                EnhancedStatus::new(5, 5, 2),
                format!("the line is longer than {MAX_LINE} octets"),
            )),
        });
        (used, step)
    }

    /// Brings the receiver's answer to a [`Question`].
    pub fn recipient_answer(&mut self, question: Question, answer: Result<(), Refusal>) -> Step {
        match answer {
            Ok(()) => {
                if let Some(envelope) = &mut self.transaction {
                    envelope.recipients.push(EnvelopeRecipient {
                        address: question.recipient,
                        notify: question.notify,
                        orcpt: question.orcpt,
                    });
                }
                self.say(250, (2, 1, 5), "recipient ok")
            }
            Err(refusal) => self.answer(Reply::from(&refusal)),
        }
    }

    /// Brings the receiver's answer to a [`Delivery`]: the mail's id, or why it is refused. Either
    /// way the transaction is over and the session goes on.
    pub fn mail_answer(&mut self, answer: Result<String, Refusal>) -> Step {
        match answer {
            Ok(id) => self.answer(Reply::new(250, EnhancedStatus::SUCCESS, format!("queued as {id}"))),
            Err(refusal) => self.answer(Reply::from(&refusal)),
        }
    }

    /// The last reply of a session that the server ends.
    pub fn end(&self, ending: Ending) -> Reply {
        let (subject, detail, text) = match ending {
            Ending::TimedOut(Awaited::Command) => (4, 2, "no complete command came in time"),
            Ending::TimedOut(Awaited::Message) => (4, 2, "the message did not end in time; nothing was kept"),
            Ending::ShuttingDown => (3, 2, "the service is stopping; try again later"),
        };
        let text = format!("{} closes: {text}", self.settings.hostname);
        Reply::new(421, EnhancedStatus::new(4, subject, detail), text)
    }

    fn line(&mut self, line: &[u8]) -> Step {
        match command::parse(line, &Profile::default()) {
            Ok(command) => self.command(command),
            Err(error) => self.misunderstood(&error),
        }
    }

    fn misunderstood(&mut self, error: &CommandError) -> Step {
        let text = error.to_string();
        let reply = match error.status() {
            (code, Some(enhanced)) => Reply::new(code, enhanced, text),
            (code, None) => Reply::plain(code, vec![text.into()]),
        };
        if matches!(error, CommandError::Http) { Step::Close(vec![reply]) } else { self.answer(reply) }
    }

    fn command(&mut self, command: Command) -> Step {
        match command {
            Command::Ehlo(name) => {
                self.begin(name);
                Step::Reply(self.extensions())
            }
            Command::Helo(name) => {
                self.begin(name);
                Step::Reply(Reply::plain(250, vec![self.settings.hostname.clone().into()]))
            }
            Command::Mail(mail) => self.mail(mail),
            Command::Rcpt(rcpt) => self.rcpt(rcpt),
            Command::Data => self.data(),
            Command::Bdat { .. } => self.say(502, (5, 5, 1), "BDAT is not offered here"),
            Command::StartTls => self.say(502, (5, 5, 1), "STARTTLS is not offered here"),
            Command::Auth { .. } => self.say(502, (5, 5, 1), "AUTH is not offered here"),
            Command::Rset => {
                self.transaction = None;
                self.say(250, (2, 0, 0), "forgotten")
            }
            Command::Noop => self.say(250, (2, 0, 0), "ok"),
            Command::Vrfy => self.say(252, (2, 0, 0), "send a mail and RCPT will tell"),
            Command::Help => {
                self.say(214, (2, 0, 0), "EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT (RFC 5321)")
            }
            Command::Quit => {
                let text = format!("{} closes, goodbye", self.settings.hostname);
                Step::Close(vec![Reply::new(221, EnhancedStatus::SUCCESS, text)])
            }
        }
    }

    /// `EHLO` and `HELO` may come again and then forget the transaction (RFC 5321 section 4.1.4).
    fn begin(&mut self, name: Option<String>) {
        self.client.helo = name;
        self.transaction = None;
    }

    fn extensions(&self) -> Reply {
        let lines = vec![
            self.settings.hostname.clone().into(),
            "PIPELINING".into(),
            format!("SIZE {}", self.settings.message_octets).into(),
            "8BITMIME".into(),
            "SMTPUTF8".into(),
            "ENHANCEDSTATUSCODES".into(),
            "DSN".into(),
            "HELP".into(),
        ];
        Reply::plain(250, lines)
    }

    fn mail(&mut self, mail: MailFrom) -> Step {
        if self.client.helo.is_none() {
            return self.say(503, (5, 5, 1), "say EHLO or HELO first");
        }
        if self.transaction.is_some() {
            return self.say(503, (5, 5, 1), "a mail is already begun; RSET forgets it");
        }
        let limit = self.settings.message_octets;
        if mail.size.is_some_and(|size| usize::try_from(size).map_or(true, |size| size > limit)) {
            return self.too_big();
        }
        let international = matches!(&mail.reverse_path, ReversePath::Path(address) if !address.is_ascii());
        if international && !mail.smtputf8 {
            return self.needs_smtputf8();
        }
        self.transaction = Some(Envelope {
            reverse_path: mail.reverse_path,
            ret: mail.ret,
            envid: mail.envid,
            smtputf8: mail.smtputf8,
            recipients: Vec::new(),
        });
        self.say(250, (2, 1, 0), "sender ok")
    }

    fn rcpt(&mut self, rcpt: RcptTo) -> Step {
        let Some(envelope) = &self.transaction else {
            return self.say(503, (5, 5, 1), "say MAIL first");
        };
        if envelope.recipients.len() >= self.settings.recipients {
            let text = format!(
                "a mail takes {} recipients at most; send it again for the others",
                self.settings.recipients
            );
            return self.answer(Reply::new(452, EnhancedStatus::new(4, 5, 3), text));
        }
        let recipient = match rcpt.recipient {
            ForwardPath::Mailbox(address) => address,
            ForwardPath::Postmaster => match MailAddress::new("postmaster", &self.settings.hostname) {
                Ok(address) => address,
                Err(_) => return self.say(451, (4, 3, 5), "this relay's host name is not a valid domain"),
            },
        };
        let orcpt_ascii = rcpt.orcpt.as_ref().is_none_or(|orcpt| orcpt.address.is_ascii());
        if !(envelope.smtputf8 || recipient.is_ascii() && orcpt_ascii) {
            return self.needs_smtputf8();
        }
        let reverse_path = envelope.reverse_path.clone();
        Step::Ask(Box::new(Question { reverse_path, recipient, notify: rcpt.notify, orcpt: rcpt.orcpt }))
    }

    fn data(&mut self) -> Step {
        match &self.transaction {
            None => self.say(503, (5, 5, 1), "say MAIL and RCPT first"),
            Some(envelope) if envelope.recipients.is_empty() => {
                self.say(554, (5, 5, 1), "no recipient was accepted")
            }
            Some(_) => {
                self.message = Some(DataReceiver::new(
                    self.settings.message_octets,
                    self.settings.room.place(),
                    Profile::default(),
                ));
                Step::Reply(Reply::plain(354, vec!["go ahead; end with CR LF . CR LF".into()]))
            }
        }
    }

    fn message_ended(&mut self, data: Data) -> Step {
        self.message = None;
        match (self.transaction.take(), data) {
            (Some(envelope), Data::Message(bytes, place)) => {
                Step::Deliver(Box::new(Delivery { envelope, bytes, place }))
            }
            (Some(_), Data::TooBig) => self.too_big(),
            (Some(_), Data::NoRoom) => {
                self.say(452, (4, 3, 1), "too many large mails at a time, try again later")
            }
            // 354 is said inside a transaction only.
            (None, Data::Message(..) | Data::TooBig | Data::NoRoom) => {
                self.say(503, (5, 5, 1), "say MAIL and RCPT first")
            }
        }
    }

    fn too_big(&mut self) -> Step {
        let text = format!("a message has {} octets at most", self.settings.message_octets);
        self.answer(Reply::new(552, EnhancedStatus::new(5, 3, 4), text))
    }

    fn needs_smtputf8(&mut self) -> Step {
        self.say(553, (5, 6, 7), "an address outside ASCII needs SMTPUTF8 on MAIL")
    }

    fn say(&mut self, code: u16, enhanced: (u8, u16, u16), text: &'static str) -> Step {
        let (class, subject, detail) = enhanced;
        self.answer(Reply::new(code, EnhancedStatus::new(class, subject, detail), text))
    }

    /// Counts what is refused for good. Temporary refusals are not counted: a client that sends too many
    /// recipients is told so for each and then goes on with the accepted ones (RFC 5321 section
    /// 4.5.3.1.10).
    fn answer(&mut self, reply: Reply) -> Step {
        if reply.is_permanent_refusal() {
            self.refused += 1;
            if self.refused >= self.settings.errors {
                let text = format!("{} closes: too many errors", self.settings.hostname);
                return Step::Close(vec![reply, Reply::new(421, EnhancedStatus::new(4, 7, 0), text)]);
            }
        }
        Step::Reply(reply)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;

    use super::*;
    use crate::intake::RefusalKind;
    use crate::model::Door;

    fn session() -> Session {
        let settings = Settings {
            hostname: "relay.test".to_owned(),
            message_octets: 20,
            recipients: 2,
            room: Room::new(0),
            errors: 5,
        };
        let client = Client {
            door: Door::Smtp,
            listener: "lan".to_owned(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            helo: None,
            account: None,
        };
        Session::new(Arc::new(settings), client)
    }

    /// Feeds the pieces and writes down everything that happens; recipients whose local part is
    /// `no` are refused, everything else is taken.
    fn talk(session: &mut Session, pieces: &[&[u8]]) -> String {
        let mut transcript = Vec::new();
        for mut piece in pieces.iter().copied() {
            while !piece.is_empty() {
                let (used, step) = session.feed(piece);
                piece = &piece[used..];
                let mut next = step;
                while let Some(step) = next.take() {
                    match step {
                        Step::Reply(reply) => reply.write_to(&mut transcript),
                        Step::Ask(question) => {
                            let refusal =
                                Refusal { kind: RefusalKind::UnknownRecipient, text: "unknown".to_owned() };
                            let answer =
                                if question.recipient.local() == "no" { Err(refusal) } else { Ok(()) };
                            next = Some(session.recipient_answer(*question, answer));
                        }
                        Step::Deliver(delivery) => {
                            let envelope = &delivery.envelope;
                            let to: Vec<String> =
                                envelope.recipients.iter().map(|one| one.address.to_string()).collect();
                            let text = delivery.bytes.escape_ascii();
                            transcript.extend(
                                format!("[{} to {}: {text}]\r\n", envelope.reverse_path, to.join(" "))
                                    .bytes(),
                            );
                            next = Some(session.mail_answer(Ok("ID".to_owned())));
                        }
                        Step::Close(replies) => {
                            replies.iter().for_each(|reply| reply.write_to(&mut transcript));
                            transcript.extend(b"closed\r\n");
                            return String::from_utf8(transcript).unwrap();
                        }
                    }
                }
            }
        }
        String::from_utf8(transcript).unwrap()
    }

    const MAIL: &[u8] = b"HELO c\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\n";

    #[test]
    fn a_mail_becomes_one_delivery() {
        let mut session = session();
        let talked = talk(&mut session, &[MAIL, b"RCPT TO:<no@y>\r\nDATA\r\nhi\r\n..\r\n.\r\n"]);
        let expected = "250 relay.test\r\n250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n\
                        550 5.1.1 unknown\r\n354 go ahead; end with CR LF . CR LF\r\n\
                        [<a@x> to b@y: hi\\r\\n.\\r\\n]\r\n250 2.0.0 queued as ID\r\n";
        assert_eq!(talked, expected);
        assert_eq!(session.client().helo.as_deref(), Some("c"));
        assert_eq!(session.awaited(), Awaited::Command);
    }

    #[test]
    fn what_is_awaited_changes_with_354_and_with_the_final_dot() {
        let mut session = session();
        assert_eq!(session.awaited(), Awaited::Command);
        talk(&mut session, &[MAIL, b"DATA\r\n"]);
        assert_eq!(session.awaited(), Awaited::Message);
        talk(&mut session, &[b"a\r\n.\r"]);
        assert_eq!(session.awaited(), Awaited::Message);
        talk(&mut session, &[b"\n"]);
        assert_eq!(session.awaited(), Awaited::Command);
    }

    #[test]
    fn the_error_that_reaches_the_limit_is_answered_and_closes() {
        let four = b"X\r\nX\r\nX\r\nX\r\n".as_slice();
        let unknown = "500 5.5.1 unknown command; try HELP\r\n";
        assert_eq!(talk(&mut session(), &[four]), unknown.repeat(4));
        let expected =
            format!("{}421 4.7.0 relay.test closes: too many errors\r\nclosed\r\n", unknown.repeat(5));
        assert_eq!(talk(&mut session(), &[four, b"X\r\nNOOP\r\n"]), expected);
    }

    #[test]
    fn too_many_recipients_are_no_errors() {
        let mut session = session();
        talk(&mut session, &[MAIL]);
        let many = b"RCPT TO:<b@y>\r\n".repeat(10_000);
        let talked = talk(&mut session, &[&many]);
        let refused = "452 4.5.3 a mail takes 2 recipients at most; send it again for the others\r\n";
        assert_eq!(talked, format!("250 2.1.5 recipient ok\r\n{}", refused.repeat(9_999)));
        assert!(talk(&mut session, &[b"DATA\r\n.\r\n"]).contains("[<a@x> to b@y b@y: ]"));
    }

    #[test]
    fn the_host_name_may_be_no_domain_and_postmaster_is_then_a_temporary_failure() {
        let mut session = session();
        session.settings =
            Arc::new(Settings { hostname: "relay test".to_owned(), ..Settings::clone(&session.settings) });
        let talked = talk(&mut session, &[b"HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\n"]);
        assert!(
            talked.ends_with("\r\n451 4.3.5 this relay's host name is not a valid domain\r\n"),
            "{talked}"
        );
    }

    #[test]
    fn endings_say_why() {
        let written = |ending| {
            let mut out = Vec::new();
            session().end(ending).write_to(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            written(Ending::TimedOut(Awaited::Command)),
            "421 4.4.2 relay.test closes: no complete command came in time\r\n"
        );
        assert_eq!(
            written(Ending::TimedOut(Awaited::Message)),
            "421 4.4.2 relay.test closes: the message did not end in time; nothing was kept\r\n"
        );
        assert_eq!(
            written(Ending::ShuttingDown),
            "421 4.3.2 relay.test closes: the service is stopping; try again later\r\n"
        );
    }

    fn hostile_stream() -> impl Strategy<Value = Vec<u8>> {
        let words = prop::sample::select(vec![
            &b"EHLO c\r\n"[..],
            b"MAIL FROM:<a@x>\r\n",
            b"RCPT TO:<b@y>\r\n",
            b"RCPT TO:<no@y>\r\n",
            b"DATA\r\n",
            b".\r\n",
            b".\n",
            b"\r.\r",
            b"\n.\r\n",
            b"RSET\r\n",
            b"text\r\n",
            b"\r",
            b"\n",
            b"\0",
            b"\xff",
            b"..",
        ]);
        proptest::collection::vec(words, 0..40).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn packets_make_no_difference(stream in hostile_stream(), size in 1usize..9) {
            let whole = talk(&mut session(), &[&stream]);
            let pieces: Vec<&[u8]> = stream.chunks(size).collect();
            prop_assert_eq!(talk(&mut session(), &pieces), whole);
        }

        #[test]
        fn any_octets_are_survived(stream in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let talked = talk(&mut session(), &[&stream]);
            prop_assert!(talked.split_inclusive("\r\n").all(|line| line.len() <= 512));
        }
    }
}
