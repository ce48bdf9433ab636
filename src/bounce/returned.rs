//! Mail that the relay passed on, could not hand over, and gives back to whoever sent it.

use super::field::{self, AutoSubmitted};
use super::original::Returned;
use super::{Letter, Parts, human, smarthost};
use crate::model::{Cause, OutgoingMail};

/// The report about mail for the postmaster that the smarthost did not take (RFC 5321 section 6.1,
/// RFC 3464). Nothing is ever sent about this report.
#[derive(Clone, Copy, Debug)]
pub struct ReturnedMail<'a> {
    /// Where it comes from and goes to: the mail's sender.
    pub letter: Letter<'a>,
    /// The mail that could not be delivered.
    pub mail: &'a OutgoingMail,
    /// The subject of that mail.
    pub subject: Option<&'a str>,
    /// The `Message-ID` of that mail.
    pub message_id: Option<&'a str>,
    /// Why.
    pub cause: &'a Cause,
}

impl ReturnedMail<'_> {
    /// The whole mail.
    pub fn to_bytes(&self) -> Vec<u8> {
        let returned = Returned::headers_of(&self.mail.bytes);
        let out = self.letter.head(&self.title(), AutoSubmitted::Replied, self.message_id);
        let mut parts = Parts::open(out, &self.letter, "multipart/report; report-type=delivery-status");
        parts.text(&self.text(returned));
        parts.begin("message/delivery-status", None);
        self.write_status(&mut parts.out);
        returned.write(&mut parts);
        parts.close()
    }

    fn title(&self) -> String {
        match self.subject.map(field::one_line) {
            Some(subject) if !subject.is_empty() => format!("Mail not delivered: {subject}"),
            Some(_) | None => format!("Mail not delivered: {}", self.mail.reference()),
        }
    }

    fn text(&self, returned: Returned<'_>) -> String {
        let mut text = format!(
            "You sent a mail to the postmaster of the SMS relay at {}.\n\
             The relay passed it on, and it could not be delivered to:\n\n  {}\n    {}\n",
            field::host(self.letter.hostname),
            field::one_line(&self.mail.recipient.to_string()),
            field::one_line(&self.cause.text)
        );
        text.push_str(&self.cause.diagnostic.as_deref().map(smarthost::said).unwrap_or_default());
        text.push_str("\nIt will not be tried again. Reach whoever runs the relay in another way.\n\n");
        text.push_str(&human::kept_under(&self.mail.reference()));
        text.push_str(returned.words());
        text.push('\n');
        text
    }

    fn write_status(&self, out: &mut Vec<u8>) {
        field::write(out, "Reporting-MTA", &format!("dns; {}", field::host(self.letter.hostname)));
        field::write(out, "X-Relay-Queue-Id", &self.mail.reference());
        out.extend_from_slice(b"\r\n");
        let recipient = self.mail.recipient.to_string();
        field::write(out, "Final-Recipient", &field::typed_address("rfc822", &recipient));
        field::write(out, "Action", "failed");
        field::write(out, "Status", &self.cause.status.to_string());
        if let Some(words) = &self.cause.diagnostic {
            field::write(out, "Diagnostic-Code", &format!("{}; {words}", smarthost::diagnostic_type(words)));
        }
        field::write(out, "Last-Attempt-Date", &field::date(self.letter.now));
    }
}
