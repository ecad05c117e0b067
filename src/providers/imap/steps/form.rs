//! What all steps are made of: words by key, fields, choices, other ways on.

use crate::contract::{Alternative, Choice, Fact, Field, FieldKind, Help, Step, Text};

use super::super::servers::Encryption;

/// One of this provider's sentences.
pub fn say(key: &str) -> Text {
    Text::key(format!("imap.{key}"))
}

/// An empty step.
pub fn step(name: &str, title: Text, submit: Text) -> Step {
    Step {
        name: name.to_owned(),
        title,
        intro: None,
        notice: None,
        facts: Vec::new(),
        tried: Vec::new(),
        help: Vec::new(),
        fields: Vec::new(),
        submit,
        alternatives: Vec::new(),
        attempts_left: None,
        expires_at: None,
        username: None,
    }
}

/// A field that holds something already.
pub fn filled(name: &str, kind: FieldKind, label: Text, value: &str) -> Field {
    let mut field = Field::new(name, kind, label);
    field.value = Some(value.to_owned()).filter(|value| !value.is_empty());
    field
}

/// The two ways to a private connection.
pub fn encryption(name: &str, chosen: &str) -> Field {
    let choice = |encryption: Encryption, label| Choice { value: encryption.as_str().to_owned(), label };
    let mut field = filled(name, FieldKind::Select, say("field.encryption"), chosen);
    field.choices = vec![
        choice(Encryption::Tls, say("encryption.tls")),
        choice(Encryption::Starttls, say("encryption.starttls")),
    ];
    field
}

/// Another way on.
pub fn alternative(name: &str, label: Text) -> Alternative {
    Alternative { name: name.to_owned(), label }
}

/// Something to know.
pub fn fact(label: Text, value: impl Into<String>) -> Fact {
    Fact { label, value: value.into() }
}

/// A sentence with a page behind it; nothing when there is no page.
pub fn page(text: Text, url: Option<&String>) -> Option<Help> {
    url.map(|url| Help { text, url: Some(url.clone()) })
}
