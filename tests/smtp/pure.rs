//! The dialogues without sockets, where a cut is a cut: TCP may join on its way what was sent apart.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use sms_relay::model::{Client, Door};
use sms_relay::smtp::accounts::Accounts;
use sms_relay::smtp::room::Room;
use sms_relay::smtp::session::{self, Encryption, Login, Session, Step, Terms};
use sms_relay::smtp::{Allotment, Receiver as _};
use tokio::runtime::Runtime;

use crate::dialogue::Dialogue;
use crate::relay::Mails;

/// Serves dialogues one after the other.
pub struct Desk {
    runtime: Runtime,
    mails: Mails,
}

/// What came of a dialogue: the replies, the mails, and whether the session was closed.
pub type Outcome = (String, Vec<String>, bool);

/// Whether the session alone can hold the dialogue: some limits are counted for all connections.
pub fn can_hold(dialogue: &Dialogue) -> bool {
    dialogue.limits.per_minute == Allotment::default()
        && dialogue.limits.auth_failures == crate::relay::limits().auth_failures
}

impl Desk {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self { runtime, mails: Mails::default() }
    }

    /// Feeds the pieces one after the other.
    pub fn hold(&self, dialogue: &Dialogue, pieces: &[&[u8]]) -> Outcome {
        let settings = dialogue.settings();
        let accounts = Accounts::new(settings.accounts);
        let terms = Terms {
            profile: dialogue.profile,
            auth: dialogue.auth,
            auth_without_tls: dialogue.in_clear,
            mechanisms: accounts
                .mechanisms()
                .into_iter()
                .filter(|one| dialogue.mechanisms.as_ref().is_none_or(|wanted| wanted.contains(one)))
                .collect(),
            tls: if dialogue.starttls { Encryption::Possible } else { Encryption::Off },
            nonce: 1,
        };
        let (hostname, limits) = (settings.hostname, settings.limits);
        let shared = session::Settings { hostname, room: Room::new(limits.memory_octets), limits };
        let client = Client {
            door: Door::Smtp,
            listener: "lan".to_owned(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            helo: None,
            account: None,
        };
        let mut session = Session::new(Arc::new(shared), terms, client);
        let mut heard = Vec::new();
        session.greeting().write_to(&mut heard);
        let mut closed = false;
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() && !closed {
                let (used, step) = session.feed(rest);
                rest = &rest[used..];
                closed = step.is_some_and(|step| self.perform(step, &mut session, &accounts, &mut heard));
            }
        }
        (String::from_utf8(heard).unwrap(), self.mails.take(), closed)
    }

    /// Whether that was the end.
    fn perform(&self, step: Step, session: &mut Session, accounts: &Accounts, heard: &mut Vec<u8>) -> bool {
        let next = match step {
            Step::Reply(reply) => {
                reply.write_to(heard);
                return false;
            }
            Step::Close(replies, _) => {
                replies.iter().for_each(|reply| reply.write_to(heard));
                return true;
            }
            Step::StartTls(_) => panic!("no dialogue in a file can go on in TLS"),
            Step::AskSender(mail) => {
                let asked = self.mails.sender(session.client(), &mail.reverse_path);
                let answer = self.runtime.block_on(asked);
                session.sender_answer(*mail, answer)
            }
            Step::Ask(question) => {
                let asked =
                    self.mails.recipient(session.client(), &question.reverse_path, &question.recipient);
                let answer = self.runtime.block_on(asked);
                session.recipient_answer(*question, answer)
            }
            Step::Deliver(delivery) => {
                let asked = self.mails.mail(session.client(), delivery.envelope, delivery.bytes);
                let answer = self.runtime.block_on(asked);
                session.mail_answer(answer)
            }
            Step::FailLogin(_) => session.login_answer(Login::Failed),
            Step::Authenticate(credentials) => {
                let account = accounts.verify(&credentials);
                session.login_answer(account.map_or(Login::Failed, |one| Login::Account(one.name.clone())))
            }
        };
        self.perform(next, session, accounts, heard)
    }
}
