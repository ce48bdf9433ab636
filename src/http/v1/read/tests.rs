use serde_json::{Value, json};

use super::*;
use crate::http::Program;
use crate::model::{Lane, Secret, TellStyle, TellUrl};
use crate::telling::AllowedHost;

fn account() -> Account {
    Account {
        name: "erp".to_owned(),
        networks: Vec::new(),
        login: None,
        profiles: None,
        may_choose_sender: true,
        may_choose_lane: true,
        may_see_all: false,
        accepted: crate::profile::Answers::default(),
        program: Some(Program {
            url: None,
            hosts: vec![AllowedHost::parse("erp.example").unwrap()],
            secret: Secret::from("s"),
        }),
    }
}

fn read(body: &Value) -> Result<Wanted, Problem> {
    wanted(body.to_string().as_bytes(), &account())
}

/// Status, and each fault as its place and sentence.
fn faults(result: Result<Wanted, Problem>) -> (u16, Vec<String>) {
    let problem = result.unwrap_err();
    let errors = problem.errors.iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail));
    (problem.denial.status.as_u16(), errors.collect())
}

#[test]
fn a_message_has_all_that_a_form_has() {
    let body = json!({
        "to": [" +39 347 1234567 ", "oncall,boss"], "text": "Door\r\n\topen\r", "from": "PBX",
        "deliver_at": "2031-01-31T07:30:00+01:00", "lane": "critical", "callback_url": "https://erp.example/told",
    });
    let url = TellUrl {
        url: "https://erp.example/told".to_owned(),
        account: "erp".to_owned(),
        style: TellStyle::Signed,
    };
    let form = Form {
        // A string is one destination, commas or not.
        to: vec!["+39 347 1234567".to_owned(), "oncall,boss".to_owned()],
        text: "Door\n\topen\n".to_owned(),
        sender: Some("PBX".to_owned()),
        deliver_at: Some("2031-01-31T06:30:00Z".parse().unwrap()),
        lane: Some(Lane::Critical),
        tell_url: Some(url),
        ..Form::default()
    };
    assert_eq!(read(&body).unwrap(), Wanted::One(form));
    let small = |to: &str| Form { to: vec![to.to_owned()], text: "x".to_owned(), ..Form::default() };
    let two = json!({ "messages": [{ "to": "a", "text": "x" }, { "to": ["b"], "text": "x" }] });
    assert_eq!(read(&two).unwrap(), Wanted::Several(vec![small("a"), small("b")]));
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    let body = json!({ "messages": [
        { "to": ["+39347", 7, " "], "txet": "x", "a/~b %": 1 },
        "hello",
        { "to": {}, "text": null, "from": true, "deliver_at": "tomorrow", "lane": "fast", "callback_url": "https://x.example" },
        { "to": [], "text": " \n", "from": "a\tb", "deliver_at": "2031-01-31 07:30" },
        { "to": "a", "text": "bell \u{7}" },
    ]});
    let (status, told) = faults(read(&body));
    assert_eq!(status, 400);
    let starts = [
        "#/messages/0/a~1~0b%20%25: `a/~b %` is not known; known here: to, text, from, ",
        "#/messages/0/txet: `txet` is not known; did you mean `text`?",
        "#/messages/0: there is no `text`",
        "#/messages/0/to/1: `to` is a number; it must be a string",
        "#/messages/0/to/2: `to` is empty",
        "#/messages/1: `a message` is a string; it must be an object",
        "#/messages/2/deliver_at: `tomorrow` is not a time",
        "#/messages/2/from: `from` is a boolean; it must be a string",
        "#/messages/2/lane: `fast` is not a lane",
        "#/messages/2/text: `text` is null; it must be a string",
        "#/messages/2/to: `to` is an object; it must be a string or an array of strings",
        "#/messages/2/callback_url: `x.example",
        "#/messages/3/deliver_at: `2031-01-31 07:30` is not a time",
        "#/messages/3/from: `from` contains a control character",
        "#/messages/3/text: `text` is empty",
        "#/messages/3/to: `to` is empty",
        "#/messages/4/text: `text` contains a control character",
    ];
    assert_eq!(told.len(), starts.len(), "{told:#?}");
    for (told, start) in told.iter().zip(starts) {
        assert!(told.starts_with(start), "{told}\n{start}");
    }
}

#[test]
fn what_is_not_allowed_is_403_unless_something_is_wrong_too() {
    let account = Account { may_choose_sender: false, may_choose_lane: false, ..account() };
    let faults = |body: &Value| faults(wanted(body.to_string().as_bytes(), &account));
    let (status, told) = faults(&json!({ "to": "a", "text": "x", "from": "PBX", "lane": "bulk" }));
    assert_eq!(status, 403);
    let places: Vec<&str> = told.iter().map(|fault| fault.split(':').next().unwrap()).collect();
    assert_eq!(places, ["#/from", "#/lane"]);
    assert_eq!(faults(&json!({ "to": "a", "text": "", "from": "PBX" })).0, 400);
}

#[test]
fn a_body_is_one_object_and_each_member_is_there_once() {
    let read = |body: &str| wanted(body.as_bytes(), &account());
    for wrong in ["", "[]", "\"to\"", "{", "null"] {
        let problem = read(wrong).unwrap_err();
        assert_eq!((problem.denial.status.as_u16(), problem.errors.len()), (400, 0), "{wrong}");
    }
    let (_, told) = faults(read(r#"{"to": "a", "text": "x", "to": "b"}"#));
    assert_eq!(told, ["#/to: `to` is there twice; give it once"]);
    let (_, told) = faults(read(r#"{"messages": [{"to": "a", "text": "x"}], "lane": "bulk"}"#));
    assert_eq!(told, ["#/lane: `lane` is not known; known here: messages"]);
    let (_, told) = faults(read(r#"{"messages": {}}"#));
    assert_eq!(told, ["#/messages: `messages` is an object; it must be an array of messages"]);
}

#[test]
fn a_request_has_1_to_100_messages() {
    let several = |count: usize| read(&json!({ "messages": vec![json!({ "to": "a", "text": "x" }); count] }));
    for count in [1, 100] {
        assert!(matches!(several(count), Ok(Wanted::Several(forms)) if forms.len() == count), "{count}");
    }
    for count in [0, 101] {
        let told = format!("#/messages: `messages` has {count} messages; send 1 to 100");
        assert_eq!(faults(several(count)), (400, vec![told]));
    }
}

#[test]
fn what_has_one_spelling_has_no_other() {
    for lane in ["BULK", " bulk", "bulk "] {
        let (status, told) = faults(read(&json!({ "to": "a", "text": "x", "lane": lane })));
        assert_eq!((status, told.len()), (400, 1), "{lane}");
        assert!(told[0].starts_with(&format!("#/lane: `{lane}` is not a lane")), "{told:?}");
    }
    let url = |url: &str| read(&json!({ "to": "a", "text": "x", "callback_url": url }));
    assert!(url("HTTPS://erp.example/told").is_ok());
    for wrong in [
        " https://erp.example/told",
        "https://erp.example/told ",
        "https://erp.exam\nple/told",
        "https://erp.example/a b",
        "https:erp.example/told",
        "https:\\\\erp.example/told",
        "",
    ] {
        let told = "#/callback_url: `callback_url` is no URL of http or https; write it like https://erp.example/told";
        assert_eq!(faults(url(wrong)), (400, vec![told.to_owned()]), "{wrong}");
    }
}

#[test]
fn a_line_has_no_control_character_at_its_ends_either() {
    for to in ["a\n", "\ta", "\u{85}a", "\n"] {
        let (status, told) = faults(read(&json!({ "to": to, "text": "x" })));
        assert_eq!(
            (status, told),
            (400, vec!["#/to: `to` contains a control character; leave it out".to_owned()])
        );
    }
    assert!(read(&json!({ "to": "\u{a0} a\u{3000}", "text": "x" })).is_ok());
}

#[test]
fn a_time_has_its_zone() {
    for right in [
        "2031-01-31T07:30:00Z",
        "2031-01-31t07:30:00.25z",
        "2031-01-31T07:30:00.123456789+23:59",
        "2031-01-31T07:30:00-05:30",
    ] {
        assert!(read(&json!({ "to": "a", "text": "x", "deliver_at": right })).is_ok(), "{right}");
    }
    for wrong in [
        "2031-01-31T07:30:00",
        "2031-01-31 07:30:00Z",
        "2031-01-31T07:30:00+0100",
        "2031-01-31T07:30:00+01",
        "2031-01-31T07:30Z",
        "2031-01-31T07:30:00.Z",
        "2031-01-31T07:30:00,5Z",
        "2031-01-31T07:30:00.1234567890Z",
        "2031-01-31T07:30:00Z[Europe/Rome]",
        " 2031-01-31T07:30:00Z",
        "2031-01-31T07:30:00Z ",
        "\u{e9}031-01-31T07:30:0Z",
        "Z",
        "2031-13-31T07:30:00Z",
    ] {
        let (status, told) = faults(read(&json!({ "to": "a", "text": "x", "deliver_at": wrong })));
        assert_eq!((status, told.len()), (400, 1), "{wrong}");
    }
}
