//! `sms-relay demo`: the main job with everything embedded.
//!
//! A real relay with a real configuration file and spool in a directory of its own; only the
//! platform and the mailbox are ours. Everything goes over loopback sockets.

mod mailbox;
mod senders;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;

use super::Exit;
use super::screen::Phone;
use crate::app::App;
use crate::config;
use crate::emulator::{Delivery, Emulator, Fault, FaultRule, Outcome, Settings, Status};
use crate::mail;
use mailbox::Mailbox;

/// How long the demo waits for each of its outcomes.
const PATIENCE: Duration = Duration::from_secs(20);
/// The phone whose messages the demo's platform refuses.
const REFUSED_PHONE: &str = "+393470000666";

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Ends by itself; exit code 0 only when both texts were delivered and the bounce has arrived.
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
    if outcome.is_ok() && !once {
        world.by_hand(directory.path());
        tokio::signal::ctrl_c().await.context("Ctrl-C cannot be waited for")?;
        println!();
    }
    world.app.stop().await;
    outcome
}

impl World {
    async fn start(directory: &Path) -> anyhow::Result<Self> {
        let emulator = Emulator::start(Settings {
            api_key: Some("emulator".into()),
            delivery: Delivery { delay: Duration::from_millis(300), outcome: Outcome::Delivered },
            ..Settings::default()
        })
        .await?;
        let reasons = vec!["Invalid destination number".to_owned()];
        emulator.order(FaultRule::on_send(Fault::Refuse { reasons }).to(REFUSED_PHONE))?;
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
        Ok(Self { app, emulator, mailbox, smtp, http })
    }

    /// Two that arrive and one that the platform refuses.
    async fn three_messages(&mut self) -> anyhow::Result<()> {
        println!("1. A printer mails <oncall@sms.local>: multipart, base64, with the scan attached.");
        println!("   {}", senders::printer_mail(self.smtp, "oncall@sms.local").await?);
        self.phone(1).await?;

        println!("2. A door controller posts a form to /sms.");
        println!("   {}", senders::form(self.http, "+393471234568", "Door 3 forced: 02:41, camera 7").await?);
        self.phone(2).await?;

        println!("3. A UPS mails a number that the platform refuses.");
        let refused = format!("{}@sms.local", REFUSED_PHONE.replace('+', "p"));
        println!("   {}", senders::printer_mail(self.smtp, &refused).await?);
        let bounce = self.mailbox.next(PATIENCE).await.context("no bounce has arrived")?;
        let read = mail::read(&bounce);
        println!("   The sender's mailbox gets:\n");
        println!("  Subject: {}", read.subject.as_deref().unwrap_or("(none)"));
        for line in read.text.lines() {
            println!("  {line}");
        }
        println!();
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

    fn by_hand(&self, directory: &Path) {
        let Self { smtp, http, emulator, .. } = self;
        println!("It stays until Ctrl-C. Try it by hand:");
        println!(
            "  swaks --server {smtp} --from you@example.com --to oncall@sms.local --header 'Subject: Hello' --body 'from swaks'"
        );
        println!("  curl -d to=+393471234567 --data-urlencode 'text=Hello from curl' http://{http}/sms");
        println!("  curl http://{}/emulator/accepted", emulator.addr());
        println!("  configuration and spool: {}", directory.display());
    }
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

[tracking]
ask = {{ first = "1s", most = "5s" }}

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
