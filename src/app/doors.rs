//! Joins the doors to what is behind them, and says when the relay is ready.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use jiff::Timestamp;

use super::overrides::Overrides;
use crate::credit::Credit;
use crate::gateway::Lines;
use crate::http::{self, Callbacks, Lookup, Submitter};
use crate::intake::{Form, Intake, Once, Own, Receipt, Refusal, RefusalKind};
use crate::model::{
    Callback, Cause, Client, EnhancedStatus, Envelope, MailAddress, MessageId, ReversePath, Secret,
    SubmissionId, TellUrl,
};
use crate::smtp::Receiver;
use crate::spool::{RequestKey, Spool, SpoolError, SubmissionView, Taken};
use crate::telling::Signers;
use crate::vigil::{Speaker, Spoken, Unspoken, View, Vigil};

/// How long one look at the spool answers everybody's `/readyz`: each look is a sync of the disk, and
/// anybody may ask.
const LOOK_TIME: Duration = Duration::from_secs(1);

/// What the SMTP door asks.
pub(super) struct MailDoor(pub(super) Arc<Intake>);

#[async_trait]
impl Receiver for MailDoor {
    async fn sender(&self, client: &Client, reverse_path: &ReversePath) -> Result<(), Refusal> {
        self.0.check_sender(client, reverse_path)
    }

    async fn recipient(
        &self,
        client: &Client,
        reverse_path: &ReversePath,
        recipient: &MailAddress,
    ) -> Result<(), Refusal> {
        self.0.check_recipient(client, reverse_path, recipient).await
    }

    async fn mail(&self, client: &Client, envelope: Envelope, bytes: Vec<u8>) -> Result<String, Refusal> {
        Ok(self.0.submit_mail(client, envelope, bytes).await?.to_string())
    }
}

/// What the HTTP door asks.
pub(super) struct FormDoor {
    intake: Arc<Intake>,
    lines: Arc<Lines>,
    credit: Arc<Credit>,
    vigil: Arc<Vigil>,
    overrides: Arc<Overrides>,
    /// The last look, and when it was taken.
    looked: Mutex<Option<(Instant, Result<(), SpoolError>)>>,
}

impl FormDoor {
    pub(super) fn new(
        intake: Arc<Intake>,
        lines: Arc<Lines>,
        credit: Arc<Credit>,
        vigil: Arc<Vigil>,
        overrides: Arc<Overrides>,
    ) -> Self {
        Self { intake, lines, credit, vigil, overrides, looked: Mutex::default() }
    }

    /// Those who ask while a look is taken each take one, too; the spool commits them together.
    async fn look(&self) -> Result<(), SpoolError> {
        let known = self.looked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some((at, found)) if at.elapsed() < LOOK_TIME => found,
            Some(_) | None => {
                let found = self.intake.probe().await;
                *self.looked.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((Instant::now(), found.clone()));
                found
            }
        }
    }
}

#[async_trait]
impl Submitter for FormDoor {
    async fn submit(&self, client: &Client, form: Form) -> Result<Receipt, Refusal> {
        self.intake.submit_form(client, form).await
    }

    async fn submit_once(
        &self,
        client: &Client,
        form: Form,
        key: Option<RequestKey>,
    ) -> Result<Once, Refusal> {
        self.intake.submit_once(client, form, key).await
    }

    async fn ready(&self) -> Vec<String> {
        let spool = self.look().await.err().map(|error| format!("spool: {error}"));
        let lines = self.lines.all();
        let troubles = lines.iter().filter_map(|line| {
            line.gate.trouble().map(|trouble| format!("gateway {}: {trouble}", line.gateway.name()))
        });
        let own = self.overrides.trouble().into_iter().chain(self.credit.trouble());
        spool.into_iter().chain(troubles).chain(own).chain(self.vigil.trouble()).collect()
    }

    fn watched(&self) -> Arc<View> {
        self.vigil.view()
    }
}

/// What the HTTP door asks about forms that it took.
pub(super) struct FateDesk(pub(super) Arc<dyn Spool>);

#[async_trait]
impl Lookup for FateDesk {
    async fn look(&self, id: SubmissionId) -> Result<Option<SubmissionView>, SpoolError> {
        self.0.submission(id).await
    }

    async fn message_by_number(&self, number: i64) -> Result<Option<MessageId>, SpoolError> {
        self.0.message_by_number(number).await
    }

    async fn cancel(&self, id: MessageId, by: &Client) -> Result<bool, SpoolError> {
        let account = by.account.as_deref().unwrap_or_default();
        let cause = Cause::new(EnhancedStatus::POLICY, format!("cancelled by account {account}"));
        match self.0.cancel(id, cause, Timestamp::now()).await {
            Ok(()) => Ok(true),
            Err(SpoolError::Stale(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Takes what the platform says of its own accord.
pub(super) struct CallbackDesk(pub(super) crate::tracking::Callbacks);

#[async_trait]
impl Callbacks for CallbackDesk {
    async fn take(&self, callback: Callback) -> Result<Taken, SpoolError> {
        self.0.take(callback, Timestamp::now()).await
    }
}

/// The secrets by which programs know us, as the accounts have them now.
pub(super) struct AccountSecrets(pub(super) Arc<ArcSwap<Vec<http::Account>>>);

impl Signers for AccountSecrets {
    fn secret(&self, to: &TellUrl) -> Option<Secret> {
        let accounts = self.0.load();
        let account = accounts.iter().find(|account| account.name == to.account)?;
        account.program.as_ref().map(|program| program.secret.clone())
    }
}

/// What the relay itself has to say goes in by it.
pub(super) struct OwnDoor(pub(super) Arc<Intake>);

#[async_trait]
impl Speaker for OwnDoor {
    async fn speak(&self, spoken: Spoken, now: Timestamp) -> Result<SubmissionId, Unspoken> {
        let Spoken { listener, to, text, lane, is_reported, mails, notes } = spoken;
        let own = Own { listener, to, text, lane, is_reported, mails, notes };
        self.0.submit_own(own, now).await.map_err(|refusal| match refusal.kind {
            RefusalKind::StorageUnavailable
            | RefusalKind::TooFast { .. }
            | RefusalKind::QuotaSpent { .. } => Unspoken::Later(refusal.text),
            RefusalKind::UnknownRecipient
            | RefusalKind::DomainNotOurs
            | RefusalKind::NotAllowed
            | RefusalKind::NothingToSend
            | RefusalKind::Loop
            | RefusalKind::TooMany
            | RefusalKind::TooFarAhead => Unspoken::Refused(refusal.text),
        })
    }
}
