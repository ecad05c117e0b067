//! Sealing: nothing secret is at rest in clear, and sealed bytes open only in the row they were sealed for.
//!
//! AES-256-GCM under a key of its own for every seal: HKDF-SHA256 (RFC 5869) from the ring's key and a random
//! 16-byte salt. Associated data are the length-prefixed table, column, row id and row version, so bytes
//! cannot be moved to another row, nor an older value put back.
//!
//! Layout: `1`, length of the key id, key id, salt (16), ciphertext and tag.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf;
use ring::hmac;
use zeroize::{Zeroize, Zeroizing};

use super::random::Random;

const FORMAT: u8 = 1;
const SALT: usize = 16;

/// Why sealed bytes did not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key they were sealed with is not in the ring.
    #[error("sealed with key {0}, which is not in the key ring")]
    UnknownKey(String),
    /// Not sealed by us, changed since, or sealed for another row.
    #[error("sealed bytes were changed or belong elsewhere")]
    Tampered,
    /// A key line is not `id:base64 of 32 bytes`.
    #[error("key {0} is not written as id:base64 of 32 bytes")]
    BadKey(usize),
    /// There is no key at all.
    #[error("the key ring is empty")]
    Empty,
}

/// Where sealed bytes live.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The column.
    pub column: &'a str,
    /// The row's id.
    pub id: &'a str,
    /// The row's version at the time of sealing.
    pub version: i64,
}

impl Place<'_> {
    fn aad(&self) -> Vec<u8> {
        let mut aad = Vec::with_capacity(64);
        for part in [self.table, self.column, self.id] {
            aad.extend((part.len() as u64).to_be_bytes());
            aad.extend(part.as_bytes());
        }
        aad.extend(self.version.to_be_bytes());
        aad
    }
}

/// One named 256-bit key.
#[derive(Clone)]
pub struct Key {
    id: String,
    bytes: Zeroizing<[u8; 32]>,
}

impl Key {
    /// Makes a fresh key with a random name.
    pub fn generate(random: &Random) -> Self {
        let id = format!("k{:08x}", u32::from_le_bytes(random.bytes()));
        Self { id, bytes: Zeroizing::new(random.bytes()) }
    }

    /// The key's name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// One line of a key file: `id:base64`.
    pub fn line(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}:{}", self.id, STANDARD.encode(*self.bytes)))
    }

    fn parse(line: &str) -> Option<Self> {
        let (id, key) = line.split_once(':')?;
        let well_named = !id.is_empty() && id.len() <= 64 && id.chars().all(|c| c.is_ascii_alphanumeric());
        let mut raw = STANDARD.decode(key.trim()).ok()?;
        let bytes = <[u8; 32]>::try_from(raw.as_slice()).ok();
        raw.zeroize();
        match bytes {
            Some(bytes) if well_named => Some(Self { id: id.to_owned(), bytes: Zeroizing::new(bytes) }),
            _ => None,
        }
    }

    fn aead(&self, salt: &[u8]) -> LessSafeKey {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(&*self.bytes);
        let unbound = match prk.expand(&[b"vestibule seal"], &AES_256_GCM) {
            Ok(okm) => UnboundKey::from(okm),
            Err(_) => unreachable!("HKDF gives 32 bytes for any input"),
        };
        LessSafeKey::new(unbound)
    }
}

/// The keys we hold: one of them seals (the first, unless another was named), all of them open.
#[derive(Clone)]
pub struct KeyRing {
    keys: Vec<Key>,
    /// The place of the key that seals.
    sealing: usize,
    random: Random,
}

impl KeyRing {
    /// A ring of the given keys, first one sealing.
    ///
    /// # Errors
    /// [`SealError::Empty`] without a key.
    pub fn new(keys: Vec<Key>, random: Random) -> Result<Self, SealError> {
        if keys.is_empty() { Err(SealError::Empty) } else { Ok(Self { keys, sealing: 0, random }) }
    }

    /// Reads the lines of a key file (`id:base64`, one a line or separated by commas; `#` starts a comment).
    ///
    /// # Errors
    /// [`SealError::BadKey`] with the number of the entry, counted from one; [`SealError::Empty`].
    pub fn parse(text: &str, random: Random) -> Result<Self, SealError> {
        let entries = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default())
            .flat_map(|line| line.split(','))
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        let keys = entries
            .enumerate()
            .map(|(at, entry)| Key::parse(entry).ok_or(SealError::BadKey(at + 1)))
            .collect::<Result<_, _>>()?;
        Self::new(keys, random)
    }

    /// The names of all keys in the ring's own order: the first is the one that shall seal.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(Key::id)
    }

    /// The name of the key that seals.
    pub fn seals(&self) -> &str {
        self.keys[self.sealing].id()
    }

    /// The same keys, with the named one sealing; `None` when the ring lacks it.
    pub fn sealing_under(&self, id: &str) -> Option<Self> {
        let sealing = self.keys.iter().position(|key| key.id == id)?;
        Some(Self { sealing, ..self.clone() })
    }

    /// What bytes sealed under the named key begin with.
    pub fn mark_of(id: &str) -> Vec<u8> {
        let mut mark = Vec::with_capacity(2 + id.len());
        mark.push(FORMAT);
        mark.push(id.len() as u8);
        mark.extend(id.as_bytes());
        mark
    }

    /// Seals `plain` for one place, under the key that seals.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Vec<u8> {
        self.seal_with(&self.keys[self.sealing], place, plain)
    }

    /// Seals under the named key, if the ring has it: every key keeps a canary of its own.
    pub fn seal_under(&self, id: &str, place: Place<'_>, plain: &[u8]) -> Option<Vec<u8>> {
        self.keys.iter().find(|key| key.id == id).map(|key| self.seal_with(key, place, plain))
    }

    fn seal_with(&self, key: &Key, place: Place<'_>, plain: &[u8]) -> Vec<u8> {
        let salt: [u8; SALT] = self.random.bytes();
        let mut sealed = Vec::with_capacity(2 + key.id.len() + SALT + plain.len() + AES_256_GCM.tag_len());
        sealed.extend(Self::mark_of(&key.id));
        sealed.extend(salt);
        let mut body = plain.to_vec();
        // Each derived key seals exactly once, so a constant nonce never repeats under one key.
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        if key.aead(&salt).seal_in_place_append_tag(nonce, Aad::from(place.aad()), &mut body).is_err() {
            unreachable!("AES-GCM seals anything below 64 GiB");
        }
        sealed.extend(body);
        sealed
    }

    /// Opens what was sealed for exactly this place.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`] or [`SealError::Tampered`].
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (&format, rest) = sealed.split_first().ok_or(SealError::Tampered)?;
        let (&length, rest) = rest.split_first().ok_or(SealError::Tampered)?;
        if format != FORMAT || rest.len() < length as usize + SALT {
            return Err(SealError::Tampered);
        }
        let (id, rest) = rest.split_at(length as usize);
        let (salt, body) = rest.split_at(SALT);
        let key = self
            .keys
            .iter()
            .find(|key| key.id.as_bytes() == id)
            .ok_or_else(|| SealError::UnknownKey(String::from_utf8_lossy(id).into_owned()))?;
        let mut body = Zeroizing::new(body.to_vec());
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let length = key
            .aead(salt)
            .open_in_place(nonce, Aad::from(place.aad()), &mut body)
            .map_err(|_| SealError::Tampered)?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

/// Keyed hashes for looking up what is sealed: equal values have equal marks, and a mark tells nothing
/// without the key. The key is a random value of the database's own, so key rotation leaves marks valid.
#[derive(Clone)]
pub struct Marker(hmac::Key);

impl Marker {
    /// A marker under this key.
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// HMAC-SHA256 over the length-prefixed label and parts, in URL-safe base64.
    pub fn mark(&self, label: &str, parts: &[&str]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        for part in std::iter::once(&label).chain(parts) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        URL_SAFE_NO_PAD.encode(context.sign())
    }
}

impl fmt::Debug for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Marker")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place { table: "accounts", column: "secret", id: "acc_1", version: 3 };

    fn ring() -> KeyRing {
        let random = Random::system();
        KeyRing::new(vec![Key::generate(&random)], random).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_in_its_own_place() {
        let ring = ring();
        let sealed = ring.seal(PLACE, b"hunter2");
        assert_eq!(ring.open(PLACE, &sealed).unwrap().as_slice(), b"hunter2");
        assert_ne!(sealed, ring.seal(PLACE, b"hunter2"), "equal values must not look equal");
    }

    #[test]
    fn sealed_bytes_do_not_open_in_another_row_column_table_or_version() {
        let ring = ring();
        let sealed = ring.seal(PLACE, b"hunter2");
        for place in [
            Place { id: "acc_2", ..PLACE },
            Place { column: "details", ..PLACE },
            Place { table: "sessions", ..PLACE },
            Place { version: 4, ..PLACE },
            Place { table: "accountss", column: "ecret", ..PLACE },
        ] {
            assert_eq!(ring.open(place, &sealed), Err(SealError::Tampered));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let ring = ring();
        let sealed = ring.seal(PLACE, b"hunter2");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(ring.open(PLACE, &changed).is_err(), "byte {at}");
            assert!(ring.open(PLACE, &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn an_older_key_still_opens_and_a_missing_one_is_named() {
        let random = Random::system();
        let (old, new) = (Key::generate(&random), Key::generate(&random));
        let before = KeyRing::new(vec![old.clone()], random.clone()).unwrap();
        let sealed = before.seal(PLACE, b"x");
        let text = format!("# ours\n{}\n{} # the old one\n", *new.line(), *old.line());
        let both = KeyRing::parse(&text, random.clone()).unwrap();
        assert_eq!(both.open(PLACE, &sealed).unwrap().as_slice(), b"x");
        let after = KeyRing::new(vec![new], random).unwrap();
        assert_eq!(after.open(PLACE, &sealed), Err(SealError::UnknownKey(old.id().to_owned())));
    }

    #[test]
    fn a_bad_key_line_is_counted_and_never_shown() {
        let random = Random::system();
        let good = Key::generate(&random).line().to_string();
        let error = KeyRing::parse(&format!("{good}\nk2:c2hvcnQ="), random.clone()).unwrap_err();
        assert_eq!(error, SealError::BadKey(2));
        assert_eq!(KeyRing::parse("# nothing", random).unwrap_err(), SealError::Empty);
    }

    #[test]
    fn marks_depend_on_label_and_on_where_parts_end() {
        let marker = Marker::new(b"key");
        assert_eq!(marker.mark("name", &["user_1"]), marker.mark("name", &["user_1"]));
        assert_ne!(marker.mark("name", &["user_1"]), marker.mark("identity", &["user_1"]));
        assert_ne!(marker.mark("name", &["ab", "c"]), marker.mark("name", &["a", "bc"]));
    }
}
