//! What can be made to go wrong on order: rules with a match, a count and a fault.

use std::collections::VecDeque;

use axum::http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

/// Most rules at a time.
const MAX_RULES: usize = 1000;
/// Longest delay of [`Fault::Slow`] and [`Fault::Deliver`] in milliseconds: an hour.
const MAX_MILLIS: u64 = 3_600_000;

/// The endpoints that a rule can be about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /api/message-server/sms/send`.
    #[default]
    Send,
    /// `GET /api/partner-gateway/v1/messages/status/{id}`.
    Status,
    /// `POST /api/services/sms/send`.
    Legacy,
    /// `GET /api/services/sms/credit`.
    Credit,
    /// The sends of RCS and WhatsApp.
    Template,
}

/// How a message ends on its handset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It arrives.
    #[default]
    Delivered,
    /// It can't be delivered.
    Error,
    /// The platform gives it up.
    Expired,
    /// Nothing more is heard of it; its status stays SENT.
    Never,
}

/// What goes wrong. `recorded` says whether the message is accepted first: if it is not, the
/// platform has never heard of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Answers with this status code and body.
    Status {
        /// 200 to 599.
        code: u16,
        /// The `Retry-After` header, whatever it says.
        #[serde(default)]
        retry_after: Option<String>,
        /// The body; without one, the platform's error form.
        #[serde(default)]
        body: Option<String>,
        /// See [`Fault`].
        #[serde(default)]
        recorded: bool,
    },
    /// Resets the TCP connection instead of answering.
    Reset {
        /// See [`Fault`].
        #[serde(default)]
        recorded: bool,
    },
    /// Answers late. Not recorded first, the message is lost when the client has gone by then.
    Slow {
        /// How late.
        millis: u64,
        /// See [`Fault`].
        #[serde(default)]
        recorded: bool,
    },
    /// Answers when it is released. Not recorded first, the message is lost when the client has
    /// gone by then.
    Hold {
        /// See [`Fault`].
        #[serde(default)]
        recorded: bool,
    },
    /// Answers 200 with a body that is not JSON.
    Garbage {
        /// See [`Fault`].
        #[serde(default)]
        recorded: bool,
    },
    /// Answers 200 and closes the connection in the middle of the body.
    Truncated {
        /// See [`Fault`].
        #[serde(default)]
        recorded: bool,
    },
    /// Answers 200, not accepted.
    Refuse {
        /// The reasons.
        #[serde(default)]
        reasons: Vec<String>,
    },
    /// Answers 200 and counts so many messages as processed, of which the platform has only the first so many.
    /// For the legacy endpoint, whose answer only counts.
    Partial {
        /// How many; may be more than there are.
        processed: usize,
    },
    /// Accepts, and lets the message end this way.
    Deliver {
        /// The end.
        outcome: Outcome,
        /// How long it takes; without one, as the settings say.
        #[serde(default)]
        delay_millis: Option<u64>,
    },
}

/// One order. A rule without conditions is about every request of its endpoint; several
/// conditions must hold together. The first rule in the order of ordering strikes, alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// The endpoint.
    #[serde(default)]
    pub endpoint: Endpoint,
    /// Only messages to this destination, as the request writes it.
    #[serde(default)]
    pub destination: Option<String>,
    /// Only messages to destinations that begin so.
    #[serde(default)]
    pub destination_prefix: Option<String>,
    /// Only messages whose body has this in it.
    #[serde(default)]
    pub body_contains: Option<String>,
    /// How often; without a number, until the rules are cleared.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens.
    pub fault: Fault,
}

impl FaultRule {
    /// A rule about every request to send.
    pub fn on_send(fault: Fault) -> Self {
        Self {
            endpoint: Endpoint::Send,
            destination: None,
            destination_prefix: None,
            body_contains: None,
            times: None,
            fault,
        }
    }

    /// A rule about every request to send by the legacy API.
    pub fn on_legacy(fault: Fault) -> Self {
        Self { endpoint: Endpoint::Legacy, ..Self::on_send(fault) }
    }

    /// A rule about every request to send by RCS or WhatsApp.
    pub fn on_template(fault: Fault) -> Self {
        Self { endpoint: Endpoint::Template, ..Self::on_send(fault) }
    }

    /// A rule about every question for the credit.
    pub fn on_credit(fault: Fault) -> Self {
        Self { endpoint: Endpoint::Credit, ..Self::on_send(fault) }
    }

    /// A rule about every question for a status.
    pub fn on_status(fault: Fault) -> Self {
        Self { endpoint: Endpoint::Status, ..Self::on_send(fault) }
    }

    /// The same, that often.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// The same for one destination.
    #[must_use]
    pub fn to(self, destination: &str) -> Self {
        Self { destination: Some(destination.to_owned()), ..self }
    }

    /// The same for destinations that begin so.
    #[must_use]
    pub fn to_prefix(self, prefix: &str) -> Self {
        Self { destination_prefix: Some(prefix.to_owned()), ..self }
    }

    /// The same for bodies with this in them.
    #[must_use]
    pub fn containing(self, text: &str) -> Self {
        Self { body_contains: Some(text.to_owned()), ..self }
    }

    /// Whether it is about a request for these (destination, body) pairs; a status question about
    /// an unknown message has none.
    fn is_about(&self, endpoint: Endpoint, messages: &[(&str, &str)]) -> bool {
        let unconditional =
            self.destination.is_none() && self.destination_prefix.is_none() && self.body_contains.is_none();
        self.endpoint == endpoint
            && (unconditional
                || messages.iter().any(|(destination, body)| {
                    self.destination.as_deref().is_none_or(|wanted| wanted == *destination)
                        && self
                            .destination_prefix
                            .as_deref()
                            .is_none_or(|prefix| destination.starts_with(prefix))
                        && self.body_contains.as_deref().is_none_or(|part| body.contains(part))
                }))
    }

    fn check(&self) -> Result<(), FaultError> {
        let too_long = |millis: u64| millis > MAX_MILLIS;
        match &self.fault {
            Fault::Status { code, retry_after, .. } => {
                if !(200..=599).contains(code) || StatusCode::from_u16(*code).is_err() {
                    return Err(FaultError::Code(*code));
                }
                if retry_after.as_deref().is_some_and(|value| HeaderValue::from_str(value).is_err()) {
                    return Err(FaultError::RetryAfter);
                }
            }
            Fault::Slow { millis, .. } if too_long(*millis) => return Err(FaultError::TooLong(*millis)),
            Fault::Deliver { delay_millis: Some(millis), .. } if too_long(*millis) => {
                return Err(FaultError::TooLong(*millis));
            }
            Fault::Refuse { .. } | Fault::Deliver { .. }
                if matches!(self.endpoint, Endpoint::Status | Endpoint::Credit) =>
            {
                return Err(FaultError::NotASend);
            }
            Fault::Partial { .. } if self.endpoint != Endpoint::Legacy => return Err(FaultError::NotLegacy),
            Fault::Reset { .. }
            | Fault::Partial { .. }
            | Fault::Slow { .. }
            | Fault::Hold { .. }
            | Fault::Garbage { .. }
            | Fault::Truncated { .. }
            | Fault::Refuse { .. }
            | Fault::Deliver { .. } => {}
        }
        if self.times == Some(0) {
            return Err(FaultError::NoTimes);
        }
        Ok(())
    }
}

/// Why a fault can't be ordered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No answer can have this status code.
    #[error("status code {0} is not between 200 and 599")]
    Code(u16),
    /// `Retry-After` can't stand in a header.
    #[error("retry_after contains a character that a header cannot carry")]
    RetryAfter,
    /// Over an hour.
    #[error("a delay of {0} ms is too long; at most 3600000")]
    TooLong(u64),
    /// A refusal or a delivery for an endpoint that sends nothing.
    #[error("refuse and deliver are for endpoints that send")]
    NotASend,
    /// A partial answer of an endpoint that does not count.
    #[error("partial is for the legacy endpoint only")]
    NotLegacy,
    /// Zero times.
    #[error("times must be at least 1; leave it out for a fault that stays")]
    NoTimes,
    /// The limit of rules.
    #[error("there are 1000 fault rules already; clear them first")]
    TooMany,
}

/// The rules in force, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: VecDeque<FaultRule>,
}

impl Faults {
    /// Takes all of the rules, or none.
    pub(super) fn order(&mut self, rules: Vec<FaultRule>) -> Result<(), FaultError> {
        rules.iter().try_for_each(FaultRule::check)?;
        if self.rules.len() + rules.len() > MAX_RULES {
            return Err(FaultError::TooMany);
        }
        self.rules.extend(rules);
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = &FaultRule> {
        self.rules.iter()
    }

    /// The fault for a request, if any; counts it.
    pub(super) fn strike(&mut self, endpoint: Endpoint, messages: &[(&str, &str)]) -> Option<Fault> {
        let at = self.rules.iter().position(|rule| rule.is_about(endpoint, messages))?;
        let rule = self.rules.get_mut(at)?;
        let fault = rule.fault.clone();
        match &mut rule.times {
            Some(1) => {
                self.rules.remove(at);
            }
            Some(times) => *times -= 1,
            None => {}
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESET: Fault = Fault::Reset { recorded: false };

    fn hits(rule: FaultRule, message: (&str, &str)) -> bool {
        let mut faults = Faults::default();
        faults.order(vec![rule]).unwrap();
        faults.strike(Endpoint::Send, &[message]).is_some()
    }

    #[test]
    fn conditions_hold_together() {
        let rule = || FaultRule::on_send(RESET);
        assert!(hits(rule(), ("+391", "x")));
        assert!(hits(rule().to("+391").containing("x"), ("+391", "axb")));
        assert!(!hits(rule().to("+391").containing("x"), ("+391", "ab")));
        assert!(!hits(rule().to("+39"), ("+391", "x")));
        assert!(hits(rule().to_prefix("+39"), ("+391", "x")));
        assert!(!hits(rule().to_prefix("+40"), ("+391", "x")));
        assert!(!hits(FaultRule::on_status(RESET), ("+391", "x")));
        assert!(Faults::default().strike(Endpoint::Send, &[]).is_none());
    }

    #[test]
    fn rules_strike_in_order_and_as_often_as_ordered() {
        let mut faults = Faults::default();
        let second = Fault::Garbage { recorded: true };
        faults.order(vec![FaultRule::on_send(RESET).times(2), FaultRule::on_send(second.clone())]).unwrap();
        let mut strike = || faults.strike(Endpoint::Send, &[("+391", "x")]);
        assert_eq!(
            [strike(), strike(), strike(), strike()].map(Option::unwrap),
            [RESET, RESET, second.clone(), second]
        );
        faults.clear();
        assert_eq!(faults.strike(Endpoint::Send, &[]), None);
    }

    #[test]
    fn orders_that_make_no_sense_are_refused() {
        let order = |rule| Faults::default().order(vec![rule]);
        let status = |code, retry_after: &str| {
            order(FaultRule::on_send(Fault::Status {
                code,
                retry_after: Some(retry_after.to_owned()),
                body: None,
                recorded: false,
            }))
        };
        assert_eq!(status(200, "-5"), Ok(()));
        assert_eq!(status(599, ""), Ok(()));
        assert_eq!(status(199, ""), Err(FaultError::Code(199)));
        assert_eq!(status(600, ""), Err(FaultError::Code(600)));
        assert_eq!(status(429, "a\nb"), Err(FaultError::RetryAfter));
        let slow = |millis| order(FaultRule::on_send(Fault::Slow { millis, recorded: false }));
        assert_eq!(slow(3_600_000), Ok(()));
        assert_eq!(slow(3_600_001), Err(FaultError::TooLong(3_600_001)));
        assert_eq!(
            order(FaultRule::on_status(Fault::Refuse { reasons: Vec::new() })),
            Err(FaultError::NotASend)
        );
        let partial = Fault::Partial { processed: 1 };
        assert_eq!(order(FaultRule::on_legacy(partial.clone())), Ok(()));
        assert_eq!(order(FaultRule::on_send(partial)), Err(FaultError::NotLegacy));
        assert_eq!(
            order(FaultRule::on_credit(Fault::Refuse { reasons: Vec::new() })),
            Err(FaultError::NotASend)
        );
        assert_eq!(order(FaultRule::on_send(RESET).times(0)), Err(FaultError::NoTimes));
        let mut faults = Faults::default();
        let many = |count| vec![FaultRule::on_send(RESET); count];
        assert_eq!(faults.order(many(1001)), Err(FaultError::TooMany));
        assert_eq!(faults.order(many(1000)), Ok(()));
        assert_eq!(faults.order(many(1)), Err(FaultError::TooMany));
        assert_eq!(faults.rules().count(), 1000);
    }

    #[test]
    fn an_order_is_read_from_its_json() {
        let rule: FaultRule = serde_json::from_str(
            r#"{"destination_prefix":"+39347","times":3,"fault":{"kind":"status","code":429,"retry_after":"2"}}"#,
        )
        .unwrap();
        let fault =
            Fault::Status { code: 429, retry_after: Some("2".to_owned()), body: None, recorded: false };
        assert_eq!(rule, FaultRule::on_send(fault).to_prefix("+39347").times(3));
        for wrong in [
            "{}",
            r#"{"fault":{"kind":"explode"}}"#,
            r#"{"fault":{"kind":"reset","record":true}}"#,
            r#"{"fault":{"kind":"hold"},"time":1}"#,
        ] {
            assert!(serde_json::from_str::<FaultRule>(wrong).is_err(), "{wrong}");
        }
    }
}
