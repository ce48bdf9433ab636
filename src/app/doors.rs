//! Joins the doors to what is behind them, and says when the relay is ready.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::gateway::SharedGate;
use crate::http::Submitter;
use crate::intake::{Form, Intake, Receipt, Refusal};
use crate::model::{Client, Envelope, MailAddress, ReversePath};
use crate::smtp::Receiver;
use crate::spool::SpoolError;

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
    gate: SharedGate,
    /// The last look, and when it was taken.
    looked: Mutex<Option<(Instant, Result<(), SpoolError>)>>,
}

impl FormDoor {
    pub(super) fn new(intake: Arc<Intake>, gate: SharedGate) -> Self {
        Self { intake, gate, looked: Mutex::default() }
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

    async fn ready(&self) -> Vec<String> {
        let spool = self.look().await.err().map(|error| format!("spool: {error}"));
        let gateway = self.gate.trouble().map(|trouble| format!("gateway: {trouble}"));
        spool.into_iter().chain(gateway).collect()
    }
}
