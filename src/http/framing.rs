//! Where one request ends and the next begins, seen independently of the parser.
//!
//! A request whose length can be read in two ways lets a client hide a second request in the first
//! from whatever stands between it and us (request smuggling, RFC 9112 section 11.2). hyper refuses
//! most such shapes, but forgives some: it silently prefers `Transfer-Encoding` to a
//! `Content-Length` beside it, takes `gzip, chunked`, lines that end in a bare LF, and any number
//! of `Host` lines, and it leaves out what stands behind a `#` of the target. [`Scanner`] reads along on the raw octets and gives a verdict on each head;
//! [`check`] does the same for what hyper leaves visible. A refused head ends its connection.

use std::collections::VecDeque;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Version, header};

/// How much of a header line is kept: more than any line that matters here needs.
const KEPT_OCTETS: usize = 64;

/// Why a request's length or target cannot be trusted: 400, and the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FramingError {
    /// RFC 9112 section 6.1.
    #[error("the request has both Content-Length and Transfer-Encoding; send only one of them")]
    LengthAndEncoding,
    /// RFC 9110 section 8.6; refused even where they agree.
    #[error("the request has more than one Content-Length; send one")]
    TwoLengths,
    /// RFC 9110 section 8.6.
    #[error("Content-Length is not a number of octets")]
    Length,
    /// RFC 9112 section 6.1.
    #[error("Transfer-Encoding is not `chunked`; nothing else is understood")]
    Encoding,
    /// RFC 9112 section 2.2.
    #[error("a line of the request head ends without CR; end each with CR LF")]
    BareLineFeed,
    /// RFC 9112 section 3.2: a target has no fragment. The parser would cut it off, and a text with it.
    #[error("the request line has a `#`; write it as %23")]
    Fragment,
    /// RFC 9112 section 3.2.
    #[error("the request has no Host header, which HTTP/1.1 requires")]
    NoHost,
    /// RFC 9112 section 3.2.
    #[error("the request has more than one Host header; send one")]
    TwoHosts,
    /// RFC 9112 section 3.2.
    #[error("the Host header is not a host name with an optional port")]
    Host,
    /// The parser and the scanner disagree: one of them is wrong, and nobody knows which.
    #[error("it is not clear where the request begins; open a new connection")]
    OutOfStep,
}

/// What the scanner says about a head.
pub(super) type Verdict = Result<(), FramingError>;

/// Follows the octets of one connection from head to head.
#[derive(Debug)]
pub(super) struct Scanner {
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// In a head, or before one.
    Head(Head),
    /// In a body of which so many octets are to come.
    Body(u64),
    /// Behind a refused or a chunked head. The server closes the connection after both, so that no
    /// later head is served.
    Unwatched,
}

#[derive(Debug, Default)]
struct Head {
    /// The start of the current line.
    line: Vec<u8>,
    /// Octets of the current line, kept or not.
    line_octets: usize,
    /// The last octet was a CR.
    after_cr: bool,
    /// Lines before the current one, leading empty ones aside.
    lines: usize,
    length: Option<u64>,
    is_chunked: bool,
    fault: Option<FramingError>,
}

impl Scanner {
    /// At the beginning of a connection.
    pub(super) fn new() -> Self {
        Self { place: Place::Head(Head::default()) }
    }

    /// Reads on, and puts a verdict on each head that ends in `octets` into `verdicts`.
    pub(super) fn scan(&mut self, mut octets: &[u8], verdicts: &mut VecDeque<Verdict>) {
        while !octets.is_empty() {
            octets = &octets[self.scan_to_head(octets, verdicts)..];
        }
    }

    /// The same up to where the next head may begin; tells how many octets that were, at least one where there is one.
    pub(super) fn scan_to_head(&mut self, octets: &[u8], verdicts: &mut VecDeque<Verdict>) -> usize {
        let mut seen = 0;
        while let Some(&octet) = octets.get(seen) {
            match &mut self.place {
                Place::Head(head) => {
                    seen += 1;
                    if let Some(verdict) = head.take(octet) {
                        self.place = match (verdict, head.is_chunked, head.length) {
                            (Err(_), _, _) | (Ok(()), true, _) => Place::Unwatched,
                            (Ok(()), false, None | Some(0)) => Place::Head(Head::default()),
                            (Ok(()), false, Some(length)) => Place::Body(length),
                        };
                        verdicts.push_back(verdict);
                    }
                }
                Place::Body(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(octets.len() - seen);
                    seen += here;
                    *left -= here as u64;
                    if *left == 0 {
                        self.place = Place::Head(Head::default());
                    }
                }
                Place::Unwatched => return octets.len(),
            }
            if self.is_between_requests() {
                break;
            }
        }
        seen
    }

    /// Whether everything that was begun has been read to its end.
    pub(super) fn is_between_requests(&self) -> bool {
        match &self.place {
            Place::Head(head) => head.lines == 0 && head.line_octets == 0,
            Place::Body(_) | Place::Unwatched => false,
        }
    }
}

impl Head {
    /// One octet on; the verdict when it ends the head.
    fn take(&mut self, octet: u8) -> Option<Verdict> {
        if octet != b'\n' {
            self.line_octets += 1;
            self.after_cr = octet == b'\r';
            if octet == b'#' && self.lines == 0 {
                self.blame(FramingError::Fragment);
            }
            if self.line.len() < KEPT_OCTETS {
                self.line.push(octet);
            }
            return None;
        }
        let had_cr = std::mem::take(&mut self.after_cr);
        let octets = std::mem::take(&mut self.line_octets) - usize::from(had_cr);
        let mut line = std::mem::take(&mut self.line);
        line.truncate(octets);
        if self.lines == 0 && octets == 0 {
            // RFC 9112 section 2.2: empty lines before the request line are skipped.
            return None;
        }
        if !had_cr {
            self.blame(FramingError::BareLineFeed);
        }
        if octets == 0 {
            if self.is_chunked && self.length.is_some() {
                self.blame(FramingError::LengthAndEncoding);
            }
            return Some(self.fault.map_or(Ok(()), Err));
        }
        if self.lines > 0 {
            self.read_field(&line, octets > line.len());
        }
        self.lines += 1;
        None
    }

    fn read_field(&mut self, line: &[u8], is_cut: bool) {
        let Some(colon) = line.iter().position(|octet| *octet == b':') else { return };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            if self.length.is_some() {
                self.blame(FramingError::TwoLengths);
            }
            match length(value).filter(|_| !is_cut) {
                Some(length) => self.length = Some(length),
                None => self.blame(FramingError::Length),
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.is_chunked || is_cut || !value.eq_ignore_ascii_case(b"chunked") {
                self.blame(FramingError::Encoding);
            }
            self.is_chunked = true;
        }
    }

    fn blame(&mut self, fault: FramingError) {
        self.fault.get_or_insert(fault);
    }
}

/// Digits only: no sign, no list.
fn length(value: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    digits.parse().ok()
}

/// Checks what hyper does not: exactly one well-formed `Host` (RFC 9112 section 3.2); HTTP/1.0 may
/// leave it out.
pub(super) fn check(version: Version, headers: &HeaderMap) -> Verdict {
    let mut hosts = headers.get_all(header::HOST).iter();
    let Some(host) = hosts.next() else {
        return if version == Version::HTTP_11 { Err(FramingError::NoHost) } else { Ok(()) };
    };
    if hosts.next().is_some() {
        return Err(FramingError::TwoHosts);
    }
    let is_host = |text: &str| text.is_empty() || !text.contains('@') && text.parse::<Authority>().is_ok();
    if host.to_str().is_ok_and(is_host) { Ok(()) } else { Err(FramingError::Host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdicts on a connection, the same however its octets are cut.
    fn verdicts(octets: &str) -> Vec<Verdict> {
        let mut whole = VecDeque::new();
        Scanner::new().scan(octets.as_bytes(), &mut whole);
        let mut single = VecDeque::new();
        let mut scanner = Scanner::new();
        for octet in octets.as_bytes() {
            scanner.scan(std::slice::from_ref(octet), &mut single);
        }
        assert_eq!(whole, single);
        whole.into()
    }

    fn verdict(fields: &str) -> Verdict {
        let found = verdicts(&format!("POST / HTTP/1.1\r\n{fields}\r\n"));
        assert_eq!(found.len(), 1, "{fields:?}");
        found[0]
    }

    #[test]
    fn requests_follow_each_other_by_their_lengths() {
        let three = "\r\nPOST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:  4\t\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n\
                     POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(verdicts(three), [Ok(()), Ok(()), Ok(())]);
    }

    #[test]
    fn what_looks_like_a_head_in_a_body_is_none() {
        let body = "GET / HTTP/1.1\r\n\r\n";
        assert_eq!(
            verdicts(&format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len())),
            [Ok(())]
        );
    }

    #[test]
    fn two_readings_of_the_length_are_refused_in_either_order() {
        let both = Err(FramingError::LengthAndEncoding);
        assert_eq!(verdict("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), both);
        assert_eq!(verdict("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), both);
        assert_eq!(verdict("TRANSFER-ENCODING:chunked\r\nX: y\r\ncontent-length:3\r\n"), both);
        assert_eq!(verdict("Content-Length: 3\r\nContent-Length: 4\r\n"), Err(FramingError::TwoLengths));
        assert_eq!(verdict("Content-Length: 3\r\nContent-Length: 3\r\n"), Err(FramingError::TwoLengths));
    }

    #[test]
    fn a_length_is_digits_and_nothing_else() {
        for wrong in ["", "+3", "-1", "3, 3", "0x3", "3 3", "18446744073709551616"] {
            assert_eq!(
                verdict(&format!("Content-Length: {wrong}\r\n")),
                Err(FramingError::Length),
                "{wrong}"
            );
        }
        assert_eq!(verdict("Content-Length: 18446744073709551615\r\n"), Ok(()));
        let padded = |blanks: usize| verdict(&format!("Content-Length:{}3\r\n", " ".repeat(blanks)));
        // 15 octets of name, the blanks, a digit and CR; the line is kept up to 64 octets.
        assert_eq!(padded(48), Ok(()));
        assert_eq!(padded(49), Err(FramingError::Length));
    }

    #[test]
    fn only_chunked_is_an_encoding() {
        assert_eq!(verdict("Transfer-Encoding: Chunked\r\n"), Ok(()));
        for wrong in ["gzip, chunked", "identity", "", "chunked, chunked", "xchunked", "chunked\u{b}"] {
            assert_eq!(
                verdict(&format!("Transfer-Encoding: {wrong}\r\n")),
                Err(FramingError::Encoding),
                "{wrong:?}"
            );
        }
        assert_eq!(
            verdict("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            Err(FramingError::Encoding)
        );
    }

    #[test]
    fn lines_end_with_cr_and_lf() {
        assert_eq!(verdicts("GET / HTTP/1.1\nHost: a\n\n"), [Err(FramingError::BareLineFeed)]);
        assert_eq!(verdicts("GET / HTTP/1.1\r\nHost: a\r\n\n"), [Err(FramingError::BareLineFeed)]);
    }

    #[test]
    fn a_target_has_no_fragment() {
        assert_eq!(
            verdicts("GET /sms?text=Pump%20#3 HTTP/1.1\r\nHost: a\r\n\r\n"),
            [Err(FramingError::Fragment)]
        );
        let elsewhere = "POST /sms HTTP/1.1\r\nX: #\r\nContent-Length: 1\r\n\r\n#GET / HTTP/1.1\r\n\r\n";
        assert_eq!(verdicts(elsewhere), [Ok(()), Ok(())]);
    }

    #[test]
    fn nothing_is_read_behind_a_chunked_or_a_refused_head() {
        let next = "GET / HTTP/1.1\r\n\r\n";
        assert_eq!(
            verdicts(&format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{next}")),
            [Ok(())]
        );
        assert_eq!(
            verdicts(&format!("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n{next}")),
            [Err(FramingError::Length)]
        );
    }

    #[test]
    fn a_connection_is_between_requests_only_when_nothing_is_half_read() {
        let after = |octets: &str| {
            let mut scanner = Scanner::new();
            scanner.scan(octets.as_bytes(), &mut VecDeque::new());
            scanner.is_between_requests()
        };
        for whole in ["", "GET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"] {
            assert!(after(whole), "{whole:?}");
        }
        for half in [
            "G",
            "GET / HTTP/1.1\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nx",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ] {
            assert!(!after(half), "{half:?}");
        }
    }

    #[test]
    fn one_host_is_needed_and_only_http_1_0_may_leave_it_out() {
        let with = |hosts: &[&'static str], version| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, axum::http::HeaderValue::from_static(host));
            }
            check(version, &headers)
        };
        assert_eq!(with(&[], Version::HTTP_11), Err(FramingError::NoHost));
        assert_eq!(with(&[], Version::HTTP_10), Ok(()));
        assert_eq!(with(&["a", "a"], Version::HTTP_10), Err(FramingError::TwoHosts));
        for good in ["", "sms.local", "sms_relay:8080", "192.0.2.1", "[2001:db8::1]:80"] {
            assert_eq!(with(&[good], Version::HTTP_11), Ok(()), "{good}");
        }
        for wrong in ["a, b", "a/b", "user@a", "a b", "[::1"] {
            assert_eq!(with(&[wrong], Version::HTTP_11), Err(FramingError::Host), "{wrong}");
        }
    }
}
