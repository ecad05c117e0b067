//! Randomness, handed in, and the random values a stranger must not guess.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};

type Fill = dyn Fn(&mut [u8]) + Send + Sync;

/// Where random bytes come from.
#[derive(Clone)]
pub struct Random(Arc<Fill>);

impl Random {
    /// The operating system's generator.
    ///
    /// # Panics
    /// When the operating system has no randomness to give; nothing safe could be done without it.
    pub fn system() -> Self {
        let source = SystemRandom::new();
        Self::new(move |bytes| {
            if source.fill(bytes).is_err() {
                panic!("the operating system gave no random bytes");
            }
        })
    }

    /// A source of the caller's making, for replaying a conversation.
    pub fn new(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(fill))
    }

    /// Fills an array with random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.0)(&mut bytes);
        bytes
    }

    /// A number from 0 up to, but not including, 1: for jitter, not for secrets.
    pub fn fraction(&self) -> f64 {
        let number = u32::from_le_bytes(self.bytes());
        f64::from(number) / (f64::from(u32::MAX) + 1.0)
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

/// A random 256-bit value that is handed to somebody once and kept here only as its hash: a link's secret,
/// a cookie, an API key. Written in URL-safe base64 without padding, 43 characters.
pub struct Token(String);

impl Token {
    /// Makes a fresh one.
    pub fn new(random: &Random) -> Self {
        Self(URL_SAFE_NO_PAD.encode(random.bytes::<32>()))
    }

    /// Takes a value that was made from a secret key and so can be guessed no better than a fresh one.
    pub fn made(text: String) -> Self {
        Self(text)
    }

    /// The text to hand out.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored: see [`hash`].
    pub fn hash(&self) -> String {
        hash(&self.0)
    }
}

/// SHA-256 of a token's text, in URL-safe base64. A plain hash suffices since tokens are full-entropy.
pub fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_forty_three_url_safe_characters_and_never_repeats() {
        let random = Random::system();
        let (one, two) = (Token::new(&random), Token::new(&random));
        assert_eq!(one.reveal().len(), 43);
        assert!(one.reveal().chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
        assert_ne!(one.reveal(), two.reveal());
        assert_eq!(one.hash(), hash(one.reveal()));
    }
}
