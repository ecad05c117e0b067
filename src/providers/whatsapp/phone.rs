//! A phone number as a person types it, brought into international form (E.164).

/// Why what was typed does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPhone {
    /// Nothing was typed.
    Missing,
    /// It does not begin with a country's code.
    Country,
    /// It is no phone number.
    Invalid,
}

/// Reads a number: a plus or two zeros, the country's code, the number; spaces and the usual signs between do not matter.
///
/// # Errors
/// Why it does not do.
pub fn read(typed: &str) -> Result<String, BadPhone> {
    // “+49 (0) 151 …”: that zero is dialled at home only.
    let typed = typed.trim().replace("(0)", "");
    if typed.is_empty() {
        return Err(BadPhone::Missing);
    }
    let mut number = String::new();
    for c in typed.chars() {
        match c {
            '+' | '＋' if number.is_empty() => number.push('+'),
            ' ' | '\u{a0}' | '\u{202f}' | '-' | '‐' | '‑' | '–' | '(' | ')' | '.' | '/' => {}
            // Marks of direction, which come along when a number is copied.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c => number.push(digit(c).ok_or(BadPhone::Invalid)?),
        }
    }
    let digits = number.strip_prefix('+').or_else(|| number.strip_prefix("00"));
    let digits = digits.ok_or(BadPhone::Country)?;
    match digits.as_bytes() {
        [b'0', ..] => Err(BadPhone::Country),
        _ if (7..=15).contains(&digits.len()) => Ok(format!("+{digits}")),
        _ => Err(BadPhone::Invalid),
    }
}

/// A digit of the keyboards that people have: European, Arabic, Persian, or as wide as an ideograph.
fn digit(c: char) -> Option<char> {
    let zero = ['0', '\u{660}', '\u{6f0}', '\u{ff10}'].map(u32::from);
    let value = zero.iter().find_map(|zero| u32::from(c).checked_sub(*zero).filter(|value| *value < 10));
    value.and_then(|value| char::from_digit(value, 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_understood_as_people_write_it() {
        for typed in [
            "+4915112345678",
            " +49 151 123-456.78 ",
            "0049 (151) 12345678",
            "+49 (0) 151 12345678",
            "＋４９ １５１ １２３４５６７８",
            "\u{202a}+49 151 12345678\u{202c}",
            "+٤٩١٥١١٢٣٤٥٦٧٨",
            "+۴۹۱۵۱۱۲۳۴۵۶۷۸",
        ] {
            assert_eq!(read(typed).as_deref(), Ok("+4915112345678"), "{typed}");
        }
    }

    #[test]
    fn what_is_no_number_with_its_country_is_told_apart() {
        for (typed, why) in [
            ("", BadPhone::Missing),
            ("  ", BadPhone::Missing),
            ("0151 12345678", BadPhone::Country),
            ("15112345678", BadPhone::Country),
            ("+0151 12345678", BadPhone::Country),
            ("+49", BadPhone::Invalid),
            ("+1234567890123456", BadPhone::Invalid),
            ("+49 151 x", BadPhone::Invalid),
            ("ada@example.com", BadPhone::Invalid),
            ("+49+151", BadPhone::Invalid),
        ] {
            assert_eq!(read(typed), Err(why), "{typed}");
        }
    }
}
