//! Pages of lists: `limit` from 1 to 250 and an opaque `cursor`, standard padded base64 as strict clients check.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::dialects::envelope::{Envelope, Kind};

/// Which page is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most this many items.
    pub limit: i64,
    /// Go on behind this id.
    pub last_id: Option<String>,
}

/// Reads `limit` and `cursor`.
///
/// # Errors
/// `invalid_parameters` or `limit_too_high`, naming the parameter.
pub fn read_page(limit: Option<&str>, cursor: Option<&str>) -> Result<Page, Envelope> {
    let limit = match limit {
        None => 100,
        Some(text) => match text.parse::<i64>() {
            Ok(limit) if limit > 250 => return Err(Kind::LimitTooHigh.detail("limit must be at most 250")),
            Ok(limit) if limit >= 1 => limit,
            _ => return Err(Kind::InvalidParameters.detail("limit must be a whole number from 1 to 250")),
        },
    };
    let last_id = match cursor.filter(|cursor| !cursor.is_empty()) {
        None => None,
        Some(cursor) => Some(read_cursor(cursor).ok_or_else(|| {
            Kind::InvalidParameters.detail("cursor must be the cursor of an earlier page, unchanged")
        })?),
    };
    Ok(Page { limit, last_id })
}

fn read_cursor(cursor: &str) -> Option<String> {
    let value: Value = serde_json::from_slice(&STANDARD.decode(cursor).ok()?).ok()?;
    let id = value.get("cursor")?.get("last_id")?.as_str()?;
    // Whatever is no id, such as a zero byte, is none of our cursors, and PostgreSQL refuses it as broken text.
    let whole = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    whole.then(|| id.to_owned())
}

/// Cuts one item too many off and gives the cursor for the rest.
pub fn next_cursor<T>(items: &mut Vec<T>, limit: i64, id: impl Fn(&T) -> String) -> Value {
    let limit_len = usize::try_from(limit).unwrap_or(usize::MAX);
    if items.len() <= limit_len {
        return Value::Null;
    }
    items.truncate(limit_len);
    match items.last() {
        Some(last) => {
            let cursor = json!({ "limit": limit, "cursor": { "last_id": id(last) } });
            Value::String(STANDARD.encode(cursor.to_string()))
        }
        None => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_behind_the_last_item() {
        let mut items = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let cursor = next_cursor(&mut items, 2, Clone::clone);
        assert_eq!(items, ["a", "b"]);
        let text = cursor.as_str().unwrap();
        assert_eq!(text.len() % 4, 0, "strict clients want padding");
        assert_eq!(read_page(Some("2"), Some(text)), Ok(Page { limit: 2, last_id: Some("b".to_owned()) }));
        assert_eq!(next_cursor(&mut items, 2, Clone::clone), Value::Null);
    }

    #[test]
    fn bad_limits_and_cursors_are_named() {
        assert_eq!(read_page(Some("251"), None).unwrap_err().kind, "errors/limit_too_high");
        for limit in ["0", "-1", "x", "1.5", ""] {
            assert!(
                read_page(Some(limit), None).unwrap_err().detail.unwrap().starts_with("limit"),
                "{limit}"
            );
        }
        for cursor in ["!!!", "e30=", "bm90anNvbg==", "eyJjdXJzb3IiOiB7Imxhc3RfaWQiOiAiXHUwMDAwIn19"] {
            assert!(
                read_page(None, Some(cursor)).unwrap_err().detail.unwrap().starts_with("cursor"),
                "{cursor}"
            );
        }
        assert_eq!(read_page(None, None), Ok(Page { limit: 100, last_id: None }));
    }
}
