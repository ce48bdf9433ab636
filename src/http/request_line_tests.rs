//! Lines at the edge of what is changed, and everything in any pieces.

use proptest::prelude::*;

use super::super::framing::FramingError;
use super::*;
use crate::profile::{Action, Answers, Endpoint, Methods, Reading};

fn paths() -> RawPaths {
    let endpoint = |path: &str, raw_request_line| Endpoint {
        action: Action::Send,
        methods: Methods { get: true, post: true },
        paths: vec![path.to_owned()],
        with: Vec::new(),
        reading: Reading { raw_request_line, ..Reading::default() },
        answers: Answers::default(),
    };
    let endpoints = vec![endpoint("/raw", true), endpoint("/strict", false), endpoint("/süd", true)];
    RawPaths::of(&[Arc::new(Profile { name: "own".to_owned(), endpoints })])
}

/// What the parser sees of pieces, with the verdicts, and whether the connection is between requests then.
fn passed(pieces: &[&[u8]]) -> (Vec<u8>, Vec<Verdict>, bool) {
    let mut rewriter = Rewriter::new(paths());
    let (mut octets, mut verdicts) = (Vec::new(), VecDeque::new());
    for piece in pieces {
        rewriter.pass(piece, &mut octets, &mut verdicts);
        assert!(rewriter.held.len() < HELD_OCTETS);
    }
    let is_between = rewriter.is_between_requests();
    rewriter.release(&mut octets, &mut verdicts);
    (octets, verdicts.into(), is_between)
}

fn seen(line: &[u8]) -> Vec<u8> {
    passed(&[line]).0
}

#[test]
fn raw_octets_of_such_a_target_are_encoded() {
    for (line, expected) in [
        (
            &b"GET /raw?to=+39 1&text=a  b HTTP/1.0\r\n"[..],
            &b"GET /raw?to=+39%201&text=a%20%20b HTTP/1.0\r\n"[..],
        ),
        (b"POST /raw?text=a b HTTP/1.1\r\n", b"POST /raw?text=a%20b HTTP/1.1\r\n"),
        ("GET /raw?text=läuft HTTP/1.1\r\n".as_bytes(), b"GET /raw?text=l%C3%A4uft HTTP/1.1\r\n"),
        (b"GET /raw?text=l\xe4uft\xff HTTP/1.1\r\n", b"GET /raw?text=l%E4uft%FF HTTP/1.1\r\n"),
        (
            b"GET /raw?text=\"<>\\^`{|}#?/[]:@!$&'()*+,;=-._~ HTTP/1.1\r\n",
            b"GET /raw?text=%22%3C%3E%5C%5E%60%7B%7C%7D%23?/[]:@!$&'()*+,;=-._~ HTTP/1.1\r\n",
        ),
        // What may be an encoding stays one; what is none is none afterwards.
        (b"GET /raw?text=50% a%20b%zz HTTP/1.1\r\n", b"GET /raw?text=50%%20a%20b%zz HTTP/1.1\r\n"),
        // The version is what stands last.
        (
            b"GET /raw?text=GET / HTTP/1.1 is HTTP/1.0 HTTP/1.1\r\n",
            b"GET /raw?text=GET%20/%20HTTP/1.1%20is%20HTTP/1.0 HTTP/1.1\r\n",
        ),
        (b"GET /raw?text=a  HTTP/1.1\r\n", b"GET /raw?text=a%20 HTTP/1.1\r\n"),
        (b"GET /r%61w?a b HTTP/1.1\r\n", b"GET /r%61w?a%20b HTTP/1.1\r\n"),
        ("GET /süd?a HTTP/1.1\r\n".as_bytes(), b"GET /s%C3%BCd?a HTTP/1.1\r\n"),
    ] {
        assert_eq!(seen(line), expected, "{}", line.escape_ascii());
    }
}

#[test]
fn everything_else_goes_on_as_it_is() {
    for line in [
        &b"GET /raw?text=a HTTP/1.1\r\n"[..],
        b"GET /strict?text=a b HTTP/1.1\r\n",
        b"GET /other?text=a b HTTP/1.1\r\n",
        b"GET /raw2?text=a b HTTP/1.1\r\n",
        b"GET /raw ?text=a b HTTP/1.1\r\n",
        b"GET /raw#?text=a b HTTP/1.1\r\n",
        b"GET  /raw?text=a b HTTP/1.1\r\n",
        b" GET /raw?text=a b HTTP/1.1\r\n",
        b"get /raw?text=a b HTTP/1.1\r\n",
        b"PUT /raw?text=a b HTTP/1.1\r\n",
        b"GET http://relay/raw?text=a b HTTP/1.1\r\n",
        b"GET /raw?text=a b\r\n",
        b"GET /raw?text=a b HTTP/1.1 \r\n",
        b"GET /raw?text=a b HTTP/1.2\r\n",
        b"GET /raw?text=a b HTTP/2.0\r\n",
        b"GET /raw?text=a b http/1.1\r\n",
        b"GET /raw?text=a bHTTP/1.1\r\n",
        b"GET /raw?text=a b HTTP/1.1\n",
        b"GET /raw?text=a\rb c HTTP/1.1\r\n",
        b"GET /raw?text=a b HTTP/1.1\r\r\n",
        b"GET /raw?text=a\0b c HTTP/1.1\r\n",
        b"GET /raw?text=a\tb c HTTP/1.1\r\n",
        b"GET /raw?text=a\x7fb c HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\n",
        b"GET HTTP/1.1\r\n",
        b"GET / HTTP/1.0\r\nX: GET /raw?a b HTTP/1.1\r\n",
        b"GET /raw?text=a b HTTP/1.1",
        b"\x16\x03\x01",
    ] {
        assert_eq!(seen(line), line, "{}", line.escape_ascii());
    }
}

#[test]
fn what_cannot_be_such_a_line_is_not_held_back() {
    for begin in
        [&b"X"[..], b"GEX", b"GET h", b"GET /raw?a\0", b"GET /raw?a\rb", b"\r", b"\x16\x03", b"POST  "]
    {
        let mut rewriter = Rewriter::new(paths());
        let mut octets = Vec::new();
        rewriter.pass(begin, &mut octets, &mut VecDeque::new());
        assert_eq!(octets, begin);
        assert!(!rewriter.is_between_requests());
    }
    let held = Rewriter::new(paths());
    assert!(held.is_between_requests());
    assert!(!passed(&[b"GET /raw?a b"]).2);
}

#[test]
fn a_line_is_changed_at_the_limit_and_one_octet_longer_is_not() {
    let line = |octets: usize| {
        let (start, end) = ("GET /raw?text=a b", " HTTP/1.1\r\n");
        format!("{start}{}{end}", "x".repeat(octets - start.len() - end.len())).into_bytes()
    };
    let at_limit = seen(&line(HELD_OCTETS));
    assert!(at_limit.starts_with(b"GET /raw?text=a%20bx"));
    assert_eq!(at_limit.len(), HELD_OCTETS + 2);
    assert_eq!(seen(&line(HELD_OCTETS + 1)), line(HELD_OCTETS + 1));
}

#[test]
fn only_the_first_line_of_a_head_is_one() {
    let raw = "GET /raw?text=a b HTTP/1.1\r\n";
    let encoded = "GET /raw?text=a%20b HTTP/1.1\r\n";
    let stream = |line: &str| {
        let next = format!("{raw}\r\n");
        // In a header, in a body, behind an empty line, and pipelined.
        format!(
            "{line}X: y\r\n{raw}\r\n\r\n{line}Content-Length: {}\r\n\r\n{next}{line}\r\n\r\nPOST /x HTTP/1.1\r\n{raw}\r\n{line}\r\n",
            next.len()
        )
    };
    let (octets, verdicts, is_between) = passed(&[stream(raw).as_bytes()]);
    assert_eq!(String::from_utf8(octets).unwrap(), stream(encoded));
    assert_eq!(verdicts, [Ok(()); 5]);
    assert!(is_between);
}

#[test]
fn nothing_is_changed_behind_a_chunked_or_a_refused_head() {
    for (fields, verdict) in [
        ("Transfer-Encoding: chunked\r\n", Ok(())),
        ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", Err(FramingError::LengthAndEncoding)),
        ("Content-Length: x\r\n", Err(FramingError::Length)),
    ] {
        let stream = format!("POST /x HTTP/1.1\r\n{fields}\r\n0\r\n\r\nGET /raw?a b HTTP/1.1\r\n\r\n");
        assert_eq!(passed(&[stream.as_bytes()]), (stream.clone().into_bytes(), vec![verdict], false));
    }
}

/// Lines, headers and bodies that are near to what matters here, and octets.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words: &[&[u8]] = &[
        b"GET /raw?text=",
        b"POST /raw?text=",
        b"GET /strict?",
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b"a b",
        b"\xe4",
        b"#",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"Host: a\r\n",
        b"Content-Length: 7\r\n\r\n",
        b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n",
    ];
    prop_oneof![
        6 => proptest::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..9),
    ]
}

/// A whole request, as it should be seen behind its line.
fn request() -> impl Strategy<Value = (String, String)> {
    let line = prop_oneof![
        "GET /raw\\?[a-z%&=+ äè€{}<>|#\"]{0,30} HTTP/1\\.[01]",
        "POST /raw\\?[a-z%&=+]{0,9} HTTP/1\\.1",
        "GET /(strict|raw2)\\?[a-z ]{0,9} HTTP/1\\.1",
    ];
    (line, "(X-[A-Z]: [ -~]{0,20}\r\n){0,3}", "([ -~]|\r\n|GET /raw\\?a b HTTP/1.1\r\n){0,20}").prop_map(
        |(line, fields, body)| {
            (format!("{line}\r\n"), format!("{fields}Content-Length: {}\r\n\r\n{body}", body.len()))
        },
    )
}

proptest! {
    #[test]
    fn the_pieces_that_octets_come_in_do_not_matter(
        pieces in proptest::collection::vec(piece(), 0..24),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
    ) {
        let stream = pieces.concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let cut: Vec<&[u8]> = cuts.windows(2).map(|two| &stream[two[0]..two[1]]).collect();
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        let whole = passed(&[&stream]);
        prop_assert_eq!(&passed(&cut), &whole);
        prop_assert_eq!(&passed(&single), &whole);
        // The verdicts are those on what the parser sees.
        let mut verdicts = VecDeque::new();
        Scanner::new().scan(&whole.0, &mut verdicts);
        prop_assert_eq!(Vec::from(verdicts), whole.1);
        // And who sees that once more finds nothing to change.
        prop_assert_eq!(passed(&[&whole.0]).0, whole.0);
    }

    #[test]
    fn of_requests_only_their_lines_are_changed(requests in proptest::collection::vec(request(), 1..5)) {
        let (mut stream, mut expected) = (Vec::new(), Vec::new());
        for (line, rest) in &requests {
            stream.extend_from_slice(line.as_bytes());
            let line = seen(line.as_bytes());
            expected.extend_from_slice(&line);
            for octets in [&mut stream, &mut expected] {
                octets.extend_from_slice(rest.as_bytes());
            }
        }
        prop_assert_eq!(passed(&[&stream]).0, expected);
    }

    #[test]
    fn requests_without_raw_octets_are_the_same(
        targets in proptest::collection::vec("(/raw|/strict|/x)(\\?[!$&-;=?-Z_a-z~%]{0,30})?", 1..5),
    ) {
        let lines = targets.iter().map(|target| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let stream: String = lines.collect();
        prop_assert_eq!(passed(&[stream.as_bytes()]).0, stream.into_bytes());
    }

    #[test]
    fn a_changed_line_says_what_the_device_wrote(text in "[a-z %äè€#{}<>\"|^`\\\\]{0,40}") {
        let line = seen(format!("GET /raw?text={text} HTTP/1.1\r\n").as_bytes());
        let target = line.strip_prefix(b"GET ").unwrap().strip_suffix(b" HTTP/1.1\r\n").unwrap();
        prop_assert!(target.iter().all(|octet| octet.is_ascii_graphic()));
        // No two letters of hexadecimal digits stand behind a percent sign but those that did before.
        let before: Vec<u8> = percent_decode(format!("/raw?text={text}").as_bytes()).collect();
        prop_assert_eq!(percent_decode(target).collect::<Vec<u8>>(), before);
    }
}
