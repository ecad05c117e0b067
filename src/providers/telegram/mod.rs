//! The provider `telegram`: accounts of people, linked as a device by a code that their phone scans, or signed in to with
//! a phone number; in both cases with the password of the cloud where there is one. It owns the conversation, the steps and
//! the session that comes of them. Invariant: what is stored between two steps is all there is; each call opens a line of
//! its own and closes it.
//!
//! The protocol is a library's, which neither connects nor waits; connections are our own, over the way out that asks of each
//! address whether it may be reached (ADR 18).

mod centres;
mod check;
mod config;
mod line;
mod outcome;
mod password;
mod phone;
mod place;
mod refusal;
mod session;
mod settings;
mod steps;
mod talk;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;

use crate::contract::{
    About, Action, Answer, Begin, Checked, Context, Conversation, Credentials, Finding, Next, Outlook,
    Profile, Provider, State, Trouble,
};

use super::section::Section;
use config::Application;
use outcome::{Held, Keys};
use phone::Phone;
use place::{At, Place};
use steps::Wrong;

/// The provider.
struct Telegram {
    about: About,
    application: Arc<Application>,
}

/// Builds it from its section; `None` while it has no application.
///
/// # Errors
/// When the files it is built with are faulty, which the tests would have said first.
pub(super) fn build(section: &mut Section) -> Result<Option<Arc<dyn Provider>>, String> {
    let about = about!()?;
    let Some(application) = Application::read(section) else { return Ok(None) };
    Ok(Some(Arc::new(Telegram { about, application: Arc::new(application) })))
}

#[async_trait]
impl Provider for Telegram {
    fn about(&self) -> &About {
        &self.about
    }

    async fn begin(&self, cx: &Context, begin: Begin) -> Result<Next, Trouble> {
        Place::begin(&begin, cx.clock.now().after(talk::PATIENCE)).show(Wrong::default())
    }

    async fn answer(&self, cx: &Context, state: State, answer: Answer) -> Result<Next, Trouble> {
        let place = Place::read(state)?;
        let phone = Phone { application: &self.application, cx };
        let qr = || At::Qr { until: cx.clock.now().after(talk::PATIENCE) };
        let at = place.at.clone();
        match (answer.action, at) {
            (Action::Submit, At::Qr { .. } | At::Ended) => Place { at: qr(), ..place }.show(Wrong::default()),
            (Action::Submit, At::Phone) => {
                phone.typed(place, answer.fields.get("phone").map_or("", |typed| typed.reveal())).await
            }
            (Action::Submit, At::Code(sent)) => {
                let typed = answer.fields.get("code").map_or("", |typed| typed.reveal().trim());
                phone.code(place, &sent, typed).await
            }
            (Action::Submit, At::Password { session, .. }) => {
                let typed = answer.fields.get("password");
                password::answer(&self.application, cx, place, &session, typed).await
            }
            (Action::Alternative(name), at) => match (&*name, at) {
                ("qr", At::Phone | At::Code(_) | At::Password { .. }) => {
                    Place { at: qr(), ..place }.show(Wrong::default())
                }
                ("phone_code", At::Qr { .. } | At::Ended | At::Code(_)) => {
                    Place { at: At::Phone, ..place }.show(Wrong::default())
                }
                ("resend", At::Code(sent)) => phone.resend(place, &sent).await,
                _ => Err(Trouble::bug("unknown_action")),
            },
            (Action::Returned | Action::Decided { .. }, _) => Err(Trouble::bug("unknown_action")),
        }
    }

    fn converse(&self, cx: &Context, state: State) -> Result<Box<dyn Conversation>, Trouble> {
        Ok(Box::new(talk::Talk::new(&self.application, cx, state)?))
    }

    fn credentials(&self, secret: &State, _profile: &Profile) -> Result<Credentials, Trouble> {
        outcome::credentials(secret)
    }

    fn outlook(&self, secret: &State) -> Result<Outlook, Trouble> {
        Keys::read(secret).map(|_| check::outlook())
    }

    async fn check(&self, cx: &Context, secret: State) -> Result<Checked, Trouble> {
        check::check(&self.application, cx, &Keys::read(&secret)?).await
    }

    fn revokes(&self) -> bool {
        true
    }

    fn online_once(&self) -> bool {
        true
    }

    fn own_grant(&self, secret: &State) -> Option<String> {
        secret.clone().read::<Held>().ok().and_then(|held| held.session.name())
    }

    async fn revoke(&self, cx: &Context, secret: State) -> Result<(), Trouble> {
        let held: Held = secret.read().map_err(|_| Trouble::bug("secret_unreadable"))?;
        check::sign_out(&self.application, cx, &held.session).await
    }

    fn tries_at_start(&self) -> bool {
        true
    }

    async fn try_settings(&self, cx: &Context) -> Vec<Finding> {
        settings::findings(&self.application, cx).await
    }
}
