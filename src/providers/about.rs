//! A provider's description as its folder holds it: `about.toml` with its English words, `icon.svg`, and
//! `locales/<language>.toml` with the same words in every other language of the pages.

use std::collections::BTreeMap;

use crate::contract::About;

/// Reads the description beside the file that says this.
macro_rules! about {
    () => {
        $crate::providers::about::read(
            include_str!("about.toml"),
            include_str!("icon.svg"),
            &[
                ("ar", include_str!("locales/ar.toml")),
                ("de", include_str!("locales/de.toml")),
                ("es", include_str!("locales/es.toml")),
                ("fr", include_str!("locales/fr.toml")),
                ("it", include_str!("locales/it.toml")),
                ("ja", include_str!("locales/ja.toml")),
                ("nl", include_str!("locales/nl.toml")),
                ("pl", include_str!("locales/pl.toml")),
                ("pt", include_str!("locales/pt.toml")),
            ],
        )
    };
}

/// Puts a description together from its files' contents.
///
/// # Errors
/// A sentence that names the file that cannot be read.
pub(super) fn read(about: &str, icon: &'static str, locales: &[(&str, &str)]) -> Result<About, String> {
    let mut about: About = toml::from_str(about).map_err(|error| format!("about.toml: {error}"))?;
    for (tag, words) in locales {
        let words = toml::from_str(words).map_err(|error| format!("locales/{tag}.toml: {error}"))?;
        about.strings.insert((*tag).to_owned(), words);
    }
    about.icon = icon;
    Ok(about)
}

/// Adds words that several providers share; a provider's own words win.
///
/// # Errors
/// A sentence that names the language whose words cannot be read.
pub(super) fn share(mut about: About, shared: &[(&str, &str)]) -> Result<About, String> {
    for (tag, words) in shared {
        let words: BTreeMap<String, toml::Value> =
            toml::from_str(words).map_err(|error| format!("shared words, {tag}: {error}"))?;
        let own = about.strings.entry((*tag).to_owned()).or_default();
        for (key, text) in words {
            own.entry(key).or_insert(text);
        }
    }
    Ok(about)
}
