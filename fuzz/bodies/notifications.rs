//! Delivery notifications, as the platform and anybody who finds the address may post them.

use serde_json::Value;
use sms_relay::gateway::notification::{MOST_AT_ONCE, Notifications, read};
use sms_relay::model::{About, PartStatus};

/// A body is read or named, every notification of it in one of three ways; a part is one of its parts, and what is
/// kept fits where it goes. The same comes out of the same fields written anew, of each notification alone, and with
/// fields that mean nothing. An error shows no phone number.
///
/// # Panics
/// When one of these does not hold.
pub fn check(input: &[u8]) {
    let found = read(input);
    let text = String::from_utf8_lossy(input);
    let Ok(value) = serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')) else {
        assert!(found.is_err(), "what is not JSON was read");
        return;
    };
    assert_eq!(found, read(value.to_string().as_bytes()), "the same fields, written anew");
    let entries = value.as_array().map_or(std::slice::from_ref(&value), Vec::as_slice);
    match &found {
        Ok(found) => {
            let Notifications { callbacks, ignored, wrong } = found;
            assert_eq!(callbacks.len() + ignored + wrong.len(), entries.len());
            assert!(entries.len() <= MOST_AT_ONCE);
            for callback in callbacks {
                assert!(1 <= callback.part && callback.part <= callback.parts && callback.parts <= 255);
                assert!(!callback.description.contains(char::is_control));
                assert!(callback.description.chars().count() <= 301);
                assert!(
                    callback.price.is_none_or(|price| (0..=1_000_000_000_000).contains(&price.millionths()))
                );
                assert_eq!(PartStatus::of_code(callback.status.code()), callback.status);
                if let About::Theirs(id) = &callback.about {
                    assert!((1..=255).contains(&id.chars().count()) && id.trim() == id, "{id:?}");
                }
            }
        }
        Err(error) => {
            let sentence = error.to_string();
            assert!(!sentence.contains(char::is_control), "{sentence:?}");
            let longest = sentence.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
            // A line or a column of the body is a number, too, and no longer than its length.
            let of_place = input.len().to_string().len();
            assert!(longest.is_none_or(|digits| digits < 7.max(of_place + 1)), "{sentence}");
        }
    }
    if entries.len() > 1 && entries.len() <= MOST_AT_ONCE {
        check_alone(entries, found.unwrap_or_default());
    }
}

/// Each alone is what it is among the others.
fn check_alone(entries: &[Value], found: Notifications) {
    let mut callbacks = found.callbacks.into_iter();
    for entry in entries {
        let Ok(mut alone) = read(with_more(entry).to_string().as_bytes()) else { continue };
        // What stands in an array of its own is none among others.
        if let (Some(callback), true) = (alone.callbacks.pop(), entry.is_object()) {
            assert_eq!(Some(callback), callbacks.next());
        }
    }
    assert_eq!(callbacks.next(), None);
}

/// The same with a field that means nothing.
fn with_more(entry: &Value) -> Value {
    let mut entry = entry.clone();
    if let Some(fields) = entry.as_object_mut() {
        fields.insert("destination".to_owned(), Value::from("+393471234567"));
    }
    entry
}
