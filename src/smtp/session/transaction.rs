//! MAIL, RCPT, DATA and BDAT: one mail from its sender to its last octet.

use super::{About, Delivery, Encryption, Greeted, Question, Session, Step, Why};
use crate::intake::Refusal;
use crate::model::{EnhancedStatus, Envelope, EnvelopeRecipient, MailAddress, Protocol, ReversePath};
use crate::smtp::address::ForwardPath;
use crate::smtp::chunk::{Chunk, ChunkReceiver, Discard};
use crate::smtp::command::{MailFrom, RcptTo};
use crate::smtp::data::{Data, DataReceiver};
use crate::smtp::reply::Reply;
use crate::smtp::used::Spent;

/// A mail that MAIL has begun.
#[derive(Debug)]
pub(super) struct Transaction {
    envelope: Envelope,
    message: Message,
}

/// How far the message of a transaction has come.
#[derive(Debug)]
enum Message {
    /// Recipients come.
    Awaited,
    /// The text after 354 comes.
    Data(DataReceiver),
    /// BDAT: while `open`, octets of a chunk come; else the next command does.
    Chunks { receiver: ChunkReceiver, open: bool },
}

/// Octets of a BDAT that is refused; the reply follows them (RFC 3030 section 2).
#[derive(Debug)]
pub(super) struct RefusedChunk {
    octets: Discard,
    reply: Reply,
}

impl Transaction {
    /// Whether octets of its message come next.
    pub(super) fn takes_octets(&self) -> bool {
        match &self.message {
            Message::Data(_) | Message::Chunks { open: true, .. } => true,
            Message::Awaited | Message::Chunks { open: false, .. } => false,
        }
    }

    /// Whether its message has begun; also between two chunks.
    pub(super) fn has_message(&self) -> bool {
        !matches!(self.message, Message::Awaited)
    }

    /// Takes octets of its message.
    fn feed(&mut self, input: &[u8]) -> (usize, Option<Chunk>) {
        match &mut self.message {
            // Not called then: a command is awaited.
            Message::Awaited => (0, None),
            Message::Data(receiver) => {
                let (used, data) = receiver.feed(input);
                (used, data.map(Chunk::Message))
            }
            Message::Chunks { receiver, open } => {
                let (used, chunk) = receiver.feed(input);
                *open = chunk.is_none();
                (used, chunk)
            }
        }
    }

    /// Octets of its message that have come.
    fn octets(&self) -> u64 {
        match &self.message {
            Message::Awaited => 0,
            Message::Data(receiver) => receiver.octets(),
            Message::Chunks { receiver, .. } => receiver.octets(),
        }
    }
}

impl Session {
    /// RSET and everything that works like it. Chunks that came are forgotten with their mail.
    pub(super) fn forget_transaction(&mut self) {
        self.transaction = None;
    }

    /// Postfix tries with RSET whether a connection that it keeps is still good, and opens another
    /// where it is not; the same answer to MAIL would put its mail back into the queue.
    pub(super) fn rset(&mut self) -> Step {
        if self.transaction.is_none()
            && let Err(spent) = self.used.is_left(&self.settings.limits.per_connection)
        {
            return self.spent(spent);
        }
        self.forget_transaction();
        self.say(250, (2, 0, 0), "forgotten")
    }

    fn spent(&self, spent: Spent) -> Step {
        Step::Close(vec![self.farewell((4, 7, 0), &spent.to_string())], Why::Spent)
    }

    pub(super) fn mail(&mut self, mail: MailFrom) -> Step {
        if self.greeted == Greeted::No && !self.terms.profile.mail_before_hello {
            self.advise("mail_before_hello");
            return self.say(503, (5, 5, 1), "say EHLO or HELO first");
        }
        if self.transaction.is_some() {
            return self.say(503, (5, 5, 1), "a mail is already begun; RSET forgets it");
        }
        self.about = Some(About::Sender);
        if let Some(refused) = self.needs_login() {
            return refused;
        }
        let limit = self.settings.limits.message_octets;
        if mail.size.is_some_and(|size| usize::try_from(size).map_or(true, |size| size > limit)) {
            return self.too_big();
        }
        let international = matches!(&mail.reverse_path, ReversePath::Path(address) if !address.is_ascii());
        if international && !mail.smtputf8 {
            return self.needs_smtputf8();
        }
        if let Err(full) = self.used.message(&self.settings.limits.per_connection) {
            return self.spent(full);
        }
        Step::AskSender(Box::new(mail))
    }

    /// Brings the answer to [`Step::AskSender`].
    pub fn sender_answer(&mut self, mail: MailFrom, answer: Result<(), Refusal>) -> Step {
        if let Err(refusal) = answer {
            return self.refuse(&refusal);
        }
        let envelope = Envelope {
            protocol: match (self.greeted, self.terms.tls) {
                (Greeted::No | Greeted::Helo, _) => Protocol::Smtp,
                (Greeted::Ehlo, Encryption::Off | Encryption::Possible) => Protocol::Esmtp,
                (Greeted::Ehlo, Encryption::Active) => Protocol::Esmtps,
            },
            reverse_path: mail.reverse_path,
            ret: mail.ret,
            envid: mail.envid,
            smtputf8: mail.smtputf8,
            recipients: Vec::new(),
        };
        self.transaction = Some(Transaction { envelope, message: Message::Awaited });
        self.say(250, (2, 1, 0), "sender ok")
    }

    pub(super) fn rcpt(&mut self, rcpt: RcptTo) -> Step {
        let Some(transaction) = &self.transaction else {
            return self.say(503, (5, 5, 1), "say MAIL first");
        };
        if transaction.has_message() {
            return self.say(503, (5, 5, 1), "the message has begun with BDAT; recipients come before it");
        }
        self.about = Some(About::Recipient);
        let envelope = &transaction.envelope;
        let most = self.settings.limits.recipients;
        if envelope.recipients.len() >= most {
            let text = format!("a mail takes {most} recipients at most; send it again for the others");
            return self.answer(Reply::new(452, EnhancedStatus::new(4, 5, 3), text));
        }
        if let Err(full) = self.used.recipient(&self.settings.limits.per_connection) {
            return self.answer(Reply::new(452, EnhancedStatus::new(4, 5, 3), full.to_string()));
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

    /// Brings the receiver's answer to a [`Question`].
    pub fn recipient_answer(&mut self, question: Question, answer: Result<(), Refusal>) -> Step {
        match answer {
            Ok(()) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.envelope.recipients.push(EnvelopeRecipient {
                        address: question.recipient,
                        notify: question.notify,
                        orcpt: question.orcpt,
                    });
                }
                self.say(250, (2, 1, 5), "recipient ok")
            }
            Err(refusal) => self.refuse(&refusal),
        }
    }

    /// Where the message of the transaction goes; or the code and the text that tell why none may come now.
    fn ready(&mut self) -> Result<&mut Message, (u16, &'static str)> {
        match &mut self.transaction {
            None => Err((503, "say MAIL and RCPT first")),
            Some(one) if one.envelope.recipients.is_empty() => Err((554, "no recipient was accepted")),
            Some(one) => Ok(&mut one.message),
        }
    }

    pub(super) fn data(&mut self) -> Step {
        let profile = self.terms.profile;
        let (limit, place) = (self.settings.limits.message_octets, self.settings.room.place());
        let (code, text) = match self.ready() {
            Ok(message @ (Message::Awaited | Message::Data(_))) => {
                *message = Message::Data(DataReceiver::new(limit, place, profile));
                return Step::Reply(Reply::plain(354, vec!["go ahead; end with CR LF . CR LF".into()]));
            }
            Ok(Message::Chunks { .. }) => (503, "the message has begun with BDAT and ends with BDAT LAST"),
            Err(why) => why,
        };
        self.say(code, (5, 5, 1), text)
    }

    /// `BDAT`: its octets come right behind the command, whatever is answered (RFC 3030 section 2).
    pub(super) fn bdat(&mut self, octets: u64, last: bool) -> Option<Step> {
        let (limit, place) = (self.settings.limits.message_octets, self.settings.room.place());
        let chunk = match self.ready() {
            Ok(Message::Chunks { receiver, open }) => {
                let chunk = receiver.begin(octets, last);
                *open = chunk.is_none();
                chunk
            }
            Ok(message @ (Message::Awaited | Message::Data(_))) => {
                let mut receiver = ChunkReceiver::new(limit, place);
                let chunk = receiver.begin(octets, last);
                *message = Message::Chunks { receiver, open: chunk.is_none() };
                chunk
            }
            Err((code, text)) => {
                let reply = Reply::new(code, EnhancedStatus::new(5, 5, 1), text);
                let Some(octets) = Discard::new(octets) else { return Some(self.answer(reply)) };
                self.refused_chunk = Some(RefusedChunk { octets, reply });
                return None;
            }
        };
        chunk.map(|chunk| self.chunk_ended(chunk))
    }

    /// Takes octets of a message or of a chunk.
    pub(super) fn feed_message(&mut self, input: &[u8]) -> (usize, Option<Step>) {
        if let Some(RefusedChunk { octets, .. }) = &mut self.refused_chunk {
            let (used, over) = octets.feed(input);
            self.used.octets(used as u64);
            let refused = self.refused_chunk.take_if(|_| over);
            return (used, refused.map(|RefusedChunk { reply, .. }| self.answer(reply)));
        }
        let Some(transaction) = &mut self.transaction else { return (0, None) };
        let before = transaction.octets();
        let (used, chunk) = transaction.feed(input);
        self.used.octets(transaction.octets() - before);
        (used, chunk.map(|chunk| self.chunk_ended(chunk)))
    }

    fn chunk_ended(&mut self, chunk: Chunk) -> Step {
        match chunk {
            Chunk::Taken { octets } => {
                self.answer(Reply::new(250, EnhancedStatus::SUCCESS, format!("{octets} octets received")))
            }
            Chunk::Message(data) => self.message_ended(data),
        }
    }

    fn message_ended(&mut self, data: Data) -> Step {
        self.about = Some(About::Message);
        match (self.transaction.take(), data) {
            (Some(Transaction { envelope, .. }), Data::Message(bytes, place)) => {
                Step::Deliver(Box::new(Delivery { envelope, bytes, place }))
            }
            (Some(_), Data::TooBig) => self.too_big(),
            (Some(_), Data::NoRoom) => {
                self.say(452, (4, 3, 1), "too many large mails at a time, try again later")
            }
            // A message is taken inside a transaction only.
            (None, Data::Message(..) | Data::TooBig | Data::NoRoom) => {
                self.say(503, (5, 5, 1), "say MAIL and RCPT first")
            }
        }
    }

    /// Brings the receiver's answer to a [`Delivery`]: the mail's id, or why it is refused. Either
    /// way the transaction is over and the session goes on.
    pub fn mail_answer(&mut self, answer: Result<String, Refusal>) -> Step {
        match answer {
            Ok(id) => self.answer(Reply::new(250, EnhancedStatus::SUCCESS, format!("queued as {id}"))),
            Err(refusal) => self.refuse(&refusal),
        }
    }

    fn too_big(&mut self) -> Step {
        let text = format!("a message has {} octets at most", self.settings.limits.message_octets);
        self.answer(Reply::new(552, EnhancedStatus::new(5, 3, 4), text))
    }

    fn needs_smtputf8(&mut self) -> Step {
        self.say(553, (5, 6, 7), "an address outside ASCII needs SMTPUTF8 on MAIL")
    }
}
