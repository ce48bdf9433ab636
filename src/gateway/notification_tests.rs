//! Notifications in the shapes of the platform's documents, and in others.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const OURS: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV-12";

fn one(value: &Value) -> Callback {
    let found = read(value.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {value}"));
    assert_eq!((found.callbacks.len(), found.ignored, found.wrong.len()), (1, 0, 0), "{value}");
    found.callbacks.into_iter().next().unwrap()
}

/// A short one with `field` set.
fn with(field: &str, value: Value) -> Value {
    let mut fields = json!({"messageId": OURS, "statusCode": 3, "numPart": 2, "totalParts": 3});
    fields[field] = value;
    fields
}

fn why(value: &Value) -> String {
    read(value.to_string().as_bytes()).unwrap_err().to_string()
}

fn callback() -> Callback {
    Callback {
        about: About::Ours(OURS.parse().unwrap()),
        channel: Channel::Sms,
        part: 1,
        parts: 1,
        status: PartStatus::Delivered,
        description: String::new(),
        price: None,
        at: None,
    }
}

#[test]
fn both_documented_shapes_are_read() {
    let universal = json!({
        "channel": "SMS", "eventType": "DELIVERY", "messageId": "e76614d1-4ac1-4d94-89f0-d07f1b5a190c",
        "destination": "+393401234567", "statusCode": 3, "description": "delivered", "price": 0.035, "numPart": 1,
        "totalParts": 2, "eventDate": "2025-10-16T10:42:18Z", "more": {"x": [1]},
    });
    let expected = Callback {
        about: About::Theirs("e76614d1-4ac1-4d94-89f0-d07f1b5a190c".to_owned()),
        parts: 2,
        description: "delivered".to_owned(),
        price: Some(Price::from_millionths(35_000)),
        at: Some("2025-10-16T10:42:18Z".parse().unwrap()),
        ..callback()
    };
    assert_eq!(one(&universal), expected);
    let use_case = json!({
        "channel": "RCS", "eventType": "DELIVERY", "messageId": OURS, "statusCode": 8, "statusDescription": "Expired",
        "price": 0.07, "numPart": 3, "totalParts": 3, "timestamp": "2026-04-09T12:15:03.25+02:00",
    });
    let expected = Callback {
        channel: Channel::Rcs,
        part: 3,
        parts: 3,
        status: PartStatus::Expired,
        description: "Expired".to_owned(),
        price: Some(Price::from_millionths(70_000)),
        at: Some("2026-04-09T10:15:03.25Z".parse().unwrap()),
        ..callback()
    };
    assert_eq!(one(&use_case), expected);
}

#[test]
fn an_id_and_a_code_are_enough_and_null_counts_as_missing() {
    assert_eq!(one(&json!({"messageId": OURS, "statusCode": 3})), callback());
    let nulls = json!({"messageId": OURS, "statusCode": 3, "channel": null, "eventType": null, "numPart": null,
        "totalParts": null, "price": null, "description": null, "eventDate": null});
    assert_eq!(one(&nulls), callback());
    assert_eq!(why(&json!({"messageId": OURS})), "`statusCode` is missing");
    assert_eq!(why(&json!({"statusCode": 3})), "`messageId` is missing");
    assert_eq!(
        why(&json!({"messageId": " ", "customerMessageId": null, "statusCode": 3})),
        "`messageId` is missing"
    );
    let marked = format!("\u{feff}{}", json!({"messageId": OURS, "statusCode": 3}));
    assert_eq!(read(marked.as_bytes()).unwrap().callbacks, [callback()]);
}

#[test]
fn an_id_of_ours_counts_wherever_it_stands() {
    let about = |ids: Value| {
        let mut fields = ids;
        fields["statusCode"] = json!(6);
        one(&fields).about
    };
    let ours = About::Ours(OURS.parse().unwrap());
    assert_eq!(about(json!({"messageId": OURS})), ours);
    assert_eq!(about(json!({"messageId": format!(" {}\n", OURS.to_lowercase())})), ours);
    assert_eq!(about(json!({"customerMessageId": OURS})), ours);
    assert_eq!(about(json!({"messageId": "msg_1", "customerMessageId": OURS})), ours);
    assert_eq!(about(json!({"messageId": OURS, "customerMessageId": "x"})), ours);
    let theirs = |id: &str| About::Theirs(id.to_owned());
    assert_eq!(about(json!({"messageId": "msg_1", "customerMessageId": "c"})), theirs("msg_1"));
    assert_eq!(about(json!({"messageId": "", "customerMessageId": " c "})), theirs("c"));
    assert_eq!(about(json!({"messageId": 1234567890})), theirs("1234567890"));
    // What we would have written otherwise is not ours.
    for odd in
        ["01ARZ3NDEKTSV4RRFFQ69G5FAV-012", "01ARZ3NDEKTSV4RRFFQ69G5FAV-+12", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]
    {
        assert_eq!(about(json!({"messageId": odd})), theirs(odd));
    }
    let long = "é".repeat(255);
    assert_eq!(about(json!({"messageId": long})), About::Theirs(long.clone()));
    assert_eq!(
        why(&json!({"messageId": format!("{long}é"), "statusCode": 3})),
        format!("`messageId` is \"{}…, which is not an id of at most 255 characters", "é".repeat(39))
    );
    assert!(why(&json!({"messageId": "a\u{0}b", "statusCode": 3})).starts_with("`messageId` is "));
    assert_eq!(why(&json!({"messageId": [OURS], "statusCode": 3})).split(" is ").next(), Some("`messageId`"));
}

#[test]
fn numbers_may_stand_in_texts_and_wrong_ones_are_named() {
    let code = |code: Value| one(&with("statusCode", code)).status;
    for six in [json!(6), json!("6"), json!(" 6 "), json!(6.0)] {
        assert_eq!(code(six), PartStatus::Undeliverable);
    }
    assert_eq!(code(json!(-1)), PartStatus::Other(-1));
    assert_eq!(code(json!(i64::MAX)), PartStatus::Other(i64::MAX));
    for wrong in [
        json!("three"),
        json!(3.5),
        json!(true),
        json!([3]),
        json!({}),
        json!(""),
        json!(u64::MAX),
        json!(1e300),
    ] {
        let shown = words::without_numbers(&wrong.to_string());
        assert_eq!(
            why(&with("statusCode", wrong)),
            format!("`statusCode` is {shown}, which is not a whole number")
        );
    }
}

#[test]
fn parts_are_from_1_to_255_and_no_part_is_beyond_the_last() {
    let parts = |part: Value, parts: Value| {
        let mut fields = with("numPart", part);
        fields["totalParts"] = parts;
        fields
    };
    let read = |fields: Value| {
        let callback = one(&fields);
        (callback.part, callback.parts)
    };
    assert_eq!(read(parts(json!("2"), json!("2"))), (2, 2));
    assert_eq!(read(parts(json!(255), json!(255))), (255, 255));
    assert_eq!(read(parts(Value::Null, json!(3))), (1, 3));
    for (fields, error) in [
        (parts(json!(3), json!(2)), "`numPart` is 3, which is not at most `totalParts`"),
        (parts(json!(2), Value::Null), "`numPart` is 2, which is not at most `totalParts`"),
        (parts(json!(0), json!(2)), "`numPart` is 0, which is not a whole number from 1 to 255"),
        (parts(json!(1), json!(0)), "`totalParts` is 0, which is not a whole number from 1 to 255"),
        (parts(json!(1), json!(256)), "`totalParts` is 256, which is not a whole number from 1 to 255"),
        (parts(json!(-1), json!(2)), "`numPart` is -1, which is not a whole number from 1 to 255"),
        (parts(json!("one"), json!(2)), "`numPart` is \"one\", which is not a whole number from 1 to 255"),
        (
            parts(json!(4_294_967_297_u64), json!(2)),
            "`numPart` is •••, which is not a whole number from 1 to 255",
        ),
    ] {
        assert_eq!(why(&fields), error);
    }
}

#[test]
fn a_price_or_a_time_that_is_none_is_left_out() {
    let price = |price: Value| one(&with("price", price)).price.map(|price| price.to_string());
    assert_eq!(price(json!(0.035)).as_deref(), Some("0.035"));
    assert_eq!(price(json!("0.035")).as_deref(), Some("0.035"));
    assert_eq!(price(json!(0)).as_deref(), Some("0"));
    assert_eq!(price(json!(1_000_000)).as_deref(), Some("1000000"));
    for none in
        [json!(-0.01), json!("free"), json!("NaN"), json!("inf"), json!(1_000_001), json!({}), json!(true)]
    {
        assert_eq!(price(none), None);
    }
    let at = |field: &str, at: Value| one(&with(field, at)).at;
    let noon: Option<Timestamp> = Some("2026-04-09T10:00:00Z".parse().unwrap());
    for written in [
        "2026-04-09T10:00:00Z",
        "2026-04-09T12:00:00+02:00",
        "2026-04-09T12:00:00+0200",
        " 2026-04-09 10:00:00Z",
    ] {
        assert_eq!(at("eventDate", json!(written)), noon, "{written}");
        assert_eq!(at("timestamp", json!(written)), noon, "{written}");
    }
    for none in [json!("2026-04-09T10:00:00"), json!("yesterday"), json!(1_775_728_800), json!("")] {
        assert_eq!(at("eventDate", none), None);
    }
    let both =
        json!({"messageId": OURS, "statusCode": 3, "eventDate": "soon", "timestamp": "2026-04-09T10:00:00Z"});
    assert_eq!(one(&both).at, noon);
}

#[test]
fn words_are_one_line_without_numbers() {
    let words = |fields: Value| {
        let mut callback = json!({"messageId": OURS, "statusCode": 6});
        callback.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        one(&callback).description
    };
    assert_eq!(words(json!({"description": "no route\r\nto +39 347 1234567"})), "no route to •••");
    assert_eq!(words(json!({"description": " ", "statusDescription": "off"})), "off");
    assert_eq!(words(json!({"description": 7, "statusDescription": null})), "");
    assert_eq!(words(json!({"description": "x".repeat(10_000)})).chars().count(), 301);
}

#[test]
fn other_events_are_ignored_and_other_channels_are_not_known() {
    for (kind, ignored) in
        [(json!("DELIVERY"), 0), (json!("delivery"), 0), (json!("READ"), 1), (json!(""), 1), (json!(7), 1)]
    {
        let found = read(with("eventType", kind).to_string().as_bytes()).unwrap();
        assert_eq!((found.callbacks.len(), found.ignored), (1 - ignored, ignored));
    }
    // Whatever else it says.
    assert_eq!(read(br#"{"eventType":"CLICK"}"#).unwrap().ignored, 1);
    assert_eq!(one(&with("channel", json!("WhatsApp"))).channel, Channel::WhatsApp);
    assert_eq!(
        why(&with("channel", json!("PAGER"))),
        "`channel` is \"PAGER\", which is not SMS, RCS or WHATSAPP"
    );
    assert!(read(with("channel", json!(1)).to_string().as_bytes()).is_err());
}

#[test]
fn several_may_come_at_once_and_a_wrong_one_harms_itself_only() {
    let good = json!({"messageId": OURS, "statusCode": 3});
    let mixed = json!([good, {"messageId": OURS}, {"eventType": "READ"}, 7, [good], good]);
    let found = read(mixed.to_string().as_bytes()).unwrap();
    assert_eq!(found.callbacks, [callback(), callback()]);
    assert_eq!(found.ignored, 1);
    let wrong: Vec<String> = found.wrong.iter().map(ToString::to_string).collect();
    let kind = "a notification is a JSON object, or several in an array, and not ";
    assert_eq!(
        wrong,
        [
            "`statusCode` is missing".to_owned(),
            format!("{kind}a number"),
            format!("{kind}an array in an array")
        ]
    );
    assert_eq!(read(b"[]").unwrap(), Notifications::default());
    assert_eq!(read(b"[7, null]").unwrap_err(), NotificationError::NotAnObject("a number"));
    let many = |count| json!(vec![good.clone(); count]).to_string();
    assert_eq!(read(many(1000).as_bytes()).unwrap().callbacks.len(), 1000);
    assert_eq!(
        read(many(1001).as_bytes()).unwrap_err().to_string(),
        "1001 notifications came at once; at most 1000 may"
    );
}

#[test]
fn what_is_not_json_is_said_to_be_none() {
    for wrong in ["", "{", "<html>", "{\"a\":1} x", "messageId=1&statusCode=3"] {
        assert!(matches!(read(wrong.as_bytes()), Err(NotificationError::NotJson { .. })), "{wrong}");
    }
    assert_eq!(read(b"\n x").unwrap_err().to_string(), "the body is not JSON (line 2 column 2)");
    // Nested too deep for the parser, which must not be a crash.
    assert!(read("[".repeat(200_000).as_bytes()).is_err());
    for (body, what) in [("null", "null"), ("true", "a boolean"), ("\"x\"", "a string")] {
        assert_eq!(read(body.as_bytes()), Err(NotificationError::NotAnObject(what)));
    }
}

/// Any JSON, mostly with the names and values that count here.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-2..300_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec![
            OURS,
            "DELIVERY",
            "SMS",
            "3",
            "0.035",
            "2026-04-09T10:00:00Z",
            "+393471234567"
        ])
        .prop_map(Value::from),
    ];
    let names = vec![
        "messageId",
        "customerMessageId",
        "channel",
        "eventType",
        "statusCode",
        "numPart",
        "totalParts",
        "price",
        "description",
        "statusDescription",
        "eventDate",
        "timestamp",
    ];
    leaf.prop_recursive(3, 40, 14, move |inner| {
        let name = prop_oneof![4 => prop::sample::select(names.clone()).prop_map(str::to_owned), 1 => any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(name, inner, 0..14)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_named(value in any_json()) {
        let entries = value.as_array().map_or(1, Vec::len);
        match read(value.to_string().as_bytes()) {
            Ok(found) => {
                prop_assert_eq!(found.callbacks.len() + found.ignored + found.wrong.len(), entries);
                for callback in found.callbacks {
                    prop_assert!(1 <= callback.part && callback.part <= callback.parts && callback.parts <= 255);
                    prop_assert!(!callback.description.contains(char::is_control));
                    prop_assert!(callback.price.is_none_or(|price| price.millionths() >= 0));
                }
            }
            Err(error) => prop_assert!(!error.to_string().contains("393471234567")),
        }
    }

    #[test]
    fn octets_that_are_no_json_are_harmless(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&octets);
    }
}
