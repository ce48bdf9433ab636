//! A mail to the operator about the relay itself.

use super::field::{self, AutoSubmitted};
use super::{Letter, encode};

/// Something that whoever runs the relay has to know: a plain mail, which nobody answers.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a> {
    /// Where it comes from and goes to.
    pub letter: Letter<'a>,
    /// `Subject`.
    pub subject: &'a str,
    /// The words, with LF line ends.
    pub text: &'a str,
}

impl Notice<'_> {
    /// The whole mail.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.letter.head(self.subject, AutoSubmitted::Generated, None);
        field::write(&mut out, "Content-Type", "text/plain; charset=utf-8");
        field::write(&mut out, "Content-Transfer-Encoding", "quoted-printable");
        out.extend_from_slice(b"\r\n");
        let text = format!("{}\n", self.text.trim_end());
        encode::quoted_printable(text.replace('\n', "\r\n").as_bytes(), &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MailAddress;

    #[test]
    fn a_notice_is_one_plain_mail_whatever_it_says() {
        let from = MailAddress::parse("relay@example.com").unwrap();
        let to = MailAddress::parse("ops@example.com").unwrap();
        let letter = Letter {
            hostname: "relay.example.com",
            from: &from,
            to: &to,
            id: "01HF7YAT01BXJ0M1S2Q3R4T5V6".parse().unwrap(),
            now: "2026-01-02T03:04:05Z".parse().unwrap(),
        };
        let notice = Notice { letter, subject: "Credit\r\nBcc: a@b.example", text: "caffè\n.\nlast \n\n\n" };
        let bytes = notice.to_bytes();
        assert!(encode::is_7bit(&bytes));
        assert_eq!(
            String::from_utf8(bytes).unwrap().replace("\r\n", "\n"),
            "From: \"SMS relay\" <relay@example.com>\n\
             To: <ops@example.com>\n\
             Subject: Credit Bcc: a@b.example\n\
             Date: Fri, 2 Jan 2026 03:04:05 +0000\n\
             Message-ID: <01HF7YAT01BXJ0M1S2Q3R4T5V6@relay.example.com>\n\
             Auto-Submitted: auto-generated\n\
             MIME-Version: 1.0\n\
             Content-Type: text/plain; charset=utf-8\n\
             Content-Transfer-Encoding: quoted-printable\n\
             \n\
             caff=C3=A8\n=2E\nlast\n"
        );
    }
}
