//! Who signed in, as Google says it: in the ID token, and at the userinfo address, which also proves that the token works.

use serde::Deserialize;

use crate::contract::Context;

use super::super::oauth::endpoint;
use super::super::oauth::house::Person;
use super::super::oauth::id_token::Claims;
use super::super::oauth::json;
use super::super::oauth::refusal::Refusal;
use super::super::oauth::tokens::Tokens;
use super::places::Places;

/// What the userinfo address says of the token's person.
#[derive(Debug, Default, Deserialize)]
pub struct Userinfo {
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

/// Who signed in, by a token that was accepted.
pub fn person(claims: &Claims) -> Person {
    Person {
        identity: claims.subject().to_owned(),
        tenant: claims.hd.as_deref().and_then(json::shown),
        address: claims.email.as_deref().and_then(json::address),
        login: None,
        name: claims.name.as_deref().and_then(json::shown),
    }
}

/// Asks Google with the new token whose it is.
///
/// # Errors
/// When it does not say.
pub async fn userinfo(cx: &Context, places: &Places, tokens: &Tokens) -> Result<Userinfo, Refusal> {
    let reply = endpoint::get(cx, &places.userinfo, Some(&tokens.access), endpoint::USERINFO).await?;
    if !reply.status.is_success() {
        return Err(Refusal::invalid("userinfo_refused"));
    }
    serde_json::from_slice(&reply.body).map_err(|_| Refusal::invalid("userinfo_not_json"))
}

/// Whose a token is by the answer alone.
///
/// # Errors
/// When it does not say.
pub fn person_of(info: &Userinfo) -> Result<Person, Refusal> {
    let id = info.sub.clone().filter(|sub| (1..=255).contains(&sub.len()) && sub.is_ascii());
    let identity = id.ok_or(Refusal::invalid("userinfo_sub"))?;
    Ok(merge(Person { identity, tenant: None, address: None, login: None, name: None }, info))
}

/// Whether it is about the person whom the ID token names.
///
/// # Errors
/// When it is not.
pub fn same(person: &Person, info: &Userinfo) -> Result<(), Refusal> {
    let same = info.sub.as_deref() == Some(&*person.identity);
    if same { Ok(()) } else { Err(Refusal::invalid("userinfo_sub")) }
}

/// Adds what the ID token lacks.
pub fn merge(person: Person, info: &Userinfo) -> Person {
    let told = |text: &Option<String>, read: fn(&str) -> Option<String>| text.as_deref().and_then(read);
    Person {
        address: person.address.or_else(|| told(&info.email, json::address)),
        name: person.name.or_else(|| told(&info.name, json::shown)),
        tenant: person.tenant.or_else(|| told(&info.hd, json::shown)),
        ..person
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_token_lacks_comes_from_userinfo_of_the_same_person() {
        let claims = |text: &str| person(&serde_json::from_str::<Claims>(text).unwrap());
        let info = |sub: Option<&str>| Userinfo {
            sub: sub.map(str::to_owned),
            email: Some("ada@example.org".into()),
            name: Some("Ada".into()),
            hd: None,
        };
        let person = merge(claims(r#"{"sub":"1","name":"Ada L."}"#), &info(Some("1")));
        assert_eq!(person.address.as_deref(), Some("ada@example.org"));
        assert_eq!((person.name.as_deref(), &person.tenant), (Some("Ada L."), &None));
        assert_eq!(same(&person, &info(Some("1"))), Ok(()));
        for other in [None, Some(""), Some("2")] {
            assert_eq!(same(&person, &info(other)).unwrap_err().code, "userinfo_sub");
        }
    }
}
