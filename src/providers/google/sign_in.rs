//! Leaving for Google and coming back from there.

use std::collections::BTreeMap;

use serde_json::json;

use crate::contract::{Answer, Connected, Context, Next, Profile, State, Step, Trouble};

use super::super::oauth::callback::Brought;
use super::super::oauth::grant::{Grant, Holder};
use super::super::oauth::party::{Redeemed, Unredeemed};
use super::super::oauth::refusal::{Class, Refusal};
use super::super::oauth::scopes::Verdict;
use super::super::oauth::trip::{Place, Trip};
use super::claims::{self, Person};
use super::{Google, SPELLING, VOICE};

impl Google {
    /// Sends somebody to Google, with what was wrong the last time.
    pub(super) fn leave(
        &self,
        cx: &Context,
        place: Place,
        refusal: Option<Refusal>,
    ) -> Result<(Box<Step>, State), Trouble> {
        let step = VOICE.sign_in(place.repairs.as_deref(), refusal);
        self.depart(cx, place, step)
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

    /// Goes on with what somebody brought back.
    pub(super) async fn returned(
        &self,
        cx: &Context,
        mut place: Place,
        answer: &Answer,
    ) -> Result<Next, Trouble> {
        let trip = place.trip.take().ok_or(Trouble::bug("nobody_left"))?;
        match self.sign_in(cx, &trip, answer).await {
            Ok((redeemed, person)) => self.settle(cx, place, &redeemed, person),
            Err(refusal) => {
                refusal.log(VOICE.slug);
                let (step, state) = self.leave(cx, place, Some(refusal))?;
                Ok(Next::Step { step, state })
            }
        }
    }

    async fn sign_in(
        &self,
        cx: &Context,
        trip: &Trip,
        answer: &Answer,
    ) -> Result<(Redeemed, Person), Refusal> {
        let code = match self.party.read(cx, trip, answer).await? {
            Brought::Code { code, .. } => code,
            Brought::Error(declined) => return Err(refusal(&declined.error)),
        };
        let redeemed =
            self.party.redeem(cx, trip, &code, &[]).await.map_err(|unredeemed| match unredeemed {
                Unredeemed::Refused(refusal) => refusal,
                Unredeemed::Denied(denial) => refusal(&denial.error),
            })?;
        let issuer = |claims: &_, _: &_| claims::issuer(claims, &self.places);
        let claims = self.party.judge(cx, trip, &redeemed, &issuer).await?;
        let person = claims::person(cx, &self.places, &redeemed.tokens, &claims).await?;
        Ok((redeemed, person))
    }

    /// Keeps what was granted, or gives it back when it will not do.
    fn settle(
        &self,
        cx: &Context,
        place: Place,
        redeemed: &Redeemed,
        person: Person,
    ) -> Result<Next, Trouble> {
        let verdict = self.wanted.compare(redeemed.tokens.scopes.as_deref(), SPELLING);
        let unfit = if !verdict.missing.is_empty() {
            Some(Refusal::of(Class::MissingScopes))
        } else if redeemed.tokens.refresh.is_none() {
            Some(Refusal::of(Class::NoLastingAccess))
        } else {
            None
        };
        let signed = Box::new(self.connected(redeemed, person, &verdict)?);
        let Some(refusal) = unfit else { return Ok(Next::Connected(signed)) };
        refusal.log(VOICE.slug);
        let mut step = VOICE.sign_in(place.repairs.as_deref(), Some(refusal));
        step.facts = VOICE.missing(&verdict.missing);
        let (step, state) = self.depart(cx, place, step)?;
        Ok(Next::Unfit { step, state, signed })
    }

    fn connected(
        &self,
        redeemed: &Redeemed,
        person: Person,
        verdict: &Verdict,
    ) -> Result<Connected, Trouble> {
        let lacking: Vec<&str> = verdict.lacking.iter().map(|scope| &*scope.name).collect();
        let mut details = BTreeMap::from([("scopes".to_owned(), json!(verdict.granted))]);
        if !lacking.is_empty() {
            details.insert("missing_scopes".to_owned(), json!(lacking));
        }
        for (name, text) in
            [("address", &person.address), ("name", &person.name), ("tenant", &person.organisation)]
        {
            if let Some(text) = text {
                details.insert(name.to_owned(), json!(text));
            }
        }
        let label = person.address.clone().unwrap_or_else(|| person.id.clone());
        let holder = Holder {
            client_id: &self.party.client_id,
            issuer: &self.party.issuer,
            tenant: person.organisation.as_deref(),
            login: &label,
        };
        let grant = Grant::new(&redeemed.tokens, verdict.granted.clone(), redeemed.asked, &holder);
        let secret = grant.write()?;
        let note = (!lacking.is_empty()).then(|| VOICE.say("success.partial"));
        Ok(Connected { identity: person.id, profile: Profile { label, details, note }, secret })
    }
}

/// What Google's word for an error means.
pub(super) fn refusal(error: &str) -> Refusal {
    match error {
        "deleted_client" | "disabled_client" => Refusal::new(Class::Setup, "config_client_invalid"),
        "admin_policy_enforced" | "access_not_configured" | "org_internal" | "policy_enforced" => {
            Refusal::of(Class::PolicyBlocked)
        }
        other => Refusal::of_the_protocol(other).unwrap_or(Refusal::invalid("provider_error_unknown")),
    }
}
