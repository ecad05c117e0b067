//! Reading a JSON body field by field, so that every bad field is named with the rule it broke, all in one
//! answer. Unknown fields are left alone and listed; absent and `null` mean the same.

use serde_json::{Map, Value};
use url::Url;

use super::envelope::{Envelope, Kind};
use crate::kernel::clock::Millis;
use crate::kernel::secret::Secret;

/// A body being read.
pub struct Fields<'a> {
    object: &'a Map<String, Value>,
    known: Vec<&'static str>,
    missing: Vec<String>,
    broken: Vec<String>,
}

impl<'a> Fields<'a> {
    /// Begins.
    ///
    /// # Errors
    /// When the body is not a JSON object.
    pub fn of(body: &'a Value) -> Result<Self, Envelope> {
        match body {
            Value::Object(object) => {
                Ok(Self { object, known: Vec::new(), missing: Vec::new(), broken: Vec::new() })
            }
            _ => Err(Kind::InvalidParameters.detail("the body must be a JSON object")),
        }
    }

    fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Notes that a field breaks a rule; `rule` goes on from the field's name.
    pub fn broken(&mut self, name: &str, rule: &str) {
        self.broken.push(format!("{name} {rule}"));
    }

    /// Notes that a field is absent; `rule` says what it must be.
    pub fn missing(&mut self, name: &str, rule: &str) {
        self.missing.push(format!("{name} is required: {rule}"));
    }

    /// Marks a field as known without reading it.
    pub fn ignored(&mut self, name: &'static str) {
        self.known.push(name);
    }

    /// Any value.
    pub fn value(&mut self, name: &'static str) -> Option<&'a Value> {
        self.get(name)
    }

    /// Text of 1 to `longest` characters.
    pub fn text(&mut self, name: &'static str, longest: usize) -> Option<&'a str> {
        match self.get(name)? {
            Value::String(text) if text.is_empty() => {
                self.broken(name, "must not be empty");
                None
            }
            Value::String(text) if text.chars().count() > longest => {
                self.broken(name, &format!("must have at most {longest} characters"));
                None
            }
            Value::String(text) => Some(text),
            _ => {
                self.broken(name, "must be a string");
                None
            }
        }
    }

    /// `true`, `false`, or those words as strings: typed clients send them so.
    pub fn boolean(&mut self, name: &'static str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(value) => Some(*value),
            Value::String(text) if text == "true" => Some(true),
            Value::String(text) if text == "false" => Some(false),
            _ => {
                self.broken(name, "must be true or false");
                None
            }
        }
    }

    /// A number from `least` to `most`.
    pub fn number(&mut self, name: &'static str, least: f64, most: f64) -> Option<f64> {
        let number = self.get(name)?.as_f64().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.broken(name, &format!("must be a number from {least} to {most}"));
        }
        number
    }

    /// An absolute http or https URL without credentials in it.
    pub fn url(&mut self, name: &'static str) -> Option<String> {
        let text = self.text(name, 4096)?;
        // Reading a URL would leave these out without a word, so that it would be another one than was kept.
        if text.trim() != text || text.chars().any(char::is_control) {
            self.broken(name, "must be a URL without spaces around it and without line breaks");
            return None;
        }
        match Url::parse(text) {
            Ok(url) if !matches!(url.scheme(), "http" | "https") || !url.has_host() => {
                self.broken(name, "must be an absolute http or https URL");
                None
            }
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                self.broken(name, "must not contain a user name or password");
                None
            }
            Ok(_) => Some(text.to_owned()),
            Err(_) => {
                self.broken(
                    name,
                    "must be an absolute http or https URL, such as https://app.example.com/done",
                );
                None
            }
        }
    }

    /// A time in RFC 3339 with an offset.
    pub fn time(&mut self, name: &'static str) -> Option<Millis> {
        let text = self.text(name, 64)?;
        let time = Millis::parse_rfc3339(text);
        if time.is_none() {
            self.broken(name, "must be an ISO 8601 time in UTC such as 2026-06-30T12:00:00.701Z");
        }
        time
    }

    /// Whether nothing is wrong so far.
    pub fn is_fine(&self) -> bool {
        self.broken.is_empty() && self.missing.is_empty()
    }

    /// Ends: everything that is wrong in one envelope, or the names of the fields nobody read.
    ///
    /// # Errors
    /// When a field was missing or broken.
    pub fn end(self) -> Result<Vec<String>, Envelope> {
        if !self.is_fine() {
            let kind = if self.broken.is_empty() { Kind::MissingParameters } else { Kind::InvalidParameters };
            let all: Vec<String> = self.missing.into_iter().chain(self.broken).collect();
            return Err(kind.detail(all.join("; ")));
        }
        let unknown = |name: &&String| !self.known.contains(&name.as_str());
        Ok(self.object.keys().filter(unknown).cloned().collect())
    }
}

/// Reads a body that carries a finish code in this field: the code, and the members nobody knows.
///
/// # Errors
/// An envelope that names what is wrong; it repeats nothing that was sent.
pub fn finish_code(body: &Value, field: &'static str) -> Result<(Secret, Vec<String>), Envelope> {
    let mut fields = Fields::of(body)?;
    let code = fields.text(field, 200).map(Secret::new);
    if body.get(field).is_none_or(Value::is_null) {
        fields.missing(field, "the code that the browser brought to the success URL");
    }
    let unknown = fields.end()?;
    Ok((code.unwrap_or_else(|| Secret::new("")), unknown))
}
