//! The version that we say we have: the operator's, or the one that WhatsApp's own web client has, asked for once a day, or
//! the one known when this was built. A version that is too old is refused, so when that happens it is asked for again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use wire_whatsapp::Version;
use wire_whatsapp::version::HEADERS;

use crate::contract::Context;
use crate::kernel::clock::Millis;
use crate::kernel::egress::Request;

use super::config::Config;

/// How long a version that came is good.
const GOOD: Duration = Duration::from_secs(24 * 60 * 60);

/// How long none is asked for after none came, and how soon one may be asked for again because the one at hand was refused.
const PAUSE: Duration = Duration::from_secs(10 * 60);

/// Whoever asks waits for it with the code that they want to see.
const TIME: Duration = Duration::from_secs(5);

/// The page has some hundred kilobytes.
const LONGEST: usize = 4 << 20;

/// The version of the moment, for everybody.
#[derive(Debug, Default)]
pub struct Versions(Mutex<Kept>);

#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    version: Option<Version>,
    /// When it was last asked for, and whether it came.
    asked: Option<(Millis, bool)>,
}

impl Versions {
    /// The version to say; asked for where the one at hand is too old. Meanwhile others say the one at hand.
    pub async fn current(&self, cx: &Context, config: &Config) -> Version {
        if let Some(version) = config.version {
            return version;
        }
        let due = |came| if came { GOOD } else { PAUSE };
        self.ask_if(cx, config, due).await;
        self.at_hand()
    }

    /// A version that is newer than this one, which was refused as too old.
    pub async fn beyond(&self, cx: &Context, config: &Config, refused: Version) -> Option<Version> {
        if config.version.is_some() {
            return None;
        }
        if self.at_hand() <= refused {
            self.ask_if(cx, config, |_| PAUSE).await;
        }
        Some(self.at_hand()).filter(|version| *version > refused)
    }

    /// Asks WhatsApp.
    pub async fn ask(cx: &Context, config: &Config) -> Option<Version> {
        let mut headers = HeaderMap::new();
        for (name, value) in HEADERS {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let request = Request {
            method: Method::GET,
            url: config.versions.clone()?,
            headers,
            body: Bytes::new(),
            time_limit: TIME,
            size_limit: LONGEST,
        };
        match cx.egress.send(request).await {
            Ok(answer) => {
                let found = Version::find(&String::from_utf8_lossy(&answer.body));
                if found.is_none() {
                    let status = answer.status.as_u16();
                    tracing::warn!(provider = "whatsapp", status, "no client version in WhatsApp's answer");
                }
                found
            }
            Err(error) => {
                let code = error.code();
                tracing::warn!(provider = "whatsapp", code, "the client version could not be asked for");
                None
            }
        }
    }

    fn at_hand(&self) -> Version {
        self.kept().version.unwrap_or(Version::BUILT_IN)
    }

    async fn ask_if(&self, cx: &Context, config: &Config, pause: impl Fn(bool) -> Duration) {
        let now = cx.clock.now();
        {
            let mut kept = self.kept();
            if kept.asked.is_some_and(|(at, came)| now.since(at) < pause(came)) {
                return;
            }
            // Whoever comes next does not ask as well.
            kept.asked = Some((now, false));
        }
        if let Some(version) = Self::ask(cx, config).await {
            *self.kept() = Kept { version: Some(version), asked: Some((now, true)) };
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
