//! Greeting, EHLO and HELO, STARTTLS.

use super::{Encryption, Greeted, Session, Step};
use crate::model::EnhancedStatus;
use crate::smtp::reply::Reply;
use crate::smtp::settings::Auth;

impl Session {
    /// The first thing to send.
    pub fn greeting(&self) -> Reply {
        Reply::plain(220, vec![format!("{} ESMTP sms-relay", self.settings.hostname).into()])
    }

    /// The handshake is done. The session knows nothing any more of what was said before (RFC 3207
    /// section 4.2), but for what the client has used up and got wrong.
    pub fn secured(&mut self) {
        self.forget_transaction();
        self.client.helo = None;
        self.greeted = Greeted::No;
        self.client.account = None;
        self.terms.tls = Encryption::Active;
    }

    pub(super) fn ehlo(&mut self, name: Option<String>) -> Step {
        self.begin(Greeted::Ehlo, name);
        Step::Reply(self.extensions())
    }

    pub(super) fn helo(&mut self, name: Option<String>) -> Step {
        self.begin(Greeted::Helo, name);
        Step::Reply(Reply::plain(250, vec![self.settings.hostname.clone().into()]))
    }

    /// `EHLO` and `HELO` may come again and then forget the transaction (RFC 5321 section 4.1.4).
    fn begin(&mut self, greeted: Greeted, name: Option<String>) {
        self.client.helo = name;
        self.greeted = greeted;
        self.forget_transaction();
    }

    fn extensions(&self) -> Reply {
        let limits = &self.settings.limits;
        let mut lines = vec![
            self.settings.hostname.clone().into(),
            "PIPELINING".into(),
            format!("SIZE {}", limits.message_octets).into(),
            "8BITMIME".into(),
            "SMTPUTF8".into(),
            "ENHANCEDSTATUSCODES".into(),
            "DSN".into(),
            "CHUNKING".into(),
        ];
        lines.push(match limits.per_connection.messages {
            Some(messages) => format!("LIMITS MAILMAX={messages} RCPTMAX={}", limits.recipients).into(),
            None => format!("LIMITS RCPTMAX={}", limits.recipients).into(),
        });
        if self.terms.tls == Encryption::Possible && !self.terms.profile.hide_starttls {
            lines.push("STARTTLS".into());
        }
        if self.may_login() && self.client.account.is_none() {
            let names: Vec<&str> = self.terms.mechanisms.iter().map(|mechanism| mechanism.name()).collect();
            lines.push(format!("AUTH {}", names.join(" ")).into());
        }
        lines.push("HELP".into());
        Reply::plain(250, lines)
    }

    /// Whether `AUTH` is offered now.
    pub(super) fn may_login(&self) -> bool {
        self.terms.auth != Auth::Off
            && !self.terms.mechanisms.is_empty()
            && (self.terms.tls == Encryption::Active || self.terms.auth_without_tls)
    }

    pub(super) fn start_tls(&mut self) -> Step {
        match self.terms.tls {
            Encryption::Off => self.say(502, (5, 5, 1), "STARTTLS is not offered here"),
            Encryption::Active => self.say(503, (5, 5, 1), "TLS is active already"),
            Encryption::Possible => {
                Step::StartTls(Reply::new(220, EnhancedStatus::SUCCESS, "go ahead with the TLS handshake"))
            }
        }
    }
}
