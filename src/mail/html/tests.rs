use super::*;

fn text(html: &str) -> String {
    to_text(html).text
}

#[test]
fn elements_break_lines_as_a_reader_sees_them() {
    for (html, expected) in [
        ("<p>a</p><p>b</p>", "a\nb"),
        ("a<br>b<br/>c<BR clear=\"all\">d", "a\nb\nc\nd"),
        ("<div>a<div>b</div></div>c", "a\nb\nc"),
        ("<ul><li>a<li>b</ul>c", "- a\n- b\nc"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><th>c</th></tr></table>", "a b\nc"),
        ("a <b>b</b><i>c</i>\r\n  d", "a bc d"),
        ("<pre>a\n  b\n</pre>c\nd", "a\nb\nc d"),
        ("<p>\u{A0}</p>a&nbsp;&nbsp;b", "a b"),
        ("&lt;b&gt; &euro; &#232; &#xe8;", "<b> € è è"),
    ] {
        assert_eq!(text(html), expected, "{html:?}");
    }
}

#[test]
fn what_is_not_shown_is_left_out() {
    for (html, expected) in [
        ("<head><title>t</title><STYLE>p{}</STYLE ></head>a", "a"),
        ("a<script>if (1 < 2) x('</p>')</script>b", "ab"),
        ("a<!-- <p> -- > -->b<!-->c", "abc"),
        ("<!DOCTYPE html><?xml version=\"1.0\"?><![if !mso]>a<![endif]>", "a"),
        ("<!--[if mso]><p>b</p><![endif]-->a", "a"),
        ("<a title=\"a > b\" href='>'>c</a>", "c"),
    ] {
        assert_eq!(text(html), expected, "{html:?}");
    }
}

#[test]
fn broken_html_loses_as_little_as_possible() {
    for (html, expected) in [
        ("1 < 2 and 3 <4", "1 < 2 and 3 <4"),
        ("a <b", "a <b"),
        ("a<!-- never > ends", "a ends"),
        ("a<style>never ends", "anever ends"),
        ("<a title=\"never>ends", "ends"),
        ("<p don't>a</p>", "a"),
        ("</>a<>b", "</>a<>b"),
    ] {
        assert_eq!(text(html), expected, "{html:?}");
    }
}

/// Each would take minutes if its cost were not linear.
#[test]
fn hostile_html_is_read_like_other_html() {
    for piece in
        ["<", "<a", "<a b=\"", "<a b='\">", "<!--", "<style>", "<script></", "</", "&", "&#", "<pre>\n", "<?"]
    {
        let html = piece.repeat(1_000_000 / piece.len());
        assert!(text(&html).len() <= html.len() * 6, "{piece}");
    }
}

#[test]
fn cells_stand_beside_each_other_and_rows_below() {
    for (html, expected) in [
        (
            "<table><tr><td>Host</td><td>srv1</td></tr><tr><td>State</td><td>DOWN</td></tr></table>",
            "Host srv1\nState DOWN",
        ),
        ("<tr><td>Host<td>srv1<tr><td>State<td>DOWN", "Host srv1\nState DOWN"),
        (
            "<tr><td><p>Host</p></td><td><p>srv1</p></td></tr><tr><td><div>State</div></td></tr>",
            "Host srv1\nState",
        ),
        ("<tr><td>a</td><td></td></tr><tr><td>b</td></tr>", "a\nb"),
        ("<tr><td>a<td></tr><tr><td>b", "a\nb"),
        ("<tr><td><p>a</p><td>b<td><p>c</tr>d", "a b c\nd"),
        ("<table><tr><td><table><tr><td>a</td></tr><tr><td>b</td></tr></table></td></tr></table>", "a\nb"),
        ("a<hr>b", "a\nb"),
        ("<ul><li><p>a</p></li><li></li><li>b<ul><li>c</li></ul></li></ul>d", "- a\n- b\n- c\nd"),
        ("<ol><li>a</ol>b", "- a\nb"),
        ("<ul><li></ul>b", "b"),
    ] {
        assert_eq!(text(html), expected, "{html:?}");
    }
}

#[test]
fn the_next_cell_is_not_beside_the_last_line_of_one_with_several() {
    for (html, expected) in [
        ("<tr><td><p>a</p><p>b</p></td><td>c</td></tr>d", "a\nb\nc\nd"),
        ("<tr><td>a<br>b<td>c<td>d</tr>e", "a\nb\nc d\ne"),
        ("<tr><td>a<br></td><td>b</td></tr>", "a b"),
        ("<tr><td>a</td><td>b<div>c</div></td><td></td><td>d</td></tr>", "a b\nc\nd"),
        ("<tr><td>1<p>2</tr><tr><td>3</td><td>4</td></tr>", "1\n2\n3 4"),
        (
            "<table><tr><td><table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table></td>\n\
             <td><table><tr><td>d</td><td>e</td></tr></table></td><td>f</td></tr></table>",
            "a b\nc\nd e f",
        ),
        ("</table></td></table><td>a</td><td>b", "a b"),
        ("<table><td>a<table><td>b<br>c</table><td>d", "a\nb\nc\nd"),
    ] {
        assert_eq!(text(html), expected, "{html:?}");
    }
}

#[test]
fn quoted_mails_are_marked() {
    for (html, expected) in [
        ("a<blockquote type=\"cite\"><p>b</p>c<br><br>d</blockquote>e", "a\n> b\n> c\n> d\ne"),
        ("a<BLOCKQUOTE TYPE=Cite>b</BLOCKQUOTE>", "a\n> b"),
        ("a<blockquote class=\"x gmail_quote\">b</blockquote>", "a\n> b"),
        ("<div class=gmail_quote>a</div><blockquote>b</blockquote>", "a\nb"),
        ("<blockquote class=gmail_quotes type=round>a</blockquote>", "a"),
        ("<blockquote type=cite><ul><li>a</ul></blockquote>", "> - a"),
        ("<blockquote type=cite><pre>a\n  b</pre></blockquote>", "> a\n> b"),
        (
            "<blockquote type=cite>a<blockquote>b<blockquote type=cite>c</blockquote>d</blockquote>e</blockquote>f",
            "> a\n> b\n> > c\n> d\n> e\nf",
        ),
        ("<td>a</td><td><blockquote type=cite>b</blockquote>c</td><td>d</td>", "a\n> b\nc\nd"),
        ("<blockquote type=cite><td>a<td></blockquote>b", "> a\nb"),
        ("<blockquote type=cite hidden>a</blockquote>b", "b"),
        ("<blockquote type=cite><div style=\"display:none\">a</div>b</blockquote>c", "> b\nc"),
        ("a<blockquote type=cite> </blockquote>b", "a\nb"),
    ] {
        assert_eq!(text(html), expected, "{html:?}");
    }
    let deep = |n: usize| text(&format!("{}a", "<blockquote type=cite>".repeat(n)));
    assert_eq!((deep(2).as_str(), deep(3).as_str(), deep(4).as_str()), ("> > a", "> > > a", "> > > a"));
    let linked = |html: &str| to_text(html).with_links;
    let own_name = "<blockquote type=cite><li><a href=https://a.example>https://a.example</a></blockquote>";
    assert_eq!(linked(own_name), None, "the mark is not part of its words");
    assert_eq!(
        linked("<blockquote type=cite><a href=https://a.example>></a></blockquote>").as_deref(),
        Some("> > (https://a.example)")
    );
}

#[test]
fn quotes_that_were_not_ended_mark_no_words_behind_them() {
    for (html, expected) in [
        ("<div><blockquote type=cite>a</div>b", "> a\nb"),
        ("<div><blockquote type=cite><div>a</div>b</div>c", "> a\n> b\nc"),
        ("<div><blockquote type=cite><blockquote>a</div>b</blockquote>c", "> a\nb\nc"),
        ("<td><div><blockquote type=cite>a<td></div>b", "> a\nb"),
        ("a</blockquote>b<blockquote type=cite>c</blockquote></blockquote>d", "a\nb\n> c\nd"),
        ("</div></div>a<blockquote type=cite>b</div>c</blockquote>d", "a\n> b\n> c\nd"),
        ("a<blockquote type=cite>b<br>cut off", "a\n> b\n> cut off"),
    ] {
        assert_eq!(text(html), expected, "{html:?}");
    }
}

#[test]
fn hidden_elements_are_gone_with_all_that_is_in_them() {
    for (html, expected) in [
        ("<div style=\"display:none\">pre<div>header</div>x</div>a", "a"),
        ("<DIV STYLE='Display: None !important'>pre</DIV>a", "a"),
        ("<span style=display:none>pre</span>a", "a"),
        ("<div hidden>pre</div>a", "a"),
        ("<div hidden=\"\">pre</div>a", "a"),
        ("<div style=\"visibility:hidden\">pre</div>a", "a"),
        ("<div style=\"mso-hide:all\">pre</div>a", "a"),
        ("<div style=\"max-height:0;overflow:hidden\">pre</div>a", "a"),
        ("<div style=\"opacity:0\">pre</div>a", "a"),
        ("<div style=\"font-size:1px\">pre<b>x</b></div>a", "a"),
        ("<table><tr><td hidden><table><tr><td>x</td></tr></table></td><td>a</td></tr></table>", "a"),
        ("<p hidden>pre<p>a", "a"),
        ("<div hidden><div hidden>x</div>y</div>a", "a"),
        ("<div hidden><!-- </div> --><a title=\"</div>\">x</a></div>a", "a"),
        ("<div hidden><script></div></script>x</div>a", "a"),
        ("<input type=hidden value=x>a<img hidden>b", "ab"),
        ("<div class=preheader>seen</div>a", "seen\na"),
        ("<td style=\"font-size:0\"><div style=\"font-size:14px\">a</div></td>", "a"),
        ("<a href=x style=\"mso-hide:all\">button</a>", "button"),
        ("<body style=\"display:none\">a</body>", "a"),
        ("<div hidden>never closed, <p>a</p>", "never closed,\na"),
        ("<div style=\"display:none\">all there is</div>", "all there is"),
    ] {
        assert_eq!(text(html), expected, "{html:?}");
    }
}

#[test]
fn padding_goes_and_joiners_stay() {
    for (html, expected) in [
        ("a&#847;&zwnj;&nbsp;&#847;&zwnj;&nbsp;&#847; b", "a b"),
        ("&#8203;a&#65279;", "a"),
        ("<p>a &shy; &shy; &shy;</p><p>&zwnj; &zwnj;</p>b", "a\nb"),
        ("\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}", "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}"),
        (
            "\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}\u{647}\u{645}",
            "\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}\u{647}\u{645}",
        ),
        ("Donau&shy;dampf", "Donau\u{AD}dampf"),
    ] {
        assert_eq!(text(html), expected, "{html:?}");
    }
}

#[test]
fn references_are_characters() {
    for (html, expected) in [
        ("Tom &amp; Jerry &lt;3 &#8364; &#x20AC; &#128; It&#146;s", "Tom & Jerry <3 € € € It’s"),
        ("a&nbspb & c &nosuch; &", "a b & c &nosuch; &"),
        ("a&#0;b&#7;c&#13;d", "abc d"),
        ("AT&T 5&deg;C 1&lt2", "AT&T 5°C 1<2"),
    ] {
        assert_eq!(text(html), expected, "{html:?}");
    }
}

#[test]
fn images_speak_when_nothing_else_does() {
    assert_eq!(text("<img alt=\"Logo\"><p>a</p>"), "a");
    assert_eq!(text("<img alt=\"Battery &amp; UPS\"><br><img alt='low'><img src=x>"), "Battery & UPS\nlow");
    assert_eq!(text("<img alt=\"Logo\"><div hidden>pre</div>"), "Logo");
    assert_eq!(text("<img src=x>"), "");
}

#[test]
fn links_have_their_targets_behind_them() {
    for (html, expected) in [
        ("<a href=\"https://a.example/x\">See</a> it", Some("See (https://a.example/x) it")),
        (
            "<p><a href=https://a.example/?b=1&amp;c=2>See </a></p>it",
            Some("See (https://a.example/?b=1&c=2)\nit"),
        ),
        ("<a href='HTTP://a.example'><b>See</b></a>.", Some("See (HTTP://a.example).")),
        ("<a href=\"mailto:a@example.com\">Write</a>", Some("Write (mailto:a@example.com)")),
        ("<a href=\" https://a.example/\n b \">See</a>", Some("See (https://a.example/b)")),
        (
            "<a href=https://a.example>See<a href=https://b.example>More",
            Some("See (https://a.example)More (https://b.example)"),
        ),
        ("<a href=\"https://a.example/\">https://a.example</a>", None),
        ("<a href=\"https://a.example/\">A.example</a>", None),
        ("<a href=\"mailto:a@example.com\">a@example.com</a>", None),
        ("<a href=\"#top\">Top</a> <a href=\"javascript:x()\">b</a> <a name=c>c</a> <a href>d</a>", None),
        ("<a href=https://a.example><img src=x></a>a", None),
        ("<a hidden href=https://a.example>x</a>a", None),
        ("<p>no link</p>", None),
    ] {
        let shown = to_text(html);
        assert_eq!(shown.with_links.as_deref(), expected, "{html:?}");
    }
    let cut =
        |n: usize| to_text(&format!("<a href=\"http://{}\">See</a>", "è".repeat(n))).with_links.unwrap();
    assert_eq!(cut(1993).chars().count(), 2000 + "See ()".len());
    assert_eq!(cut(1994).chars().count(), 2000 + "See ()".len());
}

/// Each would take minutes if its cost were not linear.
#[test]
fn hostile_hiding_is_read_like_other_html() {
    for piece in [
        "<div style=\"display:none\">",
        "<div style=\"display:none\">x</p>",
        "<p style=\"font-size:0\">x",
        "<td style=\"font-size:0\">",
        "<div hidden><!-- ",
        "<div hidden><script>",
        "<div hidden><a b=\"",
        "<a href=\"https://a.example\">x",
        "<b hidden>x</b><i hidden>",
        "&zwnj;",
        "<li><td>",
        "<td>x<br>y",
        "<table><td>x",
        "<blockquote>x",
        "<blockquote type=cite>x",
        "<div><blockquote type=cite>x</div>",
    ] {
        let html = piece.repeat(1_000_000 / piece.len());
        assert!(text(&html).len() <= html.len() * 6, "{piece}");
    }
    let nested =
        format!("{}a{}", "<div style=\"font-size:0\">".repeat(20_000), "<p style=\"font-size:9px\">b");
    assert_eq!(text(&nested), "a\nb");
    let closed = format!("{}x{}a", "<div hidden>".repeat(20_000), "</div>".repeat(20_000));
    assert_eq!(text(&closed), "a");
}
