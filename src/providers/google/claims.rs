//! Who signed in, as Google says it: in the ID token, and at the userinfo address, which also proves that the token works.

use serde::Deserialize;

use crate::contract::Context;

use super::super::oauth::endpoint;
use super::super::oauth::id_token::Claims;
use super::super::oauth::json;
use super::super::oauth::refusal::Refusal;
use super::super::oauth::tokens::Tokens;
use super::places::Places;

/// A Google account.
#[derive(Debug, PartialEq, Eq)]
pub struct Person {
    /// Google's own id.
    pub id: String,
    /// The address; where Google does not say it, there is none.
    pub address: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The organisation, for accounts that belong to one.
    pub organisation: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Userinfo {
    sub: Option<String>,
    email: Option<String>,
    name: Option<String>,
    hd: Option<String>,
}

/// Whether an ID token is Google's.
///
/// # Errors
/// When it names somebody else.
pub fn issuer(claims: &Claims, places: &Places) -> Result<(), Refusal> {
    let ours = places.issuers.iter().any(|issuer| issuer == claims.issuer());
    if ours { Ok(()) } else { Err(Refusal::invalid("id_token_issuer")) }
}

/// Asks Google with the new token whose it is, and holds it against the ID token. Without one, its own word counts: the
/// token came from Google to us.
///
/// # Errors
/// When it does not say, or says somebody else.
pub async fn person(
    cx: &Context,
    places: &Places,
    tokens: &Tokens,
    claims: Option<&Claims>,
) -> Result<Person, Refusal> {
    let reply = endpoint::get(cx, &places.userinfo, Some(&tokens.access), endpoint::USERINFO).await?;
    if !reply.status.is_success() {
        return Err(Refusal::invalid("userinfo_refused"));
    }
    let info: Userinfo =
        serde_json::from_slice(&reply.body).map_err(|_| Refusal::invalid("userinfo_not_json"))?;
    match claims {
        Some(claims) => merge(claims, info),
        None => {
            let sub = info.sub.clone().filter(|sub| (1..=255).contains(&sub.len()) && sub.is_ascii());
            let sub = sub.ok_or(Refusal::invalid("userinfo_sub"))?;
            merge(&Claims::about(sub), info)
        }
    }
}

fn merge(claims: &Claims, info: Userinfo) -> Result<Person, Refusal> {
    if info.sub.as_deref() != Some(claims.subject()) {
        return Err(Refusal::invalid("userinfo_sub"));
    }
    let first = |one: &Option<String>, other: &Option<String>, read: fn(&str) -> Option<String>| {
        one.as_deref().and_then(read).or_else(|| other.as_deref().and_then(read))
    };
    Ok(Person {
        id: claims.subject().to_owned(),
        address: first(&claims.email, &info.email, json::address),
        name: first(&claims.name, &info.name, json::shown),
        organisation: first(&claims.hd, &info.hd, json::shown),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_token_lacks_comes_from_userinfo_of_the_same_person() {
        let claims = |text: &str| serde_json::from_str::<Claims>(text).unwrap();
        let info = |sub: Option<&str>| Userinfo {
            sub: sub.map(str::to_owned),
            email: Some("ada@example.org".into()),
            name: Some("Ada".into()),
            hd: None,
        };
        let person = merge(&claims(r#"{"sub":"1","name":"Ada L."}"#), info(Some("1"))).unwrap();
        assert_eq!(person.address.as_deref(), Some("ada@example.org"));
        assert_eq!((person.name.as_deref(), person.organisation), (Some("Ada L."), None));
        for other in [None, Some(""), Some("2")] {
            let told = merge(&claims(r#"{"sub":"1"}"#), info(other)).unwrap_err();
            assert_eq!(told.code, "userinfo_sub");
        }
    }
}
