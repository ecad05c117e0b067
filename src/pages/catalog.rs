//! The texts in every locale: read once, checked whole, looked up by key. It owns plural rules, placeholders and
//! the direction of writing; it knows nothing of HTML except how to keep a value apart from its sentence.

use std::collections::BTreeMap;

use intl_pluralrules::operands::PluralOperands;
use intl_pluralrules::{PluralCategory, PluralRuleType, PluralRules};
use minijinja::HtmlEscape;
use unic_langid::{CharacterDirection, LanguageIdentifier};

/// The locale every key exists in; others fall back to it.
pub(super) const DEFAULT: &str = "en";

/// The plural categories of CLDR; a table with these keys is one message.
const CATEGORIES: [&str; 6] = ["zero", "one", "two", "few", "many", "other"];

/// One text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// The same for every number.
    Plain(String),
    /// By category, chosen by the argument `n`.
    Plural(BTreeMap<String, String>),
}

/// The texts of one locale.
pub(super) struct Locale {
    /// Its tag, as in the `lang` attribute.
    pub(super) tag: String,
    /// `ltr` or `rtl`.
    pub(super) dir: &'static str,
    rules: PluralRules,
    pub(super) messages: BTreeMap<String, Message>,
}

/// All texts.
pub(super) struct Catalog {
    locales: BTreeMap<String, Locale>,
}

impl Catalog {
    /// Reads the product's own words, one TOML document per locale.
    pub(super) fn new(sources: &[(&str, &str)]) -> Result<Self, String> {
        let mut locales = BTreeMap::new();
        for (tag, source) in sources {
            let mut locale = Locale::new(tag)?;
            let table: toml::Table = toml::from_str(source).map_err(|e| format!("locale {tag}: {e}"))?;
            for (key, value) in &table {
                locale.put(key, value)?;
            }
            locales.insert((*tag).to_owned(), locale);
        }
        if locales.contains_key(DEFAULT) { Ok(Self { locales }) } else { Err(format!("no locale {DEFAULT}")) }
    }

    /// Adds words that come from outside, below a prefix of their own. Locales we do not speak are left out.
    pub(super) fn add(
        &mut self,
        prefix: &str,
        key: &str,
        tag: &str,
        value: &toml::Value,
    ) -> Result<(), String> {
        match self.locales.get_mut(tag) {
            Some(locale) => locale.put(&format!("{prefix}.{key}"), value),
            None => Ok(()),
        }
    }

    /// The tags there are.
    pub(super) fn tags(&self) -> impl Iterator<Item = &str> {
        self.locales.keys().map(String::as_str)
    }

    /// A locale by its tag, or the default.
    pub(super) fn locale(&self, tag: &str) -> Option<&Locale> {
        self.locales.get(tag).or_else(|| self.locales.get(DEFAULT))
    }

    /// Whether a key has a text.
    pub(super) fn has(&self, tag: &str, key: &str) -> bool {
        self.find(tag, key).is_some()
    }

    /// A text with its values, as plain text. A key nobody wrote a text for is shown as it is.
    pub(super) fn plain(&self, tag: &str, key: &str, args: &BTreeMap<String, String>) -> String {
        match self.find(tag, key) {
            Some((locale, message)) => fill(locale.choose(message, args), args, str::to_owned, str::to_owned),
            None => key.to_owned(),
        }
    }

    /// A text with its values, as HTML: everything is escaped, and each value stands in a `<bdi>` so that its
    /// direction of writing cannot turn the sentence around.
    pub(super) fn html(&self, tag: &str, key: &str, args: &BTreeMap<String, String>) -> String {
        let escape = |text: &str| HtmlEscape(text).to_string();
        match self.find(tag, key) {
            Some((locale, message)) => fill(locale.choose(message, args), args, escape, |value| {
                format!("<bdi>{}</bdi>", HtmlEscape(value))
            }),
            None => escape(key),
        }
    }

    fn find(&self, tag: &str, key: &str) -> Option<(&Locale, &Message)> {
        [tag, DEFAULT].into_iter().find_map(|tag| {
            let locale = self.locales.get(tag)?;
            Some((locale, locale.messages.get(key)?))
        })
    }
}

impl Locale {
    fn new(tag: &str) -> Result<Self, String> {
        let language: LanguageIdentifier = tag.parse().map_err(|e| format!("locale {tag}: {e}"))?;
        let dir = match language.character_direction() {
            CharacterDirection::RTL => "rtl",
            CharacterDirection::LTR | CharacterDirection::TTB => "ltr",
        };
        let mut bare = LanguageIdentifier::default();
        bare.language = language.language;
        let rules = PluralRules::create(language, PluralRuleType::CARDINAL)
            .or_else(|_| PluralRules::create(bare, PluralRuleType::CARDINAL))
            .map_err(|e| format!("locale {tag}: plural rules: {e}"))?;
        Ok(Self { tag: tag.to_owned(), dir, rules, messages: BTreeMap::new() })
    }

    /// Stores a value: a text, a plural, or a table of further keys.
    fn put(&mut self, key: &str, value: &toml::Value) -> Result<(), String> {
        let wrong = |why: &str| format!("locale {}: {key}: {why}", self.tag);
        match value {
            toml::Value::String(text) => {
                self.messages.insert(key.to_owned(), Message::Plain(text.clone()));
                Ok(())
            }
            toml::Value::Table(table) if table.keys().all(|k| CATEGORIES.contains(&k.as_str())) => {
                let forms: Option<BTreeMap<String, String>> =
                    table.iter().map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect();
                let forms = forms.ok_or_else(|| wrong("a plural form is not a text"))?;
                if !forms.contains_key("other") {
                    return Err(wrong("the plural form `other` is missing"));
                }
                self.messages.insert(key.to_owned(), Message::Plural(forms));
                Ok(())
            }
            toml::Value::Table(table) => {
                table.iter().try_for_each(|(inner, value)| self.put(&format!("{key}.{inner}"), value))
            }
            _ => Err(wrong("neither a text nor a table")),
        }
    }

    /// The form for the argument `n`; `other` when there is none or it is no number.
    fn choose<'m>(&self, message: &'m Message, args: &BTreeMap<String, String>) -> &'m str {
        let forms = match message {
            Message::Plain(text) => return text,
            Message::Plural(forms) => forms,
        };
        let category = args
            .get("n")
            .and_then(|n| PluralOperands::try_from(n.as_str()).ok())
            .and_then(|n| self.rules.select(n).ok())
            .map_or("other", word);
        forms.get(category).or_else(|| forms.get("other")).map_or("", String::as_str)
    }
}

fn word(category: PluralCategory) -> &'static str {
    match category {
        PluralCategory::ZERO => "zero",
        PluralCategory::ONE => "one",
        PluralCategory::TWO => "two",
        PluralCategory::FEW => "few",
        PluralCategory::MANY => "many",
        PluralCategory::OTHER => "other",
    }
}

/// Puts the values into `{name}`; a placeholder without a value stays visible.
fn fill(
    text: &str,
    args: &BTreeMap<String, String>,
    around: impl Fn(&str) -> String,
    value: impl Fn(&str) -> String,
) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        out.push_str(&around(before));
        let Some(close) = from.find('}') else {
            rest = from;
            break;
        };
        match from.get(1..close).and_then(|name| args.get(name)) {
            Some(found) => out.push_str(&value(found)),
            None => out.push_str(&around(&from[..=close])),
        }
        rest = &from[close + 1..];
    }
    out.push_str(&around(rest));
    out
}
