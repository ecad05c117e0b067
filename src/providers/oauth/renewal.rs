//! Renewing a grant, as it is for all providers. Whether one is gone follows from definite words only, and a grant is only
//! renewed by the client that it was given to.

use crate::contract::{Context, Renewed, State, Trouble};

use super::grant::Grant;
use super::house::House;
use super::refusal::Refusal;
use super::tokens::Outcome;

/// Renews a grant, once.
///
/// # Errors
/// When there was no definite answer.
pub async fn renew(house: &dyn House, cx: &Context, secret: State) -> Result<Renewed, Trouble> {
    let (grant, party) = (Grant::read(secret)?, house.party());
    if grant.client_id != party.client_id {
        return Err(Trouble::bug("config_client_changed"));
    }
    let refresh = grant.refresh_token.clone().ok_or(Trouble::bug("nothing_to_renew"))?;
    let asked = cx.clock.now();
    let scope = house.renewing(&grant);
    let more: Vec<_> = scope.as_deref().map(|scope| ("scope", scope)).into_iter().collect();
    match party.renew(cx, &refresh, &more).await.map_err(Refusal::trouble)? {
        Outcome::Granted(tokens) => Ok(Renewed::Fresh(grant.renewed(&tokens, asked).write()?)),
        Outcome::Denied(denial) => {
            house.log(&denial);
            match house.gone(&denial) {
                Some(cause) => Ok(Renewed::Gone { cause: cause.to_owned() }),
                None => Err(house.denied(&denial).trouble()),
            }
        }
    }
}
