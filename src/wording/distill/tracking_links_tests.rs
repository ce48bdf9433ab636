//! Links that go, links that shrink, and links that an operator needs.

use super::*;
use crate::wording::distill::{Distilled, Step};

fn kept(text: &str) -> String {
    let mut distilled = Distilled::whole(text);
    distilled.edit(Step::TrackingLinks, &edits(text), str::is_empty);
    distilled.text.into_owned()
}

#[test]
fn trackers_go() {
    for link in [
        "https://example.us1.list-manage.com/track/click?u=1&id=2",
        "http://mandrillapp.com/track/click/30/example.com?p=eyJzIjoi",
        "https://u123.ct.sendgrid.net/ls/click?upn=u001.abc-2Bdef",
        "https://url7.example.com/wf/click?upn=abc",
        "https://click.e.example.com/?qs=0123456789abcdef0123456789abcdef01",
        "https://links.example.com/c/eJwlzjEOwyAMAMDXhA1kGxvDwENIpP6_Q1F0",
        "https://email.mg.example.com/c/eJwlzjEOwyAMAMDXhA1kGxvDwENIpP6_",
        "https://abc.hubspotlinks.com/Ctc/x",
        "HTTPS://R20.RS6.NET/tn.jsp?f=1",
        "https://abc.r.eu-west-1.awstrack.me/I0/0102",
        "https://sns.eu-west-1.amazonaws.com/unsubscribe.html?SubscriptionArn=arn:aws:sns",
        "https://example.com/mail/unsubscribe/0123456789abcdef0123456789abcdef",
        "https://example.com/Unsubscribe",
        // Wrapped, too.
        "https://www.google.com/url?q=https%3A%2F%2Fexample.us1.list-manage.com%2Fx",
    ] {
        for (front, back, rest) in [
            ("Disk full ", " on web1", "Disk full  on web1"),
            ("a <", ">.", "a ."),
            ("a (", ").", "a ."),
            ("a [", "]", "a "),
            ("a\n", ".\nb", "a\n.\nb"),
            ("障害", "。確認", "障害。確認"),
        ] {
            assert_eq!(kept(&format!("{front}{link}{back}")), rest, "{link}");
        }
    }
}

#[test]
fn wrapped_links_are_unwrapped() {
    for (link, target) in [
        (
            "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fzabbix.example.com%2Ftr_events.php%3Ftriggerid%3D1%26eventid%3D2&data=05%7C01&sdata=x&reserved=0",
            "https://zabbix.example.com/tr_events.php?triggerid=1&eventid=2",
        ),
        (
            "https://www.google.com/url?q=https://example.com/t/1&sa=D&source=calendar",
            "https://example.com/t/1",
        ),
        ("http://www.google.com/url?sa=t&url=http%3A%2F%2Fexample.com%2F", "http://example.com/"),
        (
            "https://urldefense.proofpoint.com/v2/url?u=https-3A__example.com_t_a-2Db-5Fc-3Fid-3D7&d=DwMFaQ&c=x",
            "https://example.com/t/a-b_c?id=7",
        ),
        (
            "https://urldefense.com/v3/__https://example.com/t?id=7*x__;Iw!!abc!def$",
            "https://example.com/t?id=7#x",
        ),
        ("https://urldefense.com/v3/__https:/example.com/t__;!!abc!def$", "https://example.com/t"),
        (
            "https://l.facebook.com/l.php?u=https%3A%2F%2Fexample.com%2F%3Ffbclid%3Dx&h=AT",
            "https://example.com/",
        ),
        (
            "https://abc.r.eu-west-1.awstrack.me/L0/https:%2F%2Fexample.com%2Ft%2F1/1/0102-0000/sig=3",
            "https://example.com/t/1",
        ),
        (
            "https://mail.example.com/CL0/https:%2F%2Fexample.com%2Ft%2F1/1/0102-0000/sig=3",
            "https://example.com/t/1",
        ),
        (
            "https://linkprotect.cudasvc.com/url?a=https%3a%2f%2fexample.com%2ft&c=E,1,x",
            "https://example.com/t",
        ),
        // Wrapped twice.
        (
            "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fwww.google.com%2Furl%3Fq%3Dhttps%253A%252F%252Fexample.com%252Ft%253Futm_source%253Da%2526id%253D3&data=x",
            "https://example.com/t?id=3",
        ),
    ] {
        assert_eq!(kept(&format!("See {link}, now")), format!("See {target}, now"));
        assert_eq!(kept(target), target);
    }
}

#[test]
fn parameters_that_follow_the_reader_go() {
    for (link, rest) in [
        ("https://a.example/x?utm_source=m&utm_medium=e", "https://a.example/x"),
        ("https://a.example/x?utm_source=m#top", "https://a.example/x#top"),
        ("https://a.example/x?id=1&utm_source=m&UTM_Medium=e&b=2", "https://a.example/x?id=1&b=2"),
        ("https://a.example/x?utm_source=m&id=1&fbclid=z", "https://a.example/x?id=1"),
        ("https://a.example/x?mc_cid=1&mc_eid=2&gclid=3&_hsenc=4&_hsmi=5&id=6", "https://a.example/x?id=6"),
        ("https://a.example?trk=1", "https://a.example"),
        ("https://a.example/?utm_a&&b", "https://a.example/?&b"),
    ] {
        assert_eq!(kept(link), rest);
        assert_eq!(kept(rest), rest);
        assert_eq!(kept(&format!("({link})")), format!("({rest})"));
    }
}

#[test]
fn links_that_an_operator_needs_stay() {
    for text in [
        "https://zabbix.example.com/zabbix/tr_events.php?triggerid=13491&eventid=72",
        "https://track.example.com/issue/OPS-17",
        "https://links.example.com/runbook",
        "https://link.example/0123456789abcdef0123456789abcdef",
        "https://link.example.com/login/0123456789abcdef0123456789abcdef",
        "https://track.example.com/0123456789abcdef0123456789abcdef",
        "https://open.example.com/join?token=0123456789abcdef0123456789abcdef",
        "https://click.example.com/docs/what-to-do-when-the-database-of-the-shop-is-down",
        "https://example.pagerduty.com/incidents/Q0123456789ABCDEF0123456789ABCDEF",
        "https://github.com/example/unsubscribe/issues/12",
        "https://jira.example.com/browse/unsubscribe-fails",
        "https://click.example.com/eJwlzjEOwyAMAMDXhA1kGxvDwENIpP6",
        "https://notlist-manage.com/x",
        "https://www.google.com/search?q=https://example.com",
        "https://www.google.com/url?q=javascript:alert(1)",
        "https://www.google.com/url?q=ftp://files.example.com/x",
        "https://www.google.com/url?q=https%3A%2F%2Fexample.com%2Fa%20b",
        "https://www.google.com/url?q=https%3A%2F%2Fexample.com%2F%0aevil",
        "https://www.google.com/url?q=%ff",
        "https://urldefense.com/v3/__https://example.com/**Ax__;Iw!!a!b$",
        "https://grafana.example.com/d/abc?from=now-1h&to=now&var-host=web1",
        "https://grafana.example.com/?trkid=7",
        "ftp://click.e.example.com/0123456789abcdef0123456789abcdef",
        "xhttps://example.us1.list-manage.com/",
        "://",
        "https://",
        "http://?",
        "https://[::1]:3000/x?a",
    ] {
        // Beside words, as nothing keeps it there but what it is.
        let text = format!("See {text} now");
        assert_eq!(kept(&text), text);
    }
}

#[test]
fn links_end_where_a_reader_would_end_them() {
    for (text, link) in [
        ("https://a.example/x.", "https://a.example/x"),
        ("https://a.example/x), see", "https://a.example/x"),
        ("https://a.example/x_(y)", "https://a.example/x_(y)"),
        ("https://a.example/x?!", "https://a.example/x"),
        ("https://a.example/x>", "https://a.example/x"),
        ("https://a.example/x\u{a0}y", "https://a.example/x"),
        ("https://a.example/x。", "https://a.example/x"),
        ("https://a.example/((", "https://a.example/"),
    ] {
        assert_eq!(&text[..link_length(text)], link);
    }
}

#[test]
fn wrappers_have_a_limit() {
    for (depth, goes) in [(5, true), (6, false)] {
        let link = format!("{}https://example.com/t", "https://www.google.com/url?q=".repeat(depth));
        assert_eq!(kept(&link) == "https://example.com/t", goes, "{depth} wrappers");
        assert!(goes || kept(&link) == link);
    }
}
