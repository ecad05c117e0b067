//! The provider `imap`: any mailbox that is read over IMAP and sends over SMTP with a password. It owns the
//! table of known mail systems, the steps, and the two conversations that prove a password. Invariant: no
//! password leaves over anything but TLS, and none before the person has seen where it goes.

mod address;
mod check;
mod config;
mod discover;
#[cfg(fuzzing)]
pub(super) mod fuzzing;
mod given;
mod import;
mod outcome;
mod place;
mod probe;
mod refusal;
mod servers;
mod steps;
mod table;
mod walk;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::contract::{
    About, Answer, Begin, Brought, Checked, Context, Credentials, Imported, Next, Outlook, Profile, Provider,
    State, Trouble,
};

use super::section::Section;
use config::Config;
use place::Place;
use table::Table;
use walk::Walk;

/// The provider.
struct Imap {
    about: About,
    config: Config,
    table: Table,
}

/// Builds it from its section.
///
/// # Errors
/// When the files it is built with are faulty, which the tests would have said first.
pub(super) fn build(section: &mut Section) -> Result<Option<Arc<dyn Provider>>, String> {
    let config = Config::read(section);
    Ok(Some(Arc::new(Imap { about: about!()?, config, table: Table::built_in()? })))
}

impl Imap {
    fn walk<'a>(&'a self, cx: &'a Context) -> Walk<'a> {
        Walk { cx, config: &self.config, table: &self.table, since: Instant::now() }
    }
}

#[async_trait]
impl Provider for Imap {
    fn about(&self) -> &About {
        &self.about
    }

    async fn begin(&self, cx: &Context, begin: Begin) -> Result<Next, Trouble> {
        self.walk(cx).begin(begin)
    }

    async fn answer(&self, cx: &Context, state: State, answer: Answer) -> Result<Next, Trouble> {
        self.walk(cx).answer(Place::read(state)?, answer).await
    }

    fn credentials(&self, secret: &State, _profile: &Profile) -> Result<Credentials, Trouble> {
        outcome::credentials(secret)
    }

    async fn import(&self, cx: &Context, brought: Brought) -> Result<Imported, Trouble> {
        self.walk(&import::granting(cx)).import(&brought).await
    }

    fn outlook(&self, secret: &State) -> Result<Outlook, Trouble> {
        check::outlook(&outcome::Keys::read(secret)?)
    }

    async fn check(&self, cx: &Context, secret: State) -> Result<Checked, Trouble> {
        check::check(self, cx, &outcome::Keys::read(&secret)?).await
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod words_tests;
