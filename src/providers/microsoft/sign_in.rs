//! Microsoft's own part in signing in and renewing: what it wants to hear on the way out and at the token endpoint, and
//! where an administrator comes in.

use async_trait::async_trait;

use crate::contract::{Alternative, Context, Next, State, Step, Trouble as Failing};

use super::super::oauth::callback::Declined;
use super::super::oauth::grant::Grant;
use super::super::oauth::house::{House, Person};
use super::super::oauth::id_token::Claims;
use super::super::oauth::keys::Key;
use super::super::oauth::party::Party;
use super::super::oauth::refusal::{Class, Refusal};
use super::super::oauth::scopes::{Spelling, Wanted};
use super::super::oauth::sign_in;
use super::super::oauth::step::Voice;
use super::super::oauth::tokens::Denial;
use super::super::oauth::trip::Place;
use super::aadsts::{self, Trouble};
use super::scopes::{self, SPELLING};
use super::{Microsoft, VOICE, approval, claims};

#[async_trait]
impl House for Microsoft {
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

    fn depart(&self, cx: &Context, place: Place, mut step: Step) -> Result<(Box<Step>, State), Failing> {
        if self.may_need_approval() {
            // Who reads on Microsoft's own page that an administrator is needed comes back with nothing.
            let label = VOICE.say("way.approval");
            step.alternatives.push(Alternative { name: approval::NAME.to_owned(), label });
        }
        let mut more = vec![("response_mode", "query")];
        if place.consent {
            more.push(("prompt", "consent"));
        } else if place.repairs.is_none() {
            more.push(("prompt", "select_account"));
        }
        let (hint, claims) = (place.hint.clone(), place.claims.clone());
        more.extend(hint.as_deref().map(|hint| ("login_hint", hint)));
        more.extend(claims.as_deref().map(|claims| ("claims", claims)));
        self.party.leave(cx, place, step, &self.scope, &more)
    }

    fn declined(&self, declined: &Declined) -> Refusal {
        Trouble::from(declined).refusal()
    }

    fn denied(&self, denial: &Denial) -> Refusal {
        Trouble::from(denial).refusal()
    }

    fn gone(&self, denial: &Denial) -> Option<&'static str> {
        Trouble::from(denial).gone()
    }

    fn log(&self, denial: &Denial) {
        aadsts::log(denial);
    }

    fn refused(&self, cx: &Context, place: Place, refusal: Refusal) -> Result<Next, Failing> {
        if refusal.class == Class::ApprovalRequired && self.may_need_approval() {
            return self.approval_required(cx, place, refusal);
        }
        sign_in::refused(self, cx, place, refusal)
    }

    fn redeeming(&self) -> Option<&str> {
        Some(&self.scope)
    }

    fn renewing(&self, grant: &Grant) -> Option<String> {
        let held = scopes::of_grant(&grant.ever_granted(), &self.wanted, &self.graph);
        Some(held.unwrap_or_else(|| self.scope.clone()))
    }

    fn proving(&self, said: Option<&[String]>) -> Vec<String> {
        match said.and_then(|said| scopes::of_grant(said, &self.wanted, &self.graph)) {
            Some(known) => vec![known],
            None => {
                let least = self.wanted.required.iter().map(|scope| &*scope.name);
                vec![self.scope.clone(), scopes::asking(least)]
            }
        }
    }

    fn issuer(&self, claims: &Claims, key: &Key) -> Result<(), Refusal> {
        claims::issuer_of(claims, key, &self.party.issuer, &self.tenant)
    }

    fn person(&self, claims: &Claims) -> Result<Person, Refusal> {
        claims::person(claims)
    }
}
