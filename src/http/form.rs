//! What the fields of a request ask for, as far as its account may ask for it.

use jiff::{Timestamp, Zoned};
use reqwest::Url;
use tracing::{debug, info};

use super::Account;
use super::fields::{FieldError, Fields, shown};
use super::when::{example, time};
use super::wishes::{WishError, lane};
use crate::intake::Form;
use crate::model::{KannelMask, TellStyle, TellUrl};
use crate::profile::{CallbackStyle, Meaning, Reading, UnaskedSender};
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

/// What the fields ask for. `now` also tells where the relay is.
///
/// # Errors
/// [`FormError`] for the first field that asks in vain.
pub(super) fn form(
    fields: &Fields,
    reading: &Reading,
    account: &Account,
    now: &Zoned,
) -> Result<Form, FormError> {
    let wished_lane = |written: String| lane(account, &written);
    Ok(Form {
        sender: sender(fields, reading, account)?,
        to: fields.destinations(reading)?,
        text: fields.text(&reading.names)?,
        deliver_at: deliver_at(fields, reading, now)?,
        lane: fields.line(&reading.names, Meaning::Lane)?.map(wished_lane).transpose()?,
        tell_url: match reading.callbacks {
            CallbackStyle::Signed => tell_url(fields.line(&reading.names, Meaning::CallbackUrl)?, account)?,
            CallbackStyle::Kannel => told_as_by_kannel(fields, reading, account),
        },
        partial: false,
        sender_is_wish: false,
        others: Vec::new(),
    })
}

fn sender(fields: &Fields, reading: &Reading, account: &Account) -> Result<Option<String>, FormError> {
    let sender = fields.line(&reading.names, Meaning::From);
    match (account.may_choose_sender, reading.unasked_sender) {
        (true, _) => Ok(sender?),
        (false, UnaskedSender::Ignored) => {
            if sender != Ok(None) {
                debug!(account = account.name, "its sender is not heeded: the account may not choose one");
            }
            Ok(None)
        }
        (false, UnaskedSender::Refused) => match sender? {
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
    let Some(written) = written else { return Ok(own_program(account)) };
    let url = allowed(&written, account).map_err(FormError::Wrong)?;
    Ok(Some(TellUrl { url: url.into(), account: account.name.clone(), style: TellStyle::Signed }))
}

/// The program that the account has for all its forms.
fn own_program(account: &Account) -> Option<TellUrl> {
    let url = account.program.as_ref()?.url.clone()?;
    Some(TellUrl { url, account: account.name.clone(), style: TellStyle::Signed })
}

/// The URL that a form names, if it may be called.
fn allowed(written: &str, account: &Account) -> Result<Url, String> {
    let url = target(written).map_err(|error| format!("`callback_url` cannot be called: {error}"))?;
    let hosts = account.program.iter().flat_map(|program| &program.hosts);
    if hosts.into_iter().any(|allowed| allowed.allows(&url)) {
        return Ok(url);
    }
    let (needed, name) = (AllowedHost::of(&url).to_string(), &account.name);
    Err(format!(
        "`{}` of `callback_url` is not one of the callback_hosts of account `{name}`; name a program that is, or \
         have the operator add this one",
        shown(&needed),
    ))
}

/// Where a client of Kannel is told, and of what. Whatever is wrong with that, the message is worth more: it is taken, and told of as
/// if the form had not asked, which is where the account says.
fn told_as_by_kannel(fields: &Fields, reading: &Reading, account: &Account) -> Option<TellUrl> {
    let asked = || -> Result<Option<TellUrl>, String> {
        let field = |meaning| fields.line(&reading.names, meaning).map_err(|error| error.to_string());
        let (Some(url), Some(mask)) = (field(Meaning::CallbackUrl)?, field(Meaning::CallbackMask)?) else {
            return Ok(None);
        };
        let mask = KannelMask::parse(&mask).ok_or_else(|| format!("`{}` is not a mask", shown(&mask)))?;
        if !mask.has_any() {
            return Ok(None);
        }
        // As it is written: what a URL makes of its percent signs are escapes no more.
        allowed(&url, account)?;
        Ok(Some(TellUrl { url, account: account.name.clone(), style: TellStyle::Kannel(mask) }))
    };
    match asked() {
        Ok(Some(to)) => Some(to),
        Ok(None) => own_program(account),
        Err(reason) => {
            info!(account = account.name, reason, "a form's callback is not heeded; the form is taken");
            own_program(account)
        }
    }
}
