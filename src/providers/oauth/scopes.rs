//! What is asked for and what was granted. Settings name needs (`mail`, `calendar`, `contacts` …) or write scopes out;
//! what a provider grants may be spelt in another way, so that both are compared as the provider's table reads them.

/// What a scope is for, as people know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Reading and sending mail.
    Mail,
    /// Calendars.
    Calendar,
    /// Contacts.
    Contacts,
    /// What the operator wrote out.
    Other,
}

impl Need {
    /// Every need there is.
    #[cfg(test)]
    pub const ALL: &[Self] = &[Self::Mail, Self::Calendar, Self::Contacts, Self::Other];

    /// The last part of the key of its words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Calendar => "calendar",
            Self::Contacts => "contacts",
            Self::Other => "other",
        }
    }
}

/// One scope that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// As it is sent.
    pub name: String,
    /// What it is for.
    pub need: Need,
}

/// Everything that is asked for besides who somebody is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Without these an account is of no use.
    pub required: Vec<Scope>,
    /// These may be left out.
    pub optional: Vec<Scope>,
}

/// What a word of settings stands for: a need, and the scopes that meet it.
pub type Meaning = (Need, &'static [&'static str]);

/// How a provider spells its scopes.
#[derive(Clone, Copy)]
pub struct Spelling {
    /// What the words of settings stand for.
    pub words: fn(&str) -> Option<Meaning>,
    /// One spelling for scopes that mean the same.
    pub canonical: fn(&str) -> String,
}

impl Wanted {
    /// What settings ask for; whatever is no word of the provider's is a scope, written out, and `complete` turns it into
    /// how it is sent. A scope that is asked for twice is required.
    pub fn new(
        required: &[String],
        optional: &[String],
        spelling: Spelling,
        complete: impl Fn(&str) -> String,
    ) -> Self {
        let mut wanted = Self::default();
        let mut seen = Vec::new();
        for (list, words) in [(&mut wanted.required, required), (&mut wanted.optional, optional)] {
            for word in words {
                let (need, names) = match (spelling.words)(word) {
                    Some((need, names)) => (need, names.iter().map(|name| complete(name)).collect()),
                    None => (Need::Other, vec![complete(word)]),
                };
                for name in names {
                    let canonical = (spelling.canonical)(&name);
                    if !seen.contains(&canonical) {
                        seen.push(canonical);
                        list.push(Scope { name, need });
                    }
                }
            }
        }
        wanted
    }

    /// Every scope, as it is sent, required ones first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.required.iter().chain(&self.optional).map(|scope| scope.name.as_str())
    }

    /// What of it is not among these scopes, required or optional, as it is sent.
    pub fn absent(&self, granted: &[String], spelling: Spelling) -> Vec<String> {
        let Verdict { missing, lacking, .. } = self.compare(Some(granted), spelling);
        missing.into_iter().chain(lacking).map(|scope| scope.name).collect()
    }

    /// What of it was granted. A reply that names no scopes grants what was asked for (RFC 6749, 5.1).
    pub fn compare(&self, granted: Option<&[String]>, spelling: Spelling) -> Verdict {
        let Some(granted) = granted else {
            let granted = self.names().map(str::to_owned).collect();
            return Verdict { granted, missing: Vec::new(), lacking: Vec::new() };
        };
        let have: Vec<String> = granted.iter().map(|scope| (spelling.canonical)(scope)).collect();
        let absent = |scope: &&Scope| !have.contains(&(spelling.canonical)(&scope.name));
        Verdict {
            granted: granted.iter().take(100).map(|scope| scope.chars().take(200).collect()).collect(),
            missing: self.required.iter().filter(absent).cloned().collect(),
            lacking: self.optional.iter().filter(absent).cloned().collect(),
        }
    }
}

/// What was granted of what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// As the provider spells it.
    pub granted: Vec<String>,
    /// Required and not granted.
    pub missing: Vec<Scope>,
    /// Optional and not granted.
    pub lacking: Vec<Scope>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPELLING: Spelling = Spelling {
        words: |word| match word {
            "mail" => Some((Need::Mail, &["m.read", "m.send"])),
            _ => None,
        },
        canonical: |scope| scope.trim_start_matches("long/").to_lowercase(),
    };

    fn list(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn words_stand_for_scopes_and_a_scope_is_asked_for_once() {
        let wanted = Wanted::new(&list("mail long/x"), &list("M.READ y"), SPELLING, str::to_owned);
        assert_eq!(wanted.names().collect::<Vec<_>>(), ["m.read", "m.send", "long/x", "y"]);
        assert_eq!(wanted.required.len(), 3);
        assert_eq!((wanted.required[0].need, wanted.required[2].need), (Need::Mail, Need::Other));
    }

    #[test]
    fn another_spelling_is_the_same_scope_and_what_is_left_out_is_told_apart() {
        let wanted = Wanted::new(&list("mail"), &list("long/x y"), SPELLING, str::to_owned);
        let verdict = wanted.compare(Some(&list("long/M.read X openid")), SPELLING);
        assert_eq!(verdict.missing.iter().map(|scope| &*scope.name).collect::<Vec<_>>(), ["m.send"]);
        assert_eq!(verdict.lacking.iter().map(|scope| &*scope.name).collect::<Vec<_>>(), ["y"]);
        assert_eq!(verdict.granted, ["long/M.read", "X", "openid"]);
        let all = wanted.compare(None, SPELLING);
        assert!(all.missing.is_empty() && all.lacking.is_empty() && all.granted.len() == 4);
    }
}
