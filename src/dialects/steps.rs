//! The steps API's words: what a product that draws its own screens sends and gets. It belongs to neither dialect;
//! every session can be walked with it. Steps are the engine's own public type; each sentence in one comes as key,
//! values and the text in the reader's language.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::envelope::{Envelope, Kind};
use super::fields::Fields;
use crate::contract::{Action, Answer, Profile, Step, Text};
use crate::kernel::clock::Millis;
use crate::kernel::secret::Secret;
use crate::kernel::words::SessionState;

/// The most fields an answer may have; no step has half as many.
const MOST_FIELDS: usize = 100;
/// The longest value, in bytes.
const LONGEST: usize = 16 * 1024;

/// Reads `{"takeover": …}`; an absent body means no. Gives whether to take over, and unknown fields.
///
/// # Errors
/// An envelope that names the field.
pub fn read_start(body: &Value) -> Result<(bool, Vec<String>), Envelope> {
    let mut fields = Fields::of(body)?;
    let takeover = fields.boolean("takeover").unwrap_or(false);
    Ok((takeover, fields.end()?))
}

/// An answer as it was sent: the version of the step it is for, the answer, and unknown fields.
pub type Sent = (i64, Answer, Vec<String>);

/// Reads `{"version": …, "fields": {…}, "alternative": …}`.
///
/// # Errors
/// An envelope that names every field that is missing or breaks a rule.
pub fn read_answer(body: &Value) -> Result<Sent, Envelope> {
    let mut read = Fields::of(body)?;
    let version = match read.value("version") {
        Some(value) => {
            let version = value.as_i64().filter(|version| *version > 0);
            if version.is_none() {
                read.broken("version", "must be the version of the step that is answered, a whole number");
            }
            version
        }
        None => {
            read.missing("version", "the version of the step that is answered, as the step came with it");
            None
        }
    };
    let alternative = read.text("alternative", 100).map(str::to_owned);
    let fields = answered(&mut read);
    let unknown = read.end()?;
    let action = alternative.map_or(Action::Submit, Action::Alternative);
    Ok((version.unwrap_or_default(), Answer { action, fields }, unknown))
}

/// The fields of an answer. A box is ticked by `"yes"` or `true`, and not by being absent, `false` or `null`.
fn answered(read: &mut Fields<'_>) -> BTreeMap<String, Secret> {
    let mut fields = BTreeMap::new();
    let object = match read.value("fields") {
        None => return fields,
        Some(Value::Object(object)) if object.len() <= MOST_FIELDS => object,
        Some(Value::Object(_)) => {
            read.broken("fields", &format!("must have at most {MOST_FIELDS} fields"));
            return fields;
        }
        Some(_) => {
            read.broken("fields", "must be an object of field names and values");
            return fields;
        }
    };
    for (name, value) in object {
        let text = match value {
            Value::Null | Value::Bool(false) => continue,
            Value::Bool(true) => "yes",
            Value::String(text) if text.len() <= LONGEST => text,
            _ => {
                // The name is the caller's; the value may be a password in the wrong place, and is not repeated.
                let name: String = name.chars().take(60).collect();
                read.broken(
                    &format!("fields.{name}"),
                    &format!("must be a string of at most {LONGEST} bytes, or true or false for a box"),
                );
                continue;
            }
        };
        fields.insert(name.clone(), Secret::new(text));
    }
    fields
}

/// What whoever holds a session sees of it.
pub struct Seen<'a> {
    /// The session's id.
    pub session: &'a str,
    /// Where it stands.
    pub state: SessionState,
    /// When it ends.
    pub expires_at: Millis,
    /// What is there to see.
    pub view: Shown<'a>,
}

/// What is there to see.
pub enum Shown<'a> {
    /// A step to answer.
    Step {
        /// The provider, once one is chosen.
        provider: Option<&'a str>,
        /// The version an answer must name.
        version: i64,
        /// The step.
        step: &'a Step,
    },
    /// An answer is being checked.
    Checking {
        /// The provider, once one is chosen.
        provider: Option<&'a str>,
    },
    /// It worked.
    Connected {
        /// The account.
        account: &'a str,
        /// The provider.
        provider: &'a str,
        /// Its public part.
        profile: &'a Profile,
        /// Whether it was repaired rather than made.
        repaired: bool,
    },
    /// Signed in; the backend has to redeem this code first.
    Finishing {
        /// The provider.
        provider: &'a str,
        /// The code.
        code: &'a str,
        /// When it stops working.
        until: Millis,
    },
    /// It ended otherwise.
    Ended {
        /// Why.
        cause: Option<&'a str>,
    },
}

/// A session as its holder sees it. `speak` gives a sentence in the reader's language.
pub fn session(seen: &Seen<'_>, speak: impl Fn(&Text) -> String) -> Value {
    let mut body = json!({
        "object": "SessionView",
        "id": seen.session,
        "state": seen.state.as_str(),
        "expires_at": seen.expires_at.rfc3339(),
    });
    match &seen.view {
        Shown::Step { provider, version, step } => {
            let mut drawn = serde_json::to_value(step).unwrap_or_default();
            spoken(&mut drawn, &speak);
            drawn["answer_schema"] = step.answer_schema();
            body["provider"] = json!(provider);
            body["version"] = json!(version);
            body["step"] = drawn;
        }
        Shown::Checking { provider } => {
            body["provider"] = json!(provider);
            body["checking"] = json!(true);
        }
        Shown::Connected { account, provider, profile, repaired } => {
            let note = profile.note.as_ref().map(|note| {
                let mut note = serde_json::to_value(note).unwrap_or_default();
                spoken(&mut note, &speak);
                note
            });
            body["provider"] = json!(provider);
            body["account"] =
                json!({ "id": account, "label": profile.label, "repaired": repaired, "note": note });
        }
        Shown::Finishing { provider, code, until } => {
            body["provider"] = json!(provider);
            body["finish"] = json!({ "code": code, "expires_at": until.rfc3339() });
        }
        Shown::Ended { cause } => body["cause"] = json!(cause),
    }
    body
}

/// What an event says when the token does not hold the session any more.
pub fn gone() -> Value {
    json!({ "object": "SessionGone" })
}

/// A session that was just begun: the token that holds it, shown this once, and the first step.
pub fn started(token: &str, view: Value) -> Value {
    json!({ "object": "SessionStarted", "token": token, "session": view })
}

/// Gives every sentence in a step its text. A sentence is told by its shape: a key, perhaps with values, and
/// nothing else.
fn spoken(value: &mut Value, speak: &impl Fn(&Text) -> String) {
    match value {
        Value::Object(object) if is_sentence(object) => {
            let text = serde_json::from_value::<Text>(Value::Object(object.clone()));
            if let Ok(text) = text {
                object.insert("text".to_owned(), Value::String(speak(&text)));
            }
        }
        Value::Object(object) => object.values_mut().for_each(|inner| spoken(inner, speak)),
        Value::Array(inner) => inner.iter_mut().for_each(|inner| spoken(inner, speak)),
        _ => {}
    }
}

fn is_sentence(object: &Map<String, Value>) -> bool {
    object.get("key").is_some_and(Value::is_string)
        && object.keys().all(|name| matches!(name.as_str(), "key" | "args"))
}

/// The token is not the one that holds the session.
pub fn not_held() -> Envelope {
    Kind::InvalidCredentials.detail(
        "this token does not hold the session; it may have been started again elsewhere, so start it once more",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: Value) -> String {
        read_answer(&body).err().and_then(|envelope| envelope.detail).unwrap_or_default()
    }

    #[test]
    fn an_answer_is_read_with_its_boxes() {
        let body = json!({
            "version": 3,
            "fields": { "email": " a@b.example ", "receive_only": true, "other": false, "none": null },
        });
        let (version, answer, unknown) = read_answer(&body).unwrap();
        assert_eq!((version, answer.action.clone()), (3, Action::Submit));
        assert_eq!(answer.text("email"), "a@b.example");
        assert_eq!(answer.text("receive_only"), "yes");
        assert_eq!(answer.fields.len(), 2);
        assert!(unknown.is_empty());
        let (_, answer, unknown) =
            read_answer(&json!({ "version": 1, "alternative": "manual", "x": 1 })).unwrap();
        assert_eq!(answer.action, Action::Alternative("manual".to_owned()));
        assert_eq!(unknown, ["x"]);
    }

    #[test]
    fn what_is_wrong_is_named_and_no_value_is_repeated() {
        let detail = refused(json!({ "version": "1", "fields": { "password": ["hunter2"] } }));
        assert!(detail.contains("version must be") && detail.contains("fields.password must be"), "{detail}");
        assert!(!detail.contains("hunter2"));
        assert!(refused(json!({ "fields": {} })).contains("version is required"));
        assert!(refused(json!({ "version": 1, "fields": [] })).contains("fields must be an object"));
        assert!(refused(json!([])).contains("must be a JSON object"));
        let many: Map<_, _> = (0..101).map(|number| (number.to_string(), json!(""))).collect();
        assert!(refused(json!({ "version": 1, "fields": many })).contains("at most 100"));
    }

    #[test]
    fn no_provider_is_null() {
        let seen = |provider| Seen {
            session: "authsess_1",
            state: SessionState::Open,
            expires_at: Millis(0),
            view: Shown::Checking { provider },
        };
        assert_eq!(session(&seen(None), |_| String::new())["provider"], Value::Null);
        assert_eq!(session(&seen(Some("imap")), |_| String::new())["provider"], "imap");
    }

    #[test]
    fn every_sentence_of_a_step_comes_with_its_text_and_nothing_else_does() {
        let mut value = json!({
            "title": { "key": "a" },
            "facts": [{ "label": { "key": "b", "args": { "host": "h" } }, "value": "key" }],
            "choices": [{ "value": "x", "label": { "key": "c" } }],
            "other": { "key": 1 },
        });
        spoken(&mut value, &|text| format!("<{}>", text.key));
        assert_eq!(value["title"]["text"], "<a>");
        assert_eq!(value["facts"][0]["label"]["text"], "<b>");
        assert_eq!(value["choices"][0]["label"]["text"], "<c>");
        assert_eq!(value["other"], json!({ "key": 1 }));
    }
}
