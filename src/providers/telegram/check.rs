//! Watching over an account: asking something that costs nothing, and signing out. Always: only what Telegram says of the
//! session itself is an answer; a data centre that is silent or busy has said nothing about it.

use std::sync::Arc;

use grammers_tl_types as tl;

use crate::contract::{Actor, Checked, Context, Outlook, Trouble};

use super::config::Application;
use super::line::Line;
use super::outcome::Keys;
use super::refusal::Refusal;
use super::session::Kept;

/// What is known of its future: nothing; people end sessions when they like. Telegram ends one for good that is used from two
/// places at once (`AUTH_KEY_DUPLICATED`), so a look must not meet whoever else holds it.
pub fn outlook() -> Outlook {
    Outlook { peer: String::new(), renews: false, client: None, end: None }
}

/// Asks whether the session stands.
///
/// # Errors
/// When there was no definite answer.
pub async fn check(application: &Arc<Application>, cx: &Context, keys: &Keys) -> Result<Checked, Trouble> {
    let mut line = Line::open(application, cx, Some(&keys.session))?;
    match line.call(&tl::functions::updates::GetState {}).await {
        Ok(_) => Ok(Checked::Fine),
        Err(refusal) => judge(&refusal).ok_or_else(|| refusal.trouble()),
    }
}

/// What a refusal says of the session; `None` when it says nothing of it.
fn judge(refusal: &Refusal) -> Option<Checked> {
    let (cause, sure) = match refusal {
        Refusal::Named { name, .. } => match &**name {
            "USER_DEACTIVATED" => ("user_deactivated", true),
            "USER_DEACTIVATED_BAN" => ("user_banned", true),
            "SESSION_REVOKED" | "SESSION_EXPIRED" => ("session_revoked", true),
            "AUTH_KEY_UNREGISTERED" | "AUTH_KEY_PERM_EMPTY" | "SESSION_PASSWORD_NEEDED" => {
                ("signed_out", true)
            }
            // Used from two places at once, which Telegram takes for theft.
            "AUTH_KEY_DUPLICATED" => ("session_duplicated", true),
            "AUTH_KEY_INVALID" => ("auth_key_unknown", false),
            _ => return None,
        },
        // A data centre that was just started anew has been seen to say so of keys that it knew a moment later.
        Refusal::KeyLost => ("auth_key_unknown", false),
        Refusal::Silent(_) => return None,
    };
    Some(Checked::Refused { cause: cause.to_owned(), actor: Actor::Person, sure })
}

/// Signs out, which takes the device off the person's list.
///
/// # Errors
/// When there was no definite answer.
pub async fn sign_out(application: &Arc<Application>, cx: &Context, session: &Kept) -> Result<(), Trouble> {
    let mut line = Line::open(application, cx, Some(session))?;
    match line.call(&tl::functions::auth::LogOut {}).await {
        Ok(_) => Ok(()),
        Err(refusal) if matches!(judge(&refusal), Some(Checked::Refused { sure: true, .. })) => Ok(()),
        Err(refusal) => Err(refusal.trouble()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_about_the_session_are_an_answer() {
        let named = |code, name: &str| Refusal::Named { code, name: name.to_owned(), value: None };
        for (refusal, cause, certain) in [
            (named(401, "AUTH_KEY_UNREGISTERED"), "signed_out", true),
            (named(401, "SESSION_REVOKED"), "session_revoked", true),
            (named(401, "USER_DEACTIVATED_BAN"), "user_banned", true),
            (named(406, "AUTH_KEY_DUPLICATED"), "session_duplicated", true),
            (Refusal::KeyLost, "auth_key_unknown", false),
        ] {
            let refused = Checked::Refused { cause: cause.to_owned(), actor: Actor::Person, sure: certain };
            assert_eq!(judge(&refusal), Some(refused));
        }
        for refusal in [
            named(420, "FLOOD_WAIT"),
            named(500, "INTERNAL"),
            named(401, "TEAPOT"),
            Refusal::Silent("timeout"),
            Refusal::Silent("connection_broken"),
        ] {
            assert_eq!(judge(&refusal), None, "{refusal:?}");
        }
    }
}
