//! From a request's query and body to its fields.
//!
//! A body is a form, multipart or JSON, by its Content-Type. Without one, as small devices send it,
//! a body that begins with `{` is JSON and any other a form. An API whose bodies are always of one
//! kind is not asked. It is read as a whole, up to the limit, before anything is made of it.

use std::borrow::Cow;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use encoding_rs::Encoding;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;
use tokio::time::{Instant, timeout_at};

use super::Limits;
use super::fields::{Field, FieldError, Fields, MAX_FIELDS, Value, charset, shown};
use crate::profile::{BodyKind, Meaning, Reading};

/// Why there are no fields to be had from a request.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// 413.
    #[error("the body is larger than {0} octets, which is the most that is taken")]
    TooLarge(usize),
    /// 408.
    #[error("the body did not arrive within {0:?}")]
    TooSlow(Duration),
    /// 415.
    #[error(
        "the content type `{0}` is not taken; send application/x-www-form-urlencoded, multipart/form-data or application/json"
    )]
    MediaType(String),
    /// 415.
    #[error("the content encoding `{0}` is not taken; send the body as it is")]
    Encoded(String),
    /// 400; the connection is of no more use.
    #[error("the body ended before its time, or its chunks are damaged")]
    Broken,
    /// 400.
    #[error("the JSON body cannot be read: {0}")]
    Json(String),
    /// 400.
    #[error("the multipart body cannot be read: {0}")]
    Multipart(String),
    /// 400.
    #[error(transparent)]
    Field(#[from] FieldError),
}

/// How a body is to be read.
#[derive(Clone, Debug)]
pub(super) struct Format {
    kind: Kind,
    charset: Option<&'static Encoding>,
}

#[derive(Clone, Debug)]
enum Kind {
    Form,
    Json,
    Multipart(HeaderValue),
    Text,
    Undeclared,
}

impl Format {
    /// What the headers say, and what they do not need to say of an API with bodies of `known` kind.
    ///
    /// # Errors
    /// [`BodyError::MediaType`], [`BodyError::Encoded`], or a charset that is not known.
    pub(super) fn declared(headers: &HeaderMap, known: BodyKind) -> Result<Self, BodyError> {
        let may_be_text = known == BodyKind::Text;
        let known = match known {
            BodyKind::Guessed | BodyKind::Text => None,
            BodyKind::Json => Some(Kind::Json),
            BodyKind::Form => Some(Kind::Form),
        };
        if let Some(coding) = headers.get(header::CONTENT_ENCODING)
            && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
        {
            return Err(BodyError::Encoded(shown(&String::from_utf8_lossy(coding.as_bytes()))));
        }
        let Some(value) = headers.get(header::CONTENT_TYPE).filter(|value| !value.is_empty()) else {
            return Ok(Self { kind: known.unwrap_or(Kind::Undeclared), charset: None });
        };
        let text = String::from_utf8_lossy(value.as_bytes());
        let media_type = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let kind = match (known, media_type.as_str()) {
            (Some(known), _) => known,
            (None, "application/x-www-form-urlencoded") => Kind::Form,
            (None, "multipart/form-data") => Kind::Multipart(value.clone()),
            (None, "application/json") => Kind::Json,
            (None, "text/plain" | "application/octet-stream") if may_be_text => Kind::Text,
            (None, _) => return Err(BodyError::MediaType(shown(&media_type))),
        };
        Ok(Self { kind, charset: declared_charset(&text)? })
    }

    /// Whether the body is declared to be JSON.
    pub(super) fn is_json(&self) -> bool {
        matches!(self.kind, Kind::Json)
    }

    /// Reads a body that is JSON of any shape.
    ///
    /// # Errors
    /// [`BodyError::Json`], also for one nested deeper than 127 times.
    pub(super) fn json(&self, octets: &[u8]) -> Result<Json, BodyError> {
        serde_json::from_str(&text(octets, self.charset)?).map_err(|error| BodyError::Json(error.to_string()))
    }

    /// Reads the query and the body; `fields` are those that are known before.
    ///
    /// # Errors
    /// A [`BodyError`] for what cannot be read.
    pub(super) async fn fields(
        self,
        mut fields: Fields,
        query: Option<&str>,
        octets: Vec<u8>,
        reading: &Reading,
    ) -> Result<Fields, BodyError> {
        fields.add_form(query.unwrap_or_default().as_bytes())?;
        let inside = reading.inside.as_deref();
        match self.kind {
            Kind::Undeclared if octets.trim_ascii_start().starts_with(b"{") => {
                add_json(&mut fields, &octets, self.charset, inside)?;
            }
            Kind::Form | Kind::Undeclared => fields.add_form(&octets)?,
            Kind::Json => add_json(&mut fields, &octets, self.charset, inside)?,
            Kind::Text => {
                let name = reading.names.of(Meaning::Text).first().cloned().unwrap_or_default();
                fields.add(Field { name, value: Value::Part(octets, self.charset) })?;
            }
            Kind::Multipart(content_type) => add_parts(&mut fields, content_type, octets).await?,
        }
        fields.settle(self.charset, reading)?;
        Ok(fields)
    }
}

/// Reads a body of up to `limit` octets; a larger one that announces its length is not begun.
///
/// # Errors
/// [`BodyError::TooLarge`] and [`BodyError::Broken`].
pub(super) async fn read(mut body: Body, limit: usize) -> Result<Vec<u8>, BodyError> {
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge(limit));
    }
    let mut octets = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        // Trailers are of no interest.
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if data.len() > limit - octets.len() {
            return Err(BodyError::TooLarge(limit));
        }
        octets.extend_from_slice(&data);
    }
    Ok(octets)
}

/// The fields that are in the headers, where an API has such.
///
/// # Errors
/// [`FieldError::TooMany`].
pub(super) fn in_headers(headers: &HeaderMap, reading: &Reading) -> Result<Fields, FieldError> {
    let mut fields = Fields::default();
    let Some(prefix) = &reading.header_prefix else { return Ok(fields) };
    for (name, value) in headers {
        if let Some(rest) = name.as_str().strip_prefix(prefix.as_str()) {
            fields
                .add(Field { name: rest.to_owned(), value: Value::Part(value.as_bytes().to_vec(), None) })?;
        }
    }
    Ok(fields)
}

/// As [`read`], within the limits of a request that must have ended by `deadline`.
///
/// # Errors
/// Also [`BodyError::TooSlow`].
pub(super) async fn read_in_time(
    body: Body,
    limits: &Limits,
    deadline: Instant,
) -> Result<Vec<u8>, BodyError> {
    let read = timeout_at(deadline, read(body, limits.body_octets)).await;
    read.unwrap_or(Err(BodyError::TooSlow(limits.request_time)))
}

/// The `charset` parameter of a content type.
fn declared_charset(content_type: &str) -> Result<Option<&'static Encoding>, FieldError> {
    let label = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    label.map(charset).transpose()
}

async fn add_parts(fields: &mut Fields, content_type: HeaderValue, octets: Vec<u8>) -> Result<(), BodyError> {
    let mut request = Request::new(Body::from(octets));
    request.headers_mut().insert(header::CONTENT_TYPE, content_type);
    // The limit has been kept already; axum's own is another number.
    DefaultBodyLimit::disable().apply(&mut request);
    let mut parts = Multipart::from_request(request, &())
        .await
        .map_err(|rejection| BodyError::Multipart(shown(&rejection.body_text())))?;
    let unreadable =
        |error: axum::extract::multipart::MultipartError| BodyError::Multipart(shown(&error.body_text()));
    while let Some(part) = parts.next_field().await.map_err(unreadable)? {
        let name = part.name().unwrap_or_default().to_owned();
        let own = part.content_type().map(declared_charset).transpose()?.flatten();
        let octets = part.bytes().await.map_err(unreadable)?;
        fields.add(Field { name, value: Value::Part(octets.into(), own) })?;
    }
    Ok(())
}

/// The text that JSON is written in, without a byte order mark.
fn text<'a>(octets: &'a [u8], charset: Option<&'static Encoding>) -> Result<Cow<'a, str>, BodyError> {
    let encoding = charset.unwrap_or(encoding_rs::UTF_8);
    let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
    encoding
        .decode_without_bom_handling_and_without_replacement(octets)
        .ok_or_else(|| BodyError::Json(format!("it is not valid {}", encoding.name())))
}

/// The members of an object; where they are `inside` a member of it, only those of that one mean something.
fn add_json(
    fields: &mut Fields,
    octets: &[u8],
    charset: Option<&'static Encoding>,
    inside: Option<&str>,
) -> Result<(), BodyError> {
    let text = text(octets, charset)?;
    let Members(members) = serde_json::from_str(&text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            BodyError::Json(format!("it must be one object with up to {MAX_FIELDS} members"))
        }
        // These tell a place and never a value.
        serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof
        | serde_json::error::Category::Io => BodyError::Json(error.to_string()),
    })?;
    for (name, member) in members {
        match (inside, member) {
            (Some(inside), Json::Object(members)) if name == inside => {
                for (name, member) in members {
                    if let Some(value) = json_value(member) {
                        fields.add(Field { name, value })?;
                    }
                }
            }
            (Some(_), member) => {
                if let Some(value) = json_value(member) {
                    fields.add_around(Field { name, value })?;
                }
            }
            (None, member) => {
                if let Some(value) = json_value(member) {
                    fields.add(Field { name, value })?;
                }
            }
        }
    }
    Ok(())
}

/// `None` for null, which is as good as absent.
fn json_value(value: Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(_) => Value::Other("a boolean"),
        Json::Number(number) if number.is_u64() => Value::Integer(number.to_string()),
        Json::Number(_) => Value::Other("a number that is no phone number"),
        Json::String(text) => Value::Text(text),
        Json::Array(items) => {
            let texts = items.into_iter().map(|item| match item {
                Json::String(text) => Some(text),
                Json::Number(number) if number.is_u64() => Some(number.to_string()),
                Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => None,
            });
            texts
                .collect::<Option<Vec<_>>>()
                .map_or(Value::Other("an array with other things than strings"), Value::List)
        }
        Json::Object(_) => Value::Other("an object"),
    })
}

/// The members of an object in order, repeated ones too: a map would keep the last in silence.
struct Members(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    if members.len() == MAX_FIELDS {
                        return Err(serde::de::Error::custom("too many members"));
                    }
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::super::generic::GENERIC;
    use super::*;

    fn format(content_type: Option<&str>) -> Result<Format, BodyError> {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        }
        Format::declared(&headers, BodyKind::Guessed)
    }

    /// Destinations and text, or the sentence that refuses them.
    async fn read_as(content_type: Option<&str>, body: &[u8]) -> Result<(Vec<String>, String), String> {
        let format = format(content_type).map_err(|error| error.to_string())?;
        let fields = format
            .fields(Fields::default(), None, body.to_vec(), &GENERIC)
            .await
            .map_err(|error| error.to_string())?;
        let destinations = fields.destinations(&GENERIC).map_err(|error| error.to_string())?;
        Ok((destinations, fields.text(&GENERIC.names).map_err(|error| error.to_string())?))
    }

    fn form(to: &[&str], text: &str) -> Result<(Vec<String>, String), String> {
        Ok((to.iter().map(ToString::to_string).collect(), text.to_owned()))
    }

    #[tokio::test]
    async fn the_content_type_says_how_a_body_is_read() {
        let urlencoded = Some("application/x-www-form-urlencoded; charset=ISO-8859-1");
        assert_eq!(read_as(urlencoded, b"to=+391&text=caff%e8").await, form(&["+391"], "caffè"));
        let json = Some("Application/JSON;charset=\"utf-8\"");
        assert_eq!(
            read_as(json, br#"{"to":["+391",392],"text":"caff\u00e8","from":null,"x":{"y":[1]}}"#).await,
            form(&["+391", "392"], "caffè")
        );
        assert_eq!(
            read_as(json, b"\xef\xbb\xbf{\"phone_number\":391,\"message\":\"a\"}").await,
            form(&["391"], "a")
        );
    }

    #[tokio::test]
    async fn a_body_without_a_type_is_a_form_or_json_by_its_first_character() {
        assert_eq!(read_as(None, b"to=391&text=a").await, form(&["391"], "a"));
        assert_eq!(read_as(Some(""), b"to=391&text=a").await, form(&["391"], "a"));
        assert_eq!(read_as(None, b"\n {\"to\":\"391\",\"text\":\"a\"}").await, form(&["391"], "a"));
    }

    #[tokio::test]
    async fn parts_of_a_multipart_body_are_fields() {
        let body = b"--b\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\n+391, +392\r\n\
            --b\r\nContent-Disposition: form-data; name=\"text\"; filename=\"a.txt\"\r\n\
            Content-Type: text/plain; charset=iso-8859-1\r\n\r\ncaff\xe8\r\n--b--\r\n";
        let read = read_as(Some("multipart/form-data; boundary=b"), body).await;
        assert_eq!(read, form(&["+391", "+392"], "caffè"));
        let body = b"--b\r\nContent-Disposition: form-data; name=\"_charset_\"\r\n\r\niso-8859-1\r\n\
            --b\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\n391\r\n\
            --b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\ncaff\xe8\r\n--b--\r\n";
        let read = read_as(Some("multipart/form-data; boundary=\"b\""), body).await;
        assert_eq!(read, form(&["391"], "caffè"));
    }

    #[tokio::test]
    async fn parts_are_counted_at_the_limit_and_one_more() {
        let body = |parts: usize| {
            let mut body = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\ny\r\n".repeat(parts - 2);
            for (name, value) in [("to", "391"), ("text", "a")] {
                body += &format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            }
            body + "--b--\r\n"
        };
        let multipart = Some("multipart/form-data; boundary=b");
        assert_eq!(read_as(multipart, body(256).as_bytes()).await, form(&["391"], "a"));
        assert_eq!(
            read_as(multipart, body(257).as_bytes()).await,
            Err("the request has more than 256 fields".to_owned())
        );
    }

    #[tokio::test]
    async fn damaged_bodies_are_refused_with_the_reason() {
        let multipart = read_as(Some("multipart/form-data; boundary=b"), b"--b\r\nto").await.unwrap_err();
        assert!(multipart.starts_with("the multipart body cannot be read: "), "{multipart}");
        let multipart = read_as(Some("multipart/form-data"), b"--b\r\nto").await.unwrap_err();
        assert!(multipart.starts_with("the multipart body cannot be read: "), "{multipart}");
        let json = Some("application/json");
        let object = "the JSON body cannot be read: it must be one object with up to 256 members";
        for body in ["[]", "\"to\"", "1"] {
            assert_eq!(read_as(json, body.as_bytes()).await, Err(object.to_owned()), "{body}");
        }
        assert_eq!(
            read_as(json, b"{\"to\":").await,
            Err("the JSON body cannot be read: EOF while parsing a value at line 1 column 6".to_owned())
        );
        assert_eq!(
            read_as(json, b"{\"text\":\"\xe8\"}").await,
            Err("the JSON body cannot be read: it is not valid UTF-8".to_owned())
        );
        let deep = format!("{{\"x\":{}", "[".repeat(100_000));
        assert_eq!(
            read_as(json, deep.as_bytes()).await,
            Err("the JSON body cannot be read: recursion limit exceeded at line 1 column 132".to_owned())
        );
    }

    #[tokio::test]
    async fn json_members_are_counted_and_not_repeated() {
        let json = Some("application/json");
        let body = |others: usize| {
            format!("{{{}\"to\":\"391\",\"text\":\"a\"}}", "\"x\":1,".repeat(others)).into_bytes()
        };
        assert_eq!(read_as(json, &body(254)).await, form(&["391"], "a"));
        assert!(read_as(json, &body(255)).await.is_err());
        assert_eq!(
            read_as(json, br#"{"to":"391","text":"a","text":"b"}"#).await,
            Err("`text` and `text` are both given; give one, once".to_owned())
        );
    }

    #[tokio::test]
    async fn json_of_wrong_types_is_refused_by_the_field() {
        for (body, reason) in [
            (r#"{"to":{"a":1},"text":"a"}"#, "`to` is an object; it must be a string or an array of strings"),
            (
                r#"{"to":["391",["392"]],"text":"a"}"#,
                "`to` is an array with other things than strings; it must be a string or an array of strings",
            ),
            (
                r#"{"to":-1.5,"text":"a"}"#,
                "`to` is a number that is no phone number; it must be a string or an array of strings",
            ),
            (r#"{"to":"391","text":true}"#, "`text` is a boolean; it must be a string"),
            (r#"{"to":"391","text":12}"#, "`text` is a number; it must be a string"),
        ] {
            assert_eq!(read_as(Some("application/json"), body.as_bytes()).await, Err(reason.to_owned()));
        }
    }

    #[test]
    fn other_types_encodings_and_charsets_are_refused() {
        let reason = |content_type| format(Some(content_type)).unwrap_err().to_string();
        assert_eq!(
            reason("text/xml"),
            "the content type `text/xml` is not taken; send application/x-www-form-urlencoded, \
             multipart/form-data or application/json"
        );
        assert_eq!(
            reason("application/json; charset=klingon"),
            "the charset `klingon` is not known; send UTF-8"
        );
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert_eq!(
            Format::declared(&headers, BodyKind::Guessed).unwrap_err().to_string(),
            "the content encoding `gzip` is not taken; send the body as it is"
        );
    }

    #[tokio::test]
    async fn the_query_adds_to_the_body() {
        let format = format(Some("application/json")).unwrap();
        let body = br#"{"text":"a"}"#.to_vec();
        let fields = format.fields(Fields::default(), Some("to=+391&user=u"), body, &GENERIC).await.unwrap();
        assert_eq!(fields.destinations(&GENERIC).unwrap(), ["+391"]);
        assert_eq!(fields.text(&GENERIC.names).unwrap(), "a");
    }

    #[tokio::test]
    async fn bodies_are_read_up_to_the_limit_and_not_one_octet_more() {
        assert_eq!(read(Body::from("12345"), 5).await.unwrap(), b"12345");
        assert!(matches!(read(Body::from("123456"), 5).await, Err(BodyError::TooLarge(5))));
    }

    #[tokio::test]
    async fn fields_may_be_inside_a_member() {
        let reading = Reading { inside: Some("params".to_owned()), ..GENERIC.clone() };
        let format = format(Some("application/json")).unwrap();
        let body = br#"{"method":"send","id":7,"to":"391","params":{"to":"392","text":"a","method":"x"}}"#;
        let fields =
            format.clone().fields(Fields::default(), Some("text="), body.to_vec(), &reading).await.unwrap();
        assert_eq!(fields.destinations(&reading).unwrap(), ["392"]);
        assert_eq!(fields.text(&reading.names).unwrap(), "a");
        let parameter = |name| fields.parameter(name);
        assert_eq!(parameter("id").as_deref(), Some("7"));
        assert_eq!(parameter("METHOD").as_deref(), Some("x"), "those inside come first");
        let nothing = format
            .fields(Fields::default(), None, br#"{"params":[1],"to":"391"}"#.to_vec(), &reading)
            .await
            .unwrap();
        assert!(nothing.destinations(&reading).is_err());
    }

    #[tokio::test]
    async fn an_api_that_knows_its_bodies_does_not_ask_for_their_type() {
        for (kind, body) in
            [(BodyKind::Json, &br#"{"to":"391","text":"a"}"#[..]), (BodyKind::Form, b"to=391&text=a")]
        {
            for declared in ["text/plain", "application/json", "application/x-www-form-urlencoded"] {
                let mut headers = HeaderMap::new();
                headers.insert(header::CONTENT_TYPE, declared.parse().unwrap());
                let format = Format::declared(&headers, kind).unwrap();
                let fields = format.fields(Fields::default(), None, body.to_vec(), &GENERIC).await.unwrap();
                assert_eq!(fields.text(&GENERIC.names).unwrap(), "a", "{declared} as {kind:?}");
            }
        }
    }

    #[tokio::test]
    async fn headers_may_hold_the_fields_and_the_body_the_text() {
        let reading =
            Reading { body: BodyKind::Text, header_prefix: Some("x-kannel-".to_owned()), ..GENERIC.clone() };
        let mut headers = HeaderMap::new();
        headers.insert("x-kannel-to", HeaderValue::from_static("+391 +392"));
        headers.insert("x-other", HeaderValue::from_static("+393"));
        let read = async |content_type: &'static str, body: &[u8]| {
            let mut headers = headers.clone();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            let format = Format::declared(&headers, reading.body).map_err(|error| error.to_string())?;
            let given = in_headers(&headers, &reading).unwrap();
            let fields = format.fields(given, None, body.to_vec(), &reading).await.unwrap();
            Ok::<_, String>((fields.destinations(&reading).unwrap(), fields.text(&reading.names).unwrap()))
        };
        let both = vec!["+391".to_owned(), "+392".to_owned()];
        let expected = |text: &str| Ok((both.clone(), text.to_owned()));
        assert_eq!(read("text/plain; charset=iso-8859-1", b"T\xfcr=1&b").await, expected("Tür=1&b"));
        assert_eq!(read("application/octet-stream", b"a+b").await, expected("a+b"));
        assert_eq!(read("application/x-www-form-urlencoded", b"text=a+b").await, expected("a b"));
        assert_eq!(read("application/json", br#"{"text":"a+b"}"#).await, expected("a+b"));
        assert!(read("image/png", b"a").await.unwrap_err().starts_with("the content type `image/png`"));
        let guessed = Format::declared(&headers, BodyKind::Guessed);
        assert!(guessed.is_ok(), "nothing is declared");
        assert_eq!(in_headers(&headers, &GENERIC).unwrap().parameters().len(), 0);
    }
}
