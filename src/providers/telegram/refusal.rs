//! Why a call to Telegram did not give what was asked for: an error that it names, or no answer.

use std::time::Duration;

use grammers_mtproto::{authentication, transport};
use grammers_tl_types::types;

use crate::contract::{Actor, Trouble};
use crate::kernel::egress::ConnectError;

/// What came instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Telegram named an error, such as `PHONE_CODE_INVALID`; numbers inside of its name are apart.
    Named {
        /// As in HTTP: 303, 400, 401, 406, 420, 500.
        code: i32,
        /// The name.
        name: String,
        /// The number.
        value: Option<u32>,
    },
    /// The data centre does not know our key.
    KeyLost,
    /// There was no answer; a stable code.
    Silent(&'static str),
}

impl From<types::RpcError> for Refusal {
    fn from(error: types::RpcError) -> Self {
        let parts = || error.error_message.split('_');
        let value = parts().find_map(|part| part.parse().ok());
        let name: Vec<&str> =
            parts().filter(|part| part.parse::<u32>().ok() != value || value.is_none()).collect();
        Self::Named { code: error.error_code, name: name.join("_"), value }
    }
}

impl From<transport::Error> for Refusal {
    fn from(error: transport::Error) -> Self {
        match error {
            transport::Error::BadStatus { status: 404 } => Self::KeyLost,
            transport::Error::BadStatus { status: 429 } => Self::Silent("rate_limited"),
            _ => Self::Silent("protocol_error"),
        }
    }
}

impl From<authentication::Error> for Refusal {
    fn from(_: authentication::Error) -> Self {
        Self::Silent("protocol_error")
    }
}

impl From<ConnectError> for Refusal {
    fn from(error: ConnectError) -> Self {
        Self::Silent(error.code())
    }
}

impl Refusal {
    /// Whether it is this error.
    pub fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Named { name, .. } if name == wanted)
    }

    /// Whether it is one of these errors.
    pub fn is_any(&self, wanted: &[&str]) -> bool {
        wanted.iter().any(|name| self.is(name))
    }

    /// Whether the key that was used stands for nobody: it expired, was ended, or is not known.
    pub fn is_signed_out(&self) -> bool {
        matches!(self, Self::KeyLost | Self::Named { code: 401, .. }) && !self.is("SESSION_PASSWORD_NEEDED")
    }

    /// Whether it is Telegram's word about the account: blocked, or deleted.
    pub fn is_banned(&self) -> bool {
        self.is_any(&["PHONE_NUMBER_BANNED", "USER_DEACTIVATED", "USER_DEACTIVATED_BAN"])
    }

    /// Whether this client is too old for Telegram.
    pub fn is_outdated(&self) -> bool {
        self.is("UPDATE_APP_TO_LOGIN")
    }

    /// Whether the connection came to an end, so that another one may do.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Silent("connection_broken" | "connect_refused"))
    }

    /// The data centre that it must be said to instead.
    pub fn elsewhere(&self) -> Option<i32> {
        match self {
            Self::Named { code: 303, value: Some(dc), .. } => i32::try_from(*dc).ok(),
            _ => None,
        }
    }

    /// How long to wait, where that is what is said; zero when it does not say how long.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::Named { code: 420, value, .. } => Some(Duration::from_secs(value.unwrap_or(0).into())),
            Self::Named { name, .. } if name.ends_with("_FLOOD") && !name.starts_with("API_ID") => {
                Some(Duration::ZERO)
            }
            Self::Silent("rate_limited") => Some(Duration::ZERO),
            _ => None,
        }
    }

    /// Where it says nothing about the person.
    pub fn trouble(&self) -> Trouble {
        let nobody = |code| Trouble { code, actor: Actor::Nobody };
        let operator = |code| Trouble { code, actor: Actor::Operator };
        match self {
            Self::Silent(code @ ("data_centre_unknown" | "address_not_allowed" | "clock_wrong")) => {
                operator(code)
            }
            Self::Silent(code) => nobody(code),
            Self::KeyLost => nobody("auth_key_unknown"),
            Self::Named { name, .. } if name == "API_ID_INVALID" => operator("config_api_id_invalid"),
            Self::Named { name, .. } if name == "API_ID_PUBLISHED_FLOOD" => {
                operator("config_api_id_published")
            }
            _ if self.is_outdated() => operator("client_outdated"),
            _ if self.wait().is_some() => nobody("rate_limited"),
            Self::Named { code, .. } if *code >= 500 || *code < 0 => nobody("provider_unavailable"),
            Self::Named { code, name, .. } => {
                // Telegram's own names are short and plain; whatever else it were does not belong into a log.
                let name: String =
                    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect();
                tracing::warn!(code, name, "Telegram named an error that is not known here");
                nobody("provider_error_unknown")
            }
        }
    }

    /// The same, and the log says of a sign-in that it came to nothing: to the operator, where only they can mend it.
    pub fn told(&self) -> Trouble {
        let trouble = self.trouble();
        let code = trouble.code;
        if trouble.actor == Actor::Operator {
            tracing::warn!(provider = "telegram", code, "an account could not be linked");
        } else {
            tracing::info!(provider = "telegram", code, "an account could not be linked");
        }
        trouble
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(code: i32, text: &str) -> Refusal {
        types::RpcError { error_code: code, error_message: text.to_owned() }.into()
    }

    #[test]
    fn errors_are_read_by_name_and_number() {
        assert_eq!(named(303, "PHONE_MIGRATE_4").elsewhere(), Some(4));
        assert_eq!(named(400, "PHONE_CODE_INVALID").elsewhere(), None);
        assert_eq!(named(420, "FLOOD_WAIT_31").wait(), Some(Duration::from_secs(31)));
        assert_eq!(named(406, "PHONE_PASSWORD_FLOOD").wait(), Some(Duration::ZERO));
        assert!(
            named(420, "FLOOD_WAIT_31").is("FLOOD_WAIT")
                && named(401, "2FA_CONFIRM_WAIT_0").is("2FA_CONFIRM_WAIT")
        );
        assert_eq!(named(400, "API_ID_PUBLISHED_FLOOD").wait(), None);
        assert!(named(401, "SESSION_REVOKED").is_signed_out() && Refusal::KeyLost.is_signed_out());
        assert!(!named(401, "SESSION_PASSWORD_NEEDED").is_signed_out());
        assert!(!Refusal::Silent("timeout").is_signed_out());
    }

    #[test]
    fn what_is_not_about_the_person_says_who_has_to_act() {
        for (refusal, code, actor) in [
            (named(400, "API_ID_INVALID"), "config_api_id_invalid", Actor::Operator),
            (named(400, "API_ID_PUBLISHED_FLOOD"), "config_api_id_published", Actor::Operator),
            (named(420, "FLOOD_WAIT_9"), "rate_limited", Actor::Nobody),
            (named(500, "AUTH_RESTART"), "provider_unavailable", Actor::Nobody),
            (named(400, "TEAPOT"), "provider_error_unknown", Actor::Nobody),
            (named(406, "UPDATE_APP_TO_LOGIN"), "client_outdated", Actor::Operator),
            (Refusal::Silent("timeout"), "timeout", Actor::Nobody),
            (Refusal::Silent("clock_wrong"), "clock_wrong", Actor::Operator),
            (Refusal::Silent("data_centre_unknown"), "data_centre_unknown", Actor::Operator),
            (ConnectError::Blocked.into(), "address_not_allowed", Actor::Operator),
        ] {
            let trouble = refusal.trouble();
            assert_eq!((trouble.code, trouble.actor), (code, actor));
        }
    }

    #[test]
    fn a_key_that_is_not_known_is_seen_however_it_is_said() {
        let status = transport::Error::BadStatus { status: 404 };
        assert_eq!(Refusal::from(status), Refusal::KeyLost);
        assert!(Refusal::from(ConnectError::Broken).is_broken());
    }
}
