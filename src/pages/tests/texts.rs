//! What the texts must hold in every locale, and which locale a browser gets.

use std::collections::BTreeSet;

use super::{pages, spoken};
use crate::contract::Text;
use crate::pages::catalog::Catalog;
use crate::pages::{LOCALES, negotiate};

/// Keys that other rooms speak of.
const SPOKEN_ELSEWHERE: [&str; 2] = ["notice.", "choose."];

fn keys(catalog: &Catalog, tag: &str) -> BTreeSet<String> {
    catalog.locale(tag).expect("a locale").messages.keys().cloned().collect()
}

#[test]
fn every_text_spoken_of_exists_and_every_text_is_spoken_of() {
    let catalog = Catalog::new(&LOCALES).expect("the locales are right");
    let spoken = spoken();
    let english = keys(&catalog, "en");
    // Looked for in a provider's words only.
    let missing: Vec<_> = spoken.difference(&english).collect();
    assert!(missing.is_empty(), "no text for {missing:?}");
    let unused: Vec<_> = english
        .difference(&spoken)
        .filter(|key| !SPOKEN_ELSEWHERE.iter().any(|room| key.starts_with(room)))
        .collect();
    assert!(unused.is_empty(), "nobody says {unused:?}");
}

#[test]
fn broken_texts_are_refused_by_name() {
    let error = |source: &str| Catalog::new(&[("en", source)]).err().unwrap_or_default();
    assert!(error("a = 3").contains("en: a: neither"));
    assert!(error("[a]\none = \"x\"").contains("`other` is missing"));
    assert!(error("a = ").contains("locale en"));
    assert!(Catalog::new(&[("de", "")]).is_err(), "English is what the others fall back to");
}

#[test]
fn plurals_follow_the_language() {
    let catalog = Catalog::new(&[
        ("en", "x = { one = \"{n} day\", other = \"{n} days\" }"),
        ("pl", "x = { one = \"dzień\", few = \"{n} dni (few)\", many = \"{n} dni (many)\", other = \"{n} dnia\" }"),
        ("pt-BR", "x = { one = \"{n} dia\", other = \"{n} dias\" }"),
    ])
    .expect("the locales are right");
    let say = |tag: &str, n: &str| catalog.plain(tag, "x", &[("n".to_owned(), n.to_owned())].into());
    assert_eq!(say("en", "1"), "1 day");
    assert_eq!(say("en", "0"), "0 days");
    assert_eq!(say("pl", "3"), "3 dni (few)");
    assert_eq!(say("pl", "5"), "5 dni (many)");
    assert_eq!(say("pt-BR", "1"), "1 dia");
    assert_eq!(
        say("xx", "no number"),
        "no number days",
        "unknown locales and odd numbers still say something"
    );
}

#[test]
fn right_to_left_languages_say_so() {
    let catalog = Catalog::new(&[("en", ""), ("ar", "")]).expect("the locales are right");
    assert_eq!(catalog.locale("ar").map(|locale| locale.dir), Some("rtl"));
}

#[test]
fn the_browsers_languages_are_weighed() {
    let tags = ["de", "en", "pt-BR", "zh-Hant"];
    let best = |header: &str| negotiate::best(header, &tags);
    assert_eq!(best("fr, de;q=0.8, en;q=0.9"), Some("en"));
    assert_eq!(best("de-AT,en;q=0.5"), Some("de"), "a region falls back to its language");
    assert_eq!(best("pt"), Some("pt-BR"), "a language finds a region of it");
    assert_eq!(best("zh-hant-TW"), Some("zh-Hant"));
    assert_eq!(best("en;q=0, de;q=0.1"), Some("de"), "zero means never");
    assert_eq!(best("*, fr;q=0.5, ;;, x;q=nan"), None);
    for (header, locale) in [
        ("fr-CH, fr;q=0.9", "fr"),
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt"),
        ("de-AT-1996", "de"),
        ("ar-EG", "ar"),
        ("zh-CN,zh;q=0.9", "en"),
        ("zh-CN,zh;q=0.9,ja;q=0.2", "ja"),
        ("tlh", "en"),
        ("", "en"),
    ] {
        assert_eq!(pages().locale(Some(header)), locale, "{header}");
    }
    assert_eq!(pages().locale(None), "en");
}

#[test]
fn a_text_is_plain_for_logs_and_keeps_what_it_lacks_visible() {
    let pages = pages();
    let text = Text::key("welcome.title").with("product", "A & B");
    assert_eq!(pages.text("en", &text), "A & B asks to connect one of your accounts");
    assert_eq!(
        pages.text("en", &Text::key("welcome.title")),
        "{product} asks to connect one of your accounts"
    );
    assert_eq!(pages.text("en", &Text::key("nobody.wrote")), "nobody.wrote");
    assert_eq!(pages.text("en", &Text::key("sample.name")), "E-mail account");
}
