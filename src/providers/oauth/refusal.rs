//! Why a sign-in did not lead on: a stable code for logs and programs, and the class that decides what the person reads.

use crate::contract::{Actor, Trouble};

/// What a person is told; one sentence and one piece of advice each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// They said no.
    UserDenied,
    /// They left out something that is needed.
    MissingScopes,
    /// The grant ends with the hour.
    NoLastingAccess,
    /// Rules of their organisation, or of the provider, forbid it.
    PolicyBlocked,
    /// Somebody who administers their account has to approve first.
    ApprovalRequired,
    /// This kind of account cannot be used here.
    AccountUnsuitable,
    /// The account itself is locked or switched off.
    AccountBlocked,
    /// The provider wants to see them once more.
    InteractionRequired,
    /// It took too long, or was used already.
    SignInExpired,
    /// What came back does not pass our checks.
    SignInInvalid,
    /// Whoever runs this server has to mend something.
    Setup,
    /// The provider cannot be reached, or has a problem of its own.
    ProviderUnavailable,
}

impl Class {
    /// Every class there is.
    #[cfg(test)]
    pub const ALL: &[Self] = &[
        Self::UserDenied,
        Self::MissingScopes,
        Self::NoLastingAccess,
        Self::PolicyBlocked,
        Self::ApprovalRequired,
        Self::AccountUnsuitable,
        Self::AccountBlocked,
        Self::InteractionRequired,
        Self::SignInExpired,
        Self::SignInInvalid,
        Self::Setup,
        Self::ProviderUnavailable,
    ];

    /// The last part of the keys of its words, and the code where there is no closer one.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserDenied => "user_denied",
            Self::MissingScopes => "missing_scopes",
            Self::NoLastingAccess => "no_lasting_access",
            Self::PolicyBlocked => "policy_blocked",
            Self::ApprovalRequired => "admin_approval_required",
            Self::AccountUnsuitable => "account_unsuitable",
            Self::AccountBlocked => "account_blocked",
            Self::InteractionRequired => "interaction_required",
            Self::SignInExpired => "sign_in_expired",
            Self::SignInInvalid => "sign_in_invalid",
            Self::Setup => "setup",
            Self::ProviderUnavailable => "provider_unavailable",
        }
    }

    /// Who has to act.
    pub fn actor(self) -> Actor {
        match self {
            Self::PolicyBlocked | Self::ApprovalRequired | Self::AccountBlocked => Actor::Admin,
            Self::Setup => Actor::Operator,
            Self::ProviderUnavailable => Actor::Nobody,
            _ => Actor::Person,
        }
    }
}

/// Why a sign-in did not lead on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A stable code.
    pub code: &'static str,
    /// What the person is told.
    pub class: Class,
}

impl Refusal {
    /// One with a code of its own.
    pub const fn new(class: Class, code: &'static str) -> Self {
        Self { code, class }
    }

    /// One whose class says it all.
    pub fn of(class: Class) -> Self {
        Self { code: class.as_str(), class }
    }

    /// What came back does not pass our checks.
    pub const fn invalid(code: &'static str) -> Self {
        Self::new(Class::SignInInvalid, code)
    }

    /// The provider has a problem of its own, or cannot be reached.
    pub const fn unavailable(code: &'static str) -> Self {
        Self::new(Class::ProviderUnavailable, code)
    }

    /// What a word of the protocol means whoever says it (RFC 6749, OpenID Connect); `None` for words of a provider's own.
    pub fn of_the_protocol(error: &str) -> Option<Self> {
        Some(match error {
            "access_denied" => Self::of(Class::UserDenied),
            "invalid_grant" => Self::of(Class::SignInExpired),
            "invalid_client" => Self::new(Class::Setup, "config_client_invalid"),
            "unauthorized_client" => Self::new(Class::Setup, "config_client_unauthorized"),
            "invalid_scope" => Self::new(Class::Setup, "config_scope_invalid"),
            "redirect_uri_mismatch" => Self::new(Class::Setup, "config_redirect_mismatch"),
            "invalid_request" | "unsupported_response_type" | "unsupported_grant_type" => {
                Self::new(Class::Setup, "config_request_invalid")
            }
            "server_error" | "temporarily_unavailable" => Self::of(Class::ProviderUnavailable),
            "interaction_required" | "login_required" | "account_selection_required" => {
                Self::of(Class::InteractionRequired)
            }
            "consent_required" => Self::new(Class::InteractionRequired, "consent_required"),
            _ => return None,
        })
    }

    /// The same where no person is there to be asked: nothing definite is known of the grant.
    pub fn trouble(self) -> Trouble {
        let actor = match self.class.actor() {
            Actor::Person => Actor::Nobody,
            other => other,
        };
        Trouble { code: self.code, actor }
    }

    /// Writes it where operators look.
    pub fn log(self, provider: &str) {
        tracing::info!(provider, code = self.code, "a sign-in was refused");
    }
}
