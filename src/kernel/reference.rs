//! The code a person quotes when they ask for help: the last eight symbols of a session's or a request's id, in two
//! groups. The symbols leave out I, L, O and U, so that a code survives being read aloud; it opens nothing.

use std::fmt;

use super::ids::SessionId;

/// Symbols in a code: forty random bits, enough to find one session among those that are kept.
pub const SYMBOLS: usize = 8;

/// A code, without its hyphen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference(String);

impl Reference {
    /// The code of a session.
    pub fn of_session(id: &SessionId) -> Self {
        Self::end_of(id.as_str())
    }

    /// The code of a request, by its id.
    pub fn of_request(id: &str) -> Self {
        Self::end_of(id)
    }

    fn end_of(id: &str) -> Self {
        Self(id.get(id.len().saturating_sub(SYMBOLS)..).unwrap_or_default().to_owned())
    }

    /// Reads a code as it was heard or typed: in any case, with or without hyphen and spaces, and with the letters
    /// that look like digits. `None` when it is no code.
    pub fn parse(text: &str) -> Option<Self> {
        let heard = text.chars().filter(|symbol| !symbol.is_whitespace() && *symbol != '-');
        let symbols: String = heard
            .map(|symbol| match symbol.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                symbol => symbol,
            })
            .collect();
        let whole = symbols.len() == SYMBOLS
            && symbols.chars().all(|symbol| symbol.is_ascii_alphanumeric() && symbol != 'U');
        whole.then_some(Self(symbols))
    }

    /// What an id must end with.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_at_checked(SYMBOLS / 2) {
            Some((first, second)) => write!(f, "{first}-{second}"),
            None => f.write_str(&self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::clock::Millis;
    use crate::kernel::random::Random;

    #[test]
    fn a_code_is_found_again_however_it_was_heard() {
        let id = SessionId::new(Millis(1), &Random::system());
        let said = Reference::of_session(&id).to_string();
        assert_eq!(said.len(), SYMBOLS + 1);
        for heard in [said.clone(), said.to_lowercase(), said.replace('-', " "), said.replace('0', "o")] {
            let found = Reference::parse(&heard).unwrap();
            assert!(id.as_str().ends_with(found.as_str()), "{heard}");
        }
        assert_eq!(Reference::parse("7q4k m2il").unwrap().to_string(), "7Q4K-M211");
        for text in ["", "7Q4K", "7Q4K-M2XU", "7Q4K-M2XD-9", "authsess_01ARZ3NDEKTSV4RRFFQ69G5FAV"] {
            assert_eq!(Reference::parse(text), None, "{text}");
        }
    }
}
