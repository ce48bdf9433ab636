//! The words of a report as the operator wants them.

use jiff::Zoned;
use minijinja::value::Value;

use super::filters::Moment;
use super::known::{Kind, Vocabulary};
use super::values::{Named, beginning};
use super::{Custom, MAX_OUTPUT, TemplateError, reason};

/// What each recipient of a report has.
const FIELDS: [&str; 9] =
    ["address", "phone", "action", "status", "reason", "diagnostic", "text", "ids", "until"];

static REPORT: Vocabulary = Vocabulary {
    made: "a report",
    names: &[
        ("id", Kind::Text),
        ("subject", Kind::Text),
        ("received", Kind::Time),
        ("client", Kind::Text),
        ("hostname", Kind::Text),
        ("operator", Kind::Text),
        ("recipients", Kind::Records(&FIELDS)),
    ],
    meant: &[
        ("received_at", "received"),
        ("date", "received"),
        ("time", "received"),
        ("contact", "operator"),
        ("from", "operator"),
        ("host", "hostname"),
        ("ip", "client"),
        ("recipient", "recipients"),
        ("messages", "recipients"),
    ],
};

/// A template of the human part of a report.
#[derive(Clone, Debug)]
pub struct ReportTemplate(Custom);

/// What such a template sees.
#[derive(Clone, Debug)]
pub struct ReportWords<'a> {
    /// Our id of the mail or form post.
    pub id: &'a str,
    /// Its decoded subject; empty where there is none.
    pub subject: &'a str,
    /// When it was accepted.
    pub received: Zoned,
    /// The address of whoever handed it in.
    pub client: &'a str,
    /// Our host name.
    pub hostname: &'a str,
    /// Whom to ask.
    pub operator: &'a str,
    /// What became of its recipients, in the order of the report.
    pub recipients: Vec<RecipientWords>,
}

/// One recipient, in words; what is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecipientWords {
    /// The address as it was written.
    pub address: String,
    /// The phone, as far as the reader may see it.
    pub phone: String,
    /// `failed`, `delayed`, `expanded`, `relayed` or `delivered` (RFC 3464 section 2.3.3).
    pub action: String,
    /// The status code (RFC 3463).
    pub status: String,
    /// Why, in a sentence.
    pub reason: String,
    /// What the platform said.
    pub diagnostic: String,
    /// The words of the SMS.
    pub text: String,
    /// The ids of its SMS.
    pub ids: String,
    /// How long it will be tried, for what is late.
    pub until: String,
}

impl ReportTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// As for [`Template::new`](super::Template::new).
    pub fn new(source: &str) -> Result<Self, TemplateError> {
        Custom::new(source, &REPORT).map(Self)
    }

    /// The words, never blank.
    ///
    /// # Errors
    /// Why it could not make them, in one line.
    pub fn render(&self, words: &ReportWords<'_>) -> Result<String, String> {
        let text = self.0.render_with(context(words)).map_err(|error| reason(&error))?;
        if text.trim().is_empty() {
            Err("it made an empty text".to_owned())
        } else if text.len() > MAX_OUTPUT {
            Err("it printed too much".to_owned())
        } else {
            Ok(text)
        }
    }
}

fn context(words: &ReportWords<'_>) -> Value {
    let text = |text: &str| Value::from(beginning(text));
    let recipient = |one: &RecipientWords| {
        let RecipientWords { address, phone, action, status, reason, diagnostic, text, ids, until } = one;
        let values = [address, phone, action, status, reason, diagnostic, text, ids, until];
        let named = FIELDS.into_iter().zip(values.map(|value| Value::from(beginning(value))));
        Value::from_object(Named(named.collect()))
    };
    Value::from_object(Named(vec![
        ("id", text(words.id)),
        ("subject", text(words.subject)),
        ("received", Value::from_object(Moment(words.received.clone()))),
        ("client", text(words.client)),
        ("hostname", text(words.hostname)),
        ("operator", text(words.operator)),
        ("recipients", words.recipients.iter().map(recipient).collect()),
    ]))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;

    fn recipient(address: &str, action: &str) -> RecipientWords {
        RecipientWords {
            address: address.to_owned(),
            action: action.to_owned(),
            text: "Disk full".to_owned(),
            ..RecipientWords::default()
        }
    }

    fn words() -> ReportWords<'static> {
        ReportWords {
            id: "01HF7YAT00ARZ3NDEKTSV4RRFF",
            subject: "Disk",
            received: Timestamp::from_second(1_700_000_000).unwrap().to_zoned(TimeZone::UTC),
            client: "192.0.2.7",
            hostname: "relay.example.com",
            operator: "ops@example.com",
            recipients: vec![recipient("a@sms.local", "failed"), recipient("b@sms.local", "delivered")],
        }
    }

    fn rendered(source: &str) -> Result<String, String> {
        ReportTemplate::new(source).unwrap().render(&words())
    }

    /// What is wrong with a template, and where.
    fn wrong(source: &str) -> (String, String) {
        let error = ReportTemplate::new(source).unwrap_err();
        let place = error.range().map(|range| source[range].to_owned()).unwrap_or_default();
        (place, error.reason)
    }

    #[test]
    fn a_template_tells_of_each_recipient() {
        let source = "{{ subject }} {{ received|time(\"%H:%M\") }} {{ id }} {{ client }} {{ hostname }} {{ operator }}\n\
            {% for one in recipients %}{{ one.address }}: {{ one.action }}{{ one.phone }} \
            {{ one.text|upper }}\n{% endfor %}";
        let expected = "Disk 22:13 01HF7YAT00ARZ3NDEKTSV4RRFF 192.0.2.7 relay.example.com ops@example.com\n\
            a@sms.local: failed DISK FULL\nb@sms.local: delivered DISK FULL\n";
        assert_eq!(rendered(source).unwrap(), expected);
        let failed = "{{ recipients|selectattr(\"action\", \"eq\", \"failed\")|map(attribute=\"address\")|join(\", \") }}";
        assert_eq!(rendered(failed).unwrap(), "a@sms.local");
        assert_eq!(rendered("{{ recipients|length }} {{ recipients[0].action }}").unwrap(), "2 failed");
        assert_eq!(rendered("{{ (recipients|last).address }}").unwrap(), "b@sms.local");
    }

    #[test]
    fn every_field_can_be_named_and_is_a_text() {
        for field in FIELDS {
            let source = format!("{{% for one in recipients %}}<{{{{ one.{field} }}}}>{{% endfor %}}");
            assert!(rendered(&source).unwrap().starts_with('<'), "{field}");
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_its_place_in_branches_never_taken_too() {
        for (source, place, reason) in [
            ("{{ subjekt }}", "subjekt", "did you mean `subject`?"),
            ("{{ text }}", "text", "it has id, subject, received"),
            ("{{ received_at }}", "received_at", "did you mean `received`?"),
            ("{% if false %}{{ adress }}{% endif %}", "adress", "a template has no variable"),
            ("{% for one in recipients %}{{ one.adress }}{% endfor %}", "adress", "did you mean `address`?"),
            ("{% for one in recipients if one.x %}{% endfor %}", "x", "it has address, phone"),
            ("{% set all = recipients|sort(attribute=\"x\") %}", "\"x\"", "there is no `x`"),
            ("{{ recipients|selectattr(\"aktion\")|length }}", "\"aktion\"", "did you mean `action`?"),
            ("{{ recipients[0][\"nr\"] }}", "\"nr\"", "there is no `nr`"),
            ("{{ recipients.address }}", "address", "this is a list"),
            ("{{ (recipients|first).nr }}", "nr", "there is no `nr`"),
            ("{{ recipients }}", "recipients", "this is no text"),
            ("{% for one in recipients %}{{ one }}{% endfor %}", "one", "this is no text"),
            ("{% do x() %}", "do", "not for templates"),
            ("{{ headers.x }}", "headers", "no variable `headers`"),
        ] {
            let (at, told) = wrong(source);
            assert!(at == place && told.contains(reason), "{source}: `{at}`: {told}");
        }
    }

    #[test]
    fn a_template_that_prints_nothing_or_too_much_fails() {
        assert_eq!(
            rendered("{% if recipients|length > 5 %}x{% endif %}"),
            Err("it made an empty text".to_owned())
        );
        let mut many = words();
        many.recipients = vec![RecipientWords { text: "x".repeat(1000), ..RecipientWords::default() }; 1000];
        let all = ReportTemplate::new("{% for one in recipients %}{{ one.text }}{% endfor %}").unwrap();
        assert_eq!(all.render(&many), Err("it printed too much".to_owned()));
        many.recipients.truncate(200);
        assert_eq!(all.render(&many).unwrap().len(), 200_000);
    }
}
