//! Templates as rules use them.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::*;
use crate::mail::{Attachment, Headers};
use crate::model::{Client, Door};

mod bounds;
mod checks;
mod filters;

/// What a template may use, owned.
struct World {
    subject: String,
    text: String,
    distilled: Option<String>,
    client: Client,
    headers: Vec<u8>,
    attachments: Vec<Attachment>,
    received_at: Zoned,
    groups: Groups,
}

fn world(subject: &str, text: &str) -> World {
    let attachment = |name: Option<&str>, media_type: &str| Attachment {
        name: name.map(str::to_owned),
        media_type: media_type.to_owned(),
    };
    World {
        subject: subject.to_owned(),
        text: text.to_owned(),
        distilled: None,
        client: Client {
            door: Door::Smtp,
            listener: "lan".to_owned(),
            address: "10.0.0.7".parse().unwrap(),
            helo: Some("p3.local".to_owned()),
            account: None,
        },
        headers: b"X-Priority: 1\r\nX_Odd: yes\r\nX-Host: =?utf-8?q?caff=C3=A8?=\r\n".to_vec(),
        attachments: vec![attachment(Some("a.pdf"), "application/pdf"), attachment(None, "image/png")],
        received_at: Timestamp::from_second(1_795_274_760).unwrap().to_zoned(TimeZone::UTC),
        groups: [("host".to_owned(), "srv1".to_owned())].into(),
    }
}

impl World {
    fn source(&self) -> Source<'_> {
        Source {
            subject: &self.subject,
            text: &self.text,
            text_with_links: None,
            is_mail: true,
            from: "p3@example.com",
            from_name: "Printer 3",
            client: &self.client,
            headers: Headers::new(&self.headers),
            attachments: &self.attachments,
            received_at: &self.received_at,
        }
    }

    fn render(&self, template: &str) -> (String, Option<String>) {
        let template = Template::new(template).unwrap_or_else(|error| panic!("{template}: {error}"));
        let text = self.distilled.as_deref().unwrap_or(&self.text);
        template.render(&self.source(), text, "oncall@sms.local", &self.groups)
    }

    /// What a template that does not fail makes.
    fn text_of(&self, template: &str) -> String {
        let (text, problem) = self.render(template);
        assert_eq!(problem, None, "{template}");
        text
    }
}

#[test]
fn texts_are_made_of_what_is_there() {
    for (template, subject, text, expected) in [
        ("body", "S", "T\r\n", "T"),
        ("body", "S", " \n", "S"),
        ("subject", "S", "T", "S"),
        ("subject", "", "T", "T"),
        ("both", "S", "T", "S\nT"),
        ("both", "", "T", "T"),
        ("both", "S", "", "S"),
        ("both", "", "", ""),
        (
            "{{ subject|upper }}: {{ text }} ({{ from }} to {{ to }})",
            "s",
            "<b> {x} & 'y'",
            "S: <b> {x} & 'y' (p3@example.com to oncall@sms.local)",
        ),
        (
            "{% for line in text|lines %}{% if 'ERR' in line %}{{ line }};{% endif %}{% endfor %}",
            "",
            "a\nERR 1\nb\nERR 2",
            "ERR 1;ERR 2;",
        ),
        ("{% raw %}{{ x }}{% endraw %}{{ subject }}", "S", "", "{{ x }}S"),
        ("{% set a, b = [subject, text] %}{{ b }}{{ a }}", "S", "T", "TS"),
        ("{% set a %}<{{ text }}>{% endset %}{{ a }}{{ a }}", "", "T", "<T><T>"),
        ("{% with a = text %}{{ a }}{% endwith %}", "", "T", "T"),
        ("{% filter upper %}{{ text }} x{% endfilter %}", "", "t", "T X"),
        (
            "{% for c in ['a', 'b'] %}{{ loop.index }}{{ c }}{{ ',' if not loop.last }}{% endfor %}{{ text }}",
            "",
            ".",
            "1a,2b.",
        ),
        ("{{ subject or 'nothing' }}", "", "T", "nothing"),
        ("{{ (text|int * 2 + 1) / 2 }}", "", "20", "20.5"),
    ] {
        assert_eq!(world(subject, text).render(template), (expected.to_owned(), None), "{template}");
    }
}

#[test]
fn every_variable_has_its_value() {
    let mut world = world(" Alarm ", r#"{"host": "db1", "load": [1.5, 2], "up": true, "note": null}"#);
    world.client.account = Some("ups".to_owned());
    for (template, expected) in [
        ("{{ subject }}", "Alarm"),
        ("{{ text|length }}", "59"),
        ("{{ from }}", "p3@example.com"),
        ("{{ from_name }}", "Printer 3"),
        ("{{ to }}", "oncall@sms.local"),
        ("{{ client }}", "10.0.0.7"),
        ("{{ listener }}", "lan"),
        ("{{ account }}", "ups"),
        ("{{ helo }}", "p3.local"),
        ("{{ headers[\"X-Priority\"] }}{{ headers.x_priority }}{{ headers['x-priority'] }}", "111"),
        ("{{ headers.x_odd }}", "yes"),
        ("{{ headers.x_host }}", "caffè"),
        ("{{ headers.x_none|default('none') }}", "none"),
        ("{{ headers.x_none is defined }}", "False"),
        ("{{ received }}", "2026-11-21 15:26"),
        ("{{ received|time('%H:%M') }}", "15:26"),
        ("{{ groups.host }}{{ groups['host'] }}", "srv1srv1"),
        ("{{ groups.state|default('?') }}", "?"),
        ("{{ attachments|join(', ') }}", "a.pdf, image/png"),
        ("{{ attachments|length }}{{ attachments[0] }}", "2a.pdf"),
        ("{{ json.host }} {{ json.load[1] }} {{ json.load|first }} {{ json.up }}", "db1 2 1.5 True"),
        ("{{ json.none|default('-') }}{{ json.note|default('-', true) }}", "--"),
        ("{% for name, value in json|items %}{{ name }} {% endfor %}", "host load note up"),
    ] {
        assert_eq!(world.text_of(template), expected, "{template}");
    }
    world.client.account = None;
    world.client.helo = None;
    assert_eq!(world.text_of("[{{ account }}{{ helo }}]"), "[]");
}

#[test]
fn json_is_there_only_where_the_text_is_an_object_or_a_list() {
    let defined = "{{ 'yes' if json is defined else 'no' }}";
    let long = |length: usize| format!("[\"{}\"]", "x".repeat(length - 4));
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for (text, expected) in [
        ("{}", "yes"),
        (" [1]\n", "yes"),
        ("12", "no"),
        ("\"a\"", "no"),
        ("{", "no"),
        ("", "no"),
        (&*long(MAX_WORDS), "yes"),
        (&*long(MAX_WORDS + 1), "no"),
        (&*deep(127), "yes"),
        (&*deep(128), "no"),
        (&*deep(30_000), "no"),
    ] {
        assert_eq!(world("S", text).text_of(defined), expected, "{} octets", text.len());
    }
    // Of a text of which something was left out, what is left; or else the whole.
    let mut mail = world("", "{\"a\": 1}\n-- \nme");
    mail.distilled = Some("{\"a\": 1}".to_owned());
    assert_eq!(mail.text_of("{{ json.a }}"), "1");
    let mut mail = world("", "{\"a\": 2}");
    mail.distilled = Some("\"a\": 2}".to_owned());
    assert_eq!(mail.text_of("{{ json.a }}"), "2");
}

#[test]
fn templates_on_several_lines_leave_no_lines_of_their_own() {
    let template = "{{ subject }}\n{% for line in text|lines %}\n  {% if 'ERR' in line %}\n{{ line }}\n  {% endif %}\n{% endfor %}\n{# end #}\n";
    assert_eq!(world("S", "a\nERR 1\nERR 2").text_of(template), "S\nERR 1\nERR 2");
}

#[test]
fn a_template_that_fails_on_a_message_costs_its_layout_only() {
    let cubed = "{% for a in text %}{% for b in text %}{% for c in text %}{{ a }}{% endfor %}{% endfor %}{% endfor %}";
    for (template, why) in [
        ("{{ (text|split)[99] }}", "the template failed: undefined value"),
        ("{{ headers.x_none }}", "the template failed: undefined value"),
        ("{{ groups.state|upper }}", "the template failed: undefined value"),
        ("{{ json.host }}", "the template failed: undefined value"),
        ("{% if 'x' in subject %}{{ text }}{% endif %}", "the template made an empty text"),
        (cubed, "the template failed: engine ran out of fuel"),
        (
            "{{ subject / 2 }}",
            "the template failed: tried to use / operator on unsupported types string and number",
        ),
        ("{{ subject|time('%H') }}", "the template failed: `time` is for `received` only"),
    ] {
        let (text, problem) = world("S", &"word ".repeat(50)).render(template);
        assert_eq!(text, format!("S\n{}", "word ".repeat(50).trim()), "{template}");
        assert_eq!(problem.as_deref(), Some(why), "{template}");
    }
}

#[test]
fn explaining_shows_every_variable_in_order() {
    let shown = |world: &World| {
        let text = world.distilled.as_deref().unwrap_or(&world.text);
        let shown = variables(&world.source(), text, "oncall", &world.groups);
        shown.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    assert_eq!(
        shown(&world("S", "[1, {\"b\": 2}]")),
        [
            "subject=S",
            "text=[1, {\"b\": 2}]",
            "from=p3@example.com",
            "from_name=Printer 3",
            "to=oncall",
            "client=10.0.0.7",
            "listener=lan",
            "account=",
            "helo=p3.local",
            "headers=3 fields",
            "received=2026-11-21 15:26",
            "groups.host=srv1",
            "attachments=a.pdf, image/png",
            "json=[1,{\"b\":2}]",
        ]
    );
    let last = |text: &str| shown(&world("S", text)).pop().unwrap();
    assert_eq!(last("no json"), "attachments=a.pdf, image/png");
    assert_eq!(last(&format!("[{}1]", "1,".repeat(99))), "json=a list of 100 values");
    assert_eq!(last(&format!("{{\"a\":\"{}\"}}", "x".repeat(200))), "json=an object of 1 names");
}
