//! The dialect's names for providers. Only Google's differs, and both spellings are understood.

/// The providers of this dialect, by the names it has for them.
const NAMES: &[(&str, &str)] =
    &[("gmail", "google"), ("google", "google"), ("microsoft", "microsoft"), ("imap", "imap")];

/// The rule for `provider`, as the end of a sentence.
pub(super) const RULE: &str = "must be \"gmail\", \"microsoft\" or \"imap\"";

/// The slugs this dialect can ask for, in the order they are offered.
pub(super) const SLUGS: &[&str] = &["google", "microsoft", "imap"];

/// The slug behind a name; `None` for a name that means nothing here.
pub fn slug(name: &str) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim())).map(|(_, slug)| *slug)
}

/// A provider's name. One that this dialect does not know, of an account that the other made, keeps its own.
pub fn provider_name(slug: &str) -> String {
    let known = NAMES.iter().find(|(_, known)| *known == slug);
    known.map_or(slug, |(name, _)| name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn google_has_two_names_and_is_told_as_one() {
        assert_eq!((slug("gmail"), slug("Google"), slug("yahoo")), (Some("google"), Some("google"), None));
        assert_eq!(provider_name("google"), "gmail");
        assert_eq!(provider_name("imap"), "imap");
        assert_eq!(provider_name("whatsapp"), "whatsapp");
    }
}
