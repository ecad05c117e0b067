//! What is a provider's own in the conversation that all of them share: its addresses and scopes, what it adds to a
//! request, and how it reads errors, ID tokens and people. Whatever the answer, a house sends nothing secret anywhere but
//! to the addresses of its [`Party`].

use async_trait::async_trait;

use crate::contract::{Context, Next, State, Step, Trouble};

use super::callback;
use super::grant::Grant;
use super::id_token::Claims;
use super::keys::Key;
use super::party::Party;
use super::refusal::Refusal;
use super::scopes::{Spelling, Wanted};
use super::sign_in;
use super::step::Voice;
use super::tokens::{Denial, Tokens};
use super::trip::Place;

/// Who signed in.
#[derive(Debug, PartialEq, Eq)]
pub struct Person {
    /// The provider's own stable id. Never an address.
    pub identity: String,
    /// The part of the provider that the person belongs to, where there are several.
    pub tenant: Option<String>,
    /// The address; where the provider does not say it, there is none.
    pub address: Option<String>,
    /// The name to sign in with, where a protocol wants one and the address is not it.
    pub login: Option<String>,
    /// The person's name.
    pub name: Option<String>,
}

/// A provider that is signed in to on its own pages.
#[async_trait]
pub trait House: Sync {
    /// Who speaks.
    fn voice(&self) -> Voice;

    /// How it spells its scopes.
    fn spelling(&self) -> Spelling;

    /// Us as it knows us.
    fn party(&self) -> &Party;

    /// What is asked for.
    fn wanted(&self) -> &Wanted;

    /// Sends somebody to its pages with this step.
    ///
    /// # Errors
    /// When there is no way back, which is our own mistake.
    fn depart(&self, cx: &Context, place: Place, step: Step) -> Result<(Box<Step>, State), Trouble>;

    /// What an error means that somebody brought back.
    fn declined(&self, declined: &callback::Declined) -> Refusal;

    /// What an error of the token endpoint means.
    fn denied(&self, denial: &Denial) -> Refusal;

    /// Why an error of the token endpoint says definitely that a grant has ended; `None` when it does not.
    fn gone(&self, denial: &Denial) -> Option<&'static str>;

    /// Writes what the token endpoint said where operators look.
    fn log(&self, denial: &Denial) {
        let provider = self.voice().slug;
        tracing::info!(
            provider,
            error = denial.error,
            suberror = denial.suberror,
            "the token endpoint said no"
        );
    }

    /// Shows what was wrong, with a way on.
    ///
    /// # Errors
    /// When there is no way back, which is our own mistake.
    fn refused(&self, cx: &Context, place: Place, refusal: Refusal) -> Result<Next, Trouble> {
        sign_in::refused(self, cx, place, refusal)
    }

    /// The scopes to name when a code is redeemed, where they must be named.
    fn redeeming(&self) -> Option<&str> {
        None
    }

    /// The scopes to name when this grant is renewed, where they must be named; never more than it ever held.
    fn renewing(&self, _grant: &Grant) -> Option<String> {
        None
    }

    /// What to name when a grant that was given elsewhere is proved, in the order to try; `said` is what its backend knows to
    /// be granted. Nothing where scopes need not be named.
    fn proving(&self, _said: Option<&[String]>) -> Vec<String> {
        Vec::new()
    }

    /// Whether an ID token comes from it.
    ///
    /// # Errors
    /// When it names somebody else.
    fn issuer(&self, claims: &Claims, key: &Key) -> Result<(), Refusal>;

    /// Who signed in, by an ID token that was accepted.
    ///
    /// # Errors
    /// When it does not name the account.
    fn person(&self, claims: &Claims) -> Result<Person, Refusal>;

    /// Whose a token is that came without an ID token, by asking with it: the token came from the provider to us.
    ///
    /// # Errors
    /// When the provider does not say so.
    async fn person_of(&self, _cx: &Context, _tokens: &Tokens) -> Result<Person, Refusal> {
        Err(Refusal::invalid("id_token_missing"))
    }

    /// Tries the new token and adds what it tells of the person.
    ///
    /// # Errors
    /// When it does not work, or is somebody else's.
    async fn confirm(
        &self,
        _cx: &Context,
        _tokens: &Tokens,
        person: Person,
    ) -> Result<Person, (Person, Refusal)> {
        Ok(person)
    }
}
