//! Colours that an operator may choose, and whether they can be read: contrast as WCAG 2.2 defines it. It knows the
//! papers that the pages are drawn on, and no style sheet.

use std::fmt;

/// An opaque sRGB colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour([u8; 3]);

/// The light paper that dark colours show least on.
pub const LIGHT_PAPER: Colour = Colour([0xf5, 0xf4, 0xf0]);
/// The dark paper that light colours show least on.
pub const DARK_PAPER: Colour = Colour([0x22, 0x27, 0x28]);
/// White.
pub const WHITE: Colour = Colour([0xff; 3]);
/// Black.
pub const BLACK: Colour = Colour([0; 3]);

/// The contrast that text needs at least (WCAG 2.2, 1.4.3).
pub const READABLE: f64 = 4.5;

impl Colour {
    /// Reads `#rrggbb` or `#rgb`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        let value = |pair: &str| u8::from_str_radix(pair, 16).ok();
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        match digits.len() {
            6 => Some(Self([value(&digits[..2])?, value(&digits[2..4])?, value(&digits[4..])?])),
            3 => {
                let twice = |at: usize| value(&digits[at..=at].repeat(2));
                Some(Self([twice(0)?, twice(1)?, twice(2)?]))
            }
            _ => None,
        }
    }

    /// The contrast with another colour, from 1 to 21.
    pub fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// The colour that is `share` of the way to another one.
    #[must_use]
    pub fn towards(self, other: Self, share: f64) -> Self {
        let mut mixed = self.0;
        for (own, other) in mixed.iter_mut().zip(other.0) {
            *own = (f64::from(*own) + (f64::from(other) - f64::from(*own)) * share).round() as u8;
        }
        Self(mixed)
    }

    /// Black or white, whichever reads better on it; the contrast is at least 4.58 on any colour.
    #[must_use]
    pub fn ink(self) -> Self {
        if self.contrast(WHITE) >= self.contrast(BLACK) { WHITE } else { BLACK }
    }

    /// The nearest colour on the way to black or white that has at least this contrast with the paper.
    #[must_use]
    pub fn readable_on(self, paper: Self, least: f64) -> Self {
        let end = paper.ink();
        let steps = (0..=100).map(|step| self.towards(end, f64::from(step) / 100.0));
        steps.into_iter().find(|colour| colour.contrast(paper) >= least).unwrap_or(end)
    }

    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|value| {
            let share = f64::from(value) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_in_both_spellings_and_nothing_else_is_one() {
        assert_eq!(Colour::parse("#0d5c56").unwrap().to_string(), "#0d5c56");
        assert_eq!(Colour::parse("#F80").unwrap().to_string(), "#ff8800");
        for text in ["", "teal", "0d5c56", "#0d5c5", "#0d5c56ff", "#éa0", "#+12345"] {
            assert_eq!(Colour::parse(text), None, "{text}");
        }
    }

    #[test]
    fn contrast_is_what_the_guidelines_say() {
        assert!((BLACK.contrast(WHITE) - 21.0).abs() < 0.01);
        let grey = Colour::parse("#767676").unwrap();
        assert!((grey.contrast(WHITE) - 4.54).abs() < 0.01, "{}", grey.contrast(WHITE));
    }

    #[test]
    fn some_ink_reads_on_every_colour_and_every_colour_can_be_mended() {
        for red in (0..=255).step_by(51) {
            for green in (0..=255).step_by(51) {
                for blue in (0..=255).step_by(51) {
                    let colour = Colour([red, green, blue]);
                    assert!(colour.contrast(colour.ink()) >= READABLE, "{colour}");
                    for paper in [LIGHT_PAPER, DARK_PAPER] {
                        assert!(colour.readable_on(paper, READABLE).contrast(paper) >= READABLE, "{colour}");
                    }
                }
            }
        }
    }
}
