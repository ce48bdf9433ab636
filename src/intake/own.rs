//! What the relay itself has to say: a test, or word of somebody who is silent.

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;

use super::refusal::Refusal;
use super::{Form, Intake, form};
use crate::model::{Client, Door, Lane, OutgoingMail, ReportTo, SubmissionId};

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
    /// Takes an SMS of the relay's own. It neither folds nor waits for a limit, but counts; a budget's second ceiling
    /// holds it.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing is kept then, neither mail nor notes.
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
