//! Reads one provider's raw section: settings by name, each with its range and its default. Values may come
//! from the environment, where everything is a string, so numbers, switches and lists are read from strings
//! too. Keys nobody asked for are problems: a misspelt setting must not be ignored in silence.

use std::ops::RangeInclusive;

use toml::{Table, Value};
use url::Url;

use crate::kernel::clock::Millis;
use crate::kernel::secret::Secret;

/// A section being read; [`Section::finish`] tells what was wrong with it.
pub struct Section {
    slug: String,
    left: Table,
    problems: Vec<String>,
    stand_ins: Vec<String>,
}

impl Section {
    /// Starts reading the section of this provider.
    pub fn new(slug: &str, table: Table) -> Self {
        Self { slug: slug.to_owned(), left: table, problems: Vec::new(), stand_ins: Vec::new() }
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

    /// One line of text without spaces around it; `None` when it is set to nothing.
    pub fn text(&mut self, key: &str, longest: usize) -> Option<String> {
        let rule = format!("must be one line of text with at most {longest} bytes");
        let text = self.read(key, String::new(), &rule, |value| {
            let text = value.as_str()?.trim();
            (text.len() <= longest && !text.chars().any(char::is_control)).then(|| text.to_owned())
        });
        Some(text).filter(|text| !text.is_empty())
    }

    /// One line of text that leads to a stand-in for the provider, for tests; whoever starts the server refuses it outside
    /// of loopback.
    pub fn stand_in(&mut self, key: &str, longest: usize) -> Option<String> {
        let text = self.text(key, longest);
        if text.is_some() {
            self.stand_ins.push(format!("providers.{}.{key}", self.slug));
        }
        text
    }

    /// Takes the keys under which stand-ins are set.
    pub fn take_stand_ins(&mut self) -> Vec<String> {
        std::mem::take(&mut self.stand_ins)
    }

    /// A secret of any shape, without spaces and line ends around it; `None` when it is set to nothing.
    pub fn secret(&mut self, key: &str, longest: usize) -> Option<Secret> {
        let rule = format!("must be text with at most {longest} bytes");
        let secret = self.read(key, None, &rule, |value| {
            let text = value.as_str()?.trim();
            (text.len() <= longest).then(|| Some(Secret::new(text)))
        });
        secret.filter(|secret| !secret.reveal().is_empty())
    }

    /// A list of words; in a string, separated by commas or spaces.
    pub fn words(&mut self, key: &str, default: &[&str]) -> Vec<String> {
        let rule = "must be a list of words, such as [\"mail\", \"calendar\"] or \"mail,calendar\"";
        let word = |text: &str| {
            let plain =
                !text.is_empty() && text.len() <= 200 && text.bytes().all(|byte| byte.is_ascii_graphic());
            plain.then(|| text.to_owned())
        };
        let default = default.iter().map(|text| (*text).to_owned()).collect();
        self.read(key, default, rule, |value| match value {
            Value::Array(values) => values.iter().map(|value| word(value.as_str()?.trim())).collect(),
            Value::String(text) => {
                let parts = text.split(|c: char| c == ',' || c.is_whitespace());
                parts.filter(|part| !part.is_empty()).map(word).collect()
            }
            _ => None,
        })
    }

    /// A date, as its first moment in UTC; `None` when it is set to nothing.
    pub fn date(&mut self, key: &str) -> Option<Millis> {
        self.read(key, None, "must be a date, such as 2027-06-30", |value| {
            let text = match value {
                Value::String(text) => text.trim().to_owned(),
                Value::Datetime(at) => at.date?.to_string(),
                _ => return None,
            };
            if text.is_empty() {
                return Some(None);
            }
            let date: jiff::civil::Date = text.parse().ok()?;
            let start = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
            Some(Some(Millis(start.timestamp().as_millisecond())))
        })
    }

    /// Scheme and host of an https server, perhaps with a port, and nothing behind it; `None` when it is set to nothing.
    pub fn https_origin(&mut self, key: &str, default: &str) -> Option<Url> {
        let rule = "must be https:// and a host, perhaps with a port, and nothing behind it";
        self.read(key, Url::parse(default).ok(), rule, |value| {
            let text = value.as_str()?.trim();
            if text.is_empty() {
                return Some(None);
            }
            let url = Url::parse(text).ok().filter(|url| url.scheme() == "https" && url.has_host())?;
            let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
            let nobody = url.username().is_empty() && url.password().is_none();
            (bare && nobody).then_some(Some(url))
        })
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

    /// Notes what is wrong with a setting that was read. The value is never repeated: it may be a secret.
    pub fn problem(&mut self, key: &str, rule: &str) {
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
    fn text_secrets_lists_and_dates_come_without_what_surrounds_them() {
        let mut section = section(
            "a = ' x y '\nb = \"\\n s3cret\\n\"\nc = 'mail, calendar'\nd = ['mail']\ne = 2027-06-30\nf = '2027-06-30'\n\
             g = ' https://id.example:8443 '\nh = ''",
        );
        assert_eq!(section.text("a", 10).as_deref(), Some("x y"));
        assert_eq!(section.secret("b", 10).unwrap().reveal(), "s3cret");
        assert_eq!(section.words("c", &[]), ["mail", "calendar"]);
        assert_eq!(section.words("d", &["x"]), ["mail"]);
        let day = Millis::parse_rfc3339("2027-06-30T00:00:00Z");
        assert_eq!((section.date("e"), section.date("f")), (day, day));
        assert_eq!(section.https_origin("g", "").unwrap().as_str(), "https://id.example:8443/");
        assert_eq!(section.https_origin("h", "https://default.example"), None);
        assert!(section.finish().is_empty());
        assert_eq!(super::Section::new("x", Table::new()).words("c", &["mail"]), ["mail"]);
    }

    #[test]
    fn what_cannot_be_meant_is_named_by_its_key_and_never_repeated() {
        let mut section = section(
            "a = 'hunter2 is too long'\nb = 'hunter2hunter2'\nc = [7]\nd = 'hunter2'\ne = 'http://hunter2.example'\n\
             f = 'https://id.example/hunter2'\ng = 'https://hunter2@id.example'\nh = [\"a\\u0000hunter2\"]",
        );
        section.text("a", 5);
        section.secret("b", 5);
        section.words("c", &[]);
        section.date("d");
        section.https_origin("e", "");
        section.https_origin("f", "");
        section.https_origin("g", "");
        section.words("h", &[]);
        let found = section.finish();
        let keys: Vec<_> = found.iter().map(|problem| &problem[..18]).collect();
        assert_eq!(
            keys,
            ["a", "b", "c", "d", "e", "f", "g", "h"].map(|key| format!("providers.imap.{key}: "))
        );
        assert!(!found.join("").contains("hunter2"));
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
