//! What many clients who do nothing, or nearly nothing, cost the others: memory, and the time of a new
//! mail; and what octets cost that never become a line. Linux only: it reads `/proc`.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

use super::memory::{forget_peak, peak, resident};
use super::world::{Api, Client, PATIENCE, Relay, mail_of_1_kib, percentile};

/// Loopback addresses that the crowd comes from, 127.0.0.2 and following; new mails come from 127.0.0.1.
const SOURCES: usize = 20;
/// Descriptors that a process needs beside those of the crowd.
const DESCRIPTORS: usize = 200;
/// Mails before the first figure: statements are prepared, threads started.
const WARM_UP: usize = 20;
/// Between two new mails.
const PAUSE: Duration = Duration::from_millis(20);
/// What is sent at a time of an endless line.
const PIECE: usize = 64 * 1024;

/// `crowd` idle connections, a fifth as many slow ones, `mails` new mails beside each, and `endless` octets
/// without a line end.
pub(crate) fn run(crowd: usize, mails: usize, endless: usize) -> Result<()> {
    let crowd = descriptors_for(crowd)?;
    let api = Api::start(Duration::ZERO)?;
    let slow = crowd / 5;
    let relay = Relay::with_connections(api.address, crowd + slow + 100, (crowd + slow) / SOURCES + 100)?;
    let mut senders = Senders { relay: &relay, sent: 0 };
    senders.new_mails(WARM_UP)?;

    println!("{:<34}{:>12}{:>10}{:>9}{:>9}{:>9}", "", "resident KiB", "more", "p50 ms", "p99 ms", "max ms");
    let alone = resident(relay.pid())?;
    senders.row("alone", alone, mails)?;
    let idle = connections(relay.smtp, crowd)?;
    senders.row(&format!("{crowd} idle connections"), alone, mails)?;

    // Sessions over TLS hold more: the same row for 1,000 of them goes here, with a listener of their own.

    let drip = Drip::start(slow_connections(relay.smtp, slow)?);
    senders.row(&format!("and {slow} of one octet a second"), alone, mails)?;
    let (dripped, lost) = drip.stop()?;
    println!("  {dripped} octets came from slow clients meanwhile");
    ensure!(lost == 0, "the relay closed {lost} slow connections");
    let closed = idle.iter().filter(|stream| is_closed(stream)).count();
    ensure!(closed == 0, "the relay closed {closed} idle connections");
    drop(idle);

    println!(
        "{:<34}{:>12}{:>10}{:>9}{:>9}",
        format!("{} MB without a line end", endless / 1_000_000),
        "before KiB",
        "after",
        "peak",
        "MB/s"
    );
    endless_line(&relay, "as a command", endless, "\r\n", "500", |_| Ok(()))?;
    endless_line(&relay, "in a message", endless, "\r\n.\r\n", "552", |client| {
        client.command("MAIL FROM:<ups@example.com>", "250")?;
        client.command("RCPT TO:<393470000000@sms.local>", "250")?;
        client.command("DATA", "354").map(|_| ())
    })
}

/// Raises the limit of open files for this process and the relay, its child; answers with how many
/// idle connections it then allows, at most `wanted`.
fn descriptors_for(wanted: usize) -> Result<usize> {
    let needed = wanted + wanted / 5 + DESCRIPTORS;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let allowed = maximum.unwrap_or(u64::MAX).min(needed as u64);
    if current.is_some_and(|current| current < allowed) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum })?;
    }
    let allowed = usize::try_from(allowed)?;
    if allowed >= needed {
        return Ok(wanted);
    }
    let crowd = allowed.saturating_sub(DESCRIPTORS) * 5 / 6;
    println!(
        "NOTE: the hard limit of {allowed} open files allows {crowd} idle connections and not {wanted}; \
         raise it (ulimit -Hn {needed}) for the whole measurement"
    );
    Ok(crowd)
}

/// Sends new mails and tells how the relay does.
struct Senders<'a> {
    relay: &'a Relay,
    sent: usize,
}

impl Senders<'_> {
    /// From the connection to the 250 after the final dot, of each of `mails`, one after the other.
    fn new_mails(&mut self, mails: usize) -> Result<Vec<Duration>> {
        let mail = mail_of_1_kib();
        let mut times = Vec::new();
        for _ in 0..mails {
            self.sent += 1;
            let begun = Instant::now();
            let mut client = Client::connect(self.relay.smtp)?;
            let accepted = client.mail(&format!("39347{:07}", self.sent), &mail)?.accepted_at;
            times.push(accepted - begun);
            thread::sleep(PAUSE);
        }
        Ok(times)
    }

    fn row(&mut self, name: &str, alone: u64, mails: usize) -> Result<()> {
        let resident = resident(self.relay.pid())?;
        let mut times = self.new_mails(mails)?;
        let [p50, p99, max] =
            [50, 99, 100].map(|percent| percentile(&mut times, percent).as_secs_f64() * 1e3);
        let more = resident.saturating_sub(alone);
        println!("{name:<34}{resident:>12}{more:>10}{p50:>9.2}{p99:>9.2}{max:>9.2}");
        Ok(())
    }
}

/// Connections that have got their greeting and said EHLO.
fn connections(relay: SocketAddr, number: usize) -> Result<Vec<TcpStream>> {
    (0..number)
        .map(|index| connection(relay, index).with_context(|| format!("connection {index} of {number}")))
        .collect()
}

fn connection(relay: SocketAddr, index: usize) -> Result<TcpStream> {
    let source = Ipv4Addr::new(127, 0, 0, u8::try_from(2 + index % SOURCES)?);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect(&relay.into())?;
    let mut stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    expect(&mut stream, "220 ")?;
    say(&mut stream, "EHLO idle.example.com\r\n", "250 ")?;
    Ok(stream)
}

/// As above; every second one is in the middle of a message, the others send a command.
fn slow_connections(relay: SocketAddr, number: usize) -> Result<Vec<TcpStream>> {
    let mut streams = connections(relay, number)?;
    for (index, stream) in streams.iter_mut().enumerate() {
        if index % 2 == 0 {
            say(stream, "MAIL FROM:<slow@example.com>\r\n", "250 ")?;
            say(stream, "RCPT TO:<393470000001@sms.local>\r\n", "250 ")?;
            say(stream, "DATA\r\n", "354 ")?;
        }
        stream.set_nonblocking(true)?;
    }
    Ok(streams)
}

fn say(stream: &mut TcpStream, line: &str, expected: &str) -> Result<()> {
    stream.write_all(line.as_bytes())?;
    expect(stream, expected)
}

/// Reads up to the last line of a reply.
fn expect(stream: &mut TcpStream, expected: &str) -> Result<()> {
    let mut heard = Vec::new();
    let mut buffer = [0; 512];
    loop {
        let octets = stream.read(&mut buffer)?;
        heard.extend_from_slice(&buffer[..octets]);
        let text = String::from_utf8_lossy(&heard);
        let last = text.trim_end().lines().last().unwrap_or_default();
        if text.ends_with("\r\n") && last.as_bytes().get(3) == Some(&b' ') {
            ensure!(last.starts_with(expected), "the relay answered {last:?} and not {expected}");
            return Ok(());
        }
        ensure!(octets > 0, "the relay closed the connection after {text:?}");
    }
}

/// Whether the relay has ended the connection; it sends nothing to who says nothing.
fn is_closed(stream: &TcpStream) -> bool {
    let open = stream.set_nonblocking(true).is_ok()
        && stream.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    !open
}

/// Sends an octet a second on each of its connections, spread over the second.
struct Drip {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    thread: JoinHandle<usize>,
}

impl Drip {
    fn start(mut streams: Vec<TcpStream>) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, counter) = (Arc::clone(&stop), Arc::clone(&sent));
        let thread = thread::spawn(move || {
            let begun = Instant::now();
            let mut lost = 0;
            let step = Duration::from_secs(1) / u32::try_from(streams.len().max(1)).unwrap_or(u32::MAX);
            for turn in 0_u32.. {
                if stopped.load(Ordering::Relaxed) || streams.is_empty() {
                    break;
                }
                // Late turns are caught up with, so that the rate holds.
                thread::sleep((step * turn).saturating_sub(begun.elapsed()));
                let index = turn as usize % streams.len();
                if streams[index].write_all(b"x").is_err() {
                    lost += 1;
                }
                counter.fetch_add(1, Ordering::Relaxed);
            }
            lost + streams.iter_mut().filter(|stream| is_closed(stream)).count()
        });
        Self { stop, sent, thread }
    }

    /// Octets sent, and connections that the relay closed.
    fn stop(self) -> Result<(usize, usize)> {
        self.stop.store(true, Ordering::Relaxed);
        let lost = self.thread.join().map_err(|_| anyhow!("the slow clients panicked"))?;
        Ok((self.sent.load(Ordering::Relaxed), lost))
    }
}

/// Sends `octets` after what `begin` says, then `end`, and expects the code `answer`.
fn endless_line(
    relay: &Relay,
    name: &str,
    octets: usize,
    end: &str,
    answer: &str,
    begin: fn(&mut Client) -> Result<()>,
) -> Result<()> {
    let mut client = Client::connect(relay.smtp)?;
    begin(&mut client)?;
    let before = resident(relay.pid())?;
    forget_peak(relay.pid())?;
    let begun = Instant::now();
    let piece = vec![b'x'; PIECE];
    let mut left = octets;
    while left > 0 {
        let now = left.min(piece.len());
        client.send(&piece[..now])?;
        left -= now;
    }
    client.send(end.as_bytes())?;
    client.reply(answer)?;
    let rate = octets as f64 / 1e6 / begun.elapsed().as_secs_f64();
    let (after, peak) = (resident(relay.pid())?, peak(relay.pid())?);
    println!("{name:<34}{before:>12}{after:>10}{peak:>9}{rate:>9.0}");
    Ok(())
}
