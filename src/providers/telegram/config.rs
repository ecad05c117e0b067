//! The provider's own settings: `[providers.telegram]`.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use crate::kernel::secret::Secret;

use super::super::section::Section;
use super::centres::{Centres, Spare};

/// Where operators get what the settings ask for.
pub const CONSOLE: &str = "https://my.telegram.org/apps";

/// The application that asks people in, with everything it takes to reach Telegram.
#[derive(Debug)]
pub struct Application {
    /// Its number.
    pub id: i32,
    /// What proves that the number is its own.
    pub hash: Secret,
    /// What people see in their list of devices.
    pub device: String,
    /// How long one call may take, with the connection it needs.
    pub call: Duration,
    /// Where Telegram is.
    pub centres: Centres,
    /// By how many milliseconds Telegram's clock is ahead of ours, as far as it said; learned once for all lines.
    pub ahead: AtomicI64,
}

impl Application {
    /// Reads the settings; the section notes what is wrong. `None` while there is no application.
    pub fn read(section: &mut Section) -> Option<Self> {
        let id = section.number("api_id", 0..=i32::MAX.unsigned_abs().into(), 0);
        let hash = section.secret("api_hash", 100);
        let device = section.text("device_name", 64).unwrap_or_else(|| "Vestibule".to_owned());
        // The longest answer makes four calls, and has a minute.
        let call = Duration::from_secs(section.number("call_seconds", 1..=14, 12));
        let centres = centres(section)?;
        let id = i32::try_from(id).ok().filter(|id| *id > 0);
        match (id, hash) {
            (None, None) => None,
            (Some(id), Some(hash)) => {
                if !is_hash(hash.reveal()) {
                    section.problem(
                        "api_hash",
                        &format!("must be the 32 hexadecimal digits that stand at {CONSOLE}"),
                    );
                }
                Some(Self { id, hash, device, call, centres, ahead: AtomicI64::new(0) })
            }
            (Some(_), None) => {
                section.problem(
                    "api_hash",
                    &format!("is missing, though there is an api_id; both stand at {CONSOLE}"),
                );
                None
            }
            (None, Some(_)) => {
                section.problem(
                    "api_id",
                    &format!("is missing, though there is an api_hash; both stand at {CONSOLE}"),
                );
                None
            }
        }
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Telegram's own data centres, or those of a stand-in; `None` when the settings for one are faulty.
fn centres(section: &mut Section) -> Option<Centres> {
    let listed = section.stand_in("test_data_centres", 500);
    let keys = section.stand_in("test_keys", 500);
    match (listed, keys) {
        (None, None) => Some(Centres::real()),
        (Some(listed), Some(keys)) => {
            let Some(listed) = addresses(&listed) else {
                let rule =
                    "must list data centres as number=IPv4:port, such as 1=127.0.0.1:8001,2=127.0.0.1:8002";
                section.problem("test_data_centres", rule);
                return None;
            };
            match Spare::read(&keys) {
                Ok(spare) => Some(Centres::stand_in(listed, spare)),
                Err(rule) => {
                    section.problem("test_keys", &rule);
                    None
                }
            }
        }
        (Some(_), None) => {
            section.problem("test_keys", "is missing; a stand-in cannot agree on keys");
            None
        }
        (None, Some(_)) => {
            section.problem("test_data_centres", "is missing, though there are keys for a stand-in");
            None
        }
    }
}

fn addresses(text: &str) -> Option<BTreeMap<i32, SocketAddrV4>> {
    let pair = |entry: &str| {
        let (number, address) = entry.split_once('=')?;
        let number: i32 = number.trim().parse().ok().filter(|number| (1..=255).contains(number))?;
        Some((number, address.trim().parse().ok()?))
    };
    text.split(',').map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef";

    fn read(text: &str) -> (Option<Application>, Vec<String>) {
        let mut section = Section::new("telegram", text.parse().unwrap());
        let application = Application::read(&mut section);
        (application, section.finish())
    }

    #[test]
    fn without_an_application_it_waits_for_one_and_half_of_one_is_a_problem() {
        let (application, problems) = read("");
        assert!(application.is_none() && problems.is_empty());
        let (application, problems) = read(&format!("api_id = 7\napi_hash = '{HASH}'"));
        let application = application.unwrap();
        assert_eq!((application.id, &*application.device, problems.len()), (7, "Vestibule", 0));
        assert!(!format!("{application:?}").contains(HASH));
        for (text, key) in [
            ("api_id = 7", "api_hash"),
            (&*format!("api_hash = '{HASH}'"), "api_id"),
            ("api_id = 7\napi_hash = 'hunter2'", "api_hash"),
            ("api_id = 4294967296\n", "api_id"),
        ] {
            let (_, problems) = read(text);
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
            assert!(problems[0].starts_with(&format!("providers.telegram.{key}: ")), "{problems:?}");
            assert!(!problems[0].contains("hunter2"));
        }
    }

    #[test]
    fn a_stand_in_needs_addresses_and_keys_and_is_told_to_whoever_starts_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        std::fs::write(&file, format!("1 {}\n2 {}\n", "0a".repeat(256), "0b".repeat(256))).unwrap();
        let keys = format!("test_keys = '{}'", file.display());
        let client = format!("api_id = 7\napi_hash = '{HASH}'\n");
        let mut section = Section::new(
            "telegram",
            format!("{client}{keys}\ntest_data_centres = '1=127.0.0.1:1, 2=127.0.0.1:2'").parse().unwrap(),
        );
        assert!(Application::read(&mut section).is_some());
        let led = ["test_data_centres", "test_keys"].map(|key| format!("providers.telegram.{key}"));
        assert_eq!(section.take_stand_ins(), led);
        assert!(section.finish().is_empty());
        for (text, key) in [
            ("test_data_centres = '1=127.0.0.1:1'".to_owned(), "test_keys"),
            (keys.clone(), "test_data_centres"),
            (format!("{keys}\ntest_data_centres = '1=here:1'"), "test_data_centres"),
            ("test_keys = '/nowhere'\ntest_data_centres = '1=127.0.0.1:1'".to_owned(), "test_keys"),
        ] {
            let problems = read(&format!("{client}{text}")).1;
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
            assert!(problems[0].starts_with(&format!("providers.telegram.{key}: ")), "{problems:?}");
        }
    }
}
