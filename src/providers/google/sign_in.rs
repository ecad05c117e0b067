//! Google's own part in signing in and renewing: what it wants to hear on the way out, and what its words mean.

use async_trait::async_trait;

use crate::contract::{Context, State, Step, Trouble};

use super::super::oauth::callback::Declined;
use super::super::oauth::house::{House, Person};
use super::super::oauth::id_token::Claims;
use super::super::oauth::keys::Key;
use super::super::oauth::party::Party;
use super::super::oauth::refusal::{Class, Refusal};
use super::super::oauth::scopes::{Spelling, Wanted};
use super::super::oauth::step::Voice;
use super::super::oauth::tokens::{Denial, Tokens};
use super::super::oauth::trip::Place;
use super::{Google, SPELLING, VOICE, claims};

#[async_trait]
impl House for Google {
    fn voice(&self) -> Voice {
        VOICE
    }

    fn spelling(&self) -> Spelling {
        SPELLING
    }

    fn party(&self) -> &Party {
        &self.party
    }

    fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    fn depart(&self, cx: &Context, place: Place, step: Step) -> Result<(Box<Step>, State), Trouble> {
        // Without consent there is no token for renewing; without the chooser, somebody's consent of long ago would do.
        let prompt = if place.repairs.is_some() { "consent" } else { "select_account consent" };
        let (hint, organisation) = (place.hint.clone(), place.tenant.clone());
        let mut more =
            vec![("access_type", "offline"), ("include_granted_scopes", "false"), ("prompt", prompt)];
        more.extend(hint.as_deref().map(|hint| ("login_hint", hint)));
        more.extend(organisation.as_deref().map(|organisation| ("hd", organisation)));
        self.party.leave(cx, place, step, &self.scope, &more)
    }

    fn declined(&self, declined: &Declined) -> Refusal {
        refusal(&declined.error)
    }

    fn denied(&self, denial: &Denial) -> Refusal {
        refusal(&denial.error)
    }

    fn gone(&self, denial: &Denial) -> Option<&'static str> {
        (denial.error == "invalid_grant").then_some("session_expired")
    }

    fn issuer(&self, claims: &Claims, _key: &Key) -> Result<(), Refusal> {
        claims::issuer(claims, &self.places)
    }

    fn person(&self, claims: &Claims) -> Result<Person, Refusal> {
        Ok(claims::person(claims))
    }

    async fn person_of(&self, cx: &Context, tokens: &Tokens) -> Result<Person, Refusal> {
        claims::person_of(&claims::userinfo(cx, &self.places, tokens).await?)
    }

    async fn confirm(
        &self,
        cx: &Context,
        tokens: &Tokens,
        person: Person,
    ) -> Result<Person, (Person, Refusal)> {
        let info = match claims::userinfo(cx, &self.places, tokens).await {
            Ok(info) => claims::same(&person, &info).map(|()| info),
            Err(refusal) => Err(refusal),
        };
        match info {
            Ok(info) => Ok(claims::merge(person, &info)),
            Err(refusal) => Err((person, refusal)),
        }
    }
}

/// What Google's word for an error means.
fn refusal(error: &str) -> Refusal {
    match error {
        "deleted_client" | "disabled_client" => Refusal::new(Class::Setup, "config_client_invalid"),
        "admin_policy_enforced" | "access_not_configured" | "org_internal" | "policy_enforced" => {
            Refusal::of(Class::PolicyBlocked)
        }
        other => Refusal::of_the_protocol(other).unwrap_or(Refusal::invalid("provider_error_unknown")),
    }
}
