//! Reading what a page's form sends.

use std::collections::BTreeMap;

use crate::contract::{Action, Answer};
use crate::kernel::secret::Secret;

/// A sent form. A field that is sent twice counts once, by its first value.
pub(super) struct Form(BTreeMap<String, Secret>);

/// What the person pressed.
pub(super) enum Pressed {
    /// Answered the step, in one way or another.
    Answer(Answer),
    /// Gave up.
    Cancel,
    /// Chose another language, with what was typed until then.
    Language(String, Answer),
}

impl Form {
    /// Reads `application/x-www-form-urlencoded`, the body or a query.
    pub(super) fn read(body: &[u8]) -> Self {
        let mut fields = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(body).take(200) {
            fields.entry(name.into_owned()).or_insert_with(|| Secret::new(value.into_owned()));
        }
        Self(fields)
    }

    /// Reads a flat JSON object; its members that are no text are not there.
    pub(super) fn of_json(body: &[u8]) -> Self {
        let read = serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(body).unwrap_or_default();
        let text = |(name, value): (String, serde_json::Value)| Some((name, Secret::new(value.as_str()?)));
        Self(read.into_iter().filter_map(text).collect())
    }

    /// A field's text; empty when it was not sent.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", Secret::reveal)
    }

    /// The version of the step that the form was drawn from; -1 when it does not say, which no step has.
    pub(super) fn version(&self) -> i64 {
        self.text("step").parse().unwrap_or(-1)
    }

    /// The language that was chosen with a button of the form.
    pub(super) fn language(&self) -> Option<&str> {
        self.text("action").strip_prefix("language:")
    }

    /// What was pressed; pressing Enter counts as the button.
    pub(super) fn pressed(self) -> Pressed {
        let language = self.language().map(str::to_owned);
        let action = match self.text("action") {
            "cancel" => return Pressed::Cancel,
            pressed => match pressed.strip_prefix("alternative:") {
                Some(name) => Action::Alternative(name.to_owned()),
                None => Action::Submit,
            },
        };
        let own =
            |(name, value): (String, Secret)| name.strip_prefix("f.").map(|name| (name.to_owned(), value));
        let answer = Answer { action, fields: self.0.into_iter().filter_map(own).collect() };
        match language {
            Some(tag) => Pressed::Language(tag, answer),
            None => Pressed::Answer(answer),
        }
    }
}
