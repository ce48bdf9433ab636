//! A gateway whose settings can change while it is in use.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;

use super::Gateway;
use super::universal::Universal;
use crate::model::{MessageId, SendOutcome, Sms, StatusOutcome};

/// Calls go to the gateway that was set last; calls under way end on the one they began with.
pub struct Swappable {
    name: String,
    current: ArcSwap<Universal>,
}

impl Swappable {
    /// Begins with `gateway`, whose name it keeps.
    pub fn new(gateway: Universal) -> Self {
        Self { name: gateway.name().to_owned(), current: ArcSwap::from_pointee(gateway) }
    }

    /// Puts `gateway` in the place of the one before.
    pub fn swap(&self, gateway: Universal) {
        self.current.store(Arc::new(gateway));
    }
}

#[async_trait]
impl Gateway for Swappable {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, sms: &Sms) -> SendOutcome {
        self.current.load_full().send(sms).await
    }

    async fn status(&self, id: &MessageId) -> StatusOutcome {
        self.current.load_full().status(id).await
    }
}
