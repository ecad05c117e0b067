//! The catalogue: which providers exist, and how each gets its own section of the configuration. Nothing
//! outside this floor names one. To add a provider: a folder, its `mod` line and its word in the list.

#[macro_use]
mod about;
mod brought;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod google;
mod imap;
mod microsoft;
mod oauth;
mod section;
mod telegram;
mod whatsapp;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::contract::{Catalogue, Provider};
use section::Section;

/// Slugs that are planned but not built: a section for one is no typing mistake, and waits for its version.
const PLANNED: &[&str] = &["linkedin", "instagram"];

/// `None` when the provider cannot be used before it is set up.
type Build = fn(&mut Section) -> Result<Option<Arc<dyn Provider>>, String>;

/// What came of the settings.
pub struct Offer {
    /// The providers that can be used.
    pub built: Catalogue,
    /// Those that want settings first, by slug.
    pub unset: Vec<String>,
    /// The keys of settings that lead to stand-ins instead of the real provider.
    pub stand_ins: Vec<String>,
}

/// The providers by slug, in the order they are offered. The `mod` lines stay outside because the formatter
/// does not follow a module that only a macro names.
macro_rules! catalogue {
    [$($slug:ident),* $(,)?] => { &[$((stringify!($slug), |section| $slug::build(section))),*] };
}

const BUILT: &[(&str, Build)] = catalogue![google, microsoft, imap, whatsapp, telegram];

/// Those that an operator has to switch on: they want no setting up, but a decision.
const OFF_BY_DEFAULT: &[&str] = &["whatsapp"];

/// Builds every provider that is not switched off, each from its own raw `[providers.<slug>]` section. A
/// provider without a section is built with its defaults.
///
/// # Errors
/// Every problem there is, as sentences that begin with the key: `providers.imap.ports: …`.
pub fn catalogue(sections: &BTreeMap<String, toml::Table>) -> Result<Offer, Vec<String>> {
    let mut problems: Vec<String> = sections.keys().filter_map(|slug| stranger(slug)).collect();
    let (mut built, mut unset, mut stand_ins) = (Catalogue::new(), Vec::new(), Vec::new());
    for (slug, build) in BUILT {
        let mut section = Section::new(slug, sections.get(*slug).cloned().unwrap_or_default());
        let wanted = section.boolean("enabled", !OFF_BY_DEFAULT.contains(slug));
        match build(&mut section) {
            Ok(Some(provider)) if wanted => built.push(provider),
            Ok(None) if wanted => unset.push((*slug).to_owned()),
            Ok(_) => {}
            Err(problem) => problems.push(format!("providers.{slug}: {problem}")),
        }
        stand_ins.append(&mut section.take_stand_ins());
        problems.extend(section.finish());
    }
    if problems.is_empty() { Ok(Offer { built, unset, stand_ins }) } else { Err(problems) }
}

/// What is wrong with a section for this slug, if no provider of that name exists.
fn stranger(slug: &str) -> Option<String> {
    if BUILT.iter().any(|(built, _)| *built == slug) {
        return None;
    }
    if PLANNED.contains(&slug) {
        tracing::warn!(
            provider = slug,
            "this provider is not part of this version; its settings are not read"
        );
        return None;
    }
    let known: Vec<_> = BUILT.iter().map(|(built, _)| *built).collect();
    Some(format!("providers.{slug}: there is no such provider; there is: {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections(text: &str) -> BTreeMap<String, toml::Table> {
        let table: toml::Table = text.parse().unwrap();
        table.into_iter().map(|(slug, section)| (slug, section.as_table().unwrap().clone())).collect()
    }

    fn problems(text: &str) -> Vec<String> {
        catalogue(&sections(text)).err().unwrap_or_default()
    }

    #[test]
    fn a_provider_without_a_client_waits_for_one_and_the_others_are_built() {
        let offer = catalogue(&BTreeMap::new()).unwrap();
        let slugs: Vec<_> = offer.built.iter().map(|provider| provider.about().slug.as_str()).collect();
        assert_eq!(slugs, ["imap"]);
        assert_eq!(offer.unset, ["google", "microsoft", "telegram"]);
        let client = "google.client_id = '1-a.apps.googleusercontent.com'\ngoogle.client_secret = 'x'";
        let offer = catalogue(&sections(client)).unwrap();
        assert_eq!(
            (offer.built.len(), offer.unset),
            (2, vec!["microsoft".to_owned(), "telegram".to_owned()])
        );
    }

    #[test]
    fn a_provider_that_is_switched_off_is_left_out() {
        assert!(catalogue(&sections("imap.enabled = false")).unwrap().built.is_empty());
        assert!(catalogue(&sections("imap.enabled = 'false'")).unwrap().built.is_empty());
        assert_eq!(catalogue(&sections("imap.enabled = 'true'")).unwrap().built.len(), 1);
        assert_eq!(catalogue(&sections("whatsapp.enabled = true")).unwrap().built.len(), 2);
    }

    #[test]
    fn a_section_for_nobody_is_a_problem_and_a_planned_one_waits() {
        let found = problems("gogle = {}\nlinkedin = {}\nimap = {}");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("providers.gogle: there is no such provider"));
    }

    #[test]
    fn all_problems_come_at_once_and_each_names_its_key() {
        let found = problems("[imap]\nenabled = 'maybe'\nports = 'x'\nconnect_seconds = 0\ncolour = 'red'");
        let keys: Vec<_> = found.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
        let expected =
            ["enabled", "ports", "connect_seconds", "colour"].map(|key| format!("providers.imap.{key}"));
        assert_eq!(keys, expected, "{found:?}");
    }
}
