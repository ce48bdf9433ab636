//! What a refusal costs the relay, and what it costs whoever asks for it: processor time of both processes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context as _, Result, bail};

use crate::memory::work;
use crate::world::{Api, PATIENCE, Relay};
use std::time::Duration;

/// Refused recipients of one connection; the next would be answered late.
const RECIPIENTS: usize = 5;

/// Measures `number` connections of each kind.
pub(crate) fn run(number: usize) -> Result<()> {
    println!("\n{number} connections each: processor time of the relay and of the client, ms");
    let api = Api::start(Duration::ZERO)?;
    let full = Relay::with_connections(api.address, 10, 1)?;
    let _first = greeted(full.smtp)?;
    row("connection refused: its address has enough", &full, number, |relay| {
        let mut heard = String::new();
        TcpStream::connect(relay)?.read_to_string(&mut heard)?;
        expect(&heard, "421 4.7.0 ")
    })?;
    let open = Relay::start(api.address)?;
    row("5 recipients refused, QUIT", &open, number, |relay| {
        let mut stream = greeted(relay)?;
        let recipients = "RCPT TO:<nobody@sms.local>\r\n".repeat(RECIPIENTS);
        write!(stream, "EHLO c.example.com\r\nMAIL FROM:<>\r\n{recipients}QUIT\r\n")?;
        let mut heard = String::new();
        stream.read_to_string(&mut heard)?;
        if heard.matches("550 5.1.1 ").count() != RECIPIENTS {
            bail!("the relay said {heard}");
        }
        Ok(())
    })
}

fn row(name: &str, relay: &Relay, number: usize, ask: impl Fn(SocketAddr) -> Result<()>) -> Result<()> {
    let (ours, theirs) = (work(std::process::id())?.1, work(relay.pid())?.1);
    for index in 0..number {
        ask(relay.smtp).with_context(|| format!("{name}: connection {index} of {number}"))?;
    }
    // A tick is 10 ms (USER_HZ, proc_pid_stat(5)).
    let client = (work(std::process::id())?.1 - ours) * 10;
    let relay = (work(relay.pid())?.1 - theirs) * 10;
    println!("{name}: relay {relay}, client {client}, ratio {:.2}", relay as f64 / client.max(1) as f64);
    Ok(())
}

fn greeted(relay: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(relay)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet)?;
        heard.extend(octet);
    }
    expect(&String::from_utf8_lossy(&heard), "220 ")?;
    Ok(stream)
}

fn expect(heard: &str, start: &str) -> Result<()> {
    if heard.starts_with(start) { Ok(()) } else { bail!("{start} was expected, and the relay said {heard}") }
}
