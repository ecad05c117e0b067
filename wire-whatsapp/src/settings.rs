//! What a caller decides: where the service is, who it must be, what the device says it is, and how long things may take.

use crate::certificate::WHATSAPP_ROOT;
use crate::curve::Public;
use crate::version::Version;
use std::sync::Arc;
use std::time::Duration;

/// Gives the seconds of the Unix era.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How to link and log in. The same value serves any number of calls.
#[derive(Clone)]
pub struct Settings {
    /// The service, as `wss://host[:port]/path`; `ws` is for tests.
    pub endpoint: String,
    /// Whose signature the service's certificates must have.
    pub root: Public,
    /// The version that the client says it has. Too old a one is refused some day ([`crate::Refusal::Outdated`]).
    pub version: Version,
    /// What the phone shows as the device's name. Anything but a browser's and a system's usual names is refused when a
    /// pairing code is asked for.
    pub browser: Browser,
    /// The system's part of that name, such as `Mac OS`, `Windows` or `Linux`.
    pub system: String,
    /// Country of the client, two letters.
    pub country: String,
    /// Whether the phone is asked for its full history. It is sent to whoever uses the session next.
    pub full_history: bool,
    /// How many one-time keys are left with the service after linking: what others begin conversations with. 1 to 812.
    pub pre_keys: u32,
    /// How long things may take.
    pub deadlines: Deadlines,
    /// The time, to tell when a kept certificate ends.
    pub clock: Clock,
}

impl Settings {
    /// The service's own address and key, and everything else as usual.
    pub fn new(version: Version, clock: Clock) -> Self {
        Self {
            endpoint: "wss://web.whatsapp.com/ws/chat".to_owned(),
            root: WHATSAPP_ROOT,
            version,
            browser: Browser::Chrome,
            system: "Mac OS".to_owned(),
            country: "US".to_owned(),
            full_history: false,
            pre_keys: 812,
            deadlines: Deadlines::default(),
            clock,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("endpoint", &self.endpoint)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// How long things may take.
#[derive(Clone, Debug)]
pub struct Deadlines {
    /// A connection, from nothing to an agreed key.
    pub connect: Duration,
    /// The answer to a request, the first codes, the answer to a login, the restart after linking.
    pub answer: Duration,
    /// How long the first code is shown; the service lets it live for a minute.
    pub first_ref: Duration,
    /// How long each further code is shown; the service lets it live for twenty seconds.
    pub next_ref: Duration,
    /// How long a pairing code can be typed in.
    pub code: Duration,
    /// How long a phone on which it was typed in has to finish.
    pub typed: Duration,
    /// How long a person has for the passkey, from the question to the linking.
    pub passkey: Duration,
    /// The whole of a linking until the phone says yes, whatever keeps it going.
    pub whole: Duration,
    /// How often a silent connection is asked whether it is still there; without an answer by twice that it is not.
    pub keep_alive: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            connect: seconds(20),
            answer: seconds(30),
            first_ref: seconds(60),
            next_ref: seconds(20),
            code: seconds(180),
            typed: seconds(60),
            passkey: seconds(300),
            whole: seconds(900),
            keep_alive: seconds(25),
        }
    }
}

/// The browser that a device says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Browser {
    /// Google Chrome.
    Chrome,
    /// Mozilla Firefox.
    Firefox,
    /// Opera.
    Opera,
    /// Safari.
    Safari,
    /// Microsoft Edge.
    Edge,
}

impl Browser {
    /// The name as phones show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chrome => "Chrome",
            Self::Firefox => "Firefox",
            Self::Opera => "Opera",
            Self::Safari => "Safari",
            Self::Edge => "Edge",
        }
    }

    /// Its number in a registration.
    pub(crate) fn platform(self) -> u32 {
        match self {
            Self::Chrome => 1,
            Self::Firefox => 2,
            Self::Opera => 4,
            Self::Safari => 5,
            Self::Edge => 6,
        }
    }

    /// Its number in QR and pairing codes, which is another one.
    pub(crate) fn client(self) -> u32 {
        match self {
            Self::Chrome => 1,
            Self::Edge => 2,
            Self::Firefox => 3,
            Self::Opera => 5,
            Self::Safari => 6,
        }
    }
}
