//! A gateway for tests: says what it is told to say, and notes what it is asked.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Semaphore, watch};

use super::Gateway;
use crate::model::{
    Channel, CreditOutcome, DeliveryStatus, Legacy, MessageId, SendOutcome, Sms, StatusOutcome, Template,
};

/// What it was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// One SMS, and whether as a simulation.
    Sms(MessageId, bool),
    /// Several in one call.
    Many(Vec<MessageId>),
    /// A template.
    Template(MessageId, Channel),
    /// A question.
    Asked(MessageId, Channel),
}

/// The gateway. What is not scripted is accepted, and known as on its way.
pub(crate) struct Fake {
    name: String,
    sends: Mutex<VecDeque<SendOutcome>>,
    statuses: Mutex<VecDeque<StatusOutcome>>,
    seen: watch::Sender<Vec<Seen>>,
    doors: Semaphore,
}

impl Fake {
    /// One that answers at once.
    pub(crate) fn new(name: &str) -> Self {
        let fake = Self::holding(name);
        fake.let_go(Semaphore::MAX_PERMITS);
        fake
    }

    /// One whose calls and questions wait until they are let go.
    pub(crate) fn holding(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            sends: Mutex::default(),
            statuses: Mutex::default(),
            seen: watch::Sender::new(Vec::new()),
            doors: Semaphore::new(0),
        }
    }

    /// Lets so many calls end.
    pub(crate) fn let_go(&self, calls: usize) {
        self.doors.add_permits(calls);
    }

    /// What it says to the next calls that send.
    pub(crate) fn will_say(&self, outcomes: impl IntoIterator<Item = SendOutcome>) {
        self.sends.lock().unwrap_or_else(PoisonError::into_inner).extend(outcomes);
    }

    /// What it says to the next questions.
    pub(crate) fn will_tell(&self, outcomes: impl IntoIterator<Item = StatusOutcome>) {
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner).extend(outcomes);
    }

    /// What it was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    /// Waits until it was asked so often; fails after a while.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Seen> {
        let mut seen = self.seen.subscribe();
        let waited = tokio::time::timeout(Duration::from_secs(20), seen.wait_for(|seen| seen.len() >= count));
        match waited.await {
            Ok(Ok(seen)) => seen.clone(),
            _ => panic!("{} was asked {:?} only", self.name, self.seen()),
        }
    }

    async fn note(&self, seen: Seen) {
        self.seen.send_modify(|all| all.push(seen));
        if let Ok(permit) = self.doors.acquire().await {
            permit.forget();
        }
    }

    fn send_outcome(&self) -> SendOutcome {
        let scripted = self.sends.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        scripted.unwrap_or(SendOutcome::Accepted { parts: None, unicode: None, platform_id: None })
    }
}

#[async_trait]
impl Gateway for Fake {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, sms: &Sms) -> SendOutcome {
        self.note(Seen::Sms(sms.id, sms.options.simulation)).await;
        self.send_outcome()
    }

    async fn send_many(&self, sms: &[Sms], _legacy: Legacy) -> SendOutcome {
        self.note(Seen::Many(sms.iter().map(|sms| sms.id).collect())).await;
        self.send_outcome()
    }

    async fn send_template(&self, sms: &Sms, template: &Template) -> SendOutcome {
        self.note(Seen::Template(sms.id, template.channel)).await;
        self.send_outcome()
    }

    async fn status(&self, id: &MessageId, channel: Channel) -> StatusOutcome {
        self.note(Seen::Asked(*id, channel)).await;
        let scripted = self.statuses.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        scripted.unwrap_or(StatusOutcome::Known(DeliveryStatus::Sent))
    }

    async fn credit(&self) -> CreditOutcome {
        unreachable!("nobody asks {} for its credit here", self.name)
    }
}
