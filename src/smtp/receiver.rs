//! What the SMTP door asks of whoever takes the mail.

use async_trait::async_trait;

use crate::intake::Refusal;
use crate::model::{Client, Envelope, MailAddress, ReversePath};

/// Takes mail from the SMTP door.
///
/// The door waits for each answer however long it takes: an implementation bounds its own waits.
/// A future that is dropped (the daemon's drain ended) counts as not answered.
#[async_trait]
pub trait Receiver: Send + Sync + 'static {
    /// Asked at each `MAIL`: may this client send under this reverse path, and now?
    ///
    /// # Errors
    /// The [`Refusal`] becomes the reply, and no mail has begun.
    async fn sender(&self, client: &Client, reverse_path: &ReversePath) -> Result<(), Refusal> {
        let _ = (client, reverse_path);
        Ok(())
    }

    /// Asked at each `RCPT`: could this recipient take a mail from this client and sender? A
    /// `<Postmaster>` without domain is asked as `postmaster` at our host name.
    ///
    /// # Errors
    /// The [`Refusal`] becomes the reply, and the mail goes on without this recipient.
    async fn recipient(
        &self,
        client: &Client,
        reverse_path: &ReversePath,
        recipient: &MailAddress,
    ) -> Result<(), Refusal>;

    /// Takes a mail after its final dot: `bytes` without dot-stuffing, as they came otherwise. The
    /// envelope has at least one recipient. When this returns an id, the mail is on stable storage
    /// (R9); the client reads the id in `250 2.0.0 queued as ID`.
    ///
    /// # Errors
    /// The [`Refusal`] becomes the reply and nothing was kept.
    async fn mail(&self, client: &Client, envelope: Envelope, bytes: Vec<u8>) -> Result<String, Refusal>;
}
