//! An HTTP request as it was recorded: a head, an empty line, a body.

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// Why octets are no request; goes on behind "the request in ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoRequest {
    #[error("does not begin with a line like `GET /sms?to=oncall HTTP/1.1`")]
    Line,
    #[error("has a header line without a colon")]
    Header,
    #[error("has a body in chunks; write it as a whole, and leave out Transfer-Encoding")]
    Chunked,
}

/// Reads a request. Lines may end in LF alone, as editors leave them. A body ends with the file, whatever its
/// `Content-Length` says, less the line end of an editor where that makes the length right.
///
/// # Errors
/// [`NoRequest`].
pub(super) fn parse(octets: &[u8]) -> Result<Recorded, NoRequest> {
    let mut rest = octets;
    let mut line = || -> String {
        let end = rest.iter().position(|octet| *octet == b'\n').map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(end);
        rest = after;
        let text = String::from_utf8_lossy(line);
        text.trim_end_matches('\n').trim_end_matches('\r').to_owned()
    };
    let first = line();
    let (method, target) = first.split_once(' ').ok_or(NoRequest::Line)?;
    let (target, version) = target.rsplit_once(' ').ok_or(NoRequest::Line)?;
    if method.is_empty() || !version.starts_with("HTTP/") {
        return Err(NoRequest::Line);
    }
    let mut headers = Vec::new();
    loop {
        let written = line();
        if written.is_empty() {
            break;
        }
        let (name, value) = written.split_once(':').ok_or(NoRequest::Header)?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let value = |wanted: &str| {
        let mut named = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        named.next().map(|(_, value)| value.as_str())
    };
    if value("transfer-encoding").is_some() {
        return Err(NoRequest::Chunked);
    }
    let length: Option<usize> = value("content-length").and_then(|length| length.parse().ok());
    let body = match length.and_then(|length| rest.split_at_checked(length)) {
        Some((body, b"\n" | b"\r\n")) => body,
        Some(_) | None => rest,
    };
    Ok(Recorded { method: method.to_owned(), target: target.trim().to_owned(), headers, body: body.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_head_and_a_body() {
        let post = b"POST /send?a=b HTTP/1.1\r\nHost: relay\r\nX-A:  b: c \r\n\r\nto=1\r\n&text=a";
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            parse(post).unwrap(),
            Recorded {
                method: "POST".to_owned(),
                target: "/send?a=b".to_owned(),
                headers: vec![header("Host", "relay"), header("X-A", "b: c")],
                body: b"to=1\r\n&text=a".to_vec(),
            }
        );
        let get = parse(b"GET /sms?text=Door 3 HTTP/1.0\nHost: h").unwrap();
        assert_eq!((get.target.as_str(), get.headers.len(), get.body.len()), ("/sms?text=Door 3", 1, 0));
        // The line end that an editor adds.
        for (length, body) in [(3, "a=b"), (4, "a=b\n"), (9, "a=b\n"), (2, "a=b\n")] {
            let read =
                parse(format!("POST / HTTP/1.1\nContent-Length: {length}\n\na=b\n").as_bytes()).unwrap();
            assert_eq!(String::from_utf8(read.body).unwrap(), body, "{length}");
        }
    }

    #[test]
    fn what_is_no_request_is_told() {
        for (octets, error) in [
            (&b""[..], NoRequest::Line),
            (b"GET /sms", NoRequest::Line),
            (b" /sms HTTP/1.1", NoRequest::Line),
            (b"POST /sms HTTP/1.1\nHost\n\n", NoRequest::Header),
            (b"POST /sms HTTP/1.1\ntransfer-encoding: chunked\n\n", NoRequest::Chunked),
        ] {
            assert_eq!(parse(octets), Err(error));
        }
    }
}
