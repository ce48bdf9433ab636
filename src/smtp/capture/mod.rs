//! Dialogues written down as they are spoken: what people use Wireshark for otherwise, TLS or not.
//!
//! One file a connection, in the notation of `tests/smtp/README.md`, so that a captured dialogue is nearly
//! a test already: `C:` a line of the client, `c:` octets of it that do not end in CRLF, `S:` a line of the
//! server, `#` everything else, with the time since the start where something happened or nothing did for a
//! second. A line of more than 4096 octets is written in parts.
//!
//! Credentials of `AUTH` are masked always, phone numbers where [`Capture::mask_numbers`] says so: every
//! row of seven digits and more, also with separators in it, except IPv4 addresses. What is encoded cannot
//! be known: a number in base64, one that quoted-printable breaks over two lines, a password that somebody
//! mails. So the files are for their owner only (0600, in a directory where nobody else may write), and
//! whoever turns captures on sees the mails of others.
//!
//! Nothing here delays a connection: texts go through a queue of 8 MiB for the whole door to one
//! thread, and what finds no place in it is left out, counted, and said in the file.

mod notation;
mod page;
mod secrets;
mod transcript;
mod writer;

pub use page::MIN_FILE_OCTETS;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use tracing::warn;
use ulid::Ulid;

use self::page::Page;
use self::transcript::Transcript;
use self::writer::{Queue, Target};
use super::settings::Capture;

/// Octets that wait for the thread at most, for all connections together.
const QUEUE: usize = 8 << 20;
/// Letters of a listener's name that are written.
const LISTENER: usize = 32;

/// Where the dialogues of the whole door go. Cheap to clone. Its thread starts with the first dialogue, and
/// ends when the last recorder and dialogue are gone and everything queued is written. Nobody waits for it
/// but [`flush`](Self::flush), as a disk may hang.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    /// `None` in it: no thread could be started.
    queue: Arc<OnceLock<Option<Queue>>>,
}

/// What octets of a client are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Command lines. Credentials in them are found here.
    Command,
    /// Lines of an `AUTH` exchange: only their length is written.
    Secret,
    /// A message, its final dot included.
    Message,
}

/// One dialogue. Dropping it writes what is left and finishes the file.
///
/// How the octets are cut does not matter, nor does it matter for credentials that pipelined lines
/// are given before the server knows what they are. A line is written when its end has come, or
/// when something else begins.
#[derive(Debug)]
pub struct Dialogue {
    transcript: Transcript,
    /// `None`: nothing can be written.
    page: Option<Page>,
    last: Timestamp,
}

impl Recorder {
    /// A recorder that has nothing to do yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the file of a dialogue that `client` has begun with `listener` now. Whether TLS is spoken is
    /// for [`Dialogue::note`] to tell. Never fails: where nothing can be written, the log says so once, and
    /// again when it goes on after that.
    pub fn open(&self, settings: &Arc<Capture>, listener: &str, client: IpAddr, now: Timestamp) -> Dialogue {
        let queue = self.queue.get_or_init(|| match Queue::start(QUEUE) {
            Ok((queue, _)) => Some(queue),
            Err(error) => {
                warn!(%error, "no thread for captures can be started; dialogues are not captured until a restart");
                None
            }
        });
        let page = queue.as_ref().map(|queue| {
            let target = Target::new(Arc::clone(settings), file_name(listener, client, now));
            let masked = if settings.mask_numbers { "secrets and numbers are" } else { "secrets are" };
            let listener: String = listener.escape_default().take(LISTENER).collect();
            let title = format!("# A dialogue with {client} at the listener `{listener}`\n");
            let header = format!("{title}# From: a capture that began {now:.3}; {masked} masked\n");
            Page::new(queue.clone(), Arc::new(target), header)
        });
        Dialogue { transcript: Transcript::new(settings.mask_numbers, now), page, last: now }
    }

    /// Waits until everything given so far is written, at most for `patience`; `false` if it is not. Blocks:
    /// for the end of the program.
    pub fn flush(&self, patience: Duration) -> bool {
        match self.queue.get() {
            Some(Some(queue)) => queue.flush(patience),
            Some(None) | None => true,
        }
    }
}

/// `20261121T120301.123Z-lan-192.0.2.7-<ULID>.txt`: sorts by time, and no client can choose it.
fn file_name(listener: &str, client: IpAddr, now: Timestamp) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let listener: String = listener.chars().take(LISTENER).map(plain).collect();
    let client = client.to_string().replace(':', "_");
    let ulid = Ulid::from_datetime(now.into());
    format!("{}-{listener}-{client}-{ulid}.txt", now.strftime("%Y%m%dT%H%M%S.%3fZ"))
}

impl Dialogue {
    /// Octets of the client.
    pub fn client(&mut self, octets: &[u8], said: Said, now: Timestamp) {
        self.take(octets.len(), now, |transcript, page| transcript.client(octets, said, now, page));
    }

    /// Octets of the server.
    pub fn server(&mut self, octets: &[u8], now: Timestamp) {
        self.take(octets.len(), now, |transcript, page| transcript.server(octets, now, page));
    }

    /// An event such as `TLS begins`; 256 octets of it are written at most.
    pub fn note(&mut self, text: &str, now: Timestamp) {
        self.last = now;
        if let Some(page) = &mut self.page {
            let event = self.transcript.event(text, now);
            page.event(event);
            page.send();
        }
    }

    /// The last event, such as `closed: no command in time`, behind what the client has left unfinished.
    pub fn end(mut self, why: &str, now: Timestamp) {
        self.last = now;
        self.flush();
        self.note(why, now);
    }

    fn take(&mut self, octets: usize, now: Timestamp, write: impl FnOnce(&mut Transcript, &mut Page)) {
        self.last = now;
        let Some(page) = &mut self.page else { return };
        if page.given_up() {
            self.page = None;
        } else if !page.skips(octets) {
            write(&mut self.transcript, page);
            page.send();
        }
    }

    fn flush(&mut self) {
        if let Some(page) = &mut self.page {
            self.transcript.flush(self.last, page);
            page.send();
        }
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        self.flush();
        if let Some(page) = self.page.take() {
            page.finish();
        }
    }
}

#[cfg(test)]
mod tests;
