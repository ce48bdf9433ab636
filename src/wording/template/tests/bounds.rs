//! Hostile templates and hostile texts: refused, or an error, or a result within its bounds.

use proptest::prelude::*;

use super::*;

/// Text of as many octets as a template sees.
fn longest(of: &str) -> String {
    of.repeat(MAX_WORDS / of.len())
}

#[test]
fn what_could_make_too_much_is_refused() {
    let doubled = |times: usize| {
        let names: Vec<String> = (0..=times).map(|n| format!("a{n}")).collect();
        let mut source = format!("{{% set {} = text %}}", names[0]);
        for pair in names.windows(2) {
            source += &format!("{{% set {1} = {0} ~ {0} %}}", pair[0], pair[1]);
        }
        source + &format!("{{{{ {} }}}}", names[times])
    };
    let lists =
        |times: usize| doubled(times).replace(" ~ ", ", ").replace("= a", "= [a").replace(" %}{", "] %}{");
    for source in [
        "{{ text * 1000000 }}",
        "{{ 'x' * 100000000 }}",
        "{{ [1] * 100000000 }}",
        "{{ json.n * 2 }}",
        "{{ 1000000000 * text }}",
        "{{ text|center(1000000000) }}",
        "{{ text|indent(1000000000) }}",
        "{{ '%1000000000d'|format(1) }}",
        "{{ text|batch(1000000000, 'x') }}",
        "{{ text|slice(1000000000) }}",
        "{{ json|tojson(indent=1000000000) }}",
        "{{ range(1000000000) }}",
        "{% set ns = namespace(x='x') %}{% for c in text %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% for c in json recursive %}{{ loop(c) }}{% endfor %}",
        &doubled(20),
        &lists(20),
    ] {
        let taken = Template::new(source);
        assert!(taken.is_err(), "{source}");
    }
    assert!(Template::new(&doubled(3)).is_ok());
}

#[test]
fn what_comes_to_too_much_on_a_message_fails() {
    let printed = "the template failed: it printed too much";
    let made = "the template failed: a filter made too long a text";
    let read = "the template failed: its filters read too much";
    let fuel = "the template failed: engine ran out of fuel";
    for (template, text, why) in [
        ("{% for a in text %}{{ text }}{% endfor %}", &*longest("word "), printed),
        (
            "{% set x %}{% for a in text %}{{ text }}{% endfor %}{% endset %}{{ x }}",
            &longest("word "),
            printed,
        ),
        (
            "{% filter upper %}{% for a in text %}{{ text }}{% endfor %}{% endfilter %}",
            &longest("word "),
            printed,
        ),
        ("{% set x = [text, text] %}{% set y = [x, x] %}{{ [y, y] }}", &longest("word "), printed),
        ("{{ text|replace('', text) }}", &longest("word "), made),
        ("{{ text|list|join(text) }}", &longest("word "), made),
        ("{{ text|tojson|length }}", &longest("\u{1}"), made),
        ("{% for a in text %}{% if text|upper == '' %}x{% endif %}{% endfor %}", &longest("word "), read),
        ("{% for a in text %}{{ text|match('(a|b|ab)*c')|default('') }}{% endfor %}", &longest("ab"), read),
        ("{{ text|list|select('in', text|list)|length }}", &longest("word "), read),
        ("{{ text|list|map('replace', 'w', text)|join|length }}", &longest("word "), read),
        (
            "{% for a in text|lines|sort|unique %}{% for b in text|lines %}{{ loop.index }}{% endfor %}{% endfor %}",
            &longest("a\n"),
            fuel,
        ),
        (
            "{% for a in text %}{% for b in text %}{% for c in text %}{{ c }}{% endfor %}{% endfor %}{% endfor %}",
            &longest("word "),
            fuel,
        ),
    ] {
        let (words, problem) = world("S", text).render(template);
        assert_eq!(problem.as_deref(), Some(why), "{template}");
        assert_eq!(words, format!("S\n{}", text.trim()), "{template}");
    }
}

#[test]
fn what_is_long_but_bounded_is_done() {
    let text = longest("word\nERR 1234567890 (x)\n");
    for template in [
        "{{ text|lines|sort|unique|join(';') }}",
        "{{ text|match('(\\w+\\s?)*$')|default('none')|shorten(100) }}",
        "{{ text|upper|lower|title|gsm|mask_digits|shorten(160) }}",
        "{{ text|list|reverse|list|length }}",
        "{{ text|trim('word')|first_line }}",
        "{{ text[1:]|first_line }}",
    ] {
        let (words, problem) = world("S", &text).render(template);
        assert_eq!(problem, None, "{template}");
        assert!(words.len() <= MAX_OUTPUT, "{template}");
    }
    let deep = "[".repeat(127) + "1" + &"]".repeat(127);
    assert_eq!(world("S", &deep).text_of("{{ json }}"), deep);
    // Behind the end of what a template sees: nothing.
    let cut = "x".repeat(MAX_WORDS + 1);
    assert_eq!(world("S", &cut).text_of("{{ text|length }}"), MAX_WORDS.to_string());
    assert_eq!(world(&cut, "").text_of("{{ subject|length }}"), MAX_WORDS.to_string());
}

#[test]
fn a_rendering_prints_at_most_so_much() {
    // 4 * 64 KiB is the limit, exactly.
    let full = world("", &"x".repeat(MAX_WORDS));
    let four = "{{ text }}".repeat(4);
    assert_eq!(full.text_of(&four).len(), MAX_OUTPUT);
    let (_, problem) = full.render(&(four.clone() + "{{ 1 }}"));
    assert_eq!(problem.as_deref(), Some("the template failed: it printed too much"));
    // The template's own words count at the end.
    let (_, problem) = full.render(&(four + "y"));
    assert_eq!(problem.as_deref(), Some("the template failed: it printed too much"));
}

#[test]
fn the_more_a_step_may_move_the_fewer_there_are() {
    let fuel = |source: &str| {
        let Template::Custom(custom) = Template::new(source).unwrap() else { panic!() };
        custom.environment.fuel().unwrap()
    };
    assert_eq!(fuel("{{ text ~ subject }}"), 100_000);
    assert_eq!(fuel("{% for line in text|lines %}{{ line }}{% endfor %}"), 100_000);
    let in_lines =
        fuel("{% for line in text|lines %}{% if 'ERR' in line %}{{ line }}{% endif %}{% endfor %}");
    assert!((50_000..70_000).contains(&in_lines), "{in_lines}");
    // What stands in for something undefined may be a list.
    let stood_in = fuel("{% for a in text %}{% if a in json|default(text|list) %}x{% endif %}{% endfor %}");
    assert!(stood_in < in_lines / 32, "{stood_in}");
    assert!(fuel("{% for a in text %}{{ a ~ text ~ text ~ text }}{% endfor %}") < in_lines / 3);
    let own_words = format!("{{% for a in text %}}{}{{% endfor %}}", "x".repeat(4096));
    assert_eq!(fuel(&own_words), 4096);
    // One step may move 10 MiB: that is five lists of all characters of a text.
    let compared = |lists: usize| {
        let joined = vec!["l"; lists].join(" ~ ");
        format!(
            "{{% set l = text|list %}}{{% for a in text %}}{{% if {joined} %}}x{{% endif %}}{{% endfor %}}"
        )
    };
    assert!(Template::new(&compared(5)).is_ok());
    let error = Template::new(&compared(6)).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "this can make too long a text; join fewer texts");
}

/// The deepest trees that are let in do not overflow the stack of a thread, with the large frames of a
/// build for tests.
#[test]
fn the_deepest_trees_are_walked() {
    let nots = "not ".repeat(198);
    for source in [
        format!("{{{{ {}text }}}}", "text ~ ".repeat(99)),
        format!("{{{{ text{} }}}}", "|upper".repeat(99)),
        format!("{{{{ json{} }}}}", ".a".repeat(99)),
        format!("{{{{ {nots}1 }}}}"),
        format!("{{{{ {}1 }}}}", "- ".repeat(198)),
        format!("{{{{ {}1{} }}}}", "(".repeat(70), ")".repeat(70)),
        format!("{{{{ {}1{} }}}}", "[".repeat(70), "]".repeat(70)),
        format!("{{{{ {}1 }}}}", "1 if 1 else ".repeat(49)),
        format!("{}{{{{ {nots}1 }}}}{}", "{% if text %}".repeat(100), "{% endif %}".repeat(100)),
        format!("{{% if text %}}{}{{% endif %}}", "{% elif text %}".repeat(240)),
    ] {
        let template = Template::new(&source).unwrap_or_else(|error| panic!("{source}: {error}"));
        let world = world("S", "T");
        template.render(&world.source(), "T", "to", &Groups::new());
    }
}

/// Pieces of templates, so that many of what is tried gets far.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "{{ ",
        " }}",
        "{% ",
        " %}",
        "{%- ",
        " -%}",
        "{# ",
        " #}",
        "for x in text|lines",
        "endfor",
        "if ",
        "endif",
        "else",
        "elif ",
        "set a = ",
        "set a",
        "endset",
        "raw",
        "endraw",
        "with a = ",
        "endwith",
        "filter upper",
        "endfilter",
        "subject",
        "text",
        "json",
        "headers",
        "groups",
        ".x_priority",
        ".host",
        "[0]",
        "[1:]",
        "['a']",
        "|first_line",
        "|lines(2)",
        "|match('(a', 1)",
        "|match('a+')",
        "|shorten(3)",
        "|gsm",
        "|mask_digits(1)",
        "|time('%H')",
        "|default('x')",
        "|map('upper')",
        "|join(',')",
        "loop.index",
        "a",
        "x",
        "1",
        "-1",
        "1.5",
        "'s'",
        "\"\\u12\"",
        " ~ ",
        " + ",
        " * ",
        " ** ",
        " // ",
        " % ",
        " and ",
        " or ",
        " not ",
        " in ",
        " is ",
        "defined",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ":",
        ",",
        "=",
        "é",
        "\n",
        " ",
        "\\",
        "99999999999999999999999999999999999999999",
    ];
    prop_oneof![
        20 => prop::sample::select(pieces.to_vec()).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #[test]
    fn any_octets_are_a_template_or_an_error(source in prop::collection::vec(piece(), 0..24)) {
        let source = source.concat();
        match Template::new(&source) {
            Ok(template) => {
                let world = world("S", "a 1\nb 2");
                let (words, _) = template.render(&world.source(), &world.text, "to", &world.groups);
                prop_assert!(words.len() <= MAX_OUTPUT);
            }
            Err(error) => {
                if let Some(range) = error.range() {
                    prop_assert!(source.get(range.clone()).is_some(), "{:?} of {}", range, source);
                }
            }
        }
    }

    #[test]
    fn any_text_goes_through(subject in any::<String>(), text in any::<String>()) {
        for template in [
            "{{ subject }}: {{ text|first_line }}",
            "{{ text|lines(-2)|gsm|shorten(20) }}{{ subject|mask_digits(2) }}",
            "{{ text|match('(\\w+) *(.)?', 2)|default(json|default('?')) }}",
            "{% for line in text|lines %}{{ line|upper|title|trim }}{{ line|replace('a', 'bb') }}{% endfor %}",
        ] {
            let (words, problem) = world(&subject, &text).render(template);
            prop_assert!(words.len() <= MAX_OUTPUT);
            prop_assert!(problem.is_none_or(|problem| problem == "the template made an empty text"));
        }
    }
}
