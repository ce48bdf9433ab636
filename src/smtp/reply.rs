//! Replies: a code, an enhanced status code and text (RFC 5321 section 4.2, RFC 2034).
//!
//! Whatever text a reply is given, what goes out is ASCII without control characters in lines of
//! at most 512 octets (R51, RFC 5321 section 4.5.3.1.5). Other characters become `?`: replies may
//! be international only inside an SMTPUTF8 transaction (RFC 6531 section 3.7.4), and no client
//! needs it.

use std::borrow::Cow;

use crate::intake::Refusal;
use crate::model::EnhancedStatus;

/// Longest line of a reply in octets, its CRLF included.
const MAX_LINE: usize = 512;

/// One reply to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<EnhancedStatus>,
    lines: Vec<Cow<'static, str>>,
}

impl Reply {
    /// A reply with an enhanced status code.
    pub fn new(code: u16, enhanced: EnhancedStatus, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: Some(enhanced), lines: vec![text.into()] }
    }

    /// A reply that has no enhanced status code: the greeting, the answer to `EHLO` and `HELO`, and 354
    /// (RFC 2034 section 4). Several lines make a multi-line reply.
    pub fn plain(code: u16, lines: Vec<Cow<'static, str>>) -> Self {
        Self { code, enhanced: None, lines }
    }

    /// The last reply before we close the connection: 421 with our name (RFC 5321 section 4.2.2).
    pub fn farewell(hostname: &str, enhanced: EnhancedStatus, text: &str) -> Self {
        Self::new(421, enhanced, format!("{hostname} closes: {text}"))
    }

    /// The reply code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The text, its lines joined, for the log.
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// Appends the reply as it goes over the wire.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        // `250-2.1.5 ` before every line (RFC 2034 section 4: the enhanced code is repeated).
        let enhanced = self.enhanced.map(|enhanced| format!("{enhanced} ")).unwrap_or_default();
        let room = MAX_LINE - "250-\r\n".len() - enhanced.len();
        let clean: Vec<String> = self.lines.iter().map(|line| printable(line)).collect();
        let pieces: Vec<&str> = clean.iter().flat_map(|line| split(line, room)).collect();
        for (index, piece) in pieces.iter().enumerate() {
            let separator = if index + 1 == pieces.len() { ' ' } else { '-' };
            out.extend_from_slice(format!("{}{separator}{enhanced}{piece}\r\n", self.code).as_bytes());
        }
    }
}

impl From<&Refusal> for Reply {
    fn from(refusal: &Refusal) -> Self {
        let (code, enhanced) = refusal.kind.smtp();
        Self::new(code, enhanced, refusal.text.clone())
    }
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
}

/// Cuts ASCII text into pieces of at most `room` octets, at spaces where there are any. At least
/// one piece, which may be empty.
fn split(mut text: &str, room: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    while text.len() > room {
        let end = text[..=room].rfind(' ').filter(|&at| at > 0).unwrap_or(room);
        pieces.push(&text[..end]);
        text = text[end..].trim_start_matches(' ');
    }
    pieces.push(text);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::RefusalKind;

    fn written(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.write_to(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn one_line_and_several() {
        let reply = Reply::new(250, EnhancedStatus::SUCCESS, "done");
        assert_eq!(written(&reply), "250 2.0.0 done\r\n");
        let reply = Reply::plain(250, vec!["relay.test".into(), "SIZE 10".into(), "HELP".into()]);
        assert_eq!(written(&reply), "250-relay.test\r\n250-SIZE 10\r\n250 HELP\r\n");
    }

    #[test]
    fn what_could_forge_a_reply_or_a_terminal_sequence_is_replaced() {
        let reply = Reply::new(550, EnhancedStatus::POLICY, "no\r\n250 yes\0\x1b[2J\t\u{85}ü");
        assert_eq!(written(&reply), "550 5.7.1 no??250 yes??[2J???\r\n");
    }

    #[test]
    fn lines_have_512_octets_and_never_513() {
        let room = 512 - "550 5.1.1 \r\n".len();
        let exact = Reply::new(550, EnhancedStatus::UNKNOWN_RECIPIENT, "x".repeat(room));
        assert_eq!(written(&exact).len(), 512);
        let longer = Reply::new(550, EnhancedStatus::UNKNOWN_RECIPIENT, "x".repeat(room + 1));
        assert_eq!(written(&longer), format!("550-5.1.1 {}\r\n550 5.1.1 x\r\n", "x".repeat(room)));
        let words = Reply::new(550, EnhancedStatus::UNKNOWN_RECIPIENT, "word ".repeat(300));
        let written = written(&words);
        assert_eq!(written.matches("word").count(), 300);
        for line in written.split_inclusive("\r\n") {
            assert!(line.len() <= 512 && line.trim_end().ends_with("word"), "{line:?}");
        }
    }

    #[test]
    fn a_refusal_of_intake_becomes_its_code() {
        let refusal = Refusal { kind: RefusalKind::Loop, text: "it goes in circles".to_owned() };
        assert_eq!(written(&Reply::from(&refusal)), "554 5.4.6 it goes in circles\r\n");
        assert_eq!(Reply::from(&refusal).code(), 554);
    }
}
