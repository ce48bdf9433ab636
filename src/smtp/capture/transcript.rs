//! The lines of a capture, as the octets come: pure, without bounds on the whole.

use jiff::{SignedDuration, Timestamp};

use super::Said;
use super::notation::{self, Backslash};
use super::secrets::Secrets;

/// Octets of a line that are kept until its end has come; a longer one is written in parts.
const PART: usize = 4096;
/// Octets of an event's text that are written.
const EVENT: usize = 256;
/// Silence that is told.
const SILENCE: SignedDuration = SignedDuration::from_secs(1);

/// Takes one line after the other: its text with the line end, and how many octets of the dialogue it
/// stands for.
pub(super) trait Lines {
    fn line(&mut self, text: &str, octets: usize);
}

/// One dialogue. The octets may be cut in any way; the lines are the same.
#[derive(Debug)]
pub(super) struct Transcript {
    began: Timestamp,
    last: Timestamp,
    mask_numbers: bool,
    secrets: Secrets,
    said: Said,
    client: Line,
    server: Vec<u8>,
    /// Octets of the message under way.
    message: usize,
}

/// The client's line under way.
#[derive(Debug, Default)]
struct Line {
    /// Octets that are not written yet; at most [`PART`].
    kept: Vec<u8>,
    /// A part of the line was written.
    begun: bool,
    /// The rest of the line is a secret.
    hidden: Option<Hidden>,
    after_cr: bool,
}

/// A line that is not kept from some octet on.
#[derive(Debug, Default)]
struct Hidden {
    /// What stands before the secret.
    shown: String,
    /// Octets of the secret.
    secret: usize,
    /// Octets of the line.
    octets: usize,
}

impl Transcript {
    pub(super) fn new(mask_numbers: bool, now: Timestamp) -> Self {
        Self {
            began: now,
            last: now,
            mask_numbers,
            secrets: Secrets::default(),
            said: Said::Command,
            client: Line::default(),
            server: Vec::new(),
            message: 0,
        }
    }

    /// Octets of the client.
    pub(super) fn client(&mut self, octets: &[u8], said: Said, now: Timestamp, lines: &mut impl Lines) {
        if said != self.said {
            self.flush_client(now, lines);
            self.end_message(now, lines);
            self.said = said;
        }
        match said {
            Said::Command => {}
            Said::Secret => self.secrets.exchange(),
            Said::Message => self.message += octets.len(),
        }
        let mut rest = octets;
        while !rest.is_empty() {
            if said == Said::Secret {
                self.client.hidden.get_or_insert_default();
            }
            let window = &rest[..rest.len().min(PART - self.client.kept.len())];
            let taken = window.iter().position(|octet| *octet == b'\n').map_or(window.len(), |at| at + 1);
            let (part, behind) = rest.split_at(taken);
            rest = behind;
            let ends = part.ends_with(b"\r\n") || (part == b"\n" && self.client.after_cr);
            self.client.after_cr = part.ends_with(b"\r");
            match &mut self.client.hidden {
                Some(hidden) => {
                    hidden.secret += part.len();
                    hidden.octets += part.len();
                }
                None => self.client.kept.extend_from_slice(part),
            }
            if ends {
                self.end_line("C: ", "\r\n".len(), now, lines);
            } else if self.client.kept.len() == PART {
                self.cut_line(now, lines);
            }
        }
    }

    /// Octets of the server.
    pub(super) fn server(&mut self, octets: &[u8], now: Timestamp, lines: &mut impl Lines) {
        if self.said == Said::Message {
            self.flush_client(now, lines);
            self.end_message(now, lines);
        }
        for part in octets.split_inclusive(|octet| *octet == b'\n') {
            self.server.extend_from_slice(part);
            if part.ends_with(b"\n") || self.server.len() >= PART {
                self.flush_server(now, lines);
            }
        }
    }

    /// The line of an event that happens now.
    pub(super) fn event(&mut self, text: &str, now: Timestamp) -> String {
        self.last = now;
        let mut event = String::new();
        notation::write(&mut event, text.as_bytes(), Backslash::Plain, self.mask_numbers);
        format!("# {} {}\n", self.since_start(now), &event[..event.floor_char_boundary(EVENT)])
    }

    /// Writes what has no end yet.
    pub(super) fn flush(&mut self, now: Timestamp, lines: &mut impl Lines) {
        self.flush_client(now, lines);
        self.end_message(now, lines);
        self.flush_server(now, lines);
    }

    fn since_start(&self, now: Timestamp) -> String {
        // A clock that was set back shows as no time at all.
        let passed = now.duration_since(self.began).as_millis().max(0);
        format!("+{}.{}s", passed / 1000, passed % 1000 / 100)
    }

    fn end_message(&mut self, now: Timestamp, lines: &mut impl Lines) {
        match std::mem::take(&mut self.message) {
            0 => {}
            octets => {
                let event = self.event(&format!("{} of message have come", counted(octets)), now);
                lines.line(&event, 0);
            }
        }
    }

    fn flush_client(&mut self, now: Timestamp, lines: &mut impl Lines) {
        if !self.client.kept.is_empty() || self.client.hidden.is_some() {
            self.end_line("c: ", 0, now, lines);
        }
        self.client = Line::default();
    }

    fn flush_server(&mut self, now: Timestamp, lines: &mut impl Lines) {
        if self.server.is_empty() {
            return;
        }
        let octets = std::mem::take(&mut self.server);
        let line = octets.strip_suffix(b"\r\n").unwrap_or(&octets);
        let mut text = String::from("S: ");
        notation::write(&mut text, line, Backslash::Plain, self.mask_numbers);
        self.write(text, octets.len(), now, lines);
    }

    /// Writes the line under way, or its last part. Its last `end` octets are its line end.
    fn end_line(&mut self, mark: &str, end: usize, now: Timestamp, lines: &mut impl Lines) {
        let line = std::mem::take(&mut self.client);
        let hidden = line.hidden.unwrap_or_else(|| {
            let text = &line.kept[..line.kept.len() - end];
            let (shown, _) = self.judge(text, line.begun);
            let secret = line.kept.len() - shown;
            Hidden { shown: self.written(&text[..shown]), secret, octets: line.kept.len() }
        });
        let mut text = format!("{mark}{}", hidden.shown);
        let secret = hidden.secret.saturating_sub(end);
        if secret > 0 || self.said == Said::Secret {
            text.push_str(&format!("(secret, {})", counted(secret)));
        }
        self.write(text, hidden.octets, now, lines);
    }

    /// Writes the first part of a line that is too long, or hides its rest.
    fn cut_line(&mut self, now: Timestamp, lines: &mut impl Lines) {
        let kept = std::mem::take(&mut self.client.kept);
        // Neither CRLF nor a number is cut in two.
        let held = match kept.last() {
            Some(b'\r') => 1,
            Some(_) if self.mask_numbers => notation::open_row(&kept),
            Some(_) | None => 0,
        };
        let (part, held) = kept.split_at(kept.len() - held);
        let (shown, rest_is_secret) = self.judge(part, self.client.begun);
        let text = self.written(&part[..shown]);
        if rest_is_secret {
            let hidden = Hidden { shown: text, secret: kept.len() - shown, octets: kept.len() };
            self.client.hidden = Some(hidden);
        } else {
            self.write(format!("c: {text}"), part.len(), now, lines);
            self.client.kept = held.to_vec();
            self.client.begun = true;
        }
    }

    /// Octets of a part of a line that may be shown, and whether all behind them is a secret.
    fn judge(&mut self, part: &[u8], begun: bool) -> (usize, bool) {
        let shown = match self.said {
            Said::Command if begun => self.secrets.continued(part),
            Said::Command => self.secrets.line(part),
            Said::Secret | Said::Message => return (part.len(), false),
        };
        (shown.octets, shown.rest_is_secret)
    }

    fn written(&self, octets: &[u8]) -> String {
        let mut text = String::new();
        notation::write(&mut text, octets, Backslash::Doubled, self.mask_numbers);
        text
    }

    /// One line, behind the time if there was silence before it.
    fn write(&mut self, mut text: String, octets: usize, now: Timestamp, lines: &mut impl Lines) {
        if now.duration_since(self.last) >= SILENCE {
            lines.line(&format!("# {}\n", self.since_start(now)), 0);
        }
        self.last = now;
        text.push('\n');
        lines.line(&text, octets);
    }
}

/// `1 octet`, `2 octets`.
pub(super) fn counted(octets: usize) -> String {
    format!("{octets} octet{}", if octets == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Written {
        text: String,
        octets: usize,
    }

    impl Lines for Written {
        fn line(&mut self, text: &str, octets: usize) {
            self.text.push_str(text);
            self.octets += octets;
        }
    }

    fn written(octets: &[u8], said: Said, piece: usize) -> Written {
        let (mut transcript, mut written) =
            (Transcript::new(true, Timestamp::UNIX_EPOCH), Written::default());
        for piece in octets.chunks(piece) {
            transcript.client(piece, said, Timestamp::UNIX_EPOCH, &mut written);
        }
        transcript.flush(Timestamp::UNIX_EPOCH, &mut written);
        written
    }

    #[test]
    fn a_part_has_4096_octets_and_never_4097() {
        let line = |octets: usize| format!("{:x<octets$}\r\nQUIT\r\n", "");
        let text = |octets: usize| written(line(octets).as_bytes(), Said::Message, 1).text;
        assert!(text(4094).starts_with(&format!("C: {}\nC: QUIT\n", "x".repeat(4094))));
        // The CR waits for its LF.
        assert!(text(4095).starts_with(&format!("c: {}\nC: \nC: QUIT\n", "x".repeat(4095))));
        assert!(text(4096).starts_with(&format!("c: {}\nC: \nC: QUIT\n", "x".repeat(4096))));
        assert!(text(4097).starts_with(&format!("c: {}\nC: x\nC: QUIT\n", "x".repeat(4096))));
    }

    #[test]
    fn a_number_or_a_secret_where_a_line_is_cut_stays_masked() {
        for before in 4070..4100 {
            let line = format!("{:x<before$}+393471234567\r\n", "");
            let text = written(line.as_bytes(), Said::Message, 7).text;
            assert!(text.contains("+39347•••4567\n"), "{text}");
            let line = format!("{:before$}AUTH PLAIN c2VjcmV0\r\nQUIT\r\n", "");
            let text = written(line.as_bytes(), Said::Command, 7).text;
            assert!(text.contains("(secret, ") && text.ends_with("\nC: QUIT\n"), "{text}");
            assert!(!text.contains("cmV0") && !text.contains("c2Vj"), "{text}");
        }
    }

    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let words: [&'static [u8]; 9] =
            [b"\r\n", b"\r", b"\n", b"AUTH", b" PLAIN ", b"+39347", b"1234567", b"MAIL", b"\xc3\0"];
        let long = proptest::sample::select(b"x1 \r".to_vec()).prop_map(|octet| vec![octet; 4090]);
        let word = proptest::sample::select(words.to_vec()).prop_map(<[u8]>::to_vec);
        proptest::collection::vec(prop_oneof![12 => word, 1 => long], 0..60).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference_and_every_octet_is_counted(
            octets in hostile(),
            said in proptest::sample::select(vec![Said::Command, Said::Secret, Said::Message]),
            piece in 1usize..50,
        ) {
            let whole = written(&octets, said, usize::MAX);
            let pieces = written(&octets, said, piece);
            prop_assert_eq!(&whole.text, &pieces.text);
            prop_assert_eq!((whole.octets, pieces.octets), (octets.len(), octets.len()));
        }
    }
}
