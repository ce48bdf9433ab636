//! What an API is told of a failure: the outcome, and what its client must know beside it.

use std::time::Duration;

use crate::http::account::Denied;
use crate::http::body::BodyError;
use crate::http::fields::FieldError;
use crate::http::form::FormError;
use crate::http::let_in::NotLetIn;
use crate::intake::{Refusal, RefusalKind};
use crate::profile::{Meaning, Outcome};
use crate::spool::SpoolError;

/// Why nothing came of a request. Nothing of it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct Failure {
    /// What it is for the API.
    pub(in crate::http) outcome: Outcome,
    /// One sentence: what is wrong, the value, what to do.
    pub(in crate::http) reason: String,
    /// What the log says beside it and the client must not learn.
    pub(in crate::http) note: Option<&'static str>,
    /// Whether the connection ends with it, because what follows can't be told from this request.
    pub(in crate::http) closes: bool,
    /// How long the client is to wait, where it is known.
    pub(in crate::http) retry_after: Option<Duration>,
}

impl Failure {
    /// One that leaves the connection open.
    pub(in crate::http) fn new(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self { outcome, reason: reason.into(), note: None, closes: false, retry_after: None }
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        let reason = error.to_string();
        let closes = matches!(error, BodyError::TooLarge(_) | BodyError::TooSlow(_) | BodyError::Broken);
        let outcome = match error {
            BodyError::TooLarge(_) => Outcome::TooLarge,
            BodyError::TooSlow(_) => Outcome::TooSlow,
            BodyError::MediaType(_) | BodyError::Encoded(_) => Outcome::MediaType,
            BodyError::Field(error) => of_field(&error),
            BodyError::Broken | BodyError::Json(_) | BodyError::Multipart(_) => Outcome::BadRequest,
        };
        Self { closes, ..Self::new(outcome, reason) }
    }
}

impl From<FieldError> for Failure {
    fn from(error: FieldError) -> Self {
        Self::new(of_field(&error), error.to_string())
    }
}

impl From<FormError> for Failure {
    fn from(error: FormError) -> Self {
        match error {
            FormError::Field(error) => error.into(),
            FormError::NotAllowed(reason) => Self::new(Outcome::NotAllowed, reason),
            FormError::Wrong(reason) => Self::new(Outcome::BadRequest, reason),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let retry_after = refusal.kind.retry_after();
        Self { retry_after, ..Self::new(of_refusal(refusal.kind), refusal.text) }
    }
}

impl From<SpoolError> for Failure {
    fn from(error: SpoolError) -> Self {
        Self::new(Outcome::Unavailable, error.to_string())
    }
}

/// Of a credential.
pub(in crate::http) fn of_not_let_in(why: &NotLetIn) -> Outcome {
    match why {
        NotLetIn::Denied(Denied::Missing) => Outcome::NoCredential,
        NotLetIn::Denied(Denied::Wrong | Denied::WrongNetwork) => Outcome::Unauthorized,
        NotLetIn::TooMany(_) => Outcome::TooFast,
        NotLetIn::Busy => Outcome::Unavailable,
        NotLetIn::OtherApi(_) => Outcome::NotAllowed,
        NotLetIn::OtherSite => Outcome::Forbidden,
    }
}

fn of_field(error: &FieldError) -> Outcome {
    match error {
        FieldError::Missing { meaning: Meaning::To, is_there: false, .. } => Outcome::MissingTo,
        FieldError::Missing { meaning: Meaning::To, is_there: true, .. } => Outcome::EmptyTo,
        FieldError::Missing { meaning: Meaning::Text, .. } => Outcome::MissingText,
        FieldError::Missing { .. }
        | FieldError::Repeated(..)
        | FieldError::Octets { .. }
        | FieldError::Hex(_)
        | FieldError::Charset(_)
        | FieldError::Type { .. }
        | FieldError::Control(_)
        | FieldError::TooMany => Outcome::BadRequest,
    }
}

/// Of what intake refuses.
pub(in crate::http) fn of_refusal(kind: RefusalKind) -> Outcome {
    match kind {
        RefusalKind::UnknownRecipient | RefusalKind::DomainNotOurs => Outcome::BadTo,
        RefusalKind::NotAllowed => Outcome::NotAllowed,
        // A form has its destinations by then: what is left is a text of which nothing can be sent.
        RefusalKind::NothingToSend => Outcome::MissingText,
        RefusalKind::Loop => Outcome::Refused,
        RefusalKind::TooMany => Outcome::TooLarge,
        RefusalKind::TooFarAhead => Outcome::BadRequest,
        RefusalKind::StorageUnavailable => Outcome::Unavailable,
        RefusalKind::TooFast { .. } | RefusalKind::QuotaSpent { .. } => Outcome::TooFast,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_outcome() {
        let retry_after = Duration::from_secs(7);
        for (kind, outcome) in [
            (RefusalKind::UnknownRecipient, Outcome::BadTo),
            (RefusalKind::DomainNotOurs, Outcome::BadTo),
            (RefusalKind::NotAllowed, Outcome::NotAllowed),
            (RefusalKind::NothingToSend, Outcome::MissingText),
            (RefusalKind::Loop, Outcome::Refused),
            (RefusalKind::TooMany, Outcome::TooLarge),
            (RefusalKind::TooFarAhead, Outcome::BadRequest),
            (RefusalKind::StorageUnavailable, Outcome::Unavailable),
            (RefusalKind::TooFast { retry_after }, Outcome::TooFast),
            (RefusalKind::QuotaSpent { retry_after }, Outcome::TooFast),
        ] {
            let failure = Failure::from(Refusal { kind, text: "why".to_owned() });
            assert_eq!((failure.outcome, failure.reason.as_str()), (outcome, "why"), "{kind:?}");
            assert_eq!(failure.retry_after, kind.retry_after());
            // What a retry could cure is never told as if it could not, and the other way round.
            assert_eq!(outcome.status() / 100 == 4, kind.http() / 100 == 4, "{kind:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_request_has_its_outcome() {
        let missing = |meaning, is_there| FieldError::Missing { meaning, names: Vec::new(), is_there };
        let field = |error: FieldError| Failure::from(error).outcome;
        assert_eq!(field(missing(Meaning::To, false)), Outcome::MissingTo);
        assert_eq!(field(missing(Meaning::To, true)), Outcome::EmptyTo);
        assert_eq!(field(missing(Meaning::Text, false)), Outcome::MissingText);
        assert_eq!(field(missing(Meaning::Text, true)), Outcome::MissingText);
        assert_eq!(field(missing(Meaning::Id, false)), Outcome::BadRequest);
        assert_eq!(field(FieldError::TooMany), Outcome::BadRequest);
        let body = |error: BodyError| {
            let failure = Failure::from(error);
            (failure.outcome, failure.closes)
        };
        assert_eq!(body(BodyError::TooLarge(1)), (Outcome::TooLarge, true));
        assert_eq!(body(BodyError::TooSlow(Duration::from_secs(1))), (Outcome::TooSlow, true));
        assert_eq!(body(BodyError::MediaType(String::new())), (Outcome::MediaType, false));
        assert_eq!(body(BodyError::Encoded(String::new())), (Outcome::MediaType, false));
        assert_eq!(body(BodyError::Broken), (Outcome::BadRequest, true));
        assert_eq!(body(BodyError::Json(String::new())), (Outcome::BadRequest, false));
        assert_eq!(body(missing(Meaning::Text, true).into()), (Outcome::MissingText, false));
        let form = |error: FormError| Failure::from(error).outcome;
        assert_eq!(form(FormError::NotAllowed(String::new())), Outcome::NotAllowed);
        assert_eq!(form(FormError::Wrong(String::new())), Outcome::BadRequest);
        assert_eq!(form(missing(Meaning::To, true).into()), Outcome::EmptyTo);
        for (why, outcome) in [
            (NotLetIn::Denied(Denied::Missing), Outcome::NoCredential),
            (NotLetIn::Denied(Denied::Wrong), Outcome::Unauthorized),
            (NotLetIn::Denied(Denied::WrongNetwork), Outcome::Unauthorized),
            (NotLetIn::TooMany(Duration::from_secs(1)), Outcome::TooFast),
            (NotLetIn::Busy, Outcome::Unavailable),
            (NotLetIn::OtherApi(String::new()), Outcome::NotAllowed),
            (NotLetIn::OtherSite, Outcome::Forbidden),
        ] {
            assert_eq!(of_not_let_in(&why), outcome, "{why:?}");
        }
    }
}
