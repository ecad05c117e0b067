//! Looking after a linked device: whether it is still let in, and unlinking it. A session is online once, so that it is not
//! looked at while somebody else may be online with it; unlinking ends that, too. Always: only the service's own word about the account is an answer.

use wire_whatsapp::Error;

use crate::contract::{Checked, Context, Outlook, State, Trouble};

use super::House;
use super::end::End;
use super::outcome::session;
use super::way::Way;

/// What is known of its future: a link has no known end. Everybody asks the one service.
///
/// # Errors
/// When the stored secret is not one of ours.
pub fn outlook(secret: &State) -> Result<Outlook, Trouble> {
    session(&secret.0)?;
    Ok(Outlook { peer: String::new(), renews: false, client: None, end: None })
}

/// Logs in for a moment.
///
/// # Errors
/// Why there was no definite answer.
pub async fn check(house: &House, cx: &Context, secret: &State) -> Result<Checked, Trouble> {
    let mut session = session(&secret.0)?;
    let settings = house.settings(cx).await;
    let looked = wire_whatsapp::check(&settings, &Way(cx.egress.clone()), &mut session).await;
    judge(looked)
}

/// Unlinks the device.
///
/// # Errors
/// When the service did not do it; the device is still on the phone's list.
pub async fn revoke(house: &House, cx: &Context, secret: &State) -> Result<(), Trouble> {
    let mut session = session(&secret.0)?;
    let settings = house.settings(cx).await;
    let unlinked = wire_whatsapp::logout(&settings, &Way(cx.egress.clone()), &mut session).await;
    unlinked.map_err(|error| unanswered(&error))
}

impl House {
    async fn settings(&self, cx: &Context) -> wire_whatsapp::Settings {
        self.config.settings(self.versions.current(cx, &self.config).await, &cx.clock)
    }
}

fn judge(looked: Result<(), Error>) -> Result<Checked, Trouble> {
    let Err(error) = looked else { return Ok(Checked::Fine) };
    let end = End::of(&error);
    if end.refuses() {
        return Ok(Checked::Refused { cause: end.code().to_owned(), actor: end.actor(), sure: true });
    }
    Err(unanswered(&error))
}

fn unanswered(error: &Error) -> Trouble {
    let end = End::of(error);
    tracing::debug!(provider = "whatsapp", code = end.code(), %error, "a session was not answered");
    end.into()
}

#[cfg(test)]
mod tests {
    use wire_whatsapp::Refusal;

    use super::*;
    use crate::contract::Actor;

    #[test]
    fn only_the_services_word_about_the_account_is_an_answer() {
        assert_eq!(judge(Ok(())), Ok(Checked::Fine));
        for (refusal, cause) in [
            (Refusal::Unlinked, "logged_out"),
            (Refusal::Locked, "account_locked"),
            (Refusal::Banned { ends_in: None, code: None }, "account_banned"),
        ] {
            let refused = Checked::Refused { cause: cause.to_owned(), actor: Actor::Person, sure: true };
            assert_eq!(judge(Err(Error::Refused(refusal))), Ok(refused));
        }
        for (error, code, actor) in [
            (Error::Refused(Refusal::Outdated), "client_outdated", Actor::Operator),
            (Error::Refused(Refusal::Replaced), "session_in_use", Actor::Nobody),
            (Error::Refused(Refusal::Unavailable(503)), "provider_unavailable", Actor::Nobody),
            (Error::Refused(Refusal::Other(418)), "protocol_error", Actor::Operator),
            (Error::Closed, "provider_unavailable", Actor::Nobody),
            (Error::Untrusted("x"), "server_untrusted", Actor::Operator),
        ] {
            assert_eq!(judge(Err(error)), Err(Trouble { code, actor }));
        }
    }
}
