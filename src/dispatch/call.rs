//! One call: to the gateway, judged, written.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::JoinSet;

use super::desk::Hold;
use super::judge::{self, Attempt};
use super::{Dispatch, SPOOL_PAUSE, log};
use crate::crash_point;
use crate::gateway::{Line, Probe};
use crate::model::{MessageId, Reason, SendOutcome, Sms, State, Way};
use crate::retry::Permission;
use crate::spool::{Again, Call, Claimed, Question, SpoolError, Step};

impl Dispatch {
    /// Hands the messages of a call over and writes what came of it.
    pub(super) async fn send(self: Arc<Self>, line: Line, call: Call, hold: Hold, mut probe: Option<Probe>) {
        let Call { way, messages, gateway: _ } = call;
        let gateways = self.lines.all().iter().map(|line| line.gateway.name().to_owned()).collect::<Vec<_>>();
        let mut waiting = vec![messages];
        let mut refused_before = false;
        while let Some(messages) = waiting.pop() {
            let outcome = match refused_before.then(|| closed(&line)).flatten() {
                Some(outcome) => outcome,
                None => match self.hand_over(&line, &way, &messages).await {
                    Some(outcome) => outcome,
                    None => {
                        // If this was the probe, it proved nothing, and the next call may be one.
                        drop(probe.take());
                        let text = "only tried out, and a template cannot be simulated: not handed over";
                        let step = |_: &Claimed| judge::simulated(text);
                        self.settle_all(&line, messages, None, step).await;
                        continue;
                    }
                },
            };
            if matches!(outcome, SendOutcome::Refused(_)) && messages.len() > 1 {
                // Nothing of it was taken, and nobody says which message is the bad one: the others are not to
                // fail with it.
                refused_before = true;
                let mut first = messages;
                waiting.push(first.split_off(first.len() / 2));
                waiting.push(first);
                continue;
            }
            let now = Timestamp::now();
            let last_callback = self.flow.last(line.gateway.name());
            let several = messages.len() > 1;
            // One for all, so that what has to go again goes together again.
            let jitter = fastrand::f64();
            let step = |claimed: &Claimed| {
                let attempt = Attempt { claimed, way: &way, gateways: &gateways, last_callback };
                let outcome = if several { of_one(&outcome) } else { outcome.clone() };
                judge::after_send(outcome, &attempt, now, jitter, &self.settings)
            };
            self.settle_all(&line, messages, Some(&outcome), step).await;
        }
        drop(hold);
    }

    /// Calls the gateway, tells the gate and counts. `None` where there is nothing to call: a template that is
    /// only to be tried out.
    async fn hand_over(&self, line: &Line, way: &Way, messages: &[Claimed]) -> Option<SendOutcome> {
        let first = &messages.first()?.sms;
        let outcome = match way {
            Way::Template(_) if first.options.simulation => return None,
            Way::Sms => {
                crash_point::reach("before-send");
                line.gateway.send(first).await
            }
            Way::Legacy(legacy) => {
                crash_point::reach("before-send");
                let all: Vec<Sms> = messages.iter().map(|claimed| claimed.sms.clone()).collect();
                line.gateway.send_many(&all, *legacy).await
            }
            Way::Template(template) => {
                crash_point::reach("before-send");
                line.gateway.send_template(first, template).await
            }
        };
        crash_point::reach("after-send");
        let name = line.gateway.name();
        line.gate.answered(name, first.id, judge::answer(&outcome), Timestamp::now());
        self.traffic.count(name, &outcome);
        Some(outcome)
    }

    /// Writes what became of each message, all in one commit where the spool can.
    async fn settle_all(
        self: &Arc<Self>,
        line: &Line,
        messages: Vec<Claimed>,
        outcome: Option<&SendOutcome>,
        step: impl Fn(&Claimed) -> Step,
    ) {
        let several = messages.len() > 1;
        let mut writing = JoinSet::new();
        for claimed in messages {
            let step = step(&claimed);
            let counted = match outcome {
                Some(SendOutcome::Accepted { parts, unicode, .. }) if !several => Some((*parts, *unicode)),
                Some(_) | None => None,
            };
            let (worker, gateway) = (Arc::clone(self), line.gateway.name().to_owned());
            writing.spawn(async move {
                let id = claimed.sms.id;
                if worker.settle(id, claimed.attempt, &gateway, step).await.is_some()
                    && let Some((parts, unicode)) = counted
                {
                    worker.figures.compare(id, &claimed.sms.text, parts, unicode);
                }
            });
        }
        while writing.join_next().await.is_some() {}
    }

    /// Writes what became of a claimed message. It is claimed until this is written, so it is written however
    /// long the spool is unavailable; a process that ends before leaves it to the next start.
    async fn settle(&self, id: MessageId, attempt: u32, gateway: &str, step: Step) -> Option<State> {
        loop {
            match self.spool.settle(id, attempt, step.clone(), Timestamp::now()).await {
                Ok(state) => {
                    log::step(id, attempt, gateway, &step, state);
                    return Some(state);
                }
                Err(error @ SpoolError::Unavailable(_)) => {
                    tracing::error!(%id, %error, "the outcome is not written yet; trying again");
                    tokio::time::sleep(SPOOL_PAUSE).await;
                }
                Err(
                    error @ (SpoolError::Stale(_)
                    | SpoolError::StaleMail(_)
                    | SpoolError::Told(_)
                    | SpoolError::Unusable(_)),
                ) => {
                    tracing::error!(%id, %error, "the outcome cannot be written");
                    return None;
                }
            }
        }
    }

    /// Lets what was claimed for a gateway that is not there go again.
    pub(super) async fn give_back(self: Arc<Self>, call: Call) {
        let cause = Reason::GatewayFault.told("its gateway is not configured");
        for claimed in call.messages {
            let at = self.settings.backoff.next(Timestamp::now(), claimed.attempt, fastrand::f64());
            let step = Step::Retry { at, cause: cause.clone(), by: Again::InOrder };
            self.settle(claimed.sms.id, claimed.attempt, &call.gateway, step).await;
        }
    }

    /// Asks whether the platform has a message, and writes what follows.
    pub(super) async fn ask(
        self: Arc<Self>,
        line: Line,
        question: Question,
        hold: Hold,
        probe: Option<Probe>,
    ) {
        let id = question.id;
        let outcome = line.gateway.status(&id, question.channel).await;
        let now = Timestamp::now();
        let (step, answer) = judge::after_question(outcome, &question, now, fastrand::f64(), &self.settings);
        if let Some(answer) = answer {
            line.gate.answered(line.gateway.name(), id, answer, now);
        }
        // If this was the probe and proved nothing, the next call may be one.
        drop(probe);
        self.settle_question(&question, line.gateway.name(), step, now).await;
        drop(hold);
    }

    pub(super) async fn settle_question(
        &self,
        question: &Question,
        gateway: &str,
        step: Step,
        now: Timestamp,
    ) {
        let id = question.id;
        match self.spool.settle(id, question.attempt, step.clone(), now).await {
            Ok(state) => log::step(id, question.attempt, gateway, &step, state),
            // It was handed out for a while; the platform itself has spoken of it meanwhile.
            Err(SpoolError::Stale(_)) => tracing::debug!(%id, "it has moved on since it was asked about"),
            // It is handed out again when its time comes.
            Err(error) => tracing::error!(%id, %error, "what the platform knows is not written"),
        }
    }
}

/// An outcome in place of a call that may not be made any more; `None` while it may.
fn closed(line: &Line) -> Option<SendOutcome> {
    match line.gate.with(|gate| gate.permission(Timestamp::now())) {
        Permission::Free => None,
        Permission::Probe | Permission::AwaitProbe | Permission::NotBefore(_) => {
            Some(SendOutcome::GatewayFault(line.gate.cause()))
        }
    }
}

/// What an outcome of many says of each: the counts are those of the call.
fn of_one(outcome: &SendOutcome) -> SendOutcome {
    match outcome {
        SendOutcome::Accepted { .. } => {
            SendOutcome::Accepted { parts: None, unicode: None, platform_id: None }
        }
        SendOutcome::Refused(_)
        | SendOutcome::Later { .. }
        | SendOutcome::GatewayFault(_)
        | SendOutcome::Unknown(_) => outcome.clone(),
    }
}
