//! The provider's own settings: `[providers.whatsapp]`.

use std::time::Duration;

use url::Url;
use wire_whatsapp::version::SOURCE;
use wire_whatsapp::{Browser, Deadlines, Settings, Version};

use crate::kernel::clock::Clock;

use super::super::section::Section;

const BROWSERS: &[Browser] =
    &[Browser::Chrome, Browser::Firefox, Browser::Opera, Browser::Safari, Browser::Edge];

const SYSTEMS: &[&str] = &["Mac OS", "Windows", "Linux"];

/// Its settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// The version to say we have, where the operator knows better.
    pub version: Option<Version>,
    /// The browser that phones show.
    browser: Browser,
    /// The system that phones show.
    system: &'static str,
    /// A stand-in's address.
    pub endpoint: Option<String>,
    /// A stand-in's key.
    root: Option<[u8; 32]>,
    /// How long each code of a stand-in lives.
    code: Option<Duration>,
    /// Where the current version stands; a stand-in has none unless it says where.
    pub versions: Option<Url>,
}

impl Config {
    /// Reads them; the section notes what is wrong.
    pub fn read(section: &mut Section) -> Self {
        let rule = "three numbers with points between, such as 2.3000.1043857760";
        let version = read(section, Section::text, "client_version", rule, |text| text.parse().ok());
        let rule = "Chrome, Firefox, Opera, Safari or Edge";
        let browser = read(section, Section::text, "browser", rule, |text| {
            BROWSERS.iter().find(|browser| browser.name().eq_ignore_ascii_case(text)).copied()
        });
        let system = read(section, Section::text, "system", "Mac OS, Windows or Linux", |text| {
            SYSTEMS.iter().find(|system| system.eq_ignore_ascii_case(text)).copied()
        });
        let rule = "ws:// or wss://, a host and a path";
        let endpoint = read(section, Section::stand_in, "test_endpoint", rule, |text| {
            let url = Url::parse(text).ok()?;
            let bare = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
            (matches!(url.scheme(), "ws" | "wss") && url.has_host() && bare).then(|| text.to_owned())
        });
        let root =
            read(section, Section::stand_in, "test_root", "64 hexadecimal digits: 32 bytes", hexadecimal);
        let rule = "a whole number from 1 to 180";
        let code = read(section, Section::stand_in, "test_code_seconds", rule, |text| {
            text.parse().ok().filter(|seconds| (1..=180).contains(seconds)).map(Duration::from_secs)
        });
        let rule = "an http or https URL";
        let versions = read(section, Section::stand_in, "test_version_url", rule, |text| {
            Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        });
        let usual = || Url::parse(SOURCE).ok().filter(|_| endpoint.is_none());
        Self {
            version,
            browser: browser.unwrap_or(Browser::Chrome),
            system: system.unwrap_or("Mac OS"),
            versions: versions.or_else(usual),
            endpoint,
            root,
            code,
        }
    }

    /// How to link and log in, saying that we have this version.
    pub fn settings(&self, version: Version, clock: &Clock) -> Settings {
        let clock = clock.clone();
        let now = move || u64::try_from(clock.now().0 / 1000).unwrap_or_default();
        let mut settings = Settings::new(version, std::sync::Arc::new(now));
        if let Some(endpoint) = &self.endpoint {
            settings.endpoint.clone_from(endpoint);
        }
        if let Some(root) = self.root {
            settings.root = root;
        }
        settings.browser = self.browser;
        settings.system = self.system.to_owned();
        if let Some(code) = self.code {
            let deadlines = &mut settings.deadlines;
            (deadlines.first_ref, deadlines.next_ref) = (code, code);
            (deadlines.code, deadlines.typed, deadlines.passkey) = (code, code, code);
        }
        settings
    }

    /// How long a phone on which a pairing code was typed has to finish.
    pub fn typed(&self) -> Duration {
        self.code.unwrap_or(Deadlines::default().typed)
    }
}

/// One setting; what its text must be is noted where it is something else.
fn read<T>(
    section: &mut Section,
    how: fn(&mut Section, &str, usize) -> Option<String>,
    key: &str,
    rule: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let text = how(section, key, 200)?;
    let value = parse(&text);
    if value.is_none() {
        section.problem(key, &format!("must be {rule}"));
    }
    value
}

fn hexadecimal(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> Section {
        Section::new("whatsapp", text.parse().unwrap())
    }

    #[test]
    fn without_settings_it_is_whatsapp_itself_with_its_own_version() {
        let mut section = section("");
        let config = Config::read(&mut section);
        assert!(section.take_stand_ins().is_empty() && section.finish().is_empty());
        let settings = config.settings(Version::BUILT_IN, &Clock::system());
        assert_eq!(settings.endpoint, "wss://web.whatsapp.com/ws/chat");
        assert_eq!(settings.root, wire_whatsapp::WHATSAPP_ROOT);
        assert_eq!((settings.browser, &*settings.system), (Browser::Chrome, "Mac OS"));
        assert_eq!(config.versions.unwrap().as_str(), SOURCE);
        // A code for a minute, five more for twenty seconds each: as long as the service lets its six references live.
        let shown = settings.deadlines;
        assert_eq!((shown.first_ref.as_secs(), shown.next_ref.as_secs()), (60, 20));
        assert_eq!((shown.first_ref + 5 * shown.next_ref).as_secs(), 160);
        assert!((settings.clock)() > 1_700_000_000);
    }

    #[test]
    fn a_stand_in_is_noted_and_asks_whatsapp_nothing() {
        let root = "0a".repeat(32);
        let mut section = section(&format!(
            "test_endpoint = 'ws://127.0.0.1:5/ws/chat'\ntest_root = '{root}'\ntest_code_seconds = '2'\n\
             browser = 'edge'\nsystem = 'windows'\nclient_version = '2.3000.7'"
        ));
        let config = Config::read(&mut section);
        let keys = ["test_endpoint", "test_root", "test_code_seconds"]
            .map(|key| format!("providers.whatsapp.{key}"));
        assert_eq!(section.take_stand_ins(), keys);
        assert!(section.finish().is_empty());
        assert_eq!((config.version, config.versions.is_none()), (Some(Version([2, 3000, 7])), true));
        let settings = config.settings(Version::BUILT_IN, &Clock::system());
        assert_eq!((settings.root, settings.deadlines.first_ref.as_secs()), ([10; 32], 2));
        assert_eq!((settings.browser, &*settings.system), (Browser::Edge, "Windows"));
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        let mut section = section(
            "client_version = '2'\nbrowser = 'Netscape'\nsystem = 'Plan 9'\ntest_endpoint = 'http://x/y'\n\
             test_root = 'xyz'\ntest_code_seconds = '0'\ntest_version_url = 'file:///x'",
        );
        Config::read(&mut section);
        assert_eq!(section.finish().len(), 7);
    }
}
