//! The loop: claim, call, settle.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tracing::{error, info, warn};

use super::client::Call;
use super::judge::{busy_until, failed, judge, waits};
use super::turns::Turns;
use super::{Teller, kannel, message, target};
use crate::model::{KannelEvent, TellStyle};
use crate::spool::{Queue, SpoolError, TellStep, Telling};

/// Longest sleep of the loop, so that a step of the clock delays nobody for long.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Shortest sleep of the loop.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);
/// Pause before a spool that failed is asked again.
const FAULT_PAUSE: Duration = Duration::from_secs(1);

/// The calls under way, with their hosts.
#[derive(Default)]
struct UnderWay {
    calls: JoinSet<()>,
    hosts: HashMap<Id, String>,
}

impl UnderWay {
    fn note_end(&mut self, ended: Result<(Id, ()), JoinError>, turns: &mut Turns) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(fault) => {
                error!(error = %fault, "telling a program broke off; it is told after the next start");
                fault.id()
            }
        };
        if let Some(host) = self.hosts.remove(&id) {
            turns.ended(&host);
        }
    }
}

impl Teller {
    /// Works until `shutdown` is true or its sender is gone; then finishes the calls under way, each within its
    /// total time, and returns.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let signals = self.spool.signals();
        let teller = Arc::new(self);
        let mut turns = Turns::new(teller.settings.concurrency, teller.settings.per_host);
        let mut under_way = UnderWay::default();
        while !*shutdown.borrow() {
            // Listening begins before looking, so that nothing falls between the two.
            let news = signals.tellings.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            // All that have ended make room, so that those that wait are claimed in one commit.
            while let Some(ended) = under_way.calls.try_join_next_with_id() {
                under_way.note_end(ended, &mut turns);
            }
            let (wait, listen) = match teller.claim(&mut turns, &shutdown).await {
                Ok(wait) => (wait, turns.room() > 0),
                Err(fault) => {
                    warn!(error = %fault, "the queue of programs to tell cannot be read now; trying again");
                    (FAULT_PAUSE, false)
                }
            };
            while let Some((host, telling)) = turns.next() {
                let call = Arc::clone(&teller).tell(telling, shutdown.clone());
                let id = under_way.calls.spawn(call).id();
                under_way.hosts.insert(id, host);
            }
            tokio::select! {
                biased;
                () = stopped(&mut shutdown) => break,
                Some(ended) = under_way.calls.join_next_with_id() => under_way.note_end(ended, &mut turns),
                () = news, if listen => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        let at = Timestamp::now();
        let step = TellStep::NotCalled { at, cause: waits("the relay stopped before it could call") };
        teller.put_back(turns.take_waiting(), |_| step.clone(), &shutdown).await;
        while under_way.calls.join_next().await.is_some() {}
    }

    /// Claims what is due, as far as there is room; returns how long to wait for the next.
    async fn claim(
        self: &Arc<Self>,
        turns: &mut Turns,
        shutdown: &watch::Receiver<bool>,
    ) -> Result<Duration, SpoolError> {
        let room = turns.room();
        if room == 0 {
            return Ok(LONGEST_WAIT);
        }
        let now = Timestamp::now();
        let claimed = self.spool.claim_tellings(now, room).await?;
        let is_more = claimed.len() == room;
        let mut busy = Vec::new();
        for telling in claimed {
            // One that cannot be called is told so by its call.
            let host = target(&telling.to.url)
                .map_or_else(|_| String::new(), |url| url.host_str().unwrap_or_default().to_owned());
            busy.extend(turns.put(host, telling));
        }
        let later = |telling: &Telling| TellStep::NotCalled {
            at: busy_until(telling, now, fastrand::f64()),
            cause: waits("enough other calls to this host wait already"),
        };
        self.put_back(busy, later, shutdown).await;
        if is_more {
            return Ok(SHORTEST_WAIT);
        }
        let next = self.spool.next_due(Queue::Tellings).await?;
        let wait = next.map_or(LONGEST_WAIT, |at| {
            let span = Timestamp::now().until(at);
            span.map_or(LONGEST_WAIT, |span| span.try_into().unwrap_or_default())
        });
        Ok(wait.clamp(SHORTEST_WAIT, LONGEST_WAIT))
    }

    /// Gives calls back that are not made now, together, so that they share a commit.
    async fn put_back(
        self: &Arc<Self>,
        tellings: Vec<Telling>,
        step: impl Fn(&Telling) -> TellStep,
        shutdown: &watch::Receiver<bool>,
    ) {
        let mut settling = JoinSet::new();
        for telling in tellings {
            let (teller, step, shutdown) = (Arc::clone(self), step(&telling), shutdown.clone());
            settling.spawn(async move { teller.settle(&telling, step, shutdown).await });
        }
        while settling.join_next().await.is_some() {}
    }

    /// Makes one call and settles it.
    async fn tell(self: Arc<Self>, telling: Telling, shutdown: watch::Receiver<bool>) {
        let step = self.called(&telling).await;
        if self.settle(&telling, step.clone(), shutdown).await {
            log(&telling, &step);
        }
    }

    async fn called(&self, telling: &Telling) -> TellStep {
        let call = match telling.to.style {
            TellStyle::Signed => self.signed(telling),
            TellStyle::Kannel(_) => as_kannel(telling),
        };
        let call = match call {
            Ok(call) => call,
            Err(why) => return TellStep::Failed { cause: failed(&why) },
        };
        let called = self.client.call(call).await;
        judge(telling, &called, &self.settings, Timestamp::now(), fastrand::f64())
    }

    /// The call of our own kind, or why it cannot be made.
    fn signed(&self, telling: &Telling) -> Result<Call, String> {
        let url = target(&telling.to.url).map_err(no_url)?;
        let secret = self.signers.secret(&telling.to).ok_or_else(|| {
            let account = &telling.to.account;
            format!("account `{account}` has no callback_secret any more, so nobody can sign")
        })?;
        let body = message::body(telling);
        let signature = message::signature(&secret, Timestamp::now(), &body);
        Ok(Call::Post { url, id: telling.id.to_string(), signature, body })
    }

    /// Whether it is written what became of a call. What is not settled is called again after the next start, so
    /// that settling is worth waiting for.
    async fn settle(&self, telling: &Telling, step: TellStep, mut shutdown: watch::Receiver<bool>) -> bool {
        let id = telling.id;
        while let Err(fault) = self.spool.settle_telling(id, step.clone(), Timestamp::now()).await {
            if *shutdown.borrow() || !matches!(fault, SpoolError::Unavailable(_)) {
                error!(%id, error = %fault, "what became of telling a program is not written; it may be told again");
                return false;
            }
            warn!(%id, error = %fault, "what became of telling a program cannot be written; trying again");
            tokio::select! {
                () = tokio::time::sleep(FAULT_PAUSE) => {}
                () = stopped(&mut shutdown) => {}
            }
        }
        true
    }
}

/// The call that Kannel would make, or why it cannot be made.
fn as_kannel(telling: &Telling) -> Result<Call, String> {
    // What it would not tell is not kept to be told.
    let event = KannelEvent::of(telling.state, &telling.cause).ok_or("Kannel tells nothing of this end")?;
    kannel::url(telling, event).map(Call::Get).map_err(no_url)
}

fn no_url(error: impl std::fmt::Display) -> String {
    format!("the program's URL is not one: {error}")
}

/// Written after the spool has it, so that the log promises nothing that a restart takes back. The host only: what
/// stands behind it may be a secret of the program's.
fn log(telling: &Telling, step: &TellStep) {
    let (id, attempt, account) = (telling.id, telling.attempt, &telling.to.account);
    let host = target(&telling.to.url).ok();
    let host = host.as_ref().and_then(reqwest::Url::host_str);
    match step {
        TellStep::Told => info!(%id, account, host, attempt, "program told"),
        TellStep::Retry { at, cause } | TellStep::NotCalled { at, cause } => {
            warn!(%id, account, host, attempt, why = cause.text, next = %at, "program not told yet");
        }
        TellStep::Failed { cause } => {
            error!(%id, account, host, attempt, why = cause.text, "program cannot be told");
        }
    }
}

/// Resolves when the process is to stop.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // An error means that whoever could stop us is gone, which is a reason to stop as well.
    let _ = shutdown.wait_for(|stop| *stop).await;
}
