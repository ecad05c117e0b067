//! Reads one provider's raw section: settings by name, each with its range and its default. Values may come
//! from the environment, where everything is a string, so numbers, switches and lists are read from strings
//! too. Keys nobody asked for are problems: a misspelt setting must not be ignored in silence.

use std::ops::RangeInclusive;

use toml::{Table, Value};

/// A section being read; [`Section::finish`] tells what was wrong with it.
pub struct Section {
    slug: String,
    left: Table,
    problems: Vec<String>,
}

impl Section {
    /// Starts reading the section of this provider.
    pub fn new(slug: &str, table: Table) -> Self {
        Self { slug: slug.to_owned(), left: table, problems: Vec::new() }
    }

    /// A switch: true or false.
    pub fn boolean(&mut self, key: &str, default: bool) -> bool {
        self.read(key, default, "must be true or false", |value| match value {
            Value::Boolean(value) => Some(*value),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        })
    }

    /// A whole number within a range.
    pub fn number(&mut self, key: &str, range: RangeInclusive<u64>, default: u64) -> u64 {
        let rule = format!("must be a whole number from {} to {}", range.start(), range.end());
        self.read(key, default, &rule, |value| number(value).filter(|number| range.contains(number)))
    }

    /// A list of port numbers, at least one; in a string, separated by commas.
    pub fn ports(&mut self, key: &str, default: &[u16]) -> Vec<u16> {
        let rule = "must be a list of port numbers, such as [143, 993] or \"143,993\"";
        let port =
            |value: &Value| number(value).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
        let ports = self.read(key, default.to_vec(), rule, |value| match value {
            Value::Array(values) => values.iter().map(port).collect::<Option<Vec<_>>>(),
            Value::String(text) => {
                text.split(',').map(|part| port(&Value::String(part.to_owned()))).collect()
            }
            other => port(other).map(|port| vec![port]),
        });
        if ports.is_empty() {
            self.problem(key, rule);
        }
        ports
    }

    /// An https URL; `None` when it is set to nothing.
    pub fn https_url(&mut self, key: &str, default: &str) -> Option<String> {
        let rule = "must be an https URL, or empty";
        let url = self.read(key, default.to_owned(), rule, |value| {
            let text = value.as_str()?.trim();
            let fine = text.is_empty() || url::Url::parse(text).is_ok_and(|url| url.scheme() == "https");
            fine.then(|| text.to_owned())
        });
        Some(url).filter(|url| !url.is_empty())
    }

    /// What was wrong, as sentences that begin with the key.
    pub fn finish(mut self) -> Vec<String> {
        let strangers: Vec<_> = self.left.keys().cloned().collect();
        for key in strangers {
            self.problem(&key, "there is no such setting");
        }
        self.problems
    }

    fn read<T>(&mut self, key: &str, default: T, rule: &str, parse: impl Fn(&Value) -> Option<T>) -> T {
        let Some(value) = self.left.remove(key) else { return default };
        match parse(&value) {
            Some(value) => value,
            None => {
                self.problem(key, rule);
                default
            }
        }
    }

    // The value is never repeated: sections of other providers hold secrets, and this reader is for them all.
    fn problem(&mut self, key: &str, rule: &str) {
        self.problems.push(format!("providers.{}.{key}: {rule}", self.slug));
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> Section {
        Section::new("imap", text.parse().unwrap())
    }

    #[test]
    fn values_from_the_environment_are_strings_and_are_read_all_the_same() {
        let mut section = section("ports = '993, 465'\nconnect_seconds = '7'\nenabled = 'false'");
        assert_eq!(section.ports("ports", &[]), [993, 465]);
        assert_eq!(section.number("connect_seconds", 1..=60, 15), 7);
        assert!(!section.boolean("enabled", true));
        assert!(section.finish().is_empty());
    }

    #[test]
    fn absent_settings_take_their_defaults() {
        let mut section = section("");
        assert_eq!(section.ports("ports", &[143]), [143]);
        assert_eq!(section.number("connect_seconds", 1..=60, 15), 15);
        assert!(section.finish().is_empty());
    }

    #[test]
    fn no_ports_at_all_and_impossible_ports_are_problems() {
        for text in
            ["ports = []", "ports = ''", "ports = [0]", "ports = [70000]", "ports = ['x']", "ports = true"]
        {
            let mut section = section(text);
            section.ports("ports", &[143]);
            assert_eq!(section.finish().len(), 1, "{text}");
        }
    }
}
