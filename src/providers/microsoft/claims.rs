//! Microsoft's rules for ID tokens: an issuer for each tenant, keys that may be tied to one, and an account that is known
//! by its tenant and its id there. Addresses and names can be changed by anybody's administrator and identify nobody.

use url::Url;

use super::super::oauth::house::Person;
use super::super::oauth::id_token::Claims;
use super::super::oauth::json;
use super::super::oauth::keys::Key;
use super::super::oauth::refusal::Refusal;
use super::tenant::{PERSONAL, Tenant, is_guid};

/// Stands for the tenant in an issuer.
pub const PLACEHOLDER: &str = "{tenantid}";

/// The issuer of every tenant, the tenant left open.
pub fn template(base: &Url) -> String {
    format!("{}/{PLACEHOLDER}/v2.0", base.as_str().trim_end_matches('/'))
}

/// Whether a token comes from the tenant that it names, that tenant's accounts may sign in, and the key may speak for it.
///
/// # Errors
/// Which of these does not hold.
pub fn issuer(claims: &Claims, key: Option<&str>, template: &str, tenant: &Tenant) -> Result<(), Refusal> {
    let id =
        claims.tid.as_deref().filter(|id| is_guid(id)).ok_or(Refusal::invalid("id_token_tenant_missing"))?;
    if claims.issuer() != template.replace(PLACEHOLDER, id) {
        return Err(Refusal::invalid("id_token_issuer"));
    }
    if key.is_some_and(|issuer| issuer.replace(PLACEHOLDER, id) != claims.issuer()) {
        return Err(Refusal::invalid("id_token_key_issuer"));
    }
    if tenant.admits(id) { Ok(()) } else { Err(Refusal::invalid("id_token_tenant")) }
}

/// The same with the key itself.
///
/// # Errors
/// See [`issuer`].
pub fn issuer_of(claims: &Claims, key: &Key, template: &str, tenant: &Tenant) -> Result<(), Refusal> {
    issuer(claims, key.issuer.as_deref(), template, tenant)
}

/// Who signed in, by a token that was accepted.
///
/// # Errors
/// When it does not name the account.
pub fn person(claims: &Claims) -> Result<Person, Refusal> {
    let id = |value: &Option<String>| value.as_deref().filter(|id| is_guid(id)).map(str::to_ascii_lowercase);
    let tenant = id(&claims.tid).ok_or(Refusal::invalid("id_token_tenant_missing"))?;
    let person = id(&claims.oid).ok_or(Refusal::invalid("id_token_oid"))?;
    let login = claims.preferred_username.as_deref().and_then(json::address);
    let email = claims.email.as_deref().and_then(json::address);
    let domain = |address: &Option<String>| {
        address
            .as_deref()
            .and_then(|text| text.rsplit_once('@'))
            .map(|(_, domain)| domain.to_ascii_lowercase())
    };
    // Whoever administers a tenant can write anybody's address into `email`. One of a domain that the tenant has proven,
    // or of the same domain as the name to sign in with, is taken before that name, any other after it.
    let own = claims.xms_edov || tenant == PERSONAL || domain(&email) == domain(&login);
    let address = match own {
        true => email.or_else(|| login.clone()),
        false => login.clone().or(email),
    };
    Ok(Person {
        identity: format!("{tenant}/{person}"),
        tenant: Some(tenant),
        address,
        login,
        name: claims.name.as_deref().and_then(json::shown),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORK: &str = "11111111-2222-3333-4444-555555555555";
    const TEMPLATE: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";

    fn claims(tid: &str, iss: &str) -> Claims {
        serde_json::from_value(serde_json::json!({ "tid": tid, "iss": iss })).unwrap()
    }

    fn told(tid: &str, iss: &str, key: Option<&str>, tenant: &str) -> Result<(), &'static str> {
        let tenant = Tenant::parse(tenant).unwrap();
        issuer(&claims(tid, iss), key, TEMPLATE, &tenant).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_token_comes_from_the_tenant_it_names() {
        let of = |tenant: &str| TEMPLATE.replace(PLACEHOLDER, tenant);
        assert_eq!(template(&Url::parse("https://login.microsoftonline.com").unwrap()), TEMPLATE);
        for key in [None, Some(TEMPLATE), Some(&*of(WORK))] {
            assert_eq!(told(WORK, &of(WORK), key, "common"), Ok(()), "{key:?}");
        }
        assert_eq!(told(PERSONAL, &of(PERSONAL), Some(&of(PERSONAL)), "consumers"), Ok(()));
        assert_eq!(told(WORK, &of(PERSONAL), None, "common"), Err("id_token_issuer"));
        assert_eq!(told(WORK, TEMPLATE, None, "common"), Err("id_token_issuer"));
        assert_eq!(told(WORK, &format!("{}/", of(WORK)), None, "common"), Err("id_token_issuer"));
        assert_eq!(told(PLACEHOLDER, TEMPLATE, None, "common"), Err("id_token_tenant_missing"));
        assert_eq!(told("../evil", &of("../evil"), None, "common"), Err("id_token_tenant_missing"));
        assert_eq!(told(WORK, &of(WORK), Some(&of(PERSONAL)), "common"), Err("id_token_key_issuer"));
        assert_eq!(told(PERSONAL, &of(PERSONAL), None, "organizations"), Err("id_token_tenant"));
        assert_eq!(told(WORK, &of(WORK), None, PERSONAL), Err("id_token_tenant"));
    }

    #[test]
    fn an_account_is_known_by_tenant_and_id_and_never_by_its_address() {
        let claims = |more: serde_json::Value| serde_json::from_value::<Claims>(more).unwrap();
        let oid = "AAAAAAAA-0000-0000-0000-000000000001";
        let full = serde_json::json!({ "tid": WORK, "oid": oid, "preferred_username": "ada@contoso.example",
            "email": "ada.l@contoso.example", "name": "Ada\u{7}" });
        let full = person(&claims(full)).unwrap();
        assert_eq!(full.identity, format!("{WORK}/{}", oid.to_lowercase()));
        assert_eq!(full.address.as_deref(), Some("ada.l@contoso.example"));
        assert_eq!((full.login.as_deref(), full.name.as_deref()), (Some("ada@contoso.example"), Some("Ada")));
        let bare = person(&claims(serde_json::json!({ "tid": WORK, "oid": oid }))).unwrap();
        assert_eq!((bare.address, bare.login), (None, None));
        // An address that anybody can be given by their own administrator does not stand for the account.
        let told = |email: &str, more: (&str, serde_json::Value)| {
            let login = "ada@contoso.example";
            let mut text =
                serde_json::json!({ "tid": WORK, "oid": oid, "preferred_username": login, "email": email });
            text[more.0] = more.1;
            person(&claims(text)).unwrap().address.unwrap()
        };
        let nothing = || ("x", serde_json::Value::Null);
        assert_eq!(told("ceo@bank.example", nothing()), "ada@contoso.example");
        assert_eq!(told("ada.l@Contoso.example", nothing()), "ada.l@Contoso.example");
        for yes in [serde_json::json!(true), serde_json::json!("1"), serde_json::json!(1)] {
            assert_eq!(told("ada@mail.example", ("xms_edov", yes)), "ada@mail.example");
        }
        for no in [serde_json::json!(false), serde_json::json!("0"), serde_json::json!(null)] {
            assert_eq!(told("ceo@bank.example", ("xms_edov", no)), "ada@contoso.example");
        }
        assert_eq!(told("ada@mail.example", ("tid", serde_json::json!(PERSONAL))), "ada@mail.example");
        assert_eq!(
            told("ceo@bank.example", ("preferred_username", serde_json::Value::Null)),
            "ceo@bank.example"
        );
        for odd in
            [serde_json::json!({ "tid": WORK }), serde_json::json!({ "tid": WORK, "oid": "ada@x.example" })]
        {
            assert_eq!(person(&claims(odd)).unwrap_err().code, "id_token_oid");
        }
    }
}
