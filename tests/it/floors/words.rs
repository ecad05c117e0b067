//! The words of every language beside the English ones, of the product and of each provider: the same keys, the same
//! placeholders, every plural form that the language has, and nothing left in English by accident.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use intl_pluralrules::{PluralCategory, PluralRuleType, PluralRules};
use toml::{Table, Value};
use unic_langid::LanguageIdentifier;

use super::{ROOT, clean, slugs};

/// The languages besides English.
const LANGUAGES: &[&str] = &["ar", "de", "es", "fr", "it", "ja", "nl", "pl", "pt"];

const CATEGORIES: &[&str] = &["zero", "one", "two", "few", "many", "other"];

/// What is rightly the same as in English: the language, or `*` for all of them, and the key.
const SAME: &[(&str, &str)] = &[
    ("*", "frame.title"),
    ("it", "frame.privacy"),
    ("nl", "frame.privacy"),
    ("it", "password.label.normal"),
    ("de", "field.code"),
    ("fr", "field.code"),
    ("nl", "field.code"),
];

/// What is called the same in every language.
const PROPER: &[&str] = &["Google", "Microsoft", "Telegram", "WhatsApp"];

/// Words that several providers share.
const SHARED: &str = "src/providers/oauth/locales";

/// A text, or a plural's forms.
type Words = BTreeMap<String, BTreeMap<String, String>>;

/// Flattens a table; a plain text has one form under the empty name.
fn read(table: &Table) -> Words {
    let mut words = Words::new();
    gather(table, "", &mut words);
    words
}

fn gather(table: &Table, prefix: &str, words: &mut Words) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for (key, value) in table {
        let key = format!("{prefix}{key}");
        match value {
            Value::Table(forms) if forms.keys().all(|form| CATEGORIES.contains(&form.as_str())) => {
                words.insert(key, forms.iter().map(|(form, value)| (form.clone(), text(value))).collect());
            }
            Value::Table(inner) => gather(inner, &format!("{key}."), words),
            plain => {
                words.insert(key, [(String::new(), text(plain))].into());
            }
        }
    }
}

fn placeholders(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).filter_map(|part| part.split('}').next()).collect()
}

/// The forms that a language's numbers need.
fn forms(language: &str) -> BTreeSet<&'static str> {
    let language: LanguageIdentifier = language.parse().expect("a tag");
    let rules = PluralRules::create(language, PluralRuleType::CARDINAL).expect("rules");
    let of = |number: u64| match rules.select(number).expect("a category") {
        PluralCategory::ZERO => "zero",
        PluralCategory::ONE => "one",
        PluralCategory::TWO => "two",
        PluralCategory::FEW => "few",
        PluralCategory::MANY => "many",
        PluralCategory::OTHER => "other",
    };
    // `other` is also what fractions take, and what everything falls back to.
    (0..=1000).chain([1_000_000]).map(of).chain(["other"]).collect()
}

/// What is wrong with a language's words.
fn differences(language: &str, file: &str, english: &Words, words: &Words) -> Vec<String> {
    let mut found = Vec::new();
    let mut note = |key: &str, what: String| found.push(format!("{file}:1: {key}: {what}"));
    english.keys().filter(|key| !words.contains_key(*key)).for_each(|key| note(key, "is missing".to_owned()));
    for (key, own) in words {
        let Some(theirs) = english.get(key) else {
            note(key, "is not an English key".to_owned());
            continue;
        };
        let plural = !theirs.contains_key("");
        if plural == own.contains_key("") {
            note(key, "must have plural forms exactly where English has".to_owned());
        } else if plural {
            let have: BTreeSet<&str> = own.keys().map(String::as_str).collect();
            let need = forms(language);
            if have != need {
                note(key, format!("has the plural forms {have:?}, {language} needs {need:?}"));
            }
        }
        let general = own.get("other").or_else(|| own.get("")).map_or("", String::as_str);
        let original = theirs.get("other").or_else(|| theirs.get("")).map_or("", String::as_str);
        if placeholders(general) != placeholders(original) {
            note(key, format!("has other placeholders than {original:?}"));
        }
        let strange = own.values().any(|text| !placeholders(text).is_subset(&placeholders(original)));
        if strange {
            note(key, "a form has a placeholder that English lacks".to_owned());
        }
        let allowed = SAME.iter().any(|(who, what)| (*who == "*" || *who == language) && what == key);
        if general == original && !allowed && !PROPER.contains(&general) {
            note(key, format!("is still English: {original:?}"));
        }
        for text in own.values() {
            let untidy = text.is_empty() || text.trim() != text || text.contains("  ") || text.contains('\'');
            if untidy {
                note(key, format!("is empty, has stray spaces or a typewriter's apostrophe: {text:?}"));
            }
            if language == "fr" && [" ?", " !", " :", " ;", " »", "« "].iter().any(|sign| text.contains(sign))
            {
                note(key, format!("a line may break before a sign: {text:?}"));
            }
        }
    }
    found
}

fn table(path: &str) -> Table {
    let text = std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_default();
    text.parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of translations in a folder, by their names.
fn spoken(folder: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(Path::new(ROOT).join(folder)).expect("a folder of words");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter_map(|name| name.strip_suffix(".toml").map(str::to_owned)).collect()
}

#[test]
fn every_language_says_everything_that_english_says() {
    let mut found = Vec::new();
    let mut compare = |english: &Words, folder: &str| {
        for language in LANGUAGES {
            let file = format!("{folder}/{language}.toml");
            found.extend(differences(language, &file, english, &read(&table(&file))));
        }
    };
    compare(&read(&table("locales/en.toml")), "locales");
    compare(&read(&table(&format!("{SHARED}/en.toml"))), SHARED);
    for slug in slugs() {
        let about = table(&format!("src/providers/{slug}/about.toml"));
        let english = about["strings"]["en"].as_table().expect("English words");
        compare(&read(english), &format!("src/providers/{slug}/locales"));
    }
    clean(&found);
}

#[test]
fn no_file_of_words_is_forgotten() {
    let languages: BTreeSet<String> = LANGUAGES.iter().map(|tag| (*tag).to_owned()).collect();
    for slug in slugs() {
        assert_eq!(spoken(&format!("src/providers/{slug}/locales")), languages, "{slug}");
    }
    let all: BTreeSet<_> = languages.into_iter().chain(["en".to_owned()]).collect();
    assert_eq!((spoken("locales"), spoken(SHARED)), (all.clone(), all));
}

#[test]
fn every_fault_of_a_translation_is_found() {
    let english =
        "a = \"See {name} here.\"\nb = { one = \"One day\", other = \"{n} days\" }\nframe.title = \"{x}\"";
    let english = read(&english.parse().expect("a table"));
    let right = "b = { one = \"jeden\", few = \"{n} dni\", many = \"{n} dni\", other = \"{n} dnia\" }\n\
                 frame.title = \"{x}\"\n";
    let check = |language: &str, words: &str| {
        differences(language, "x", &english, &read(&words.parse().expect("a table"))).join("\n")
    };
    assert_eq!(check("pl", &format!("{right}a = \"Zob. {{name}}.\"")), "");
    for (words, what) in [
        (right.to_owned(), "a: is missing"),
        (format!("{right}a = \"Zob. {{name}}.\"\nc = \"x\""), "c: is not an English key"),
        (format!("{right}a = \"Zob. {{nam}}.\""), "a: has other placeholders"),
        (format!("{right}a = \"See {{name}} here.\""), "a: is still English"),
        (format!("{right}a = \"Zob.  {{name}}.\""), "a: is empty, has stray spaces"),
        (right.replace("few = \"{n} dni\", ", "") + "a = \"Zob. {name}.\"", "b: has the plural forms"),
        (
            right.replace("\"{n} dnia\"", "\"{m} dnia\"") + "a = \"Zob. {name}.\"",
            "b: a form has a placeholder",
        ),
        ("a = \"Zob. {name}.\"\nb = \"x\"\nframe.title = \"{x}\"".to_owned(), "b: must have plural forms"),
    ] {
        assert!(check("pl", &words).contains(what), "{words}: {}", check("pl", &words));
    }
    assert!(check("fr", &format!("{right}a = \"{{name}} ?\"")).contains("a: a line may break"));
    assert_eq!(forms("ar").len(), 6, "Arabic has all six");
    assert_eq!(forms("ja"), ["other"].into());
}
