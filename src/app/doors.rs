//! Joins the doors to what is behind them, and says when the relay is ready.

use std::sync::Arc;

use async_trait::async_trait;

use crate::dispatch::SharedGate;
use crate::http::Submitter;
use crate::intake::{Form, Intake, Receipt, Refusal};
use crate::model::{Client, Envelope, MailAddress, ReversePath};
use crate::smtp::Receiver;

/// What the SMTP door asks.
pub(super) struct MailDoor(pub(super) Arc<Intake>);

#[async_trait]
impl Receiver for MailDoor {
    async fn recipient(
        &self,
        client: &Client,
        reverse_path: &ReversePath,
        recipient: &MailAddress,
    ) -> Result<(), Refusal> {
        self.0.check_recipient(client, reverse_path, recipient)
    }

    async fn mail(&self, client: &Client, envelope: Envelope, bytes: Vec<u8>) -> Result<String, Refusal> {
        Ok(self.0.submit_mail(client, envelope, bytes).await?.to_string())
    }
}

/// What the HTTP door asks.
pub(super) struct FormDoor {
    pub(super) intake: Arc<Intake>,
    pub(super) gate: SharedGate,
}

#[async_trait]
impl Submitter for FormDoor {
    async fn submit(&self, client: &Client, form: Form) -> Result<Receipt, Refusal> {
        self.intake.submit_form(client, form).await
    }

    async fn ready(&self) -> Vec<String> {
        let spool = self.intake.probe().await.err().map(|error| format!("spool: {error}"));
        let gateway = self.gate.trouble().map(|trouble| format!("gateway: {trouble}"));
        spool.into_iter().chain(gateway).collect()
    }
}
