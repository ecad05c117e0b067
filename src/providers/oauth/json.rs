//! JSON from outside, read with bounds: whole numbers that some write as text, and words that are safe to log.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A span in seconds, which some servers write as text.
///
/// # Errors
/// When it is neither.
pub fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Ok(match Option::<Value>::deserialize(from)? {
        Some(Value::Number(number)) => {
            number.as_u64().or_else(|| number.as_f64().map(|span| span.max(0.0) as u64))
        }
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    })
}

/// Words in one text, separated by spaces, or in a list.
///
/// # Errors
/// When it is something else.
pub fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Words {
        One(String),
        Many(Vec<String>),
    }
    let list = |text: &str| text.split_ascii_whitespace().map(str::to_owned).collect();
    Ok(Option::<Words>::deserialize(from)?.map(|words| match words {
        Words::One(text) => list(&text),
        Words::Many(many) => many,
    }))
}

/// A word of a protocol that may stand in a log: letters, digits and a few signs, cut short; `None` when it is not one.
pub fn code(text: &str) -> Option<&str> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
    (!text.is_empty() && text.len() <= 80 && text.bytes().all(fine)).then_some(text)
}

/// A text that people are shown, such as a name: one line, not longer than 200 characters; `None` when nothing is left.
pub fn shown(text: &str) -> Option<String> {
    let line: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// A mail address as a provider states it; `None` when it cannot be one.
pub fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | '"' | ',' | ';');
    let (local, domain) = text.rsplit_once('@')?;
    let fine = !local.is_empty() && !domain.is_empty() && text.len() <= 320 && !text.contains(odd);
    fine.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Reply {
        #[serde(default, deserialize_with = "seconds")]
        span: Option<u64>,
        #[serde(default, deserialize_with = "words")]
        list: Option<Vec<String>>,
    }

    #[test]
    fn spans_and_lists_are_read_as_servers_write_them() {
        let read = |text: &str| serde_json::from_str::<Reply>(text).unwrap();
        for (text, span) in [
            (r#"{"span":3599}"#, Some(3599)),
            (r#"{"span":"3599"}"#, Some(3599)),
            (r#"{"span":3599.5}"#, Some(3599)),
            (r#"{"span":-1}"#, Some(0)),
            (r#"{"span":"soon"}"#, None),
            (r#"{"span":null}"#, None),
            ("{}", None),
        ] {
            assert_eq!(read(text).span, span, "{text}");
        }
        let both = Some(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(read(r#"{"list":" a  b"}"#).list, both);
        assert_eq!(read(r#"{"list":["a","b"]}"#).list, both);
        assert_eq!(read("{}").list, None);
    }

    #[test]
    fn what_is_logged_or_shown_is_one_plain_line() {
        assert_eq!(code("invalid_grant"), Some("invalid_grant"));
        assert_eq!(code("a b"), None);
        assert_eq!(code("a\nb"), None);
        assert_eq!(code(&"a".repeat(81)), None);
        assert_eq!(shown(" A\u{7}da\n ").as_deref(), Some("Ada"));
        assert_eq!(shown("\n"), None);
        assert_eq!(address(" ada@example.org ").as_deref(), Some("ada@example.org"));
        for odd in ["ada", "@example.org", "ada@", "a da@example.org", "<ada@example.org>", "a\r\n@b"] {
            assert_eq!(address(odd), None, "{odd:?}");
        }
    }
}
