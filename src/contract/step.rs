//! A step: what the person must do now, as a public JSON type. The wizard's pages draw it, and whoever draws
//! screens of their own gets the same. It carries message keys instead of prose, and never a secret.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::conversation::Code;
use crate::kernel::clock::Millis;
use crate::kernel::secret::Secret;

/// A sentence by its key in the translations, with the values to put in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The key, such as `imap.password.title`.
    pub key: String,
    /// Values for the sentence's placeholders; plain text, to be escaped by whoever shows it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, String>,
}

impl Text {
    /// A sentence without placeholders.
    pub fn key(key: impl Into<String>) -> Self {
        Self { key: key.into(), args: BTreeMap::new() }
    }

    /// The same sentence with one more value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.args.insert(name.to_owned(), value.into());
        self
    }
}

/// What sort of thing a step asks for, and so how it is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Fields to fill in and send.
    #[default]
    Form,
    /// One of several ways to go on: its alternatives.
    Choose,
    /// Going to [`Step::url`] and coming back from there.
    Redirect,
    /// Waiting for somebody else, who has to open [`Step::url`]; or, without one, for what was done elsewhere to count.
    Wait,
    /// Scanning [`Step::code`] with an app on another device.
    Qr,
    /// Typing [`Step::code`] into an app.
    Code,
}

/// What the person must do now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What sort of step it is. Steps stored before there were kinds are forms.
    #[serde(default)]
    pub kind: StepKind,
    /// The step's stable name inside its provider, such as `password`.
    pub name: String,
    /// The heading.
    pub title: Text,
    /// The heading where the page is open on the very phone that would have to scan its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_title: Option<Text>,
    /// One or two sentences below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intro: Option<Text>,
    /// What became of the last answer, when it did not lead on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<Notice>,
    /// Things to know before answering, such as the servers a password will be sent to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Fact>,
    /// What was tried before this step had to be shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Tried>,
    /// Help that belongs to this step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<Help>,
    /// The fields to fill in.
    pub fields: Vec<Field>,
    /// The word on the button.
    pub submit: Text,
    /// Other ways on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
    /// How many more answers will be tried; `None` while that does not matter yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_left: Option<u32>,
    /// When the step stops being answerable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
    /// Where to go, or what to pass on: see [`StepKind`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether it moves on by itself, by what happens elsewhere: whoever shows it listens for changes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
    /// What to scan or to type elsewhere. Absent while it is being made. Providers leave it empty: it comes out of their
    /// conversation, and changes while the step stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// What a passkey is asked, as `PublicKeyCredentialRequestOptions` in JSON (Web Authentication, level 3, 5.4.8), for who
    /// can have it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
    /// Whose password it asks for, where no field says so: for password managers, which keep the pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

impl Step {
    /// A step without fields and without anything that can be left out.
    pub fn new(kind: StepKind, name: &str, title: Text, submit: Text) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            title,
            phone_title: None,
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
            url: None,
            live: false,
            code: None,
            request: None,
            username: None,
        }
    }

    /// The stable code of what went wrong with the last answer, if something did: the notice's, or the last part
    /// of the key of the first field's error.
    pub fn refusal(&self) -> Option<&str> {
        if let Some(notice) = self.notice.as_ref().filter(|notice| notice.tone == Tone::Refused) {
            return Some(&notice.code);
        }
        let error = self.fields.iter().find_map(|field| field.error.as_ref())?;
        error.key.rsplit('.').next()
    }

    /// What an answer's fields must be, as a JSON Schema (2020-12). It describes the form as it was drawn; what
    /// only the provider can judge comes back as a field's error.
    pub fn answer_schema(&self) -> Value {
        let property = |field: &Field| {
            let mut rules = json!({ "type": "string" });
            match field.kind {
                FieldKind::Text | FieldKind::Long | FieldKind::Host => {}
                FieldKind::Phone => rules["pattern"] = json!("^[+]?[0-9 ().-]*$"),
                FieldKind::Code => rules["writeOnly"] = json!(true),
                FieldKind::Email => rules["format"] = json!("idn-email"),
                FieldKind::Port => rules["pattern"] = json!("^[0-9]{1,5}$"),
                FieldKind::Password => rules["writeOnly"] = json!(true),
                FieldKind::Checkbox => rules = json!({ "enum": ["yes", true, false] }),
                FieldKind::Select => {
                    let values: Vec<&str> = field.choices.iter().map(|choice| &*choice.value).collect();
                    rules = json!({ "enum": values });
                }
            }
            // An empty field is an answer, too, unless it must be filled in.
            let typed = !matches!(field.kind, FieldKind::Checkbox | FieldKind::Select);
            if typed && field.required {
                rules["minLength"] = json!(1);
            } else if field.kind == FieldKind::Port {
                rules["pattern"] = json!("^[0-9]{0,5}$");
            }
            (field.name.clone(), rules)
        };
        let required = self.fields.iter().filter(|field| field.required && field.kind != FieldKind::Checkbox);
        let required: Vec<&str> = required.map(|field| &*field.name).collect();
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": self.fields.iter().map(property).collect::<serde_json::Map<_, _>>(),
            "required": required,
            "additionalProperties": false,
        })
    }

    /// Whether an answer to this step carries something secret.
    pub fn asks_secret(&self) -> bool {
        self.fields.iter().any(|field| field.kind.is_secret())
    }
}

/// How a notice is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Something did not work.
    Refused,
    /// Good to know.
    Info,
}

/// What became of the last answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// A stable code, such as `credentials_invalid`.
    pub code: String,
    /// How it is meant.
    pub tone: Tone,
    /// What happened, in one sentence.
    pub text: Text,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<Text>,
}

/// One thing to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is.
    pub label: Text,
    /// Its value, as plain text.
    pub value: String,
}

/// One thing that was tried and led nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// What was tried.
    pub place: Text,
    /// What became of it.
    pub outcome: Text,
}

/// Help, perhaps with a page to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Help {
    /// Which devices it is for, where that is not all: a name that is the same in every language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The sentence.
    pub text: Text,
    /// An https address from the provider's own description, never from a server's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Help {
    /// For whatever device.
    pub fn new(text: Text) -> Self {
        Self { device: None, text, url: None }
    }
}

/// Another way on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alternative {
    /// What to answer with ([`Action::Alternative`]).
    pub name: String,
    /// The words on it.
    pub label: Text,
}

/// What a field holds; semantic, so that keyboards, password managers and checks can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// A line of text.
    Text,
    /// Text that may have several lines.
    Long,
    /// A phone number with its country code.
    Phone,
    /// A short code that was sent to the person.
    Code,
    /// An e-mail address.
    Email,
    /// A host name.
    Host,
    /// A port number.
    Port,
    /// A secret; never echoed.
    Password,
    /// Yes (`yes`) or no (absent).
    Checkbox,
    /// One of the choices.
    Select,
}

impl FieldKind {
    /// Whether what is typed is never sent back.
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Password | Self::Code)
    }
}

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The name it is answered under.
    pub name: String,
    /// What it holds.
    pub kind: FieldKind,
    /// Its label.
    pub label: Text,
    /// What it already holds; always absent for secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// A hint below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<Text>,
    /// Why what was typed does not do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Text>,
    /// Whether it must be filled in.
    pub required: bool,
    /// The HTML autocomplete token, for password managers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autocomplete: Option<String>,
    /// The choices of a [`FieldKind::Select`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
}

impl Field {
    /// A required, empty field.
    pub fn new(name: &str, kind: FieldKind, label: Text) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            label,
            value: None,
            help: None,
            error: None,
            required: true,
            autocomplete: None,
            choices: Vec::new(),
        }
    }
}

/// One choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What is answered.
    pub value: String,
    /// What is shown.
    pub label: Text,
}

/// What the person did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Pressed the button.
    Submit,
    /// Took another way on, by its name.
    Alternative(String),
    /// Came back from where a [`StepKind::Redirect`] sent them; the fields are what they brought. Never sent by a
    /// form: the engine makes it.
    Returned,
    /// Somebody whom a [`StepKind::Wait`] waits for has come back. Never sent by a form.
    Decided {
        /// Whether they agreed.
        granted: bool,
    },
}

/// A person's answer to a step. Not `Serialize`: what was typed lives as long as the request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What they did.
    pub action: Action,
    /// What they typed, by field name. Everything is held as a secret, since a password typed into the
    /// wrong field is one.
    pub fields: BTreeMap<String, Secret>,
}

impl Answer {
    /// What was typed into a field, trimmed; empty when nothing was.
    pub fn text(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |value| value.reveal().trim())
    }

    /// A secret exactly as it was typed.
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.fields.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_says_its_kind_and_one_stored_without_is_a_form() {
        let stored =
            json!({ "name": "address", "title": { "key": "a" }, "fields": [], "submit": { "key": "b" } });
        let step: Step = serde_json::from_value(stored).unwrap();
        assert_eq!(step.kind, StepKind::Form);
        assert_eq!(serde_json::to_value(&step).unwrap()["kind"], "form");
    }
}
