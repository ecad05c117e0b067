//! Leaving for a provider's pages and coming back from there, as it is for all of them. Always: once the ID token has been
//! accepted it is known whose the grant is, so that what is refused after that is given back; before, it cannot be.

use std::collections::BTreeMap;

use serde_json::json;

use crate::contract::{Answer, Connected, Context, Next, Notice, Profile, Trouble};

use super::callback::Brought;
use super::grant::{Grant, Holder};
use super::house::{House, Person};
use super::id_token::Claims;
use super::keys::Key;
use super::party::{Redeemed, Unredeemed};
use super::refusal::{Class, Refusal};
use super::scopes::Verdict;
use super::trip::{Place, Trip};

/// Why nobody is signed in, and what the provider wants to ask them next time.
struct Declined {
    refusal: Refusal,
    claims: Option<String>,
}

impl From<Refusal> for Declined {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, claims: None }
    }
}

/// A grant whose person is known.
struct Granted {
    redeemed: Redeemed,
    person: Person,
    /// Why it will not do all the same.
    doubt: Option<Refusal>,
}

/// Sends somebody to the provider's pages, with something to read before.
///
/// # Errors
/// When there is no way back, which is our own mistake.
pub fn leave(house: &dyn House, cx: &Context, place: Place, notice: Option<Notice>) -> Result<Next, Trouble> {
    let mut step = house.voice().sign_in(place.repairs.as_deref(), None);
    step.notice = notice;
    let (step, state) = house.depart(cx, place, step)?;
    Ok(Next::Step { step, state })
}

/// Sends somebody there once more, with what was wrong.
///
/// # Errors
/// When there is no way back, which is our own mistake.
pub fn refused<H: House + ?Sized>(
    house: &H,
    cx: &Context,
    place: Place,
    refusal: Refusal,
) -> Result<Next, Trouble> {
    let step = house.voice().sign_in(place.repairs.as_deref(), Some(refusal));
    let (step, state) = house.depart(cx, place, step)?;
    Ok(Next::Step { step, state })
}

/// Goes on with what somebody brought back.
///
/// # Errors
/// When nobody had left, which is our own mistake.
pub async fn returned(
    house: &dyn House,
    cx: &Context,
    mut place: Place,
    answer: &Answer,
) -> Result<Next, Trouble> {
    let trip = place.trip.take().ok_or(Trouble::bug("nobody_left"))?;
    match sign_in(house, cx, &trip, answer).await {
        Ok(granted) => settle(house, cx, place, granted),
        Err(Declined { refusal, claims }) => {
            refusal.log(house.voice().slug);
            place.claims = claims;
            house.refused(cx, place, refusal)
        }
    }
}

async fn sign_in(house: &dyn House, cx: &Context, trip: &Trip, answer: &Answer) -> Result<Granted, Declined> {
    let party = house.party();
    let code = match party.read(cx, trip, answer).await? {
        Brought::Code { code, .. } => code,
        Brought::Error(declined) => return Err(house.declined(&declined).into()),
    };
    let more: Vec<_> = house.redeeming().map(|scope| ("scope", scope)).into_iter().collect();
    let redeemed = match party.redeem(cx, trip, &code, &more).await {
        Ok(redeemed) => redeemed,
        Err(Unredeemed::Refused(refusal)) => return Err(refusal.into()),
        Err(Unredeemed::Denied(denial)) => {
            house.log(&denial);
            return Err(Declined { refusal: house.denied(&denial), claims: denial.claims });
        }
    };
    let issuer = |claims: &Claims, key: &Key| house.issuer(claims, key);
    let claims = party.judge(cx, trip, &redeemed, &issuer).await?;
    let person = house.person(&claims)?;
    let (person, doubt) = match house.confirm(cx, &redeemed.tokens, person).await {
        Ok(person) => (person, None),
        Err((person, refusal)) => (person, Some(refusal)),
    };
    Ok(Granted { redeemed, person, doubt })
}

/// Keeps what was granted, or gives it back when it will not do.
fn settle(house: &dyn House, cx: &Context, mut place: Place, granted: Granted) -> Result<Next, Trouble> {
    let Granted { redeemed, person, doubt } = granted;
    let verdict = house.wanted().compare(redeemed.tokens.scopes.as_deref(), house.spelling());
    let unfit = if doubt.is_some() {
        doubt
    } else if !verdict.missing.is_empty() {
        Some(Refusal::of(Class::MissingScopes))
    } else if redeemed.tokens.refresh.is_none() {
        Some(Refusal::of(Class::NoLastingAccess))
    } else {
        None
    };
    let signed = Box::new(connected(house, &redeemed, person, &verdict)?);
    let Some(refusal) = unfit else { return Ok(Next::Connected(signed)) };
    refusal.log(house.voice().slug);
    let mut step = house.voice().sign_in(place.repairs.as_deref(), Some(refusal));
    if refusal.class == Class::MissingScopes {
        step.facts = house.voice().missing(&verdict.missing);
    }
    place.consent |= doubt.is_none();
    let (step, state) = house.depart(cx, place, step)?;
    Ok(Next::Unfit { step, state, signed })
}

/// An account of what was granted to this person.
///
/// # Errors
/// None that could happen; plain values always become JSON.
pub fn connected(
    house: &dyn House,
    redeemed: &Redeemed,
    person: Person,
    verdict: &Verdict,
) -> Result<Connected, Trouble> {
    let lacking: Vec<&str> = verdict.lacking.iter().map(|scope| &*scope.name).collect();
    let mut details = BTreeMap::from([("scopes".to_owned(), json!(verdict.granted))]);
    if !lacking.is_empty() {
        details.insert("missing_scopes".to_owned(), json!(lacking));
    }
    for (name, text) in [("address", &person.address), ("name", &person.name), ("tenant", &person.tenant)] {
        if let Some(text) = text {
            details.insert(name.to_owned(), json!(text));
        }
    }
    let label = person.address.clone().unwrap_or_else(|| person.identity.clone());
    let party = house.party();
    let holder = Holder {
        client_id: &party.client_id,
        issuer: &party.issuer,
        tenant: person.tenant.as_deref(),
        login: person.login.as_deref().unwrap_or(&label),
    };
    let grant = Grant::new(&redeemed.tokens, verdict.granted.clone(), redeemed.asked, &holder);
    let secret = grant.write()?;
    let note = (!lacking.is_empty()).then(|| house.voice().say("success.partial"));
    Ok(Connected { identity: person.identity, profile: Profile { label, details, note }, secret })
}
