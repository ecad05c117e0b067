//! What all steps are made of: words by key, fields, choices, other ways on.

use crate::contract::{Alternative, Choice, Fact, Field, FieldKind, Help, Step, StepKind, Text};

use super::super::servers::Encryption;
use super::super::table::{Rule, System};

/// One of this provider's sentences.
pub fn say(key: &str) -> Text {
    Text::key(format!("imap.{key}"))
}

/// An empty step.
pub fn step(name: &str, title: Text, submit: Text) -> Step {
    Step::new(StepKind::Form, name, title, submit)
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

/// The rule whose words go with a password for this system. Where no password works none is asked; should it
/// happen all the same, the words for the usual one do least harm.
pub fn asking(system: Option<&System>) -> Rule {
    let rule = system.map(|system| system.rule).filter(|rule| Rule::ASKING.contains(rule));
    rule.unwrap_or(Rule::Normal)
}

/// The pages that help at a system.
pub fn pages(system: &System) -> Vec<Help> {
    let rule = asking(Some(system)).as_str();
    let (pages, name) = (&system.pages, &system.name);
    let all = [
        page(say(&format!("help.password.{rule}")).with("provider", name), pages.password.as_ref()),
        page(say("help.enable").with("provider", name), pages.enable.as_ref()),
        page(say("help.sign_in").with("provider", name), pages.sign_in.as_ref()),
        page(say("help.about").with("provider", name), pages.about.as_ref()),
    ];
    all.into_iter().flatten().collect()
}

/// A sentence with a page behind it; nothing when there is no page.
pub fn page(text: Text, url: Option<&String>) -> Option<Help> {
    url.map(|url| Help { url: Some(url.clone()), ..Help::new(text) })
}
