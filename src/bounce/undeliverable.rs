//! A report that could not be handed to its addressee, for the operator. It is the last mail of
//! its chain: nothing is ever sent about it (RFC 5321 section 6.1).

use super::field::{self, AutoSubmitted};
use super::{Letter, Parts, encode, smarthost};
use crate::model::{Cause, OutgoingMail};

/// What the operator is told in place of the sender.
#[derive(Clone, Copy, Debug)]
pub struct Undeliverable<'a> {
    /// Where it comes from and goes to.
    pub letter: Letter<'a>,
    /// The mail that could not be delivered.
    pub mail: &'a OutgoingMail,
    /// Why.
    pub cause: &'a Cause,
}

impl Undeliverable<'_> {
    /// The whole mail, with the lost one attached.
    pub fn to_bytes(&self) -> Vec<u8> {
        let recipient = field::one_line(&self.mail.recipient.to_string());
        let subject = format!("Could not tell {recipient} about its SMS");
        let out = self.letter.head(&subject, AutoSubmitted::Generated, None);
        let mut parts = Parts::open(out, &self.letter, "multipart/mixed");
        parts.text(&self.text(&recipient));
        if encode::is_7bit(&self.mail.bytes) {
            parts.begin("message/rfc822", None);
            parts.out.extend_from_slice(&self.mail.bytes);
        } else {
            // message/rfc822 may not be encoded (RFC 2046 section 5.2.1), so that it goes as text.
            parts.begin("text/plain; charset=utf-8", Some("quoted-printable"));
            encode::quoted_printable(&self.mail.bytes, &mut parts.out);
        }
        parts.close()
    }

    fn text(&self, recipient: &str) -> String {
        let mut text = format!(
            "The SMS relay at {}\n\
             owed somebody a report and could not deliver it, so that nobody knows yet what\n\
             became of the SMS:\n\n  {recipient}\n    {}\n",
            field::host(self.letter.hostname),
            field::one_line(&self.cause.text)
        );
        text.push_str(&self.cause.diagnostic.as_deref().map(smarthost::said).unwrap_or_default());
        text.push_str(&format!(
            "\nThe report is attached and will not be tried again. It is about the id\n{}.\n\
             Tell the sender in another way if it matters.\n",
            self.mail.reference()
        ));
        text
    }
}
