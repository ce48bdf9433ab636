//! Each filter of our own, and that the engine's are there.

use super::*;
use crate::wording::template::known::{FILTERS, LOOP, Makes, TESTS, Variable, filter_of};

#[test]
fn filters_make_what_the_manual_says() {
    let text = "\n  first  \n\nsecond\n third\n\n";
    for (template, text, expected) in [
        ("[{{ text|first_line }}]", text, "[first]"),
        ("[{{ text|first_line }}]", "", "[]"),
        ("[{{ text|lines(1) }}]", text, "[first]"),
        ("[{{ text|lines(2) }}]", text, "[first\nsecond]"),
        ("[{{ text|lines(3) }}]", text, "[first\nsecond\nthird]"),
        ("[{{ text|lines(4) }}]", text, "[first\nsecond\nthird]"),
        ("[{{ text|lines(-1) }}]", text, "[third]"),
        ("[{{ text|lines(-2) }}]", text, "[second\nthird]"),
        ("[{{ text|lines(-9) }}]", text, "[first\nsecond\nthird]"),
        ("{{ text|lines|length }}", "a\n\nb", "3"),
        (r"{{ text|match('\d+') }}", "code 123 456", "123"),
        (r"{{ text|match('code (\d)(\d)', 2) }}", "Code 123", "2"),
        (r"{{ text|match('code (\d)(\d)', group=1) }}", "Code 123", "1"),
        (r"{{ text|match('(?P<n>\d+)', 'n') }}", "code 123", "123"),
        (r"{{ text|match('^b=(.*)$', 1) }}", "a=1\nb=2\nc=3", "2"),
        (r"{{ text|match('x', 0)|default('-') }}", "abc", "-"),
        (r"{{ text|match('a(x)?', 1)|default('-') }}", "abc", "-"),
        (r"{{ text|match('(?-i)B')|default('-') }}", "abc", "-"),
        (r#"{{ text|match("\\bERR\\b") }}"#, "xERR ERR", "ERR"),
        (r"{{ text|split(' ')|map('match', '\d+')|join('+') }}", "a1 b2", "1+2"),
        ("{{ text|shorten(11) }}", "hello world", "hello world"),
        ("{{ text|shorten(10) }}", "hello world", "hello..."),
        ("{{ text|shorten(1) }}", "ab", "a"),
        ("{{ text|gsm }}", "caffè", "caffè"),
        ("{{ text|mask_digits }}", "PIN 1234, id 56", "PIN ****, id **"),
        ("{{ text|mask_digits(2) }}", "PIN 1234, id 56", "PIN ****, id 56"),
        ("{{ text|mask_digits(keep=3) }}", "PIN 1234, id 56", "PIN ***4, id 56"),
        ("{{ text|mask_digits(6) }}", "PIN 1234, id 56", "PIN 1234, id 56"),
        ("{{ text|mask_digits(7) }}", "PIN 1234, id 56", "PIN 1234, id 56"),
        ("{{ text|replace('a', 'bb') }}", "aXa", "bbXbb"),
        ("{{ text|split(',')|join('; ') }}", "a,b", "a; b"),
        ("{{ text|trim('-') }}", "--a--", "a"),
        ("{{ text|lines|select('startingwith', 'E')|join(',') }}", "E1\nx\nE2", "E1,E2"),
        ("{{ text|lines|sort|unique|reverse|join(',') }}", "b\na\nb", "b,a"),
        ("{{ received|time('%d.%m.%Y') }}", "x", "21.11.2026"),
        ("{{ 5|mask_digits }}{{ received|first_line }}", "x", "*2026-11-21 15:26"),
    ] {
        assert_eq!(world("", text).text_of(template), expected, "{template} of {text:?}");
    }
}

#[test]
fn whatever_gsm_makes_is_gsm() {
    let made = world("", "a „b“ – 🔥 ő 漢字 \u{301}").text_of("{{ text|gsm }}");
    assert_eq!(made.chars().filter(|c| crate::text::gsm::encode(*c).is_none()).count(), 0, "{made}");
}

/// Every filter and test that check knows is there, and no other is: a name in one list only would be
/// an error at night, or never found.
#[test]
fn what_check_knows_is_what_the_engine_has() {
    let Template::Custom(custom) = Template::new("{{ text }}").unwrap() else { panic!() };
    let template = custom.environment.get_template(NAME).unwrap();
    let mut state = template.new_state();
    let unknown = |error: minijinja::Error| {
        use minijinja::ErrorKind::{UnknownFilter, UnknownTest};
        matches!(error.kind(), UnknownFilter | UnknownTest)
    };
    for filter in FILTERS {
        let applied = state.apply_filter(filter.name, &["a".into()]);
        assert!(!applied.is_err_and(unknown), "{} is not registered", filter.name);
    }
    for test in TESTS {
        let performed = state.perform_test(test, &["a".into()]);
        assert!(!performed.is_err_and(unknown), "{test} is not registered");
    }
    for name in
        ["batch", "slice", "indent", "format", "sum", "groupby", "pprint", "safe", "escape", "e", "attr"]
    {
        assert!(state.apply_filter(name, &["a".into()]).is_err_and(unknown), "{name}");
        assert!(filter_of(name).is_none(), "{name}");
    }
    assert!(custom.environment.globals().next().is_none());
    assert_eq!(Variable::ALL.len(), 14);
    assert_eq!(LOOP.len(), 9);
    assert_eq!(filter_of("length").map(|filter| filter.makes), Some(Makes::Number));
}

/// The examples of the manual, as `docs/text.md` has them.
#[test]
fn the_examples_of_the_manual_do_what_they_say() {
    let manual = include_str!("../../../../docs/text.md");
    let example = |rule: &str| {
        let from = manual.find(&format!("name = \"{rule}\"")).unwrap();
        let block = &manual[from..from + manual[from..].find("```").unwrap()];
        let quoted = block.split("text = '''").nth(1).unwrap();
        quoted.split("'''").next().unwrap().to_owned()
    };
    let event = r#"{"event": {"severity": "high", "name": "Disk full"}, "host": "db1"}"#;
    let zabbix = example("zabbix");
    assert_eq!(world("Problem", event).text_of(&zabbix), "HIGH db1: Disk full 15:26");
    assert_eq!(world("Problem", "no json").text_of(&zabbix), "Problem");
    let fortigate = example("fortigate");
    assert_eq!(world("AuthCode: 123456", "").text_of(&fortigate), "Code 123456 (p3@example.com)");
    let mut cron = world("Cron <root@db1> /usr/local/bin/backup --all", "start\ncopy\n\nfailed: 3\nexit 1\n");
    cron.groups = [("who".to_owned(), "root@db1".to_owned())].into();
    assert_eq!(cron.text_of(&example("cron")), "root@db1: /usr/local/bin/backup --all\nfailed: 3\nexit 1");
}

/// The manual's table of filters, its last column.
#[test]
fn the_manual_shows_what_filters_make() {
    let world = world("", "\n Disk full\n\n/var 98%\n PIN 1234");
    for (template, expected) in [
        ("{{ text|first_line }}", "Disk full"),
        ("{{ text|lines(-1) }}", "PIN 1234"),
        (r"{{ text|match('(\d+)%', 1) }}", "98"),
        ("{{ text|first_line|shorten(8) }}", "Disk..."),
        ("{{ text|lines(-1)|mask_digits(2) }}", "PIN **34"),
        ("{{ groups.state|default('?') }}", "?"),
    ] {
        assert_eq!(world.text_of(template), expected, "{template}");
    }
    let manual = include_str!("../../../../docs/text.md");
    for name in FILTERS.map(|filter| filter.name).into_iter().chain(Variable::ALL.map(Variable::name)) {
        let called = [format!("`{name}`"), format!("`{name}(")];
        assert!(called.iter().any(|called| manual.contains(called)), "{name} is not in the manual");
    }
}
