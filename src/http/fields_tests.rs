//! What the fields of a request are read as.

use secrecy::ExposeSecret;

use super::super::generic::GENERIC;
use super::*;

fn form(octets: &[u8]) -> Fields {
    let mut fields = Fields::default();
    fields.add_form(octets).unwrap();
    fields.settle(None, &GENERIC).unwrap();
    fields
}

fn text(octets: &[u8]) -> Result<String, FieldError> {
    form(octets).text(&GENERIC.names)
}

#[test]
fn every_synonym_is_taken_in_any_case() {
    for name in ["to", "number", "phone", "phone_number", "phones", "num", "dst", "recipient", "TO", "Phone"]
    {
        let fields = form(format!("{name}=%2B391").as_bytes());
        assert_eq!(fields.destinations(&GENERIC).unwrap(), ["+391"], "{name}");
    }
    for name in ["text", "message", "msg", "body", "content", "Text"] {
        assert_eq!(text(format!("{name}=a").as_bytes()).unwrap(), "a", "{name}");
    }
    for name in ["from", "sender", "From"] {
        let fields = form(format!("{name}=+Alarm+").as_bytes());
        assert_eq!(fields.line(&GENERIC.names, Meaning::From).unwrap().unwrap(), "Alarm", "{name}");
    }
}

#[test]
fn a_text_in_hexadecimal_digits_is_utf16() {
    let reading = Reading { hex_text: true, ..GENERIC.clone() };
    let text = |text: &str| {
        let mut fields = Fields::default();
        fields.add_form(format!("msg={text}").as_bytes()).unwrap();
        fields.settle(None, &reading).unwrap();
        fields.text(&reading.names)
    };
    assert_eq!(text("005400Fc0072").unwrap(), "Tür");
    assert_eq!(text("+04160020d83dde00%0A").unwrap(), "Ж 😀", "a pair is one character");
    for wrong in ["T%C3%BCr1", "0054004", "00540", "005", "+054", "0054%2B054", "d83d", "00540g54"] {
        assert_eq!(text(wrong), Err(FieldError::Hex("text".to_owned())), "{wrong}");
    }
    assert!(matches!(text("00200020"), Err(FieldError::Missing { .. })), "blanks only");
}

#[test]
fn a_plus_is_a_space_and_percent_is_decoded_once() {
    assert_eq!(text(b"text=a+b%2Bc%20d%25%32%35").unwrap(), "a b+c d%25");
    assert_eq!(text(b"text=100%+sure%zz%4").unwrap(), "100% sure%zz%4");
    assert_eq!(text(b"text=a=b").unwrap(), "a=b");
    assert_eq!(text(b"&&te%78t=%C3%A8&").unwrap(), "è");
}

#[test]
fn destinations_add_up_over_all_their_names() {
    let fields = form(b"to=%2B391,%2B392&phone=+393&to=oncall&to=");
    assert_eq!(fields.destinations(&GENERIC).unwrap(), ["+391", "+392", "+393", "oncall"]);
}

#[test]
fn what_is_repeated_is_refused_unless_empty() {
    assert_eq!(
        text(b"text=a&msg=b").unwrap_err().to_string(),
        "`text` and `msg` are both given; give one, once"
    );
    assert!(matches!(text(b"text=a&text=a"), Err(FieldError::Repeated(..))));
    assert_eq!(text(b"text=&msg=b&body=").unwrap(), "b");
    assert!(matches!(
        form(b"from=a&sender=b").line(&GENERIC.names, Meaning::From),
        Err(FieldError::Repeated(..))
    ));
}

#[test]
fn what_is_missing_is_named_with_its_synonyms() {
    for octets in [&b"to=1"[..], b"text=", b"text=+%0A%09", b"text=%00"] {
        assert_eq!(
            text(octets).unwrap_err().to_string(),
            "there is no `text`, or it is empty; these names are taken: text, message, msg, body, content"
        );
    }
    assert_eq!(
        form(b"to=+,+").destinations(&GENERIC).unwrap_err().to_string(),
        "there is no `to`, or it is empty; these names are taken: \
         to, number, phone, phone_number, phones, num, dst, recipient"
    );
    assert_eq!(form(b"from=+").line(&GENERIC.names, Meaning::From), Ok(None));
}

#[test]
fn octets_are_read_in_the_declared_charset_or_refused_by_name() {
    assert_eq!(
        text(b"msg=caff%E8").unwrap_err().to_string(),
        "`msg` is not valid UTF-8; send UTF-8, or declare the charset in Content-Type or in `_charset_`"
    );
    assert_eq!(text(b"msg=caff%E8&_charset_=iso-8859-1").unwrap(), "caffè");
    assert_eq!(text(b"msg=%80&_charset_=windows-1252").unwrap(), "€");
    let mut fields = Fields::default();
    fields.add_form(b"msg=caff%E8&_charset_=utf-8").unwrap();
    fields.settle(Some(charset("latin1").unwrap()), &GENERIC).unwrap();
    assert_eq!(fields.text(&GENERIC.names).unwrap(), "caffè");
}

#[test]
fn octets_of_fields_that_nobody_reads_do_not_matter() {
    assert_eq!(text(b"text=a&logo=%FF&%FF=%FF").unwrap(), "a");
}

#[test]
fn charsets_that_a_form_cannot_have_are_refused() {
    for label in ["utf-16", "klingon", "", "replacement"] {
        assert_eq!(charset(label), Err(FieldError::Charset(label.to_owned())), "{label}");
    }
    let mut fields = Fields::default();
    fields.add_form(b"_charset_=klingon").unwrap();
    assert_eq!(fields.settle(None, &GENERIC), Err(FieldError::Charset("klingon".to_owned())));
}

#[test]
fn control_characters_are_neutralised_in_the_text_and_refused_elsewhere() {
    assert_eq!(text(b"text=a%0D%0Ab%0Dc%0Ad%09e%00f%1Bg").unwrap(), "a\nb\nc\nd\te f g");
    let to = form(b"to=%2B39%00").destinations(&GENERIC).unwrap_err();
    assert_eq!(to.to_string(), "`to` contains a control character; leave it out");
    let from = form(b"sender=a%0D%0Ab").line(&GENERIC.names, Meaning::From).unwrap_err();
    assert_eq!(from.to_string(), "`from` contains a control character; leave it out");
}

#[test]
fn fields_are_counted_at_the_limit_and_one_more() {
    let mut fields = Fields::default();
    fields.add_form("a=b&".repeat(MAX_FIELDS).as_bytes()).unwrap();
    assert_eq!(fields.add_form(b"a=b"), Err(FieldError::TooMany));
    assert_eq!(FieldError::TooMany.to_string(), "the request has more than 256 fields");
}

#[test]
fn json_values_keep_their_types() {
    let with = |name: &str, value: Value| {
        let mut fields = Fields::default();
        fields.add(Field { name: name.to_owned(), value }).unwrap();
        fields
    };
    let list = with("to", Value::List(vec!["+391, +392".to_owned(), " 393".to_owned()]));
    assert_eq!(list.destinations(&GENERIC).unwrap(), ["+391", "+392", "393"]);
    let integer = with("to", Value::Integer("391".to_owned()));
    assert_eq!(integer.destinations(&GENERIC).unwrap(), ["391"]);
    assert_eq!(
        with("to", Value::Other("an object")).destinations(&GENERIC).unwrap_err().to_string(),
        "`to` is an object; it must be a string or an array of strings"
    );
    assert_eq!(
        with("message", Value::Integer("1".to_owned())).text(&GENERIC.names).unwrap_err().to_string(),
        "`message` is a number; it must be a string"
    );
    assert_eq!(
        with("text", Value::List(Vec::new())).text(&GENERIC.names).unwrap_err().to_string(),
        "`text` is an array; it must be a string"
    );
}

#[test]
fn a_part_may_have_its_own_charset() {
    let mut fields = Fields::default();
    let latin1 = Some(charset("iso-8859-1").unwrap());
    fields.add(Field { name: "text".to_owned(), value: Value::Part(vec![0xe8], latin1) }).unwrap();
    assert_eq!(fields.text(&GENERIC.names).unwrap(), "è");
}

#[test]
fn credentials_are_a_pair_or_a_key() {
    let credential = |octets: &[u8]| match form(octets).credential(&GENERIC.names) {
        Ok(Shown::Nothing) => "nothing".to_owned(),
        Ok(Shown::Pair(username, password)) => format!("pair {username} {}", password.expose_secret()),
        Ok(Shown::Key(key)) => format!("key {}", key.expose_secret()),
        Ok(Shown::Unreadable) => "unreadable".to_owned(),
        Err(error) => error.to_string(),
    };
    for (username, password) in [("username", "password"), ("user", "pass"), ("login", "pass")] {
        assert_eq!(credential(format!("{username}=u&{password}=p%20").as_bytes()), "pair u p ");
    }
    assert_eq!(credential(b"api_key=k"), "key k");
    assert_eq!(credential(b"user=u"), "pair u ");
    assert_eq!(credential(b"pass=p"), "pair  p");
    assert_eq!(credential(b"user=&pass=&api_key="), "nothing");
    assert_eq!(credential(b"user=u&login=v"), "`user` and `login` are both given; give one, once");
}

#[test]
fn values_are_shown_short_and_escaped() {
    assert_eq!(shown("a\r\nb"), "a\\r\\nb");
    assert_eq!(shown(&"x".repeat(40)), "x".repeat(40));
    assert_eq!(shown(&"x".repeat(41)), format!("{}…", "x".repeat(40)));
}

#[test]
fn a_parameter_is_the_first_value_that_is_a_text_however_it_is_asked_for() {
    let mut fields = Fields::default();
    fields.add_form(b"op=%D0&OP=ds&op=pv").unwrap();
    assert_eq!(fields.parameter("op").as_deref(), Some("ds"));
    assert_eq!(fields.parameters().get("op").map(String::as_str), Some("ds"));
}
