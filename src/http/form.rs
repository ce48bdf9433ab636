//! What the fields of a request ask for, as far as its account may ask for it.

use jiff::{Timestamp, Zoned};
use tracing::debug;

use super::Account;
use super::fields::{FieldError, Fields, shown};
use super::when::{example, time};
use super::wishes::{WishError, lane};
use crate::intake::Form;
use crate::model::TellUrl;
use crate::profile::{Meaning, Reading};
use crate::telling::{AllowedHost, target};

/// Why fields ask in vain. `Display` is the sentence for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormError {
    /// A field cannot be read, or is not there.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The account may not ask for this.
    #[error("{0}")]
    NotAllowed(String),
    /// A value is not what it should be.
    #[error("{0}")]
    Wrong(String),
}

impl From<WishError> for FormError {
    fn from(error: WishError) -> Self {
        match error {
            WishError::MayNotChooseLane(_) => Self::NotAllowed(error.to_string()),
            WishError::NoTime(_) | WishError::NoLane(_) => Self::Wrong(error.to_string()),
        }
    }
}

/// What becomes of a sender that the account may not choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unasked {
    /// The request is refused: whoever wrote it can mend it.
    Refused,
    /// It is not heeded: appliances always send one, and nobody can mend them.
    Ignored,
}

/// What the fields ask for. `now` also tells where the relay is.
///
/// # Errors
/// [`FormError`] for the first field that asks in vain.
pub(super) fn form(
    fields: &Fields,
    reading: &Reading,
    account: &Account,
    unasked: Unasked,
    now: &Zoned,
) -> Result<Form, FormError> {
    let wished_lane = |written: String| lane(account, &written);
    Ok(Form {
        sender: sender(fields, reading, account, unasked)?,
        to: fields.destinations(reading)?,
        text: fields.text(&reading.names)?,
        deliver_at: deliver_at(fields, reading, now)?,
        lane: fields.line(&reading.names, Meaning::Lane)?.map(wished_lane).transpose()?,
        tell_url: tell_url(fields.line(&reading.names, Meaning::CallbackUrl)?, account)?,
        partial: false,
    })
}

fn sender(
    fields: &Fields,
    reading: &Reading,
    account: &Account,
    unasked: Unasked,
) -> Result<Option<String>, FormError> {
    let sender = fields.line(&reading.names, Meaning::From);
    match (account.may_choose_sender, unasked) {
        (true, _) => Ok(sender?),
        (false, Unasked::Ignored) => {
            if sender != Ok(None) {
                debug!(account = account.name, "its sender is not heeded: the account may not choose one");
            }
            Ok(None)
        }
        (false, Unasked::Refused) => match sender? {
            None => Ok(None),
            Some(_) => may_choose_sender(account).map(|()| None),
        },
    }
}

/// Whether a client of `account` may say who sends.
///
/// # Errors
/// [`FormError::NotAllowed`].
pub(super) fn may_choose_sender(account: &Account) -> Result<(), FormError> {
    if account.may_choose_sender {
        return Ok(());
    }
    Err(FormError::NotAllowed(format!(
        "account `{}` may not choose the sender; leave out `from`, or set may_choose_sender = true for the account",
        account.name
    )))
}

fn deliver_at(fields: &Fields, reading: &Reading, now: &Zoned) -> Result<Option<Timestamp>, FormError> {
    let Some(written) = fields.line(&reading.names, Meaning::DeliverAt)? else { return Ok(None) };
    time(&written, reading.times, now).map(Some).ok_or_else(|| {
        FormError::Wrong(format!("`{}` is not a time; {}", shown(&written), example(reading.times)))
    })
}

/// Where a form's SMS are told of: where the form says, if the operator allows that host and port; else where the account
/// says.
pub(super) fn tell_url(written: Option<String>, account: &Account) -> Result<Option<TellUrl>, FormError> {
    let of_account = |url: &str| TellUrl { url: url.to_owned(), account: account.name.clone() };
    let program = account.program.as_ref();
    let Some(written) = written else {
        return Ok(program.and_then(|program| program.url.as_deref()).map(of_account));
    };
    let wrong = |error| FormError::Wrong(format!("`callback_url` cannot be called: {error}"));
    let url = target(&written).map_err(wrong)?;
    if !program.is_some_and(|program| program.hosts.iter().any(|allowed| allowed.allows(&url))) {
        let (needed, name) = (AllowedHost::of(&url).to_string(), &account.name);
        return Err(FormError::Wrong(format!(
            "`{}` of `callback_url` is not one of the callback_hosts of account `{name}`; name a program that is, or \
             have the operator add this one",
            shown(&needed),
        )));
    }
    Ok(Some(of_account(url.as_str())))
}
