//! What may come of a request.

/// What an API can tell apart. Few tell all; each outcome stands for a more general one, whose answer is given
/// where a profile has none of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The message is on disk.
    Accepted,
    /// A session has begun.
    LoggedIn,
    /// What became of an SMS is known.
    Known,
    /// Nothing can come of this request, now or later. The most general refusal.
    Refused,
    /// No credential, or a wrong one.
    Unauthorized,
    /// No credential.
    NoCredential,
    /// A session that is not, or no longer, one.
    NoSession,
    /// Nobody may ask from this address.
    Forbidden,
    /// It cannot be understood.
    BadRequest,
    /// The API has no such operation, or none was named.
    UnknownAction,
    /// No destination.
    MissingTo,
    /// A destination field with nothing in it.
    EmptyTo,
    /// No text, or an empty one.
    MissingText,
    /// A destination that is neither a number nor an alias.
    BadTo,
    /// A destination or sender that is not allowed, or that a rule refused.
    NotAllowed,
    /// More than can be taken at a time.
    TooLarge,
    /// A body of a type, or encoded in a way, that is not read.
    MediaType,
    /// Not by this method.
    Method,
    /// No SMS has this id, or another client's has.
    UnknownId,
    /// Nothing of it can be taken now: try again. The most general answer that is no refusal.
    Unavailable,
    /// Too many in a minute, or none left today.
    TooFast,
    /// Its body did not come in time.
    TooSlow,
}

impl Outcome {
    /// All.
    pub const ALL: [Self; 22] = [
        Self::Accepted,
        Self::LoggedIn,
        Self::Known,
        Self::Refused,
        Self::Unauthorized,
        Self::NoCredential,
        Self::NoSession,
        Self::Forbidden,
        Self::BadRequest,
        Self::UnknownAction,
        Self::MissingTo,
        Self::EmptyTo,
        Self::MissingText,
        Self::BadTo,
        Self::NotAllowed,
        Self::TooLarge,
        Self::MediaType,
        Self::Method,
        Self::UnknownId,
        Self::Unavailable,
        Self::TooFast,
        Self::TooSlow,
    ];

    /// Its name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::LoggedIn => "logged_in",
            Self::Known => "known",
            Self::Refused => "refused",
            Self::Unauthorized => "unauthorized",
            Self::NoCredential => "no_credential",
            Self::NoSession => "no_session",
            Self::Forbidden => "forbidden",
            Self::BadRequest => "bad_request",
            Self::UnknownAction => "unknown_action",
            Self::MissingTo => "missing_to",
            Self::EmptyTo => "empty_to",
            Self::MissingText => "missing_text",
            Self::BadTo => "bad_to",
            Self::NotAllowed => "not_allowed",
            Self::TooLarge => "too_large",
            Self::MediaType => "media_type",
            Self::Method => "method",
            Self::UnknownId => "unknown_id",
            Self::Unavailable => "unavailable",
            Self::TooFast => "too_fast",
            Self::TooSlow => "too_slow",
        }
    }

    /// What is answered in its place where a profile has no answer for it; `None` for those that a profile must
    /// have an answer for.
    pub fn instead(self) -> Option<Self> {
        match self {
            Self::Accepted | Self::LoggedIn | Self::Known | Self::Refused | Self::Unavailable => None,
            Self::Unauthorized | Self::BadRequest | Self::NotAllowed | Self::UnknownId => Some(Self::Refused),
            Self::NoCredential | Self::NoSession | Self::Forbidden => Some(Self::Unauthorized),
            Self::UnknownAction
            | Self::MissingTo
            | Self::MissingText
            | Self::BadTo
            | Self::TooLarge
            | Self::MediaType
            | Self::Method => Some(Self::BadRequest),
            Self::EmptyTo => Some(Self::MissingTo),
            Self::TooFast | Self::TooSlow => Some(Self::Unavailable),
        }
    }

    /// The HTTP status where a profile says none.
    pub fn status(self) -> u16 {
        match self {
            Self::Accepted | Self::LoggedIn | Self::Known => 200,
            Self::Unauthorized | Self::NoCredential | Self::NoSession => 401,
            Self::Forbidden | Self::NotAllowed => 403,
            Self::Refused
            | Self::BadRequest
            | Self::UnknownAction
            | Self::MissingTo
            | Self::EmptyTo
            | Self::MissingText
            | Self::BadTo => 400,
            Self::UnknownId => 404,
            Self::Method => 405,
            Self::TooSlow => 408,
            Self::TooLarge => 413,
            Self::MediaType => 415,
            Self::TooFast => 429,
            Self::Unavailable => 503,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_outcome_leads_to_one_that_has_an_answer() {
        let names: BTreeSet<_> = Outcome::ALL.iter().map(|outcome| outcome.as_str()).collect();
        assert_eq!(names.len(), Outcome::ALL.len());
        for outcome in Outcome::ALL {
            let mut general = outcome;
            for _ in 0..Outcome::ALL.len() {
                general = general.instead().unwrap_or(general);
            }
            let is_permanent =
                outcome.status() / 100 == 4 && !matches!(outcome, Outcome::TooFast | Outcome::TooSlow);
            assert_eq!(general == Outcome::Refused, is_permanent, "{outcome:?}");
            assert_eq!(general.instead(), None, "{outcome:?}");
        }
    }
}
