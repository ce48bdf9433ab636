//! What a form may wish for, read and refused in the same words wherever somebody writes it: in a request, or in a
//! test of the configuration.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Account;
use super::fields::shown;
use super::when::point_in_time;
use crate::model::Lane;

/// A wish that is not granted; the sentence is for whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WishError {
    /// The time is none.
    #[error(
        "`{0}` is not a time; write it like 2031-01-31T07:30:00+01:00, or 2031-01-31 07:30 in the time of this relay"
    )]
    NoTime(String),
    /// The lane is none.
    #[error("`{0}` is not a lane; write one of {lanes}", lanes = Lane::ALL.map(Lane::as_str).join(", "))]
    NoLane(String),
    /// The account may not choose one.
    #[error(
        "account `{0}` may not choose the lane; leave out `lane`, or set may_choose_lane = true for the account"
    )]
    MayNotChooseLane(String),
}

/// When it is to be sent.
///
/// # Errors
/// [`WishError::NoTime`].
pub fn deliver_at(written: &str) -> Result<Timestamp, WishError> {
    point_in_time(written, &TimeZone::system()).ok_or_else(|| WishError::NoTime(shown(written)))
}

/// How urgent it is, by the word of a client of `account`.
///
/// # Errors
/// [`WishError`].
pub fn lane(account: &Account, written: &str) -> Result<Lane, WishError> {
    if !account.may_choose_lane {
        return Err(WishError::MayNotChooseLane(account.name.clone()));
    }
    written.to_ascii_lowercase().parse().map_err(|_| WishError::NoLane(shown(written)))
}
