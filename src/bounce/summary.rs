//! Many outcomes in one mail, for an address that has had its share of reports for now.

use jiff::Timestamp;

use super::field::{self, AutoSubmitted};
use super::{Audience, Letter, ReportedRecipient, encode, headline, human};
use crate::model::SubmissionId;

/// Outcomes of several mails or form posts. It is a plain mail and no delivery status
/// notification, which is always about one mail (RFC 3464 section 2).
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// Where it comes from and goes to.
    pub letter: Letter<'a>,
    /// Whom it is written for.
    pub audience: Audience,
    /// How many reports an address gets in an hour.
    pub limit: usize,
    /// Whether the words of the SMS are quoted.
    pub include_text: bool,
    /// What it is about; not empty.
    pub entries: &'a [SummaryEntry<'a>],
}

/// One mail or form post of a summary.
#[derive(Clone, Copy, Debug)]
pub struct SummaryEntry<'a> {
    /// Our id of it.
    pub submission: SubmissionId,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// Its decoded subject.
    pub subject: Option<&'a str>,
    /// What became of its recipients.
    pub recipients: &'a [ReportedRecipient<'a>],
}

impl Summary<'_> {
    /// The whole mail.
    pub fn to_bytes(&self) -> Vec<u8> {
        let actions = self.entries.iter().flat_map(|entry| entry.recipients).map(|one| one.action);
        let what = headline(actions);
        let subject = format!("{what}: {} messages", self.entries.len());
        let mut out = self.letter.head(&subject, AutoSubmitted::Generated, None);
        field::write(&mut out, "Content-Type", "text/plain; charset=utf-8");
        field::write(&mut out, "Content-Transfer-Encoding", "quoted-printable");
        out.extend_from_slice(b"\r\n");
        encode::quoted_printable(self.text().replace('\n', "\r\n").as_bytes(), &mut out);
        out
    }

    fn text(&self) -> String {
        let mut text = format!(
            "The SMS relay at {} writes at most {} reports\n\
             an hour to one address, and this one has had them. All else that there is to\n\
             report stands here in one mail.\n\n",
            field::host(self.letter.hostname),
            self.limit
        );
        for entry in self.entries {
            text.push_str(&format!("{}\n", "-".repeat(72)));
            if let Some(subject) = entry.subject {
                text.push_str(&format!("Subject:  {}\n", field::one_line(subject)));
            }
            text.push_str(&format!(
                "Received: {}\nId:       {}\n\n",
                field::date(entry.received_at),
                entry.submission
            ));
            text.push_str(&human::outcomes(self.audience, entry.recipients));
            if self.include_text {
                text.push_str(&human::quoted_texts(entry.recipients));
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }
}
