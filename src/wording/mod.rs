//! From the words of a mail or form to the words of its SMS: what is left out, how it is laid out, and
//! how it is fitted.
//!
//! Pure. A [`Wording`] is what one rule says about it. The way of the words:
//!
//! 1. [`Wording::distill`] leaves out what nobody needs at night: signatures, quoted replies,
//!    disclaimers. It depends on the mail alone, so it is done once for all recipients of a rule.
//! 2. [`Wording::compose`] fills the template in for one recipient and fits the result into parts.
//!
//! - `distill`: the steps of 1
//! - `template`: the templates of 2
//! - `variables`: values for templates of other channels
//! - `addressed`: mails that name their destinations in their text

pub mod addressed;
pub mod distill;
pub mod template;
mod variables;

use std::collections::BTreeMap;

use jiff::Zoned;

pub use distill::{Distilled, Distilling, Removed, Step};
pub use template::{
    Custom, OwnTemplate, OwnWords, RecipientWords, ReportTemplate, ReportWords, Template, TemplateError,
};

pub use variables::{Filled, MAX_VALUE, Variables};

use crate::mail::{Attachment, Headers};
use crate::model::{Client, SmsText};
use crate::text::{self, Fitting};

/// Named groups of the patterns of the rule that matched, and what they found.
pub type Groups = BTreeMap<String, String>;

/// How one rule makes the words of an SMS.
#[derive(Clone, Debug)]
pub struct Wording {
    /// What is left out of a mail's text. Forms are not distilled: what they give is meant for the phone.
    pub distilling: Distilling,
    /// What becomes of subject and text.
    pub template: Template,
    /// How it is fitted.
    pub fitting: Fitting,
}

/// The words of a mail or form, and what is known about them: what a template may use.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The decoded subject; empty for a form or where there is none.
    pub subject: &'a str,
    /// The text; may be empty.
    pub text: &'a str,
    /// The text with the targets of its links, where that differs.
    pub text_with_links: Option<&'a str>,
    /// Whether it is a mail's, which is distilled.
    pub is_mail: bool,
    /// The address in `From:`, or else the reverse path, or else the account.
    pub from: &'a str,
    /// The display name in `From:`; empty where there is none.
    pub from_name: &'a str,
    /// Who handed it in.
    pub client: &'a Client,
    /// The mail's header fields; none for a form.
    pub headers: Headers<'a>,
    /// The mail's attachments.
    pub attachments: &'a [Attachment],
    /// When it came in, in local time.
    pub received_at: &'a Zoned,
}

/// What came of one recipient's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    /// The words before they were fitted; empty when there is nothing to send.
    pub words: String,
    /// The SMS in order; mostly one. Empty when there is nothing to send.
    pub texts: Vec<SmsText>,
    /// Why the rule's template could not be used; the words are then the subject and the text. Worth a
    /// warning with the message's id.
    pub template_problem: Option<String>,
}

impl Wording {
    /// The body in at most so many parts, and otherwise as without configuration.
    pub fn in_parts(max_parts: u32) -> Self {
        Self {
            distilling: Distilling::default(),
            template: Template::Body,
            fitting: Fitting::in_parts(max_parts),
        }
    }

    /// The text without what this rule leaves out. Linear in the text.
    pub fn distill<'a>(&self, source: &Source<'a>) -> Distilled<'a> {
        if !source.is_mail {
            return Distilled::whole(source.text);
        }
        let with_links = source.text_with_links.filter(|_| self.distilling.link_targets);
        self.distilling.distill(with_links.unwrap_or(source.text))
    }

    /// The SMS to one recipient. `distilled` is the text as [`Wording::distill`] left it, `to` the
    /// recipient as written.
    pub fn compose(&self, source: &Source<'_>, distilled: &str, to: &str, groups: &Groups) -> Composed {
        let (words, template_problem) = self.template.render(source, distilled, to, groups);
        let texts = text::fit(&words, &self.fitting);
        Composed { words, texts, template_problem }
    }
}
