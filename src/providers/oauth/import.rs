//! A grant that is brought here from elsewhere: proved by renewing it once, and by learning from the provider whose it is;
//! and what is said to its backend where it will not do.

use crate::contract::{Context, Imported, State, Trouble};
use crate::kernel::secret::Secret;

use super::super::brought::{Values, unfit};
use super::house::{House, Person};
use super::id_token::Claims;
use super::keys::Key;
use super::party::{Redeemed, Unredeemed};
use super::refusal::{Class, Refusal};
use super::scopes::{Spelling, Verdict, Wanted};
use super::sign_in::connected;

/// What a refresh token is called from outside.
const TOKEN: &str = "credentials.refresh_token";
const SCOPES: &str = "credentials.scopes";
/// What a refusal is called whose reason is a scope.
const SCOPE_INVALID: &str = "config_scope_invalid";

/// What was brought.
struct Brought {
    /// The token for renewing.
    refresh: Secret,
    /// What was granted, as whoever brought it says; it counts only where the provider says nothing.
    scopes: Option<Vec<String>>,
}

/// Proves a grant that was given to our client elsewhere.
///
/// # Errors
/// When there was no definite answer.
pub async fn prove(house: &dyn House, cx: &Context, brought: &State) -> Result<Imported, Trouble> {
    let brought = match read(brought) {
        Ok(brought) => brought,
        Err(wrong) => return Ok(wrong),
    };
    let refuse = |refusal: Refusal| {
        refusal.log(house.voice().slug);
        refused(refusal)
    };
    let said = brought.scopes.as_deref();
    let redeemed = match renew(house, cx, &brought.refresh, said).await {
        Ok(redeemed) => redeemed,
        // Asked for what our caller named, and not for what our operator did.
        Err(refusal) if refusal.code == SCOPE_INVALID && house.proving(said) != house.proving(None) => {
            refusal.log(house.voice().slug);
            return Ok(unfit(SCOPES, "names what the provider does not know"));
        }
        Err(refusal) => return refuse(refusal),
    };
    let granted = redeemed.tokens.scopes.as_deref();
    let verdict = match fit(house.wanted(), granted, said, house.spelling()) {
        Ok(verdict) => verdict,
        Err(wrong) => return Ok(wrong),
    };
    match person(house, cx, &redeemed).await {
        Ok(person) => Ok(Imported::Connected(Box::new(connected(house, &redeemed, person, &verdict)?))),
        Err(refusal) => refuse(refusal),
    }
}

async fn renew(
    house: &dyn House,
    cx: &Context,
    refresh: &Secret,
    said: Option<&[String]>,
) -> Result<Redeemed, Refusal> {
    let tries = house.proving(said);
    let mut tries = tries.iter().map(String::as_str);
    let mut scope = tries.next();
    loop {
        let more: Vec<_> = scope.map(|scope| ("scope", scope)).into_iter().collect();
        let refusal = match house.party().prove(cx, refresh.clone(), &more).await {
            Ok(redeemed) => return Ok(redeemed),
            Err(Unredeemed::Refused(refusal)) => refusal,
            Err(Unredeemed::Denied(denial)) => {
                house.log(&denial);
                house.denied(&denial)
            }
        };
        // Asked for more than was granted, some give nothing.
        let too_much = matches!(refusal.class, Class::ApprovalRequired | Class::InteractionRequired);
        scope = tries.next().filter(|_| too_much);
        if scope.is_none() {
            return Err(refusal);
        }
    }
}

async fn person(house: &dyn House, cx: &Context, redeemed: &Redeemed) -> Result<Person, Refusal> {
    let issuer = |claims: &Claims, key: &Key| house.issuer(claims, key);
    match house.party().judge_renewed(cx, redeemed, &issuer).await? {
        Some(claims) => {
            let person = house.person(&claims)?;
            house.confirm(cx, &redeemed.tokens, person).await.map_err(|(_, refusal)| refusal)
        }
        None => house.person_of(cx, &redeemed.tokens).await,
    }
}

/// Reads it.
fn read(brought: &State) -> Result<Brought, Imported> {
    let mut values = Values::of(brought);
    let refresh = values.secret("refresh_token", TOKEN);
    let scopes = values.words("scopes", SCOPES);
    match refresh {
        Some(refresh) if values.is_fine() => Ok(Brought { refresh, scopes }),
        _ => Err(values.unfit()),
    }
}

/// What was granted of what is asked for.
fn fit(
    wanted: &Wanted,
    granted: Option<&[String]>,
    brought: Option<&[String]>,
    spelling: Spelling,
) -> Result<Verdict, Imported> {
    let Some(granted) = granted.or(brought) else {
        return Err(unfit(SCOPES, "is required: the provider does not say what was granted"));
    };
    let verdict = wanted.compare(Some(granted), spelling);
    if verdict.missing.is_empty() {
        return Ok(verdict);
    }
    let names: Vec<_> = verdict.missing.iter().map(|scope| &*scope.name).collect();
    let rule =
        format!("was not granted everything that this server asks for: {} is missing", names.join(", "));
    Err(unfit(TOKEN, rule))
}

/// What a refusal means for whoever brought the token. What is nobody's fault, or the operator's, is no answer about it.
fn refused(refusal: Refusal) -> Result<Imported, Trouble> {
    match refusal.class {
        Class::Setup if refusal.code != "config_client_unauthorized" => Err(refusal.trouble()),
        Class::ProviderUnavailable => Err(refusal.trouble()),
        _ => Ok(unfit(
            TOKEN,
            format!(
                "was refused by the provider ({}); it must have been given to the client that this server is set up with",
                refusal.code
            ),
        )),
    }
}
