//! The whole session.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use sms_relay::intake::{Refusal, RefusalKind};
use sms_relay::model::{Client, Door};
use sms_relay::smtp::auth::Mechanism;
use sms_relay::smtp::reply::Reply;
use sms_relay::smtp::room::Room;
use sms_relay::smtp::session::{
    Awaited, Delivery, Encryption, Login, Question, Session, Settings, Step, Terms,
};
use sms_relay::smtp::{Auth, Limits, Profile};

use super::data::message_of;
use super::pieces::cuts;
use super::replies;

const MESSAGE_OCTETS: usize = 1000;
const RECIPIENTS: usize = 3;
/// A word of this many octets does not stand in a reply by chance.
const SECRET_OCTETS: usize = 12;

/// A session survives `stream`, answers each command with one proper reply, and hands out exactly the
/// mails that a plain reading of the stream finds behind each 354: no octet more and none twice,
/// however the stream is cut.
///
/// # Panics
/// When one of these does not hold.
pub fn check(stream: &[u8]) {
    for profile in [Profile::default(), Profile::APPLIANCE] {
        let mut whole: Option<Vec<String>> = None;
        for pieces in cuts(stream) {
            let heard = Talk::new(stream, profile).hold(&pieces);
            match &whole {
                None => whole = Some(heard),
                Some(whole) => assert_eq!(&heard, whole, "{} pieces", pieces.len()),
            }
        }
    }
}

/// STARTTLS and every mechanism of AUTH are offered.
fn session(profile: Profile) -> Session {
    let limits = Limits { message_octets: MESSAGE_OCTETS, recipients: RECIPIENTS, ..Limits::default() };
    let settings = Settings { hostname: "relay.test".to_owned(), room: Room::new(1 << 24), limits };
    let terms = Terms {
        profile,
        auth: Auth::Offered,
        auth_without_tls: true,
        mechanisms: Arc::from([Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5]),
        tls: Encryption::Possible,
        nonce: 1,
    };
    let client = Client {
        door: Door::Smtp,
        listener: "lan".to_owned(),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        helo: None,
        account: None,
    };
    Session::new(Arc::new(settings), terms, client)
}

/// One session under way, with what is known of it from outside.
struct Talk<'a> {
    stream: &'a [u8],
    profile: Profile,
    session: Session,
    /// Octets of the stream that the session has taken.
    taken: usize,
    /// Where the octets of the next step begin.
    begun: usize,
    /// What came out, a reply or a mail each.
    heard: Vec<String>,
    /// Recipients that were accepted since the last mail or `RSET`.
    accepted: usize,
    /// Whether 354 was said and the message after it has not ended.
    in_data: bool,
    /// Chunks of `BDAT` that were answered 250.
    chunks: Vec<u8>,
}

/// What a step answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Command,
    Secret,
    Data,
    Chunk,
}

/// Whether a step was the last one for what the client sent.
enum After {
    Answered,
    Closed,
}

impl<'a> Talk<'a> {
    fn new(stream: &'a [u8], profile: Profile) -> Self {
        let session = session(profile);
        let heard = vec![replies::written(&session.greeting())];
        let (in_data, chunks) = (false, Vec::new());
        Self { stream, profile, session, taken: 0, begun: 0, heard, accepted: 0, in_data, chunks }
    }

    fn hold(mut self, pieces: &[&[u8]]) -> Vec<String> {
        for mut piece in pieces.iter().copied() {
            while !piece.is_empty() {
                let awaited = self.session.awaited();
                let (used, step) = self.session.feed(piece);
                assert!(used > 0 && used <= piece.len(), "{used} octets of {}", piece.len());
                let chunk_begins = awaited == Awaited::Command && self.session.awaited() == Awaited::Message;
                assert!(step.is_some() || used == piece.len() || chunk_begins, "it stopped without a step");
                piece = &piece[used..];
                self.taken += used;
                if let Some(step) = step {
                    if let After::Closed = self.perform(step, awaited) {
                        return self.heard;
                    }
                    self.begun = self.taken;
                }
            }
        }
        self.heard
    }

    /// What the client sent for this step.
    fn sent(&self) -> &'a [u8] {
        &self.stream[self.begun..self.taken]
    }

    /// The first word of it.
    fn verb(&self) -> String {
        let verb = self.sent().split(|b| matches!(b, b' ' | b'\t' | b'\r')).next().unwrap_or_default();
        String::from_utf8_lossy(verb).to_ascii_uppercase()
    }

    /// Does what the server does. The only place that knows every step.
    fn perform(&mut self, mut step: Step, awaited: Awaited) -> After {
        let mut delivered = false;
        let to = match awaited {
            _ if self.in_data => To::Data,
            Awaited::Secret => To::Secret,
            Awaited::Message => To::Chunk,
            Awaited::Command if self.chunk().is_some() => To::Chunk,
            Awaited::Command => To::Command,
        };
        loop {
            step = match step {
                Step::AskSender(mail) => {
                    assert_eq!(self.verb(), "MAIL", "asked about a sender");
                    self.session.sender_answer(*mail, Ok(()))
                }
                Step::Ask(question) => self.ask(*question),
                Step::FailLogin(_) => {
                    assert!(to == To::Secret || self.verb() == "AUTH", "credentials out of nothing");
                    self.session.login_answer(Login::Failed)
                }
                Step::Authenticate(credentials) => {
                    assert!(to == To::Secret || self.verb() == "AUTH", "credentials out of nothing");
                    let login = match credentials.username().len() % 2 {
                        0 => Login::Account("ups".to_owned()),
                        _ => Login::Failed,
                    };
                    self.session.login_answer(login)
                }
                Step::Deliver(delivery) => {
                    assert!(matches!(to, To::Data | To::Chunk) && !delivered, "a mail out of nothing");
                    delivered = true;
                    self.deliver(*delivery, to)
                }
                Step::Reply(reply) => {
                    match to {
                        To::Command => self.command_answered(&reply),
                        To::Secret => assert_ne!(self.session.awaited(), Awaited::Message),
                        To::Data => self.message_answered(&reply, delivered),
                        To::Chunk => self.chunk_answered(&reply, delivered),
                    }
                    self.hear(&reply);
                    return After::Answered;
                }
                // What lies behind it is thrown away, and where it ends depends on the packets.
                Step::StartTls(reply) => {
                    assert_eq!(self.verb(), "STARTTLS");
                    self.hear(&reply);
                    return After::Closed;
                }
                Step::Close(replies, _) => {
                    assert!(!replies.is_empty(), "closed without a word");
                    if to == To::Data {
                        self.message_answered(&replies[0], delivered);
                    }
                    replies.iter().for_each(|reply| self.hear(reply));
                    return After::Closed;
                }
            };
        }
    }

    /// The octets of the BDAT that the client sent for this step, and whether it was the last; `None`
    /// when it sent something else or not a whole one.
    fn chunk(&self) -> Option<(&'a [u8], bool)> {
        let sent = self.sent();
        let end = sent.windows(2).position(|pair| pair == b"\r\n")?;
        let (line, octets) = (String::from_utf8_lossy(&sent[..end]).to_ascii_uppercase(), &sent[end + 2..]);
        // A command begins with its verb; behind a blank it is none.
        let argument = line.strip_prefix("BDAT").filter(|rest| rest.starts_with([' ', '\t']))?;
        let mut words = argument.split_ascii_whitespace();
        let announced: u64 = words.next()?.parse().ok()?;
        (announced == octets.len() as u64).then_some((octets, words.next() == Some("LAST")))
    }

    /// A BDAT is answered when its last octet has come and not before, whatever the answer is.
    fn chunk_answered(&mut self, reply: &Reply, delivered: bool) {
        assert_eq!(self.session.awaited(), Awaited::Command, "the chunk goes on after its end");
        let Some((octets, last)) = self.chunk() else {
            panic!("answered {} before its end: {}", reply.code(), self.sent().escape_ascii());
        };
        if reply.code() == 250 && !last {
            assert!(!delivered && self.accepted > 0, "a chunk for nobody, or a mail before its last");
            self.chunks.extend_from_slice(octets);
            assert!(self.chunks.len() <= MESSAGE_OCTETS, "too many octets were taken");
        } else {
            // Without a transaction it is refused, and there was none; with one, it has ended.
            let ended = delivered || reply.code() == 552;
            assert!(ended || matches!(reply.code(), 503 | 554), "{} to a chunk", reply.code());
            if ended {
                self.accepted = 0;
                self.chunks.clear();
            }
        }
    }

    /// Takes some recipients and refuses others, by the length of their names.
    fn ask(&mut self, question: Question) -> Step {
        assert_eq!(self.verb(), "RCPT", "asked about a recipient");
        assert!(self.accepted < RECIPIENTS, "asked beyond the limit");
        let text = format!("`{}` is refused\r\n250 ok", question.recipient);
        let answer = match question.recipient.local().len() % 5 {
            0 => Err(Refusal { kind: RefusalKind::UnknownRecipient, text }),
            1 => Err(Refusal { kind: RefusalKind::StorageUnavailable, text }),
            _ => Ok(()),
        };
        self.accepted += usize::from(answer.is_ok());
        self.session.recipient_answer(question, answer)
    }

    fn deliver(&mut self, delivery: Delivery, to: To) -> Step {
        let Delivery { envelope, bytes, place: _place } = delivery;
        let message = if to == To::Data {
            message_of(self.sent(), &self.profile).expect("a mail came out before its end").0
        } else {
            let (octets, last) = self.chunk().expect("a mail came out before its end");
            assert!(last, "a mail came out before its last chunk");
            [&self.chunks, octets].concat()
        };
        assert!(bytes == message, "the mail has other octets than the client sent");
        assert!(bytes.len() <= MESSAGE_OCTETS, "{} octets", bytes.len());
        assert_eq!(envelope.recipients.len(), self.accepted, "recipients");
        self.heard.push(format!("{envelope:?} {}", bytes.escape_ascii()));
        let answer = match bytes.len() % 3 {
            0 => {
                Err(Refusal { kind: RefusalKind::NothingToSend, text: "nothing\r\n250 to\0 send".to_owned() })
            }
            _ => Ok("T1".to_owned()),
        };
        self.session.mail_answer(answer)
    }

    fn command_answered(&mut self, reply: &Reply) {
        let (verb, code) = (self.verb(), reply.code());
        let go_ahead = code == 354;
        assert_eq!(self.session.awaited() == Awaited::Message, go_ahead, "{verb} got {code}");
        assert!(!go_ahead || verb == "DATA" && self.accepted > 0, "{verb} for {} got 354", self.accepted);
        self.in_data = go_ahead;
        if code == 250 && matches!(verb.as_str(), "EHLO" | "HELO" | "RSET" | "MAIL") {
            self.accepted = 0;
            self.chunks.clear();
        }
    }

    /// The end of a message, whatever became of it.
    fn message_answered(&mut self, reply: &Reply, delivered: bool) {
        let (message, end) =
            message_of(self.sent(), &self.profile).expect("a message was answered before its end");
        assert_eq!(end, self.sent().len(), "the message did not end at its final dot");
        assert_eq!(self.session.awaited(), Awaited::Command, "the message goes on after its end");
        assert_eq!(delivered, message.len() <= MESSAGE_OCTETS, "{} octets", message.len());
        assert!(delivered || reply.code() == 552, "too big, and the answer is {}", reply.code());
        self.accepted = 0;
        self.in_data = false;
    }

    fn hear(&mut self, reply: &Reply) {
        let text = replies::written(reply);
        let prompted = self.heard.last().is_some_and(|last| last.starts_with("334"));
        if prompted || self.verb() == "AUTH" {
            self.check_silence(&text);
        }
        self.heard.push(text);
    }

    /// A reply repeats nothing of a line that may hold a secret, but for its first word.
    fn check_silence(&self, text: &str) {
        let sent = String::from_utf8_lossy(self.sent());
        let words = sent.split_whitespace().filter(|word| word.len() >= SECRET_OCTETS);
        for word in words {
            assert!(!text.contains(word), "{word:?} is repeated in {text:?}");
        }
    }
}
