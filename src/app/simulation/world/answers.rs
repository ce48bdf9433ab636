//! What the platform says, and what the relay makes of it.

use super::super::platform::{self, theirs};
use super::super::steps::{Answer, Fate, Reply};
use super::super::{at, cause};
use super::{Asking, Flight, JITTER, World, dispatch_settings, place, tracking_settings};
use crate::dispatch::judge;
use crate::model::{
    About, Callback, Cause, Channel, EnhancedStatus, MessageId, PartStatus, SendOutcome, State,
    StatusOutcome, SubmissionId,
};
use crate::retry::Permission;
use crate::spool::{Again, Asked, Question, SpoolError, Step as Settled, Taken};
use crate::tracking;

impl World {
    pub(super) fn take(&mut self, n: usize, fate: Fate) {
        let flight = &mut self.calls[n];
        // What was refused with others is handed over anew only once it is its turn.
        if !flight.is_taken && !flight.was_refused {
            flight.is_taken = true;
            for handed in flight.handed().collect::<Vec<_>>() {
                self.platform.take(handed, fate);
            }
        }
    }

    /// What `Dispatch::send` does once the platform has answered.
    pub(super) async fn answer(&mut self, n: usize, answer: Answer, fate: Fate) {
        let mut flight = self.calls.remove(n);
        let is_closed = flight.was_refused && flight.line.permission(self.now) != Permission::Free;
        let outcome = if is_closed {
            SendOutcome::GatewayFault(flight.line.cause())
        } else {
            let outcome = self.outcome(&flight, answer, fate);
            let about = flight.messages[0].sms.id;
            let learnt = judge::answer(&outcome);
            flight.line.gate.borrow_mut().answered(about, learnt, at(self.now), JITTER);
            outcome
        };
        if matches!(outcome, SendOutcome::Refused(_)) {
            if flight.messages.len() > 1 {
                let rest = flight.messages.split_off(flight.messages.len() / 2);
                for messages in [flight.messages, rest] {
                    let (line, way) = (flight.line.clone(), flight.way.clone());
                    self.calls.push(Flight { line, way, messages, is_taken: false, was_refused: true });
                }
                return;
            }
            self.sms.get_mut(&flight.messages[0].sms.id).unwrap().is_refused = true;
        }
        let settings = dispatch_settings();
        let gateways: Vec<String> = self.lines.iter().map(|line| line.name.to_owned()).collect();
        for claimed in &flight.messages {
            let attempt = judge::Attempt {
                claimed,
                way: &flight.way,
                gateways: &gateways,
                last_callback: self.flow.last(flight.line.name),
            };
            let step = judge::after_send(outcome.clone(), &attempt, at(self.now), JITTER, &settings);
            let id = claimed.sms.id;
            let known = self.sms.get_mut(&id).unwrap().attempt(claimed.attempt);
            known.is_unknown = matches!(step, Settled::Unknown { .. });
            let told = if let Settled::Sent { platform_id, .. } = &step { platform_id.clone() } else { None };
            self.spool().settle(id, claimed.attempt, step, at(self.now)).await.unwrap();
            if let Some(theirs) = told {
                self.heard_before(id, &theirs);
            }
        }
    }

    /// What the platform does with a call, and what of it arrives.
    fn outcome(&mut self, flight: &Flight, answer: Answer, fate: Fate) -> SendOutcome {
        let is_taken = flight.is_taken;
        let answer = match answer {
            Answer::LostUntaken
            | Answer::LostLate
            | Answer::Later
            | Answer::Pause(_)
            | Answer::Refused
            | Answer::Fault
                if is_taken =>
            {
                Answer::Lost
            }
            Answer::Accepted
            | Answer::Lost
            | Answer::LostUntaken
            | Answer::LostLate
            | Answer::Lie
            | Answer::Later
            | Answer::Pause(_)
            | Answer::Refused
            | Answer::Fault => answer,
        };
        let takes = matches!(answer, Answer::Accepted | Answer::Lost | Answer::Lie) && !is_taken;
        for handed in flight.handed() {
            if takes {
                self.platform.take(handed.clone(), fate);
            }
            match answer {
                Answer::LostLate => self.platform.late.push(handed),
                Answer::Lie => {
                    self.sms.get_mut(&handed.id).unwrap().attempt(handed.attempt).is_lied_about = true;
                }
                Answer::Accepted
                | Answer::Lost
                | Answer::LostUntaken
                | Answer::Later
                | Answer::Pause(_)
                | Answer::Refused
                | Answer::Fault => {}
            }
        }
        match answer {
            Answer::Accepted => {
                let first = flight.handed().next().unwrap();
                let taken = self
                    .platform
                    .taken
                    .iter()
                    .rev()
                    .find(|taken| (taken.handed.id, taken.handed.attempt) == (first.id, first.attempt));
                let by_theirs = taken.is_some_and(|taken| taken.fate.theirs) && first.channel != Channel::Sms;
                let platform_id = by_theirs.then(|| theirs(first.id));
                SendOutcome::Accepted { parts: None, unicode: None, platform_id }
            }
            Answer::Lost | Answer::LostUntaken | Answer::LostLate => SendOutcome::Unknown(cause()),
            Answer::Lie | Answer::Later => SendOutcome::Later { until: None, cause: cause() },
            Answer::Pause(seconds) => {
                SendOutcome::Later { until: Some(at(self.now + seconds)), cause: cause() }
            }
            Answer::Refused => SendOutcome::Refused(Cause::new(EnhancedStatus::REFUSED_BY_NEXT_SYSTEM, "no")),
            Answer::Fault => SendOutcome::GatewayFault(cause()),
        }
    }

    pub(super) async fn reply(&mut self, n: usize, reply: Reply) {
        let Asking { line, asked, question, probe } = self.questions.remove(n);
        let now = self.now;
        let before = line.gate.borrow().paused_until(at(now));
        let is_busy = matches!(reply, Reply::Pause(_));
        let outcome = self.platform.status(line.name, question.id, question.channel, reply, now);
        match asked {
            Asked::Unknown => {
                let answer = self.decide_unknown(&question, line.name, outcome).await;
                let mut gate = line.gate.borrow_mut();
                if let Some(answer) = answer {
                    gate.answered(question.id, answer, at(now), JITTER);
                }
                if let Some(probe) = probe {
                    gate.probe_unused(probe);
                }
            }
            Asked::Sent => {
                if let StatusOutcome::CannotTell { until: Some(until), .. } = &outcome {
                    line.gate.borrow_mut().pause_questions(*until, at(now));
                }
                let step = tracking::judge::after_question(
                    outcome,
                    &question,
                    at(now),
                    JITTER,
                    &tracking_settings(),
                );
                self.settle_question(&question, step).await;
            }
        }
        let gate = line.gate.borrow();
        assert_eq!(gate.paused_until(at(now)), before, "who asks too much keeps nobody from sending");
        assert!(!is_busy || gate.questions_paused_until(at(now)).is_some());
    }

    /// Settles a message of unknown outcome by what its gateway says.
    pub(super) async fn decide_unknown(
        &mut self,
        question: &Question,
        gateway: &str,
        outcome: StatusOutcome,
    ) -> Option<crate::retry::Answer> {
        let is_denied = outcome == StatusOutcome::NotKnown;
        let (step, answer) =
            judge::after_question(outcome, question, at(self.now), JITTER, &dispatch_settings());
        let is_undecided = matches!(step, Settled::Retry { by: Again::Same, .. });
        if self.settle_question(question, step).await == Some(State::Due) {
            let known = self.sms.get_mut(&question.id).unwrap();
            known.attempt(question.attempt).is_undecided |= is_undecided;
            for attempt in &mut known.attempts {
                let is_of = (attempt.gateway.as_str(), attempt.channel) == (gateway, question.channel);
                attempt.is_denied |= is_denied && is_of;
            }
        }
        answer
    }

    /// `None` where the message had moved on.
    pub(super) async fn settle_question(&self, question: &Question, step: Settled) -> Option<State> {
        match self.spool().settle(question.id, question.attempt, step, at(self.now)).await {
            Ok(state) => Some(state),
            Err(SpoolError::Stale(_)) => None,
            Err(error) => panic!("{}: {error}", question.id),
        }
    }

    pub(super) async fn call_back(&mut self, (id, callback): &(MessageId, Callback)) {
        let taken = self.spool().take_callback(callback.clone(), at(self.now)).await.unwrap();
        let is_in_time = matches!(taken, Taken::New { .. });
        match taken {
            // Whose it is will be known when the answer tells its id.
            Taken::Early => {
                self.early.push((*id, callback.clone()));
                return;
            }
            Taken::Damaged => panic!("{id} is damaged"),
            Taken::UnknownId => {
                assert!(matches!(callback.about, About::Theirs(_)), "{id} is ours");
                return;
            }
            Taken::New { id: of, gateway, .. } => {
                assert_eq!(of, *id);
                if let Some(gateway) = gateway {
                    self.flow.came(&gateway, at(self.now));
                }
            }
            Taken::Late { id: of, .. } => assert_eq!(of, *id),
            Taken::Repeated => {}
        }
        self.sms.get_mut(id).unwrap().said(callback, is_in_time);
    }

    /// The answer told `theirs`, of which callbacks had spoken before it.
    fn heard_before(&mut self, id: MessageId, theirs: &str) {
        let is_its = |about: &About| matches!(about, About::Theirs(named) if named == theirs);
        let known = std::mem::take(&mut self.early);
        let (its, others): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|(_, callback)| is_its(&callback.about));
        self.early = others;
        for (_, callback) in its {
            self.sms.get_mut(&id).unwrap().said(&callback, true);
        }
    }

    pub(super) async fn guess(&mut self, n: usize, code: i64) {
        let untried: Vec<_> = self.sms.values().filter(|sms| sms.attempts.is_empty()).collect();
        let aim = place(n, untried.len()).map(|n| (untried[n].id, untried[n].state));
        let nobody = "01HF7YAT009999999999999999".parse::<SubmissionId>().unwrap().message(1);
        let callback = Callback {
            about: About::Ours(aim.map_or(nobody, |(id, _)| id)),
            channel: Channel::Sms,
            part: 1,
            parts: 1,
            status: PartStatus::of_code(code),
            description: String::new(),
            price: Some(platform::price(Channel::Rcs)),
            at: None,
        };
        let taken = self.spool().take_callback(callback, at(self.now)).await.unwrap();
        match aim {
            None => assert_eq!(taken, Taken::UnknownId),
            Some((id, before)) => {
                self.compare(&[]).await;
                assert_eq!(self.sms[&id].state, before, "{id}: who guesses moves nothing");
            }
        }
    }
}
