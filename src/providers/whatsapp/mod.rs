//! The provider `whatsapp`: a person's WhatsApp account, by linking a device to it with a QR code or a pairing code, as
//! WhatsApp Web does. It owns the steps, what is said in each of them, and what every end of a linking means; the wire
//! protocol is the package `wire-whatsapp`'s. Always: what was paired is stored before anything else is done with it.

mod answer;
mod config;
mod conversation;
mod end;
mod outcome;
mod phone;
mod place;
mod settings;
mod steps;
mod version;
mod visits;
mod way;
#[cfg(test)]
mod words_tests;

use std::sync::Arc;

use async_trait::async_trait;

use crate::contract::{
    About, Answer, Begin, Checked, Context, Conversation, Credentials, Finding, Next, Outlook, Profile,
    Provider, State, Trouble,
};

use super::section::Section;
use config::Config;
use conversation::Talk;
use place::Place;
use version::Versions;

/// The provider.
struct Whatsapp {
    about: About,
    house: Arc<House>,
}

/// What conversations outlive a call with.
struct House {
    config: Config,
    versions: Versions,
}

/// Builds it from its section.
///
/// # Errors
/// When the files it is built with are faulty, which the tests would have said first.
pub(super) fn build(section: &mut Section) -> Result<Option<Arc<dyn Provider>>, String> {
    let house = Arc::new(House { config: Config::read(section), versions: Versions::default() });
    Ok(Some(Arc::new(Whatsapp { about: about!()?, house })))
}

#[async_trait]
impl Provider for Whatsapp {
    fn about(&self) -> &About {
        &self.about
    }

    async fn begin(&self, _cx: &Context, begin: Begin) -> Result<Next, Trouble> {
        answer::begin(begin)
    }

    async fn answer(&self, cx: &Context, state: State, answer: Answer) -> Result<Next, Trouble> {
        answer::answer(cx, Place::read(state)?, &answer)
    }

    fn converse(&self, cx: &Context, state: State) -> Result<Box<dyn Conversation>, Trouble> {
        Ok(Box::new(Talk::new(self.house.clone(), cx.clone(), Place::read(state)?)?))
    }

    fn credentials(&self, secret: &State, _profile: &Profile) -> Result<Credentials, Trouble> {
        outcome::credentials(secret)
    }

    fn outlook(&self, secret: &State) -> Result<Outlook, Trouble> {
        visits::outlook(secret)
    }

    async fn check(&self, cx: &Context, secret: State) -> Result<Checked, Trouble> {
        visits::check(&self.house, cx, &secret).await
    }

    fn revokes(&self) -> bool {
        true
    }

    fn online_once(&self) -> bool {
        true
    }

    fn own_grant(&self, secret: &State) -> Option<String> {
        outcome::device(secret)
    }

    async fn revoke(&self, cx: &Context, secret: State) -> Result<(), Trouble> {
        visits::revoke(&self.house, cx, &secret).await
    }

    async fn try_settings(&self, cx: &Context) -> Vec<Finding> {
        settings::findings(&self.house, cx).await
    }
}
