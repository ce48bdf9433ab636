//! Octets that survive every mail server: quoted-printable, and the test for plain 7-bit.

/// Longest line of a mail in octets, without its CRLF (RFC 5322 section 2.1.1).
pub(super) const MAX_LINE: usize = 998;
/// Longest line of quoted-printable in octets, without its CRLF (RFC 2045 section 6.7 rule 5).
const MAX_QUOTED_LINE: usize = 76;

/// Whether `bytes` can travel as `7bit` (RFC 2045 section 2.7): ASCII without NUL, CR and LF only
/// as CRLF, no line over 998 octets.
pub(super) fn is_7bit(bytes: &[u8]) -> bool {
    let mut line = 0;
    let mut rest = bytes;
    loop {
        match rest {
            [] => return true,
            [b'\r', b'\n', after @ ..] => {
                line = 0;
                rest = after;
            }
            [0 | b'\r' | b'\n' | 128.., ..] => return false,
            [_, after @ ..] => {
                line += 1;
                if line > MAX_LINE {
                    return false;
                }
                rest = after;
            }
        }
    }
}

/// Appends `bytes` as quoted-printable. CRLF is a line end; a lone CR or LF is data.
pub(super) fn quoted_printable(bytes: &[u8], out: &mut Vec<u8>) {
    let mut lines = split_crlf(bytes).peekable();
    while let Some(line) = lines.next() {
        quote_line(line, out);
        if lines.peek().is_some() {
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn split_crlf(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest?;
        match bytes.windows(2).position(|pair| pair == b"\r\n") {
            Some(at) => {
                rest = Some(&bytes[at + 2..]);
                Some(&bytes[..at])
            }
            None => {
                rest = None;
                Some(bytes)
            }
        }
    })
}

fn quote_line(line: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut column = 0;
    for (at, &byte) in line.iter().enumerate() {
        let last = at + 1 == line.len();
        let mut plain = is_plain(&line[at..], column);
        // The last column is kept for the `=` of a soft line end.
        if column + if plain { 1 } else { 3 } > MAX_QUOTED_LINE - usize::from(!last) {
            out.extend_from_slice(b"=\r\n");
            column = 0;
            plain = is_plain(&line[at..], column);
        }
        if plain {
            out.push(byte);
            column += 1;
        } else {
            out.extend_from_slice(&[b'=', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            column += 3;
        }
    }
}

/// Whether the first octet of `rest` may stand at `column` as it is.
fn is_plain(rest: &[u8], column: usize) -> bool {
    match rest {
        // White space at the end of a line may be lost on the way (RFC 2045 section 6.7 rule 3).
        [b' ' | b'\t'] | [b'=', ..] => false,
        // Neither the end of data of SMTP nor the mark of an mbox file (RFC 2049 section 3).
        [b'.', ..] => column > 0,
        [b'F', b'r', b'o', b'm', b' ', ..] => column > 0,
        [b' ' | b'\t' | 33..=126, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &str) -> String {
        let mut out = Vec::new();
        quoted_printable(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn octets_that_mail_changes_are_quoted() {
        assert_eq!(quoted("caffè = 1\r\n"), "caff=C3=A8 =3D 1\r\n");
        assert_eq!(quoted("trailing \r\ntab\t\r\n"), "trailing=20\r\ntab=09\r\n");
        assert_eq!(quoted(".\r\nFrom me\r\n.."), "=2E\r\n=46rom me\r\n=2E.");
        assert_eq!(quoted("a\rb\nc\0"), "a=0Db=0Ac=00");
        assert_eq!(quoted(""), "");
    }

    #[test]
    fn a_line_of_76_stays_whole_and_one_of_77_is_broken() {
        assert_eq!(quoted(&"x".repeat(76)), "x".repeat(76));
        assert_eq!(quoted(&"x".repeat(77)), format!("{}=\r\n{}", "x".repeat(75), "xx"));
        // A quoted octet is not torn apart.
        assert_eq!(quoted(&format!("{}è", "x".repeat(71))), format!("{}=C3=\r\n=A8", "x".repeat(71)));
        assert_eq!(quoted(&format!("{}.y", "x".repeat(75))), format!("{}=\r\n=2Ey", "x".repeat(75)));
        for length in 70..240 {
            for text in ["x".repeat(length), "è".repeat(length), ".".repeat(length), " ".repeat(length)] {
                assert!(quoted(&text).split("\r\n").all(|line| line.len() <= 76 && !line.starts_with('.')));
            }
        }
    }

    #[test]
    fn seven_bit_is_ascii_in_lines_of_at_most_998() {
        assert!(is_7bit(b""));
        assert!(is_7bit(format!("{}\r\nb\r\n", "a".repeat(998)).as_bytes()));
        assert!(!is_7bit("a".repeat(999).as_bytes()));
        for wrong in [&b"a\nb"[..], b"a\rb", b"a\r", b"a\0b", b"caff\xe8", b"\r\r\n"] {
            assert!(!is_7bit(wrong), "{wrong:?}");
        }
    }
}
