//! Renewing a grant, as it is for all providers. Whether one is gone follows from definite words only, and a grant is only
//! renewed by the client that it was given to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::contract::{Actor, Context, Renewed, State, Trouble};
use crate::kernel::clock::Millis;

use super::grant::{Grant, another_client};
use super::house::House;
use super::refusal::Refusal;
use super::scopes::Scope;
use super::tokens::{Outcome, Tokens};

/// Renews a grant, once.
///
/// # Errors
/// When there was no definite answer.
pub async fn renew(house: &dyn House, cx: &Context, secret: State) -> Result<Renewed, Trouble> {
    let (grant, party) = (Grant::read(secret)?, house.party());
    if grant.client_id != party.client_id {
        return Ok(another_client());
    }
    let refresh = grant.refresh_token.clone().ok_or(Trouble::bug("nothing_to_renew"))?;
    let asked = cx.clock.now();
    let scope = house.renewing(&grant);
    let more: Vec<_> = scope.as_deref().map(|scope| ("scope", scope)).into_iter().collect();
    match party.renew(cx, &refresh, &more).await.map_err(Refusal::trouble)? {
        Outcome::Granted(tokens) => fresh(house, grant, &tokens, asked),
        Outcome::Denied(denial) => {
            house.log(&denial);
            match house.gone(&denial) {
                Some(cause) => {
                    let administered = matches!(cause, "policy_blocked" | "account_blocked");
                    let actor = if administered { Actor::Admin } else { Actor::Person };
                    Ok(Renewed::Gone { cause: cause.to_owned(), actor })
                }
                None => Err(house.denied(&denial).trouble()),
            }
        }
    }
}

/// What came back, compared with what the grant ever held: what its person has taken back since is told, and a grant
/// without what is required is kept, and not enough. What is only required since it was given is no reason to end it.
fn fresh(house: &dyn House, grant: Grant, tokens: &Tokens, asked: Millis) -> Result<Renewed, Trouble> {
    let compare = |held: &[String]| house.wanted().compare(Some(held), house.spelling());
    // A reply without scopes says that they are the same as before (RFC 6749, 5.1 and 6).
    let told = tokens.scopes.as_deref().filter(|scopes| !scopes.is_empty());
    let (before, now) = (compare(&grant.ever_granted()), compare(told.unwrap_or(&grant.scopes)));
    let taken = |now: &[Scope], before: &[Scope]| -> Vec<String> {
        let taken = now.iter().filter(|scope| !before.contains(scope));
        taken.map(|scope| scope.name.clone()).collect()
    };
    let mut lost = taken(&now.missing, &before.missing);
    let short = !lost.is_empty();
    if short {
        // So that all of it is there again when the person gives it back.
        lost.extend(taken(&now.lacking, &before.lacking));
    }
    let lacking: Vec<&Scope> = now.missing.iter().chain(&now.lacking).collect();
    let missing = match lacking.is_empty() {
        true => Value::Null,
        false => lacking.iter().map(|scope| &*scope.name).collect(),
    };
    let details = [("scopes", json!(now.granted)), ("missing_scopes", missing)];
    let details: BTreeMap<_, _> = details.map(|(name, value)| (name.to_owned(), value)).into();
    let secret = Grant { lost, ..grant.renewed(tokens, now.granted, asked) }.write()?;
    if short {
        tracing::info!(provider = house.voice().slug, "a grant lacks what is required");
        let (cause, actor) = ("missing_scopes".to_owned(), Actor::Person);
        return Ok(Renewed::Short { secret, details, cause, actor });
    }
    Ok(Renewed::Fresh { secret, details })
}
