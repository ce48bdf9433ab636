//! `sms-relay emulator`: the platform on loopback, showing what would reach the phones.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::Exit;
use super::screen::Phone;
use crate::emulator::{CallbackSettings, Delivery, Emulator, EmulatorError, Outcome, Settings};
use crate::model::Secret;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8026")]
    bind: SocketAddr,
    /// The key that clients must show. It is no secret: this is not the platform.
    #[arg(long, value_name = "KEY", default_value = "emulator")]
    api_key: String,
    /// Where delivery notifications are posted to; with http://NAME:PASSWORD@HOST/, by HTTP Basic.
    #[arg(long, value_name = "URL")]
    callback: Option<String>,
    /// How often each of them is posted.
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    callback_copies: u32,
    /// Posts them in random order.
    #[arg(long)]
    callback_shuffled: bool,
    /// How many are posted at a time.
    #[arg(long, value_name = "NUMBER", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    callback_concurrency: u16,
    /// Seconds until a message is on its handset.
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    delay: u64,
}

pub(super) fn emulator(options: &Options) -> Exit {
    if !options.bind.ip().is_loopback() {
        eprintln!("sms-relay: the emulator is for this machine only; bind it to 127.0.0.1 or [::1]");
        return Exit::Usage;
    }
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(serve(options)),
        Err(error) => {
            eprintln!("sms-relay: the runtime cannot start: {error}");
            Exit::Unavailable
        }
    }
}

async fn serve(options: &Options) -> Exit {
    let settings = Settings {
        bind: options.bind,
        api_key: Some(Secret::from(options.api_key.clone())),
        callback_url: options.callback.clone(),
        callbacks: CallbackSettings {
            copies: options.callback_copies,
            shuffled: options.callback_shuffled,
            concurrency: usize::from(options.callback_concurrency),
            ..CallbackSettings::default()
        },
        delivery: Delivery { delay: Duration::from_secs(options.delay), outcome: Outcome::Delivered },
        ..Settings::default()
    };
    let emulator = match Emulator::start(settings).await {
        Ok(emulator) => emulator,
        Err(error) => {
            eprintln!("sms-relay: {error}");
            return match &error {
                EmulatorError::Bind { source, .. } => Exit::of(source),
                EmulatorError::CallbackUrl { .. } | EmulatorError::NoCallbackUrl => Exit::Usage,
                EmulatorError::Client(_) => Exit::Unavailable,
            };
        }
    };
    println!(
        "The platform's API on {}, for key `{}`. Nothing is really sent.",
        emulator.base_url(),
        options.api_key
    );
    tokio::select! {
        () = show(&emulator) => Exit::Fine,
        _ = tokio::signal::ctrl_c() => Exit::Fine,
    }
}

/// Draws every message as it is accepted.
async fn show(emulator: &Emulator) {
    let mut shown = 0;
    loop {
        // The wait has to end some time; then it begins again.
        let _ = emulator.wait_until(|record| record.total() > shown, Duration::from_secs(3600)).await;
        // From the end, so that it costs the same however many there are already.
        let new: Vec<_> = emulator
            .record(|record| record.accepted().rev().take_while(|it| it.number > shown).cloned().collect());
        for message in new.into_iter().rev() {
            println!("{}", Phone(&message.screen()));
            shown = message.number;
        }
    }
}
