//! Bodies of `/v1/messages` and the keys of their requests.

use serde_json::Value;
use sms_relay::http::Account;
use sms_relay::http::fuzzing::{idempotency_key, messages};
use sms_relay::intake::Form;

/// The first line is an `Idempotency-Key`, the rest a body. A key is visible ASCII of a length that fits, the same in
/// quotes, and none beside another; what is not JSON is refused; of what is taken every message can be sent as far as a
/// body tells; a refusal is a problem whose places are in the body. A second time it is the same, and so it is
/// with blanks around it.
///
/// # Panics
/// When one of these does not hold.
pub fn check(input: &[u8]) {
    let at = input.iter().position(|octet| *octet == b'\n').unwrap_or(input.len());
    check_key(&input[..at]);
    let body = input.get(at + 1..).unwrap_or_default();
    for may in [false, true] {
        let account = Account {
            name: "lab".to_owned(),
            networks: Vec::new(),
            login: None,
            profiles: None,
            accepted: sms_relay::profile::Answers::default(),
            may_choose_sender: may,
            may_choose_lane: may,
            may_see_all: false,
            program: None,
        };
        let found = messages(body, &account);
        assert_eq!(found, messages(body, &account), "a second time");
        // Blanks before a mark would make it one of another kind; a place in the text is another behind them.
        if found.is_ok() && !body.starts_with(b"\xef\xbb\xbf") {
            assert_eq!(found, messages(&[b"\n ", body, b"\t\r\n"].concat(), &account), "with blanks");
        }
        check_body(body, &account, found);
    }
}

fn check_body(body: &[u8], account: &Account, found: Result<Vec<Form>, Value>) {
    let text = String::from_utf8_lossy(body);
    let json = serde_json::from_str::<Value>(text.strip_prefix('\u{feff}').unwrap_or(&text));
    match found {
        Ok(forms) => {
            assert!(json.is_ok_and(|value| value.is_object()), "what is no object was read");
            assert!((1..=100).contains(&forms.len()));
            for form in forms {
                assert!(!form.to.is_empty() && form.to.len() <= body.len() && !form.partial);
                assert!(form.to.iter().all(|to| is_line(to)), "{:?}", form.to);
                assert!(!form.text.trim().is_empty() && form.text.len() <= body.len());
                assert!(!form.text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')));
                assert!(form.sender.as_deref().is_none_or(is_line));
                assert!(account.may_choose_sender || form.sender.is_none());
                assert!(account.may_choose_lane || form.lane.is_none());
                assert_eq!(form.tell_url, None, "the account has no program");
            }
        }
        Err(problem) => {
            let status = problem["status"].as_u64();
            assert!(matches!(status, Some(400 | 403)), "{problem}");
            let detail = problem["detail"].as_str().unwrap_or_default();
            assert!(!detail.is_empty() && !detail.contains(char::is_control), "{problem}");
            let errors = problem["errors"].as_array().map_or(&[][..], Vec::as_slice);
            assert!(errors.len() <= 100);
            for error in errors {
                let pointer = error["pointer"].as_str().unwrap_or_default();
                assert!(pointer == "#" || pointer.starts_with("#/"), "{pointer:?}");
                assert!(pointer.bytes().all(|octet| octet.is_ascii_graphic()), "{pointer:?}");
            }
        }
    }
}

fn is_line(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && !text.contains(char::is_control)
}

fn check_key(line: &[u8]) {
    let found = idempotency_key(&[line]);
    let Ok(Some(key)) = &found else {
        return;
    };
    assert!((1..=255).contains(&key.len()) && key.bytes().all(|octet| octet.is_ascii_graphic()), "{key:?}");
    let quoted = format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""));
    assert_eq!(idempotency_key(&[quoted.as_bytes()]), found, "in quotes");
    assert_eq!(idempotency_key(&[b" ", line, b"\t"].concat().split(|_| false).collect::<Vec<_>>()), found);
    assert!(idempotency_key(&[line, line]).is_err(), "two keys");
}
