//! What a failure is for a client that the relay answers in its own words: the status, and whether the connection ends.

use axum::http::StatusCode;

use super::answer::Denial;
use super::body::BodyError;
use super::fields::FieldError;
use super::form::FormError;
use super::wishes::WishError;
use crate::intake::Refusal;

impl From<FormError> for Denial {
    fn from(error: FormError) -> Self {
        let reason = error.to_string();
        match error {
            FormError::Field(error) => error.into(),
            FormError::NotAllowed(_) => Self::new(StatusCode::FORBIDDEN, reason),
            FormError::Wrong(_) => Self::new(StatusCode::BAD_REQUEST, reason),
        }
    }
}

impl From<FieldError> for Denial {
    fn from(error: FieldError) -> Self {
        BodyError::from(error).into()
    }
}

impl From<WishError> for Denial {
    fn from(error: WishError) -> Self {
        FormError::from(error).into()
    }
}

impl From<BodyError> for Denial {
    fn from(error: BodyError) -> Self {
        let reason = error.to_string();
        match error {
            BodyError::TooLarge(_) => Self::closing(StatusCode::PAYLOAD_TOO_LARGE, reason),
            BodyError::TooSlow(_) => Self::closing(StatusCode::REQUEST_TIMEOUT, reason),
            BodyError::MediaType(_) | BodyError::Encoded(_) => {
                Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason)
            }
            BodyError::Broken => Self::closing(StatusCode::BAD_REQUEST, reason),
            BodyError::Json(_) | BodyError::Multipart(_) | BodyError::Field(_) => {
                Self::new(StatusCode::BAD_REQUEST, reason)
            }
        }
    }
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.kind.http()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        Self { retry_after: refusal.kind.retry_after(), ..Self::new(status, refusal.text) }
    }
}
