//! A failure (or a success that was asked for) as the bytes of an RFC 3464 report.
