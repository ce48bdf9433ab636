//! A mail that has come, as Python's `email` package reads it.

use serde::Deserialize;

use super::{Arrived, python};

const READ: &str = r#"
import email, email.policy, json, sys
mail = email.message_from_string(sys.stdin.read(), policy=email.policy.default)
defects = [repr(defect) for part in mail.walk() for defect in part.defects]
defects += [repr(defect) for part in mail.walk() for value in part.values() for defect in value.defects]
def content(part):
    kind = part.get_content_type()
    if kind == "message/delivery-status":
        return "\n".join("".join(f"{name}: {value}\n" for name, value in block.items()) for block in part.get_payload())
    if kind == "message/rfc822":
        return part.get_payload()[0].as_string()
    if kind == "text/plain":
        return part.get_content()
    return part.get_payload(decode=True).decode()
parts = [[part.get_content_type(), content(part)] for part in mail.iter_parts()]
print(json.dumps({
    "headers": [[name, str(value)] for name, value in mail.items()],
    "kind": mail.get_content_type(),
    "report_type": mail.get_param("report-type"),
    "parts": parts,
    "defects": defects,
}))
"#;

/// A mail taken apart.
#[derive(Debug, Deserialize)]
pub struct Letter {
    pub headers: Vec<(String, String)>,
    /// Its content type.
    pub kind: String,
    pub report_type: Option<String>,
    /// Content type and decoded content of each part.
    pub parts: Vec<(String, String)>,
    /// What Python found wrong with it.
    pub defects: Vec<String>,
}

impl Letter {
    pub fn read(arrived: &Arrived) -> Self {
        serde_json::from_str(&python(READ, &arrived.text)).unwrap()
    }

    /// The one value of a header field; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        let value = values.next().map_or("", |(_, value)| value);
        assert!(values.next().is_none(), "{name} stands twice");
        value
    }

    /// The content of the first part of a type.
    pub fn part(&self, kind: &str) -> &str {
        let part = self.parts.iter().find(|(found, _)| found == kind);
        &part.unwrap_or_else(|| panic!("no {kind} in {self:#?}")).1
    }

    /// What the human part says.
    pub fn human(&self) -> &str {
        self.part("text/plain")
    }

    /// The values of a field of the machine part, in order.
    pub fn status(&self, field: &str) -> Vec<&str> {
        let begin = format!("{field}: ");
        self.part("message/delivery-status").lines().filter_map(|line| line.strip_prefix(&begin)).collect()
    }
}

/// A text with the id of its submission and every date replaced, for comparison in full.
pub fn settled(text: &str, id: &str) -> String {
    let date =
        regex::Regex::new(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000").unwrap();
    date.replace_all(&text.replace(id, "ID"), "DATE").into_owned()
}
