//! `AUTH` (RFC 4954).

use secrecy::ExposeSecret;

use super::{Encryption, Greeted, Login, Session, Step};
use crate::model::{EnhancedStatus, Secret};
use crate::smtp::auth::{AuthStep, Exchange, Mechanism};
use crate::smtp::reply::Reply;
use crate::smtp::settings::Auth;

impl Session {
    pub(super) fn auth(&mut self, mechanism: &str, initial: Option<&Secret>) -> Step {
        if self.greeted == Greeted::No && !self.terms.profile.mail_before_hello {
            self.advise("mail_before_hello");
            return self.say(503, (5, 5, 1), "say EHLO first");
        }
        if self.transaction.is_some() {
            return self.say(503, (5, 5, 1), "AUTH cannot come inside a mail");
        }
        if self.client.account.is_some() {
            return self.say(503, (5, 5, 1), "already authenticated");
        }
        if !self.may_login() && !self.terms.profile.any_credentials {
            self.advise("any_credentials");
            return self.cannot_login();
        }
        // Where none is offered, any is taken.
        let known = Mechanism::from_name(mechanism)
            .filter(|one| self.terms.mechanisms.contains(one) || !self.may_login());
        let Some(mechanism) = known else {
            return self.say(504, (5, 5, 4), "this mechanism is not offered; EHLO tells which are");
        };
        self.exchanges += 1;
        // As RFC 2195 section 2 has it: something random, something that changes, and our name.
        let challenge = format!("<{:016x}.{}@{}>", self.terms.nonce, self.exchanges, self.settings.hostname);
        let initial = initial.map(|initial| initial.expose_secret());
        let (exchange, step) = Exchange::begin(mechanism, initial, challenge);
        self.exchange = exchange;
        self.exchange_step(step)
    }

    pub(super) fn exchange_line(&mut self, exchange: Exchange, line: &[u8]) -> Step {
        let (exchange, step) = exchange.line(line);
        self.exchange = exchange;
        self.exchange_step(step)
    }

    fn exchange_step(&mut self, step: AuthStep) -> Step {
        match step {
            AuthStep::Challenge(text) => Step::Reply(Reply::plain(334, vec![text.into()])),
            // AUTH was not offered and any credentials are forgiven. Where it is offered, a wrong password
            // stays wrong: its owner would not learn of it, and the mail would go the way of nobody's.
            AuthStep::Credentials(_) | AuthStep::Refused(_) if !self.may_login() => {
                self.say(235, (2, 7, 0), "go on; the credentials do not matter here")
            }
            AuthStep::Credentials(credentials) => Step::Authenticate(Box::new(credentials)),
            AuthStep::Refused(why) => Step::FailLogin(why),
            AuthStep::Cancelled => self.say(501, (5, 7, 0), "authentication cancelled"),
            AuthStep::UnwantedInitialResponse => {
                self.say(501, (5, 7, 0), "this mechanism has no initial response; the server speaks first")
            }
            AuthStep::Malformed(text) => self.say(501, (5, 5, 2), text),
        }
    }

    /// Brings what became of the credentials.
    pub fn login_answer(&mut self, login: Login) -> Step {
        match login {
            Login::Account(name) => {
                self.client.account = Some(name);
                self.say(235, (2, 7, 0), "authenticated")
            }
            Login::Failed => self.say(535, (5, 7, 8), "user name or password are wrong"),
            Login::TooMany => {
                let text =
                    format!("too many failed authentications from {}; try again later", self.client.address);
                self.count_error(Reply::new(454, EnhancedStatus::new(4, 7, 0), text))
            }
            Login::Unavailable => {
                self.say(454, (4, 7, 0), "authentication is not possible now; try again later")
            }
        }
    }

    fn cannot_login(&mut self) -> Step {
        let off = self.terms.auth == Auth::Off || self.terms.mechanisms.is_empty();
        if off || self.terms.tls != Encryption::Possible {
            return self.say(502, (5, 5, 1), "AUTH is not offered here");
        }
        self.say(538, (5, 7, 11), "say STARTTLS first: passwords do not go over an open line here")
    }

    /// 530 where authentication is required and has not happened (RFC 4954 section 6).
    pub(super) fn needs_login(&mut self) -> Option<Step> {
        if self.terms.auth != Auth::Required || self.client.account.is_some() {
            return None;
        }
        let text = match self.terms.tls {
            _ if self.may_login() => "authenticate first, with AUTH",
            Encryption::Possible => "say STARTTLS, then authenticate with AUTH",
            Encryption::Off | Encryption::Active => {
                "only authenticated clients may send here, and nobody can authenticate; tell the operator"
            }
        };
        Some(self.say(530, (5, 7, 0), text))
    }
}
