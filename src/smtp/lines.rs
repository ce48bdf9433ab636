//! Command lines out of a stream of octets.
//!
//! Only CRLF ends a line (R4); a bare CR or LF stays inside it for the parser to refuse. A line
//! over the limit is reported once, when its CRLF has come, and nothing of it is kept: its tail is
//! never a command (R50) and costs no memory.

/// Longest command line in octets, its CRLF included. What RFC 4954 section 4 asks for the lines of
/// AUTH; RFC 5321 section 4.5.3.1.4 asks for 512 and the extensions add less than 2,000 to those of
/// MAIL and RCPT. One limit for all lines, since a line is read before its verb is known.
pub const MAX_LINE: usize = 12_288;

/// What [`LineReader::feed`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its CRLF.
    Complete(Vec<u8>),
    /// A line of more than [`MAX_LINE`] octets has ended; it was thrown away.
    TooLong,
}

/// Collects one line after the other.
#[derive(Debug, Default)]
pub struct LineReader {
    line: Vec<u8>,
    too_long: bool,
    after_cr: bool,
}

impl LineReader {
    /// Takes octets up to the end of a line or of `input`; answers with how many it took, and with
    /// the line if one has ended.
    pub fn feed(&mut self, input: &[u8]) -> (usize, Option<Line>) {
        for (at, &octet) in input.iter().enumerate() {
            let ends = octet == b'\n' && self.after_cr;
            self.after_cr = octet == b'\r';
            if ends {
                self.keep(&input[..=at]);
                return (at + 1, Some(self.finish()));
            }
        }
        self.keep(input);
        (input.len(), None)
    }

    fn keep(&mut self, octets: &[u8]) {
        if self.too_long || self.line.len() + octets.len() > MAX_LINE {
            self.too_long = true;
            self.line = Vec::new();
        } else {
            self.line.extend_from_slice(octets);
        }
    }

    fn finish(&mut self) -> Line {
        let mut line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.too_long) {
            return Line::TooLong;
        }
        line.truncate(line.len() - "\r\n".len());
        Line::Complete(line)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut reader = LineReader::default();
        let mut found = Vec::new();
        for mut piece in pieces.iter().copied() {
            while !piece.is_empty() {
                let (used, line) = reader.feed(piece);
                piece = &piece[used..];
                match line {
                    Some(Line::Complete(line)) => found.push(line.escape_ascii().to_string()),
                    Some(Line::TooLong) => found.push("too long".to_owned()),
                    None => assert!(piece.is_empty()),
                }
            }
        }
        found
    }

    #[test]
    fn only_crlf_ends_a_line() {
        assert_eq!(lines(&[b"a\r\nb\r\n\r\nc"]), ["a", "b", ""]);
        assert_eq!(lines(&[b"a\nb\rc\r\n"]), ["a\\nb\\rc"]);
        assert_eq!(lines(&[b"a\r\r\n", b"\n\r\n"]), ["a\\r", "\\n"]);
        assert_eq!(lines(&[b"a\r", b"\nb\r", b"\n"]), ["a", "b"]);
        assert_eq!(lines(&[b"a\r\0\nb\r\n"]), ["a\\r\\x00\\nb"]);
        assert_eq!(lines(&[b"a\n", b"b\n"]), [""; 0]);
    }

    #[test]
    fn a_line_has_12288_octets_and_never_12289() {
        let longest = [vec![b'x'; 12_286], b"\r\n".to_vec()].concat();
        assert_eq!(lines(&[&longest]), ["x".repeat(12_286)]);
        let longer = [vec![b'x'; 12_287], b"\r\nNOOP\r\n".to_vec()].concat();
        assert_eq!(lines(&[&longer]), ["too long", "NOOP"]);
        assert_eq!(lines(&[&longer[..12_288], &longer[12_288..]]), ["too long", "NOOP"]);
        assert_eq!(lines(&[&longer[..12_289], &longer[12_289..]]), ["too long", "NOOP"]);
    }

    #[test]
    fn an_endless_line_keeps_nothing() {
        let mut reader = LineReader::default();
        for _ in 0..1000 {
            assert_eq!(reader.feed(&[b'x'; 700]), (700, None));
        }
        assert_eq!(reader.feed(b"x"), (1, None));
        assert_eq!(reader.line.capacity(), 0);
        assert_eq!(lines(&[&[b'x'; 13_000], b"\nQUIT\n\r\nNOOP\r\n"]), ["too long", "NOOP"]);
    }

    proptest! {
        #[test]
        fn packets_make_no_difference(
            stream in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'a')], 0..60),
            cut in 0usize..60,
        ) {
            let (head, tail) = stream.split_at(cut.min(stream.len()));
            let octets: Vec<&[u8]> = stream.chunks(1).collect();
            prop_assert_eq!(lines(&[&stream]), lines(&[head, tail]));
            prop_assert_eq!(lines(&[&stream]), lines(&octets));
        }
    }
}
