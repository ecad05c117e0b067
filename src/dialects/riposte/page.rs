//! Numbered pages of lists: `page` from 1 and `limit` from 1 to 250, 50 when it is not given.

use serde_json::{Value, json};

use crate::dialects::envelope::{Envelope, Kind};

/// The page number beyond which nobody reads on, so that a product with the limit stays far from overflow.
const MOST_PAGES: i64 = 1_000_000;

/// Which page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paged {
    /// Its number, from 1.
    pub page: i64,
    /// At most this many items.
    pub limit: i64,
}

/// Reads `page` and `limit`.
///
/// # Errors
/// `invalid_parameters` or `limit_too_high`, naming the parameter.
pub fn read_page(page: Option<&str>, limit: Option<&str>) -> Result<Paged, Envelope> {
    let whole = |name: &str, text: Option<&str>, default: i64, most: i64| match text {
        None => Ok(default),
        Some(text) => match text.parse::<i64>() {
            Ok(number) if number > most && name == "limit" => {
                Err(Kind::LimitTooHigh.detail(format!("limit must be at most {most}")))
            }
            Ok(number) if (1..=most).contains(&number) => Ok(number),
            _ => {
                Err(Kind::InvalidParameters.detail(format!("{name} must be a whole number from 1 to {most}")))
            }
        },
    };
    Ok(Paged { page: whole("page", page, 1, MOST_PAGES)?, limit: whole("limit", limit, 50, 250)? })
}

impl Paged {
    /// The `pagination` object of a list with so many items in all.
    pub(super) fn told(self, total: i64) -> Value {
        let pages = (total + self.limit - 1) / self.limit;
        json!({
            "page": self.page,
            "limit": self.limit,
            "total": total,
            "totalPages": pages,
            "hasNext": self.page < pages,
            "hasPrev": self.page > 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_and_bad_ones_are_named() {
        assert_eq!(read_page(None, None), Ok(Paged { page: 1, limit: 50 }));
        let told = read_page(Some("2"), Some("10")).unwrap().told(21);
        assert_eq!(told["totalPages"], 3);
        assert_eq!((&told["hasNext"], &told["hasPrev"]), (&json!(true), &json!(true)));
        assert_eq!(Paged { page: 1, limit: 50 }.told(0)["totalPages"], 0);
        for (page, limit, says) in [
            (Some("0"), None, "page must"),
            (Some("x"), None, "page must"),
            (None, Some("0"), "limit must"),
            (None, Some("251"), "limit must be at most 250"),
        ] {
            assert!(read_page(page, limit).unwrap_err().detail.unwrap().starts_with(says));
        }
    }
}
