//! JSON with every member that was written: a map would keep the last of two in silence.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// Any number.
    Number,
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Node>),
    /// An object, its members in order.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Reads a whole body; deeper than 128 levels is an error.
    ///
    /// # Errors
    /// A sentence with the place, and without a value.
    pub(super) fn read(octets: &[u8]) -> Result<Self, String> {
        let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
        serde_json::from_slice(octets).map_err(|error| format!("the JSON body cannot be read: {error}"))
    }

    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
                Ok(Node::Bool)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
                Ok(Node::Number)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
                Ok(Node::Number)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
                Ok(Node::Number)
            }

            fn visit_str<E>(self, text: &str) -> Result<Node, E> {
                Ok(Node::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Node, E> {
                Ok(Node::Text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Node::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Node::Object(members))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_there_in_its_order() {
        let text = |text: &str| Node::Text(text.to_owned());
        let read =
            Node::read(b"\xef\xbb\xbf{\"a\":\"1\",\"b\":[null,true,-1,1.5,2],\"a\":\"\\u00e9\"}").unwrap();
        let list = Node::List(vec![Node::Null, Node::Bool, Node::Number, Node::Number, Node::Number]);
        let members = [("a", text("1")), ("b", list), ("a", text("\u{e9}"))];
        assert_eq!(read, Node::Object(members.map(|(name, node)| (name.to_owned(), node)).to_vec()));
    }

    #[test]
    fn what_is_no_json_tells_its_place_and_no_value() {
        let error = Node::read(b"{\"to\": secret}").unwrap_err();
        assert_eq!(error, "the JSON body cannot be read: expected value at line 1 column 8");
        for wrong in [&b""[..], b"{", b"{} {}", b"\"\xff\"", b"\"\xed\xa0\x80\"", b"\"\\ud800\""] {
            assert!(Node::read(wrong).is_err(), "{wrong:?}");
        }
        let deep = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(Node::read(&deep(127)).is_ok());
        assert!(Node::read(&deep(128)).is_err());
    }
}
