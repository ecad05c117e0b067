//! Where Telegram's data centres are. Their addresses are constants, which Telegram itself may change during a connection,
//! or those of a stand-in; a stand-in cannot agree on keys with the library, so there they are known beforehand.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::kernel::random::Random;

/// A key that a client and a data centre agreed on.
pub type AuthKey = [u8; 256];

/// Where a sign-in begins when nobody says which data centre the person's is; Telegram says it then.
const FIRST: i32 = 2;

/// The data centres.
#[derive(Debug)]
pub struct Centres {
    addresses: BTreeMap<i32, SocketAddrV4>,
    spare: Option<Spare>,
}

impl Centres {
    /// Telegram's own (https://core.telegram.org/api/datacenter).
    pub fn real() -> Self {
        let known = [
            (1, [149, 154, 175, 53]),
            (2, [149, 154, 167, 41]),
            (3, [149, 154, 175, 100]),
            (4, [149, 154, 167, 92]),
            (5, [91, 108, 56, 104]),
        ];
        let addresses = known.map(|(number, ip)| (number, SocketAddrV4::new(Ipv4Addr::from(ip), 443)));
        Self { addresses: addresses.into(), spare: None }
    }

    /// Those of a stand-in.
    pub fn stand_in(addresses: BTreeMap<i32, SocketAddrV4>, spare: Spare) -> Self {
        Self { addresses, spare: Some(spare) }
    }

    /// By number.
    pub fn addresses(&self) -> &BTreeMap<i32, SocketAddrV4> {
        &self.addresses
    }

    /// The one to begin at.
    pub fn first(&self) -> i32 {
        let lowest = || self.addresses.keys().next().copied().unwrap_or(FIRST);
        if self.addresses.contains_key(&FIRST) { FIRST } else { lowest() }
    }

    /// A key that is known before anybody connects; `None` where one is agreed on.
    pub fn key(&self, number: i32, random: &Random) -> Option<AuthKey> {
        self.spare.as_ref()?.take(number, random)
    }
}

/// Which key is taken next, by whomever in this process: from a place that differs between processes.
static NEXT: OnceLock<AtomicUsize> = OnceLock::new();

/// Keys that a stand-in knows. Each is one client's, so they are taken in turn.
pub struct Spare {
    keys: BTreeMap<i32, Vec<AuthKey>>,
}

impl std::fmt::Debug for Spare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spare").field("centres", &self.keys.keys()).finish_non_exhaustive()
    }
}

impl Spare {
    /// Reads them: a line each, with the data centre's number and the key in hexadecimal digits.
    ///
    /// # Errors
    /// What is wrong with the file, as the end of a sentence.
    pub fn read(file: &str) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"))?;
        let mut keys = BTreeMap::<i32, Vec<AuthKey>>::new();
        for (at, line) in text.lines().enumerate() {
            let parsed =
                line.split_once(' ').and_then(|(number, key)| Some((number.parse().ok()?, unhex(key)?)));
            let Some((number, key)) = parsed else {
                return Err(format!("line {} is not a number and 512 hexadecimal digits", at + 1));
            };
            keys.entry(number).or_default().push(key);
        }
        if keys.is_empty() { Err("holds no keys".to_owned()) } else { Ok(Self { keys }) }
    }

    fn take(&self, number: i32, random: &Random) -> Option<AuthKey> {
        let keys = self.keys.get(&number)?;
        let start = || AtomicUsize::new(usize::from(u16::from_le_bytes(random.bytes())));
        let at = NEXT.get_or_init(start).fetch_add(1, Ordering::Relaxed);
        keys.get(at % keys.len()).copied()
    }
}

fn unhex(text: &str) -> Option<AuthKey> {
    let mut key = [0; 256];
    if text.len() != 512 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telegrams_own_data_centres_are_known_and_agree_on_keys() {
        let real = Centres::real();
        assert_eq!((real.first(), real.addresses().len()), (2, 5));
        assert!(real.key(2, &Random::system()).is_none());
    }

    #[test]
    fn each_key_of_a_stand_in_is_taken_once_before_any_comes_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        let lines: String =
            (1..=4).map(|key: u8| format!("1 {}\n", format!("{key:02x}").repeat(256))).collect();
        std::fs::write(&file, lines).unwrap();
        let spare = Spare::read(file.to_str().unwrap()).unwrap();
        let centres = Centres::stand_in(BTreeMap::from([(1, "127.0.0.1:9".parse().unwrap())]), spare);
        assert_eq!(centres.first(), 1);
        let random = Random::system();
        let mut taken: Vec<u8> = (0..4).map(|_| centres.key(1, &random).unwrap()[255]).collect();
        taken.sort_unstable();
        assert_eq!(taken, [1, 2, 3, 4]);
        assert!(centres.key(2, &random).is_none());
        assert!(!format!("{centres:?}").contains("\\x01"));
    }

    #[test]
    fn a_file_that_holds_something_else_is_named_by_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        let good = "0a".repeat(256);
        for (text, rule) in [
            (String::new(), "holds no keys"),
            (format!("1 {good}\n1 {}\n", "0g".repeat(256)), "line 2 is not"),
            (format!("x {good}"), "line 1 is not"),
            ("1 0a".to_owned(), "line 1 is not"),
            (format!("1 {}", "é".repeat(256)), "line 1 is not"),
        ] {
            std::fs::write(&file, text).unwrap();
            let problem = Spare::read(file.to_str().unwrap()).err().unwrap();
            assert!(problem.starts_with(rule), "{problem}");
        }
    }
}
