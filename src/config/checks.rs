//! How often accounts are looked at: `[checks]`.

use std::time::Duration;

use serde::Deserialize;

use super::Problems;

/// How often accounts are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Checks {
    /// Those with a grant.
    pub grants: Duration,
    /// Those with a password.
    pub passwords: Duration,
    /// Those that were refused.
    pub broken: Duration,
    /// Without a definite answer for so long, they are in error.
    pub error_after: Duration,
    /// So long before a known end it is told of.
    pub warn: Duration,
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawChecks {
    grants_seconds: i64,
    passwords_seconds: i64,
    broken_seconds: i64,
    error_after_seconds: i64,
    warn_days: i64,
}

/// Four weeks: unused grants end after some months at most providers, and with it they are used at least monthly.
const MONTH: i64 = 28 * 24 * 3600;

impl RawChecks {
    pub(super) fn read(&self, problems: &mut Problems) -> Option<Checks> {
        let mut span = |key: &str, value: i64, most: i64, unit: u64| {
            let number = problems.range(&format!("checks.{key}"), value, 1, most);
            number.map(|number| Duration::from_secs(u64::from(number) * unit))
        };
        let grants = span("grants_seconds", self.grants_seconds, MONTH, 1);
        let passwords = span("passwords_seconds", self.passwords_seconds, MONTH, 1);
        let broken = span("broken_seconds", self.broken_seconds, MONTH, 1);
        let error_after = span("error_after_seconds", self.error_after_seconds, MONTH, 1);
        let warn = span("warn_days", self.warn_days, 60, 24 * 3600);
        Some(Checks {
            grants: grants?,
            passwords: passwords?,
            broken: broken?,
            error_after: error_after?,
            warn: warn?,
        })
    }
}
