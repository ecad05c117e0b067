//! How the pages take on the operator's colours and logo: rules laid over the style sheet, pictures beside it, and a
//! way to support. What it is given was checked; it computes only what goes with it.

use crate::kernel::colour::{BLACK, Colour, WHITE};

/// The operator's own look; all of it may be absent.
#[derive(Clone, Debug, Default)]
pub struct Brand {
    /// The accent in the light and in the dark.
    pub accents: Option<(Colour, Colour)>,
    /// The logo: its content, and whether it is SVG (else PNG).
    pub logo: Option<(Vec<u8>, bool)>,
    /// The same where the person prefers dark colours.
    pub logo_dark: Option<(Vec<u8>, bool)>,
    /// Where people get help: https or mailto.
    pub support: Option<url::Url>,
}

/// The cards of the style sheet, which a wash is mixed with.
const CARDS: (&str, &str) = ("#ffffff", "#1a1e1f");

impl Brand {
    /// What is laid over the style sheet; nothing where no colour was chosen.
    pub(super) fn style(&self) -> String {
        let Some((light, dark)) = self.accents else { return String::new() };
        let card = |text| Colour::parse(text).unwrap_or(WHITE);
        let light = rules(light, light.towards(BLACK, 0.22), card(CARDS.0).towards(light, 0.1));
        let dark = rules(dark, dark.towards(WHITE, 0.3), card(CARDS.1).towards(dark, 0.14));
        format!("\n:root {{{light}}}\n@media (prefers-color-scheme: dark) {{ :root {{{dark}}} }}\n")
    }

    /// The mark in a browser's tab in the operator's colour.
    pub(super) fn favicon(&self, ours: &str) -> String {
        match self.accents {
            Some((light, _)) => {
                ours.replace("#0d5c56", &light.to_string()).replace("#fff\"", &format!("{}\"", light.ink()))
            }
            None => ours.to_owned(),
        }
    }

    /// The way to support: its address, and how it is shown. The reference goes along with a mail.
    pub(super) fn support(&self, reference: &str) -> Option<(String, String)> {
        let mut url = self.support.clone()?;
        let shown = match url.scheme() {
            "mailto" => url.path().to_owned(),
            _ => {
                let path = url.path().trim_end_matches('/');
                format!("{}{path}", url.host_str().unwrap_or_default())
            }
        };
        if url.scheme() == "mailto" && url.query().is_none() && !reference.is_empty() {
            url.set_query(Some(&format!("subject={reference}")));
        }
        Some((url.into(), shown))
    }
}

fn rules(accent: Colour, deep: Colour, wash: Colour) -> String {
    let ink = accent.ink();
    format!("--accent:{accent};--accent-deep:{deep};--accent-ink:{ink};--accent-wash:{wash}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::colour::{DARK_PAPER, LIGHT_PAPER};

    const STYLE: &str = include_str!("../../assets/wizard.css");

    /// A custom property of the style sheet, in the light and in the dark.
    fn property(name: &str) -> (Colour, Colour) {
        let opening = format!("  --{name}: ");
        let mut values =
            STYLE.split(&opening).skip(1).map(|rest| Colour::parse(&rest[..7]).expect("a colour"));
        (values.next().expect("light"), values.next().expect("dark"))
    }

    #[test]
    fn the_papers_that_colours_are_checked_on_are_the_style_sheet_s_worst() {
        assert_eq!(property("card").0.to_string(), CARDS.0);
        assert_eq!(property("card").1.to_string(), CARDS.1);
        for name in ["ground", "card", "sunken"] {
            let (light, dark) = property(name);
            assert!(light.contrast(BLACK) >= LIGHT_PAPER.contrast(BLACK), "{name}");
            assert!(dark.contrast(WHITE) >= DARK_PAPER.contrast(WHITE), "{name}");
        }
    }

    #[test]
    fn a_button_in_the_operator_s_colour_can_be_read() {
        let accents = (Colour::parse("#7a1fa2").unwrap(), Colour::parse("#ffd54f").unwrap());
        let style = Brand { accents: Some(accents), ..Brand::default() }.style();
        assert!(style.contains("--accent:#7a1fa2") && style.contains("--accent-ink:#ffffff"), "{style}");
        assert!(style.contains("--accent:#ffd54f") && style.contains("--accent-ink:#000000"), "{style}");
        assert_eq!(Brand::default().style(), "");
    }
}
