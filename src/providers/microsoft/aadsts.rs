//! Microsoft's errors. What is done follows from the protocol's `error` (and `suberror`), as Microsoft asks for; its AADSTS
//! numbers, which may change, only choose a closer code and closer words.

use super::super::oauth::callback::Declined;
use super::super::oauth::refusal::{Class, Refusal};
use super::super::oauth::tokens::Denial;
use super::VOICE;

/// An error, wherever it came from.
#[derive(Clone, Debug, Default)]
pub struct Trouble<'a> {
    /// The protocol's word.
    pub error: &'a str,
    /// Microsoft's addition to it.
    pub suberror: &'a str,
    /// The number, where there is one.
    pub number: Option<u32>,
}

impl<'a> From<&'a Denial> for Trouble<'a> {
    fn from(denial: &'a Denial) -> Self {
        let number = denial.numbers.first().copied().or_else(|| number(&denial.description));
        Self { error: &denial.error, suberror: &denial.suberror, number }
    }
}

impl<'a> From<&'a Declined> for Trouble<'a> {
    fn from(declined: &'a Declined) -> Self {
        Self { error: &declined.error, suberror: "", number: number(&declined.description) }
    }
}

/// The first AADSTS number in a text.
pub fn number(text: &str) -> Option<u32> {
    let rest = text.split("AADSTS").nth(1)?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..digits.min(9)].parse().ok()
}

impl Trouble<'_> {
    /// What it means for somebody who is signing in.
    pub fn refusal(&self) -> Refusal {
        let consent = self.error == "consent_required" || self.suberror == "consent_required";
        let asking = matches!(self.error, "access_denied" | "interaction_required" | "invalid_grant");
        let approval = matches!(self.number, Some(65001 | 90093 | 90094 | 90095));
        if consent || (asking && approval) {
            return Refusal::of(Class::ApprovalRequired);
        }
        let closer = self.number.and_then(closer);
        let closer = closer.filter(|closer| closer.class != Class::ApprovalRequired);
        let plain =
            Refusal::of_the_protocol(self.error).unwrap_or(Refusal::invalid("provider_error_unknown"));
        closer.unwrap_or(plain)
    }

    /// Whether it is definite that a grant has ended, and why; `None` when it is not.
    pub fn gone(&self) -> Option<&'static str> {
        if self.number.and_then(closer).is_some_and(|closer| closer.class == Class::ProviderUnavailable) {
            return None;
        }
        match self.error {
            "consent_required" => Some("consent_required"),
            "invalid_grant" | "interaction_required" | "login_required" => Some(match self.suberror {
                "consent_required" => "consent_required",
                "protection_policy_required" | "device_authentication_failed" => "policy_blocked",
                _ if self.error == "interaction_required" => "interaction_required",
                _ => match self.number.and_then(closer) {
                    Some(closer) if closer.class == Class::PolicyBlocked => "policy_blocked",
                    Some(closer) if closer.class == Class::AccountBlocked => "account_blocked",
                    _ => "session_expired",
                },
            }),
            _ => None,
        }
    }
}

/// A closer code and closer words for a number.
fn closer(number: u32) -> Option<Refusal> {
    let setup = |code| Refusal::new(Class::Setup, code);
    Some(match number {
        50011 | 70004 | 900_971 | 500_112 => setup("config_redirect_mismatch"),
        700_016 | 70001 | 700_011 | 7_000_112 => setup("config_client_unknown"),
        50194 | 9_002_331 | 9_002_332 | 90130 | 700_005 => setup("config_tenant_wrong"),
        90002 => setup("config_tenant_unknown"),
        650_052 | 650_056 | 650_057 | 500_011 | 28000 | 28002 | 70011 | 700_022 => {
            setup("config_scope_invalid")
        }
        9_002_327 => setup("config_platform_wrong"),
        7_000_215 | 70002 => setup("config_client_secret_invalid"),
        7_000_222 => setup("config_client_secret_expired"),
        7_000_218 => setup("config_client_secret_missing"),
        700_025 => setup("config_client_public"),
        500_208 | 50020 | 16000 | 50034 | 90072 | 51004 => Refusal::of(Class::AccountUnsuitable),
        65004 | 90008 => Refusal::of(Class::UserDenied),
        90093 | 90094 | 90095 | 65001 => Refusal::of(Class::ApprovalRequired),
        50105 => Refusal::new(Class::PolicyBlocked, "user_not_assigned"),
        50076 | 50079 | 50072 | 50074 | 50078 | 50158 => Refusal::of(Class::InteractionRequired),
        53000..=53004 | 530_032 | 530_035 | 53011 | 50005 | 50097 => Refusal::of(Class::PolicyBlocked),
        50053 | 50055 | 50057 | 50144 => Refusal::of(Class::AccountBlocked),
        54005 => Refusal::new(Class::SignInExpired, "code_redeemed_before"),
        501_481 | 50147 => Refusal::invalid("pkce_mismatch"),
        70008 | 700_082 | 70043 | 50173 | 50089 | 70000 | 50132 | 50133 => Refusal::of(Class::SignInExpired),
        90033 | 90090 | 90006 | 50033 | 90024 | 50196 => Refusal::of(Class::ProviderUnavailable),
        _ => return None,
    })
}

/// Writes what the token endpoint said where operators look, with the ids that Microsoft's support asks for.
pub fn log(denial: &Denial) {
    let number = Trouble::from(denial).number;
    tracing::info!(
        provider = VOICE.slug,
        error = denial.error,
        suberror = denial.suberror,
        aadsts = number,
        trace_id = denial.trace,
        correlation_id = denial.correlation,
        "the token endpoint said no"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble<'a>(error: &'a str, suberror: &'a str, number: u32) -> Trouble<'a> {
        Trouble { error, suberror, number: Some(number).filter(|number| *number > 0) }
    }

    #[test]
    fn the_number_is_found_in_the_description() {
        assert_eq!(number("AADSTS65004: User declined to consent."), Some(65004));
        assert_eq!(number("x AADSTS7000215: y AADSTS1"), Some(7_000_215));
        for none in ["", "AADSTS", "AADSTSx", "65004", "AADSTS 65004"] {
            assert_eq!(number(none), None, "{none}");
        }
        assert_eq!(number(&format!("AADSTS{}", "9".repeat(40))), Some(999_999_999));
    }

    #[test]
    fn errors_of_a_sign_in_are_told_apart() {
        for (error, suberror, number, code) in [
            ("access_denied", "", 65004, "user_denied"),
            ("access_denied", "", 0, "user_denied"),
            ("access_denied", "", 90094, "admin_approval_required"),
            ("interaction_required", "", 90095, "admin_approval_required"),
            ("invalid_grant", "consent_required", 65001, "admin_approval_required"),
            ("consent_required", "", 0, "admin_approval_required"),
            // The number alone does not change what is done.
            ("server_error", "", 90094, "provider_unavailable"),
            ("interaction_required", "", 50076, "interaction_required"),
            ("invalid_grant", "", 53003, "policy_blocked"),
            ("access_denied", "", 50105, "user_not_assigned"),
            ("invalid_client", "", 7_000_215, "config_client_secret_invalid"),
            ("invalid_client", "", 7_000_222, "config_client_secret_expired"),
            ("invalid_client", "", 7_000_218, "config_client_secret_missing"),
            ("invalid_client", "", 0, "config_client_invalid"),
            ("unauthorized_client", "", 700_016, "config_client_unknown"),
            ("invalid_request", "", 50194, "config_tenant_wrong"),
            ("invalid_request", "", 0, "config_request_invalid"),
            ("unauthorized_client", "", 500_208, "account_unsuitable"),
            ("invalid_grant", "", 54005, "code_redeemed_before"),
            ("invalid_grant", "", 501_481, "pkce_mismatch"),
            ("invalid_grant", "", 70008, "sign_in_expired"),
            ("invalid_grant", "", 0, "sign_in_expired"),
            ("invalid_grant", "", 50057, "account_blocked"),
            ("temporarily_unavailable", "", 90033, "provider_unavailable"),
            ("", "", 0, "provider_error_unknown"),
        ] {
            assert_eq!(trouble(error, suberror, number).refusal().code, code, "{error} {suberror} {number}");
        }
    }

    #[test]
    fn a_grant_is_gone_only_by_a_definite_word() {
        for (error, suberror, number, cause) in [
            ("invalid_grant", "", 700_082, Some("session_expired")),
            ("invalid_grant", "bad_token", 0, Some("session_expired")),
            ("invalid_grant", "consent_required", 65001, Some("consent_required")),
            ("invalid_grant", "protection_policy_required", 0, Some("policy_blocked")),
            ("invalid_grant", "", 53003, Some("policy_blocked")),
            ("invalid_grant", "", 50057, Some("account_blocked")),
            ("interaction_required", "", 50076, Some("interaction_required")),
            ("consent_required", "", 65001, Some("consent_required")),
            ("invalid_grant", "", 90033, None),
            ("invalid_client", "", 7_000_222, None),
            ("unauthorized_client", "", 700_016, None),
            ("invalid_request", "", 0, None),
            ("temporarily_unavailable", "", 0, None),
            ("", "", 700_082, None),
        ] {
            assert_eq!(trouble(error, suberror, number).gone(), cause, "{error} {suberror} {number}");
        }
    }
}
