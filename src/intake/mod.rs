//! The only way in: a mail or a form post becomes SMS in the spool, or a refusal that says why.
//!
//! It promises that `Ok` comes after the commit and an `Err` leaves nothing behind; that every
//! recipient that was accepted has a row of its own, also one that a rule dropped or refused; and
//! that a submission is decided by one set of rules from its first octet to its last, whatever is
//! reloaded meanwhile; and that no account gets more than it may have.

mod charges;
mod decide;
mod delivering;
mod escalating;
mod explain;
mod figures;
mod form;
mod heard;
mod mail;
mod notes;
mod once;
mod own;
mod passage;
mod quota;
mod refusal;
mod repeated;
mod report_to;
mod trace;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use crate::model::{
    Client, Envelope, Fate, HoldReason, Lane, MailAddress, Message, MessageId, PhoneNumber, ReportTo,
    ReversePath, Submission, SubmissionId, TellUrl,
};
use crate::routing::{Origin, Routing};
use crate::spool::{Accepted, RequestKey, Spool, SpoolError};

pub use delivering::ExplainedDelivery;
pub use escalating::ExplainedEscalation;
pub use explain::{
    ExplainedFate, ExplainedPhone, ExplainedRecipient, ExplainedSms, Explanation, Incoming, explain,
};
pub use figures::Figures;
pub use heard::{Listened, ListenedNetwork};
use once::UnderWay;
pub use once::{Answer, AnswerSms, Once};
pub use own::Own;
pub use passage::{Exempt, ExplainedStorm};
use quota::{Quota, Reservation};
pub use refusal::{Refusal, RefusalKind};

/// Most SMS of one submission: recipients times the numbers behind their aliases.
const MAX_MESSAGES: usize = 1000;
/// What has more octets, once for each phone that gets it, is taken apart away from the threads that serve
/// connections: every phone's rules and template look through it.
const LARGE: usize = 64 * 1024;

/// What intake is told by the configuration, beside the routing.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our name in `Received:`.
    pub hostname: String,
    /// Who is told about failures.
    pub reports: Reports,
    /// Mail for `postmaster` goes here; it is refused where there is none.
    pub operator: Option<MailAddress>,
    /// `Received:` fields after which a mail goes in circles (RFC 5321 section 6.3).
    pub max_received: usize,
    /// The whole mail is kept for a report with `RET=FULL` up to this many octets.
    pub full_original_octets: usize,
    /// How long after its time a sender is told that an SMS is late; `None` is never.
    pub delayed_after: Option<Duration>,
    /// Whether every SMS is only to be checked by the platform and none sent, also after a restart (`--dry-run`).
    pub simulate_all: bool,
}

/// Who is told about failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reports {
    /// The mail's sender; the operator where there is none to tell.
    Sender,
    /// Always the operator.
    Operator,
    /// Nobody: there is no smarthost.
    Off,
}

/// What an HTTP client asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Destinations as written: numbers or aliases, already separated.
    pub to: Vec<String>,
    /// The text.
    pub text: String,
    /// The sender, where the client may choose.
    pub sender: Option<String>,
    /// When it is to be sent, where the client may choose; wins over the rule's time.
    pub deliver_at: Option<Timestamp>,
    /// How urgent it is, where the client may choose and no rule fixes it.
    pub lane: Option<Lane>,
    /// Where a program is told how each SMS ended.
    pub tell_url: Option<TellUrl>,
    /// Whether a destination that is unknown, not allowed or refused by a rule is left out, and told of in the
    /// [`Receipt`], while the others are taken. Otherwise one that is unknown or not allowed refuses the form.
    pub partial: bool,
    /// Whether a sender that the account may not choose is left out, and the text goes without. Otherwise it refuses the
    /// form.
    pub sender_is_wish: bool,
    /// Further texts with destinations of their own. All are taken with the first one, in one transaction, or none is.
    pub others: Vec<FormText>,
}

/// A further text of a form. What is not here is as of the first one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormText {
    /// As [`Form::to`].
    pub to: Vec<String>,
    /// As [`Form::text`].
    pub text: String,
    /// As [`Form::sender`].
    pub sender: Option<String>,
    /// As [`Form::deliver_at`].
    pub deliver_at: Option<Timestamp>,
    /// As [`Form::lane`].
    pub lane: Option<Lane>,
}

/// What was accepted: on disk when this is returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The submission's id.
    pub id: SubmissionId,
    /// Its SMS that will be sent, each once, in order.
    pub messages: Vec<AcceptedSms>,
    /// Its destinations, as the form has them, those of its first text first.
    pub recipients: Vec<ReceivedRecipient>,
}

/// An SMS that will be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedSms {
    /// Its id.
    pub id: MessageId,
    /// Its number in the spool; see [`Spool::accept`].
    pub number: i64,
    /// Whom it goes to.
    pub destination: PhoneNumber,
    /// In how many parts.
    pub parts: u32,
}

/// What became of one destination of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedRecipient {
    /// The destination as written.
    pub to: String,
    /// The SMS that are sent for it, in order: none where a rule dropped them, and those of an earlier or later
    /// destination where they bring the same words to the same phone. Or why all of its phones were refused:
    /// nothing is kept of it then where the form is [`partial`](Form::partial), and otherwise rows that are
    /// reported as failures.
    pub outcome: Result<Vec<AcceptedSms>, Refusal>,
}

/// The only way in.
pub struct Intake {
    routing: Arc<ArcSwap<Routing>>,
    spool: Arc<dyn Spool>,
    settings: Arc<Settings>,
    quota: Quota,
    under_way: UnderWay,
    listened: ArcSwap<Listened>,
    figures: Figures,
    clock: Clock,
}

/// Tells what time it is. What an account may send in a minute is counted by the machine's own clock.
type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

impl Intake {
    /// An intake into `spool` by the rules that `routing` holds at the time.
    pub fn new(routing: Arc<ArcSwap<Routing>>, spool: Arc<dyn Spool>, settings: Settings) -> Self {
        Self::with_clock(routing, spool, settings, Box::new(Timestamp::now))
    }

    /// The same by another clock.
    pub(crate) fn with_clock(
        routing: Arc<ArcSwap<Routing>>,
        spool: Arc<dyn Spool>,
        settings: Settings,
        clock: Clock,
    ) -> Self {
        let quota = Quota::new(Arc::clone(&spool));
        let (settings, under_way, figures) = (Arc::new(settings), UnderWay::default(), Figures::default());
        Self { routing, spool, settings, quota, under_way, listened: ArcSwap::default(), figures, clock }
    }

    /// From now on it is remembered of these when they were heard of; of nobody before the first call.
    pub fn listen(&self, listened: Listened) {
        self.listened.store(Arc::new(listened));
    }

    /// What it counts.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Whether a mail may begin: its client's account may send under this reverse path, and not too
    /// many mails a minute. It is not counted yet; `submit_mail` counts.
    ///
    /// # Errors
    /// A [`Refusal`] for the reply to `MAIL`.
    pub fn check_sender(&self, client: &Client, reverse_path: &ReversePath) -> Result<(), Refusal> {
        let routing = self.routing.load();
        routing.check_sender(&Origin { client, envelope_sender: Some(reverse_path) })?;
        self.check_rate(&routing, client)
    }

    fn check_rate(&self, routing: &Routing, client: &Client) -> Result<(), Refusal> {
        let Some(account) = &client.account else { return Ok(()) };
        self.quota.check_rate(account, routing.allowance(Some(account)))
    }

    /// Whether a recipient may be named: ours, a number or an alias, allowed to everybody and to the
    /// client's account, not refused by every rule that could match it; and the account has parts left
    /// today.
    ///
    /// # Errors
    /// A [`Refusal`] for the reply to `RCPT`.
    pub async fn check_recipient(
        &self,
        client: &Client,
        reverse_path: &ReversePath,
        recipient: &MailAddress,
    ) -> Result<(), Refusal> {
        let (routing, now) = (self.routing.load_full(), (self.clock)());
        mail::check_recipient(&routing, &self.settings, client, reverse_path, recipient, now)?;
        if self.settings.is_postmaster(&routing, recipient) {
            return Ok(());
        }
        match &client.account {
            Some(account) => {
                let allowance = routing.allowance(Some(account));
                self.quota.check_parts(account, allowance, now).await
            }
            None => Ok(()),
        }
    }

    /// Takes a mail. `bytes` is the whole of it, dots unstuffed.
    ///
    /// # Errors
    /// A [`Refusal`] for the reply to the final dot; nothing is kept then.
    pub async fn submit_mail(
        &self,
        client: &Client,
        envelope: Envelope,
        bytes: Vec<u8>,
    ) -> Result<SubmissionId, Refusal> {
        let now = (self.clock)();
        let routing = self.routing.load_full();
        self.check_rate(&routing, client)?;
        let rules = Arc::clone(&routing);
        let settings = Arc::clone(&self.settings);
        let submission = if is_large(
            bytes.len(),
            envelope.recipients.iter().map(|to| mail::phones(&routing, &to.address, now)),
        ) {
            let client = client.clone();
            tokio::task::spawn_blocking(move || {
                mail::prepare(&rules, &settings, &client, &envelope, &bytes, now, None)
            })
            .await
            .map_err(|error| Refusal::temporary(format!("the mail could not be taken apart: {error}")))?
        } else {
            mail::prepare(&routing, &settings, client, &envelope, &bytes, now, None)
        }?;
        let id = submission.id;
        self.accept(submission, &routing, None).await?;
        Ok(id)
    }

    /// Takes a form post.
    ///
    /// # Errors
    /// A [`Refusal`] for the answer; nothing is kept then.
    pub async fn submit_form(&self, client: &Client, form: Form) -> Result<Receipt, Refusal> {
        let routing = self.routing.load_full();
        let (submission, draft) = self.prepare_form(&routing, client, form).await?.split();
        let numbers = self.accept(submission, &routing, None).await?.numbers();
        Ok(draft.receipt(&numbers))
    }

    /// Takes a form post, once where it has a `key`: one that comes again is answered as it was. A refusal is not
    /// kept: what was refused is decided anew.
    ///
    /// # Errors
    /// A [`Refusal`] for the answer; nothing is kept then.
    pub async fn submit_once(
        &self,
        client: &Client,
        form: Form,
        key: Option<RequestKey>,
    ) -> Result<Once, Refusal> {
        let _turn = match &key {
            Some(key) => Some(self.under_way.turn(key).await),
            None => None,
        };
        // Before anything that may be otherwise today: rules, rates, the parts that it used up itself.
        if let Some(key) = &key
            && let Some(before) = self.spool.accepted_before(key.clone(), (self.clock)()).await?
        {
            return Once::of_before(before);
        }
        let routing = self.routing.load_full();
        let submission = self.prepare_form(&routing, client, form).await?.submission;
        let answer = Answer::of(&submission);
        let once = key.map(|key| Ok::<_, Refusal>((key, answer.to_json()?))).transpose()?;
        match self.accept(submission, &routing, once).await? {
            Accepted::New(_) => Ok(Once::Taken(answer)),
            Accepted::Before(before) => Once::of_before(before),
        }
    }

    async fn prepare_form(
        &self,
        routing: &Arc<Routing>,
        client: &Client,
        form: Form,
    ) -> Result<form::Prepared, Refusal> {
        let now = (self.clock)();
        self.check_rate(routing, client)?;
        let phones = |to: &String| routing.resolve_written(to, now).map_or(0, |numbers| numbers.len());
        let work = form.texts().map(|one| work(one.text.len(), one.to.iter().map(phones)));
        if work.fold(0, usize::saturating_add) > LARGE {
            let (rules, settings, client) = (Arc::clone(routing), Arc::clone(&self.settings), client.clone());
            tokio::task::spawn_blocking(move || form::prepare(&rules, &settings, &client, &form, now, None))
                .await
                .map_err(|error| Refusal::temporary(format!("the form could not be read: {error}")))?
        } else {
            form::prepare(routing, &self.settings, client, &form, now, None)
        }
    }

    /// Keeps it; `once` is its key, and what is told where that comes again.
    async fn accept(
        &self,
        mut submission: Submission,
        routing: &Routing,
        once: Option<(RequestKey, String)>,
    ) -> Result<Accepted, Refusal> {
        if self.settings.simulate_all {
            submission.messages.iter_mut().for_each(|message| message.sms.options.simulation = true);
        }
        charges::charge(routing, &mut submission);
        submission.remembered.heard = self.listened.load().heard(&submission);
        let (id, report_to) = (submission.id, submission.report_to.clone());
        let reservation = match &submission.client.account {
            Some(account) => {
                // What is held goes out unless somebody stops it: an escalation counts as if it did.
                let sent = submission.messages.iter().filter(|message| is_live(message));
                let parts = sent.map(|message| u64::from(message.sms.text.parts)).sum();
                let allowance = routing.allowance(Some(account));
                Some(self.quota.reserve(account, allowance, parts, submission.received_at).await?)
            }
            None => None,
        };
        let dropped = Figures::dropped(&submission);
        let accepted = match once {
            Some((key, answer)) => self.spool.accept_once(submission, key, answer).await,
            None => self.spool.accept(submission).await.map(Accepted::New),
        };
        if !matches!(accepted, Ok(Accepted::New(_))) {
            reservation.into_iter().for_each(Reservation::give_back);
        }
        let accepted = accepted?;
        if matches!(accepted, Accepted::New(_)) {
            self.figures.accepted(dropped);
        }
        if let ReportTo::Nobody(reason) = report_to {
            tracing::debug!(%id, reason, "nobody would be told of a failure");
        }
        Ok(accepted)
    }

    /// Whether the spool can take a message now.
    ///
    /// # Errors
    /// The spool's own sentence.
    pub async fn probe(&self) -> Result<(), SpoolError> {
        self.spool.probe().await
    }
}

/// Whether it is sent, now or later, unless something comes in between.
fn is_live(message: &Message) -> bool {
    match message.fate {
        Fate::Due | Fate::Held { .. } => true,
        Fate::Refused(_) | Fate::Dropped(_) | Fate::SameAs(_) => false,
    }
}

/// Whether it takes the place of others.
fn is_escalation(message: &Message) -> bool {
    matches!(message.fate, Fate::Held { reason: HoldReason::Escalation, .. })
}

/// Whether it is better taken apart elsewhere; a mail for nobody is still read once.
fn is_large(octets: usize, phones: impl Iterator<Item = usize>) -> bool {
    work(octets, phones) > LARGE
}

/// Octets that are looked through for all the phones.
fn work(octets: usize, phones: impl Iterator<Item = usize>) -> usize {
    octets.saturating_mul(phones.fold(0, usize::saturating_add).max(1))
}

impl Settings {
    /// Whether a recipient is the postmaster (RFC 5321 section 4.5.1) of a domain of ours.
    fn is_postmaster(&self, routing: &Routing, recipient: &MailAddress) -> bool {
        let domain = recipient.domain();
        recipient.local().eq_ignore_ascii_case("postmaster")
            && (domain.eq_ignore_ascii_case(&self.hostname) || routing.serves(domain))
    }

    fn operator_for(&self, recipient: &MailAddress) -> Result<&MailAddress, Refusal> {
        self.operator.as_ref().filter(|_| self.reports != Reports::Off).ok_or_else(|| Refusal {
            kind: RefusalKind::UnknownRecipient,
            text: format!("<{recipient}> has nobody behind it: no operator address is configured"),
        })
    }
}
