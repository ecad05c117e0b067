//! Reading what an import brings, value by value, so that everything that is wrong is named at once. No value is ever
//! repeated: any of them may be a secret in the wrong place.

use serde_json::{Map, Value};

use crate::contract::{Imported, State, Unfit};
use crate::kernel::secret::Secret;

/// Longer than any password or token, in bytes.
const LONGEST: usize = 32 * 1024;

/// What was brought, being read.
pub struct Values<'a> {
    object: Option<&'a Map<String, Value>>,
    unfit: Vec<Unfit>,
}

impl<'a> Values<'a> {
    /// Begins with everything that was brought.
    pub fn of(brought: &'a State) -> Self {
        Self { object: brought.0.as_object(), unfit: Vec::new() }
    }

    /// An object inside; `field` is what it is called from outside. `None` when it is absent.
    pub fn inner(&mut self, name: &str, field: &'static str) -> Option<Values<'a>> {
        match self.get(name)? {
            Value::Object(object) => Some(Values { object: Some(object), unfit: Vec::new() }),
            _ => {
                self.broken(field, "must be an object");
                None
            }
        }
    }

    /// Goes on with what was wrong inside.
    pub fn join(&mut self, inner: Values<'_>) {
        self.unfit.extend(inner.unfit);
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.object?.get(name).filter(|value| !value.is_null())
    }

    /// Text; `None` when it is absent or no text.
    pub fn text(&mut self, name: &str, field: &'static str) -> Option<&'a str> {
        match self.get(name)? {
            Value::String(text) if (1..=LONGEST).contains(&text.len()) => Some(text),
            _ => {
                self.broken(field, &format!("must be a string of 1 to {LONGEST} bytes"));
                None
            }
        }
    }

    /// A secret that must be there.
    pub fn secret(&mut self, name: &str, field: &'static str) -> Option<Secret> {
        if self.get(name).is_none() {
            self.broken(field, "is required");
        }
        self.text(name, field).map(Secret::new)
    }

    /// A whole number.
    pub fn number(&mut self, name: &str, field: &'static str) -> Option<u64> {
        let number = self.get(name)?.as_u64();
        if number.is_none() {
            self.broken(field, "must be a whole number");
        }
        number
    }

    /// `true` or `false`; absent is `false`.
    pub fn flag(&mut self, name: &str, field: &'static str) -> bool {
        match self.get(name) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.broken(field, "must be true or false");
                false
            }
        }
    }

    /// Words, as a list of strings or in one string with spaces between.
    pub fn words(&mut self, name: &str, field: &'static str) -> Option<Vec<String>> {
        match self.get(name)? {
            Value::String(text) => Some(text.split_whitespace().map(str::to_owned).collect()),
            Value::Array(list) if list.len() <= 100 && list.iter().all(Value::is_string) => {
                Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            }
            _ => {
                self.broken(field, "must be a list of at most 100 strings");
                None
            }
        }
    }

    /// Notes that a value will not do.
    pub fn broken(&mut self, field: &'static str, rule: &str) {
        self.unfit.push(Unfit { field, rule: rule.to_owned() });
    }

    /// Whether nothing is wrong so far.
    pub fn is_fine(&self) -> bool {
        self.unfit.is_empty()
    }

    /// Everything that is wrong.
    pub fn unfit(self) -> Imported {
        Imported::Unfit(self.unfit)
    }
}

/// One value that will not do.
pub fn unfit(field: &'static str, rule: impl Into<String>) -> Imported {
    Imported::Unfit(vec![Unfit { field, rule: rule.into() }])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_that_is_wrong_is_named_and_no_value_is_repeated() {
        let brought = State(json!({ "a": ["hunter2"], "b": "hunter2", "c": { "d": 1.5 }, "e": "yes" }));
        let mut values = Values::of(&brought);
        assert!(values.secret("a", "credentials.a").is_none());
        assert!(values.number("b", "credentials.b").is_none());
        let mut inner = values.inner("c", "credentials.c").unwrap();
        assert!(inner.number("d", "credentials.c.d").is_none());
        values.join(inner);
        assert!(!values.flag("e", "credentials.e") && values.secret("f", "credentials.f").is_none());
        assert!(!values.is_fine());
        let Imported::Unfit(unfit) = values.unfit() else { panic!("it will not do") };
        let fields: Vec<_> = unfit.iter().map(|one| one.field.trim_start_matches("credentials.")).collect();
        assert_eq!(fields, ["a", "b", "c.d", "e", "f"]);
        assert!(!format!("{unfit:?}").contains("hunter2"));
    }

    #[test]
    fn words_come_as_a_list_or_as_text() {
        for brought in [json!({ "scopes": ["a", "b"] }), json!({ "scopes": "a b" })] {
            assert_eq!(Values::of(&State(brought)).words("scopes", "s").unwrap(), ["a", "b"]);
        }
        assert!(Values::of(&State(json!([]))).words("scopes", "s").is_none());
    }
}
