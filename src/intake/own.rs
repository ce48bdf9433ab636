//! What the relay itself has to say: a test, or word of somebody who is silent.

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;

use super::refusal::{Refusal, RefusalKind};
use super::{Form, Intake, form};
use crate::model::{Client, Door, Fate, Lane, Message, OutgoingMail, ReportTo, Submission, SubmissionId};

/// An SMS of the relay's own. It goes by the rules like a form from this machine without an account.
pub struct Own {
    /// What rules know as its listener.
    pub listener: String,
    /// Destinations: numbers, aliases or rotas. One that cannot be reached is left out.
    pub to: Vec<String>,
    /// The text.
    pub text: String,
    /// How urgent it is where no rule says.
    pub lane: Lane,
    /// Whether failures are reported to the operator, as those of a form are; not where somebody else tells of them.
    pub is_reported: bool,
    /// Mail that is filed in the same commit.
    pub mails: Vec<OutgoingMail>,
    /// What is noted in the same commit, once its id is known.
    pub notes: Box<dyn FnOnce(SubmissionId) -> Vec<(String, String)> + Send>,
}

impl Intake {
    /// Takes an SMS of the relay's own. It neither folds nor waits for a limit, but counts; a budget holds it as it does
    /// others of its lane.
    ///
    /// # Errors
    /// A [`Refusal`], also where no phone would get any of it; nothing is kept then, neither mail nor notes.
    pub async fn submit_own(&self, own: Own, now: Timestamp) -> Result<SubmissionId, Refusal> {
        let Own { listener, to, text, lane, is_reported, mails, notes } = own;
        let client = Client {
            door: Door::Relay,
            listener,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            helo: None,
            account: None,
        };
        let form = Form { to, text, lane: Some(lane), partial: true, ..Form::default() };
        let routing = self.routing.load_full();
        let (mut submission, draft) =
            form::prepare(&routing, &self.settings, &client, &form, now, None)?.split();
        drop(draft);
        if let Some(text) = in_vain(&submission) {
            return Err(Refusal { kind: RefusalKind::NotAllowed, text });
        }
        if !is_reported {
            submission.report_to = ReportTo::Nobody("the relay itself sees what becomes of it".to_owned());
        }
        for message in &mut submission.messages {
            message.passage.is_exempt = true;
        }
        let id = submission.id;
        submission.forwards = mails;
        submission.remembered.notes = notes(id);
        self.accept(submission, &routing, None).await?;
        Ok(id)
    }
}

/// Why no phone would get any of it, by what the rules decided; `None` where one does. A dry run simulates everything, and
/// that is as it should be.
fn in_vain(submission: &Submission) -> Option<String> {
    let is_sent = |message: &Message| {
        matches!(message.fate, Fate::Due | Fate::Held { .. }) && !message.sms.options.simulation
    };
    if submission.messages.iter().any(is_sent) {
        return None;
    }
    let why = |message: &Message| match message.fate.cause() {
        Some(cause) => format!("the rule `{}` lets nothing of it be sent: {}", message.rule, cause.text),
        None => format!("the rule `{}` only simulates it", message.rule),
    };
    Some(submission.messages.first().map_or_else(|| "it is for nobody".to_owned(), why))
}
