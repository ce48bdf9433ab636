//! `sms-relay demo`: the main job with everything embedded.
//!
//! A real relay with a real configuration file and spool in a directory of its own; only the
//! platform and the mailbox are ours. Everything goes over loopback sockets, the platform's callbacks
//! too.

mod mailbox;
mod senders;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use jiff::tz::TimeZone;

use super::Exit;
use super::screen::Phone;
use crate::app::App;
use crate::config;
use crate::emulator::{Delivery, Emulator, Fault, FaultRule, Outcome, Settings, Status};
use crate::mail;
use crate::model::{FinalState, State, SubmissionId};
use mailbox::Mailbox;

/// How long the demo waits for each of its outcomes.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at what has become of a message.
const LOOK: Duration = Duration::from_millis(50);
/// The phone that the demo's platform reaches no more.
const DEAD_PHONE: &str = "+393470000666";

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Ends by itself; exit code 0 only when the relay knows that two texts were delivered and one was not, and
    /// the bounce has arrived.
    #[arg(long)]
    once: bool,
}

/// The embedded world.
struct World {
    app: App,
    emulator: Emulator,
    mailbox: Mailbox,
    smtp: SocketAddr,
    http: SocketAddr,
}

pub(super) fn demo(options: &Options) -> Exit {
    let outcome = tokio::runtime::Runtime::new()
        .context("the runtime cannot start")
        .and_then(|runtime| runtime.block_on(show(options.once)));
    match outcome {
        Ok(()) => Exit::Fine,
        Err(error) => {
            eprintln!("sms-relay: the demo did not show what it should: {error:#}");
            Exit::Failed
        }
    }
}

async fn show(once: bool) -> anyhow::Result<()> {
    let directory =
        tempfile::Builder::new().prefix("sms-relay-demo-").tempdir().context("no temporary directory")?;
    let mut world = World::start(directory.path()).await?;
    println!("The relay listens for mail on {} and for forms on {}.", world.smtp, world.http);
    println!("The platform is an emulator on {}; nothing is really sent.\n", world.emulator.addr());
    let outcome = world.three_messages().await;
    if let (Ok(form), false) = (&outcome, once) {
        world.by_hand(directory.path(), *form);
        tokio::signal::ctrl_c().await.context("Ctrl-C cannot be waited for")?;
        println!();
    }
    world.app.stop().await;
    outcome.map(|_| ())
}

impl World {
    async fn start(directory: &Path) -> anyhow::Result<Self> {
        let emulator = Emulator::start(Settings {
            api_key: Some("emulator".into()),
            delivery: Delivery { delay: Duration::from_millis(300), outcome: Outcome::Delivered },
            ..Settings::default()
        })
        .await?;
        let dead = Fault::Deliver { outcome: Outcome::Error, delay_millis: None };
        emulator.order(FaultRule::on_send(dead).to(DEAD_PHONE))?;
        let mailbox = Mailbox::open()?;
        let path = directory.join("relay.toml");
        std::fs::write(&path, configuration(&emulator.base_url(), mailbox.address))
            .with_context(|| format!("{} cannot be written", path.display()))?;
        let loaded = config::load(&path).map_err(|problems| anyhow!("{problems}"))?;
        let app = App::start(loaded.config).await?;
        let address = |name: &str| {
            let found = app.addresses().iter().find(|(listener, _)| listener == name);
            found.map(|(_, address)| *address).with_context(|| format!("listener {name} is not there"))
        };
        let (smtp, http) = (address("mail")?, address("forms")?);
        emulator.call_back_to(&format!("http://{http}/callbacks"))?;
        Ok(Self { app, emulator, mailbox, smtp, http })
    }

    /// Two that arrive and one that does not; the id of the second, a form.
    async fn three_messages(&mut self) -> anyhow::Result<SubmissionId> {
        println!("1. A printer mails <oncall@sms.local>: multipart, base64, with the scan attached.");
        let reply = senders::printer_mail(self.smtp, "oncall@sms.local").await?;
        println!("   {reply}");
        self.phone(1).await?;
        self.end(id_in(&reply)?, FinalState::Delivered).await?;

        println!("2. A door controller posts a form to /sms.");
        let reply = senders::form(self.http, "+393471234568", "Door 3 forced: 02:41, camera 7").await?;
        println!("   {reply}");
        self.phone(2).await?;
        let form = id_in(&reply)?;
        self.end(form, FinalState::Delivered).await?;

        println!("3. The printer mails a phone that is gone: the platform takes it, and finds out later.");
        let gone = format!("{}@sms.local", DEAD_PHONE.replace('+', "p"));
        let reply = senders::printer_mail(self.smtp, &gone).await?;
        println!("   {reply}\n");
        self.end(id_in(&reply)?, FinalState::Undelivered).await?;
        let bounce = self.mailbox.next(PATIENCE).await.context("no bounce has arrived")?;
        let read = mail::read(&bounce);
        println!("   The sender's mailbox gets:\n");
        println!("  Subject: {}", read.subject.as_deref().unwrap_or("(none)"));
        for line in read.text.lines() {
            println!("  {line}");
        }
        println!();
        Ok(form)
    }

    /// Shows the way of a submission's only message once the platform has called back.
    async fn end(&self, id: SubmissionId, expected: FinalState) -> anyhow::Result<()> {
        let followed = async {
            loop {
                let view = self.app.submission(id).await?.context("the relay does not know it any more")?;
                let message = view.messages.into_iter().next().context("nothing became of it")?;
                if let State::Final(_) = message.state {
                    return anyhow::Ok(message);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let message =
            tokio::time::timeout(PATIENCE, followed).await.context("the platform has not called back")??;
        println!("   Its way, as the relay's timeline tells it:");
        for event in &message.events {
            let at = event.at.to_zoned(TimeZone::system()).strftime("%H:%M:%S%.3f");
            println!("   {at}  {:<11}  {}", event.state.as_str(), event.note);
        }
        println!();
        if message.state != State::Final(expected) {
            return Err(anyhow!("{id} is {} and not {}", message.state, State::Final(expected)));
        }
        Ok(())
    }

    /// Shows phone number `count` and waits until its message is on the handset.
    async fn phone(&self, count: usize) -> anyhow::Result<()> {
        self.emulator
            .wait_until(|record| record.with_status(Status::Delivered) >= count, PATIENCE)
            .await
            .context("no text has arrived on the phone")?;
        let accepted = self.emulator.accepted();
        let message = accepted.last().context("the platform has no message")?;
        println!("{}\n", Phone(&message.screen()));
        Ok(())
    }

    fn by_hand(&self, directory: &Path, form: SubmissionId) {
        let Self { smtp, http, emulator, .. } = self;
        println!("It stays until Ctrl-C. Try it by hand:");
        println!(
            "  swaks --server {smtp} --from you@example.com --to oncall@sms.local --header 'Subject: Hello' --body 'from swaks'"
        );
        println!("  curl -d to=+393471234567 --data-urlencode 'text=Hello from curl' http://{http}/sms");
        println!("  curl http://{http}/sms/{form}");
        println!("  curl http://{}/emulator/accepted", emulator.addr());
        println!("  configuration and spool: {}", directory.display());
    }
}

/// The id that a reply names.
fn id_in(reply: &str) -> anyhow::Result<SubmissionId> {
    let words = reply.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter_map(|word| word.parse().ok()).next().with_context(|| format!("no id in `{reply}`"))
}

/// The configuration that the demo runs with; what it leaves out has its default.
fn configuration(platform: &str, mailbox: SocketAddr) -> String {
    format!(
        r#"hostname = "demo.relay.example"

[[smtp.listener]]
name = "mail"
bind = "127.0.0.1:0"

[[http.listener]]
name = "forms"
bind = "127.0.0.1:0"
callbacks = true

[callbacks]
networks = ["127.0.0.0/8"]

[[http.account]]
name = "doors"
networks = ["127.0.0.0/8"]
without_password = true

[routing]
allowed = ["+39"]

[aliases]
oncall = "+393471234567"

[defaults]
sender = "Relay"

[[rule]]
name = "printers"
when.envelope_sender = "^printer@"
sender = "Printer"
text = "both"

[gateway]
url = "{platform}"
credentials = "emulator"

[smarthost]
host = "{host}"
port = {port}
tls = "off"

[spool]
directory = "spool"
"#,
        host = mailbox.ip(),
        port = mailbox.port(),
    )
}
