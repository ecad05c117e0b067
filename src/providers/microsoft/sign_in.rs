//! Leaving for Microsoft and coming back from there.

use std::collections::BTreeMap;

use serde_json::json;

use crate::contract::{
    Alternative, Answer, Connected, Context, Next, Notice, Profile, State, Step, Trouble as Failing,
};

use super::super::oauth::callback::Brought;
use super::super::oauth::grant::{Grant, Holder};
use super::super::oauth::party::{Redeemed, Unredeemed};
use super::super::oauth::refusal::{Class, Refusal};
use super::super::oauth::scopes::Verdict;
use super::super::oauth::tokens::Tokens;
use super::super::oauth::trip::{Place, Trip};
use super::aadsts::{self, Trouble};
use super::claims::{self, Person};
use super::{Microsoft, SPELLING, VOICE, approval};

/// Why somebody is not signed in, and what Microsoft wants to ask them next time.
struct Declined {
    refusal: Refusal,
    claims: Option<String>,
}

impl From<Refusal> for Declined {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, claims: None }
    }
}

impl Microsoft {
    /// Sends somebody to Microsoft, with something to read before.
    pub(super) fn leave(&self, cx: &Context, place: Place, notice: Option<Notice>) -> Result<Next, Failing> {
        let mut step = VOICE.sign_in(place.repairs.as_deref(), None);
        step.notice = notice;
        let (step, state) = self.depart(cx, place, step)?;
        Ok(Next::Step { step, state })
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

    /// Goes on with what somebody brought back.
    pub(super) async fn returned(
        &self,
        cx: &Context,
        mut place: Place,
        answer: &Answer,
    ) -> Result<Next, Failing> {
        let trip = place.trip.take().ok_or(Failing::bug("nobody_left"))?;
        match self.sign_in(cx, &trip, answer).await {
            Ok((redeemed, person)) => self.settle(cx, place, &redeemed, person),
            Err(declined) => {
                declined.refusal.log(VOICE.slug);
                place.claims = declined.claims;
                if declined.refusal.class == Class::ApprovalRequired && self.may_need_approval() {
                    return self.approval_required(cx, place, declined.refusal);
                }
                let step = VOICE.sign_in(place.repairs.as_deref(), Some(declined.refusal));
                let (step, state) = self.depart(cx, place, step)?;
                Ok(Next::Step { step, state })
            }
        }
    }

    async fn sign_in(
        &self,
        cx: &Context,
        trip: &Trip,
        answer: &Answer,
    ) -> Result<(Redeemed, Person), Declined> {
        let code = match self.party.read(cx, trip, answer).await? {
            Brought::Code { code, .. } => code,
            Brought::Error(declined) => return Err(Trouble::from(&declined).refusal().into()),
        };
        let more = [("scope", &*self.scope)];
        let redeemed = match self.party.redeem(cx, trip, &code, &more).await {
            Ok(redeemed) => redeemed,
            Err(Unredeemed::Refused(refusal)) => return Err(refusal.into()),
            Err(Unredeemed::Denied(denial)) => {
                aadsts::log(&denial);
                let refusal = Trouble::from(&*denial).refusal();
                return Err(Declined { refusal, claims: denial.claims });
            }
        };
        let issuer = |claims: &_, key: &_| claims::issuer_of(claims, key, &self.party.issuer, &self.tenant);
        let claims = self.party.judge(cx, trip, &redeemed, &issuer).await?;
        let person = claims::person(&claims)?;
        Ok((redeemed, person))
    }

    /// Keeps what was granted, or gives it back when it will not do.
    fn settle(
        &self,
        cx: &Context,
        mut place: Place,
        redeemed: &Redeemed,
        person: Person,
    ) -> Result<Next, Failing> {
        let verdict = self.verdict(&redeemed.tokens);
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
        place.consent = true;
        let (step, state) = self.depart(cx, place, step)?;
        Ok(Next::Unfit { step, state, signed })
    }

    fn verdict(&self, tokens: &Tokens) -> Verdict {
        self.wanted.compare(tokens.scopes.as_deref(), SPELLING)
    }

    fn connected(
        &self,
        redeemed: &Redeemed,
        person: Person,
        verdict: &Verdict,
    ) -> Result<Connected, Failing> {
        let lacking: Vec<&str> = verdict.lacking.iter().map(|scope| &*scope.name).collect();
        let mut details = BTreeMap::from([
            ("tenant".to_owned(), json!(person.tenant)),
            ("scopes".to_owned(), json!(verdict.granted)),
        ]);
        if !lacking.is_empty() {
            details.insert("missing_scopes".to_owned(), json!(lacking));
        }
        for (name, text) in [("address", &person.address), ("name", &person.name)] {
            if let Some(text) = text {
                details.insert(name.to_owned(), json!(text));
            }
        }
        let label = person.address.clone().unwrap_or_else(|| person.identity.clone());
        let holder = Holder {
            client_id: &self.party.client_id,
            issuer: &self.party.issuer,
            tenant: Some(&person.tenant),
            login: person.login.as_deref().unwrap_or(&label),
        };
        let grant = Grant::new(&redeemed.tokens, verdict.granted.clone(), redeemed.asked, &holder);
        let secret = grant.write()?;
        let note = (!lacking.is_empty()).then(|| VOICE.say("success.partial"));
        Ok(Connected { identity: person.identity, profile: Profile { label, details, note }, secret })
    }
}
