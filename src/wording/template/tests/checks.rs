//! What `check` says of templates that cannot be used, and where.

use super::*;

/// The sentence, and what of the template it is about.
fn error(source: &str) -> (String, String) {
    let Err(error) = Template::new(source) else { panic!("{source} is taken") };
    let range = error.range().unwrap_or_else(|| panic!("{source}: no place for: {error}"));
    (error.to_string(), source.get(range.clone()).unwrap_or_else(|| panic!("{source}: {range:?}")).to_owned())
}

const VARIABLES: &str = "subject, text, from, from_name, to, client, listener, account, helo, headers, received, groups, attachments, json";

#[test]
fn each_mistake_is_told_with_its_place() {
    let all = |name: &str| format!("a template has no variable `{name}`; it has {VARIABLES}");
    for (source, expected, place) in [
        (
            "{{ subject ",
            "this is not a valid template: unexpected end of input, expected end of variable block",
            "subject",
        ),
        ("{{ subjet }}", "a template has no variable `subjet`; did you mean `subject`?", "subjet"),
        ("{{ body }}", "a template has no variable `body`; did you mean `text`?", "body"),
        ("{{ zzz }}", &all("zzz"), "zzz"),
        (
            "{% if false %}{{ subjet }}{% endif %}",
            "a template has no variable `subjet`; did you mean `subject`?",
            "subjet",
        ),
        (
            "{{ text or (1 if subjet else 2) }}",
            "a template has no variable `subjet`; did you mean `subject`?",
            "subjet",
        ),
        (
            "{% for line in text|lines %}{{ lin }}{% endfor %}",
            "a template has no variable `lin`; did you mean `line`?",
            "lin",
        ),
        ("{% for x in text %}{% endfor %}{{ x }}", &all("x"), "x"),
        ("{{ loop.index }}", "`loop` exists in {% for %} only", "loop"),
        (
            "{% for x in text %}{{ loop.idx }}{% endfor %}",
            "`loop` has no `idx`; it has index, index0, revindex, revindex0, first, last, length, depth, depth0",
            "idx",
        ),
        (
            "{% for x in text %}{{ loop }}{% endfor %}",
            "`loop` is no text; name one of its values, like `loop.index`",
            "loop",
        ),
        (
            "{% if 'a' in subject %}{{ text | shorte(5) }}{% endif %}",
            "a template has no filter `shorte`; did you mean `shorten`?",
            "shorte",
        ),
        ("{{ text is strin }}", "a template has no test `strin`; did you mean `string`?", "strin"),
        ("{{ range(10) }}", "a template has no function `range`; use filters and {% for %}", "range"),
        (
            "{{ subject.upper() }}",
            "a template has no function `upper`; write it as a filter, behind a value: `|upper`",
            "upper",
        ),
        (
            "{{ subject.upper }}",
            "`subject` is a text and has no `upper`; the filter is `subject|upper`",
            "upper",
        ),
        ("{{ subject.foo }}", "`subject` is a text and has no `foo`; write `subject` alone", "foo"),
        ("{{ subject['foo'] }}", "`subject` is a text and has no `foo`; write `subject` alone", "'foo'"),
        (
            "{{ received.hour }}",
            "`received` has no `hour`; print parts of it like `received|time(\"%H:%M\")`",
            "hour",
        ),
        (
            "{{ attachments.name }}",
            "`attachments` is a list and has no `name`; print it with `attachments|join(\", \")`",
            "name",
        ),
        (
            "{{ headers }}",
            "`headers` is no text; name one field, like `headers.x_priority` or `headers[\"X-Priority\"]`",
            "headers",
        ),
        (
            "{{ headers[subject] }}",
            "`headers` needs the name of a field in quotes, like `headers[\"X-Priority\"]`",
            "subject",
        ),
        (
            "{{ groups }}",
            "`groups` is no text; name one group, like `groups.host` for (?P<host>...) in a pattern of the rule",
            "groups",
        ),
        (
            "{% for g in groups %}{% endfor %}",
            "`groups` is no text; name one group, like `groups.host` for (?P<host>...) in a pattern of the rule",
            "groups",
        ),
        (
            "{{ groups[text] }}",
            "`groups` needs the name of a group in quotes, like `groups[\"host\"]`",
            "text",
        ),
        (
            "{% include 'x' %}",
            "`include` is not for templates of an SMS; write everything into this one",
            "include",
        ),
        (
            "{% extends 'x' %}",
            "`extends` is not for templates of an SMS; write everything into this one",
            "extends",
        ),
        (
            "{% macro x() %}{% endmacro %}",
            "`macro` is not for templates of an SMS; write everything into this one",
            "macro",
        ),
        (
            "{% from 'x' import y %}",
            "`from` is not for templates of an SMS; write everything into this one",
            "from",
        ),
        (
            "{% do text %}",
            "`do` is not for templates of an SMS; use if, for, set, with, filter and raw",
            "do",
        ),
        ("{% foo %}", "this is not a valid template: unknown statement foo", "foo"),
        ("{% set subject = 1 %}", "`subject` is a variable already; choose another name", "subject"),
        (
            "{% for text in subject %}{% endfor %}",
            "`text` is a variable already; choose another name",
            "text",
        ),
        ("{{ text|match('a(b') }}", "this is not a valid regular expression: unclosed group", "("),
        (
            "{{ text|match(\"\\n\\\\d\\p{Foo}\") }}",
            "this is not a valid regular expression: Unicode property not found",
            "\\p{Foo}",
        ),
        ("{{ text|match('\\x41(') }}", "this is not a valid regular expression: unclosed group", "'\\x41('"),
        (
            "{{ text|match(subject) }}",
            "the pattern of `match` must stand here in quotes, so that it can be checked",
            "subject",
        ),
        (
            "{{ text|match('\\bERR\\b') }}",
            "`\\b` in quotes is a backspace; write `\\\\b` for the border of a word",
            "'\\bERR\\b'",
        ),
        ("{{ text|match('a', 1) }}", "the pattern has no group 1; put what is wanted in parentheses", "1"),
        ("{{ text|match('(a)', 2) }}", "the pattern has no group 2; it has groups 0 to 1", "2"),
        ("{{ text|match('(a)', group='b') }}", "the pattern has no group `b`; write (?P<b>...) in it", "'b'"),
        (
            "{{ text|match('(a)', subject) }}",
            "the group of `match` must stand here as a number or a name in quotes",
            "subject",
        ),
        ("{{ text|match }}", "the filter `match` takes 1 to 2 arguments, not 0", "match"),
        ("{{ text|first_line(2) }}", "the filter `first_line` takes no argument, not 1", "first_line"),
        ("{{ text|shorten }}", "the filter `shorten` takes 1 argument, not 0", "shorten"),
        ("{{ text|shorten(0) }}", "the filter `shorten` takes a number of characters from 1, not `0`", "0"),
        (
            "{{ text|shorten('x') }}",
            "the filter `shorten` takes a number of characters from 1, not `x`",
            "'x'",
        ),
        (
            "{{ text|lines(0) }}",
            "the filter `lines` takes a number of lines, below 0 for the last ones, not `0`",
            "0",
        ),
        (
            "{{ text|mask_digits(kep=1) }}",
            "the filter `mask_digits` has no argument `kep`; it takes keep",
            "1",
        ),
        (
            "{{ text|mask_digits(keep=-1) }}",
            "the filter `mask_digits` takes a number of digits from 0, not `-1`",
            "-1",
        ),
        ("{{ text|upper(a=1) }}", "the filter `upper` has no argument `a`; it takes none by name", "1"),
        ("{{ text|replace('a') }}", "the filter `replace` takes 2 arguments, not 1", "replace"),
        ("{{ text|split(1, 2, 3) }}", "the filter `split` takes at most 2, not 3", "split"),
        ("{{ text|lines|map('uper') }}", "a template has no filter `uper`; did you mean `upper`?", "'uper'"),
        ("{{ text|lines|map(subject) }}", "`map` needs the name of a filter in quotes", "subject"),
        ("{{ text|lines|map('match', '(') }}", "this is not a valid regular expression: unclosed group", "("),
        (
            "{{ text|lines|select('strin') }}",
            "a template has no test `strin`; did you mean `string`?",
            "'strin'",
        ),
        ("{{ text|shorten(*[1]) }}", "arguments are written one by one, without `*`", "[1]"),
        (
            "{{ received|time(subject) }}",
            "the format of `time` must stand here in quotes, so that it can be checked",
            "subject",
        ),
        (
            "{{ text * 2 }}",
            "`*` is for numbers; write `|int` or `|float` behind what is to be multiplied",
            "text",
        ),
        (
            "{% filter shortn %}{% endfilter %}{{ text }}",
            "a template has no filter `shortn`; did you mean `shorten`?",
            "shortn",
        ),
        (
            "{% for x in json recursive %}{{ loop(x) }}{% endfor %}",
            "`recursive` loops are not for templates of an SMS",
            "",
        ),
    ] {
        let (told, about) = error(source);
        assert_eq!(told, expected, "{source}");
        if !place.is_empty() {
            assert_eq!(about, place, "{source}");
        }
    }
}

#[test]
fn formats_of_times_are_tried() {
    let (told, place) = error("{{ received|time('%Q %') }}");
    assert!(told.starts_with("`%Q %` is not a format of a time: "), "{told}");
    assert!(told.ends_with("; write it like \"%d.%m. %H:%M\""), "{told}");
    assert_eq!(place, "'%Q %'");
    let of_names = |count: usize| format!("{{{{ received|time('{}') }}}}", "%A".repeat(count));
    assert!(Template::new(&of_names(8)).is_ok(), "8 times Saturday is 64 characters");
    assert_eq!(error(&of_names(9)).0, "a time of more than 64 characters; shorten its format");
}

#[test]
fn groups_that_are_named_are_known() {
    let template =
        Template::new("{{ groups.host }}{{ groups['state'] }}{{ groups.host }}{{ headers.from }}").unwrap();
    assert_eq!(template.groups(), ["host", "state"]);
    let hidden = Template::new("{% if false %}{{ groups.host|upper }}{% endif %}{{ text }}").unwrap();
    assert_eq!(hidden.groups(), ["host"]);
    assert_eq!(Template::Body.groups(), [""; 0]);
}

#[test]
fn templates_have_a_size() {
    let of_length = |length: usize| "{{ text }}".to_owned() + &"x".repeat(length - 10);
    assert!(Template::new(&of_length(8192)).is_ok());
    assert_eq!(
        Template::new(&of_length(8193)).unwrap_err().to_string(),
        "this template has 8193 octets; a template has at most 8192"
    );
    let printed = |count: usize| "{{a}}".repeat(count).replace('a', "text");
    // Three words and signs each.
    assert!(Template::new(&(printed(333) + "x")).is_ok());
    let (told, place) = error(&printed(334));
    assert_eq!(told, "this template is too large: it has more than 1000 words and signs in its braces");
    assert_eq!(place, "text");
    // The closing braces count.
    let joined = |count: usize| format!("{{{{{}text}}}}", "text~".repeat(count - 1));
    assert!(Template::new(&joined(100)).is_ok());
    let (told, place) = error(&joined(101));
    assert_eq!(told, "more than 200 words and signs in one pair of braces; split it with `set`");
    assert_eq!(place, "text");
}
