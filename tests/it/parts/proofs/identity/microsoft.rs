//! What is Microsoft's own.

use super::App;
use super::client::{CALLBACK, fields, has_scopes, part};
use crate::parts::identity::House;
use crate::parts::visitor::{Choices, Walk};
use serde_json::{Value, json};

const ANN: &str = "ann.lee@example.com";
const PAUL: &str = "paul@outlook.com";
const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
const READ: &str = "https://graph.microsoft.com/User.Read";
const MAIL: &str = "https://graph.microsoft.com/Mail.ReadWrite";
const IMAP: &str = "https://outlook.office.com/IMAP.AccessAsUser.All";
const WHOLE: (&str, &str) = (
    "scope",
    "openid email profile offline_access https://graph.microsoft.com/Mail.ReadWrite https://outlook.office.com/IMAP.AccessAsUser.All",
);

async fn microsoft() -> App {
    App::at(House::Microsoft).await
}

async fn at_tenant(tenant: &str, settings: Value) -> App {
    let mut app = App::with(House::Microsoft, settings).await;
    app.tenant = tenant.to_owned();
    app
}

fn code(said: &Value) -> u64 {
    said["error_codes"][0].as_u64().unwrap_or_else(|| panic!("{said}"))
}

#[tokio::test]
async fn microsoft_writes_id_tokens_by_tenant_and_by_application() {
    let app = microsoft().await;
    let back = app.callback(&[WHOLE, ("prompt", "select_account")], ANN).await;
    assert!(!back.contains_key("iss") && back.contains_key("session_state"), "{back:?}");
    let (_, tokens) = app.redeem(&back["code"]).await;
    let claims = part(&tokens["id_token"], 1);
    let tenant = app.identity.tenant("example.com").await;
    assert_eq!(claims["iss"], format!("{}/{tenant}/v2.0", app.identity.origin()));
    assert_eq!(
        (&claims["tid"], &claims["aud"], &claims["ver"]),
        (&json!(tenant), &json!(app.client.id), &json!("2.0"))
    );
    assert_eq!((&claims["preferred_username"], &claims["email"]), (&json!(ANN), &json!(ANN)));
    assert_eq!(claims["nonce"], "the-nonce");

    let other = App::with(House::Microsoft, json!({ "email_claim": false })).await;
    let there = part(&other.tokens(&[WHOLE], ANN).await["id_token"], 1);
    assert_eq!((&there["oid"], &there["tid"]), (&claims["oid"], &claims["tid"]));
    assert!(there["sub"] != claims["sub"] && there["email"].is_null(), "{there}");
    let personal = app.tokens(&[WHOLE], PAUL).await;
    assert_eq!(part(&personal["id_token"], 1)["tid"], PERSONAL);

    let (status, info) = app.userinfo(tokens["access_token"].as_str().unwrap()).await;
    assert_eq!((status, &info["sub"]), (200, &claims["sub"]), "{info}");

    // Which key may sign for whom stands beside the key.
    let keys = app
        .identity
        .send("GET", &app.identity.at("/common/discovery/v2.0/keys"), &[], "")
        .await
        .unwrap()
        .json();
    let issuer = |tokens: &Value| {
        let kid = part(&tokens["id_token"], 0)["kid"].clone();
        keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap()["issuer"].clone()
    };
    assert_eq!(issuer(&tokens), app.identity.at("/{tenantid}/v2.0"));
    assert_eq!(issuer(&personal), app.identity.at(&format!("/{PERSONAL}/v2.0")));
}

#[tokio::test]
async fn microsoft_announces_a_template_for_several_tenants() {
    let app = microsoft().await;
    let tenant = app.identity.tenant("example.com").await;
    for (path, issuer) in [
        ("common", "{tenantid}"),
        ("organizations", "{tenantid}"),
        ("consumers", PERSONAL),
        (&tenant, &tenant),
        ("example.com", &tenant),
    ] {
        let url = app.identity.at(&format!("/{path}/v2.0/.well-known/openid-configuration"));
        let said = app.identity.send("GET", &url, &[], "").await.unwrap().json();
        assert_eq!(said["issuer"], app.identity.at(&format!("/{issuer}/v2.0")));
        assert_eq!(said["token_endpoint"], app.identity.at(&format!("/{path}/oauth2/v2.0/token")));
        assert!(said["revocation_endpoint"].is_null());
        assert!(said["authorization_response_iss_parameter_supported"].is_null());
    }
    assert_eq!(app.identity.post("/common/oauth2/v2.0/revoke", &[("token", "x")]).await.0, 404);
}

#[tokio::test]
async fn microsoft_lets_each_account_in_at_its_tenants_only() {
    let tenant = microsoft().await.identity.tenant("example.com").await;
    for (path, person, words) in [
        ("consumers", ANN, "work or school account"),
        ("organizations", PAUL, "personal account"),
        (tenant.as_str(), "bob@elsewhere.example", "AADSTS50020"),
        (&tenant, PAUL, "AADSTS50020"),
    ] {
        let app = at_tenant(path, json!({})).await;
        let (_, page) = app.stuck(&[WHOLE], person).await;
        assert!(page.contains(words), "{path} {person}: {page}");
    }
    for (path, person) in [("consumers", PAUL), ("organizations", ANN), (&tenant, ANN), ("common", PAUL)] {
        at_tenant(path, json!({})).await.tokens(&[WHOLE], person).await;
    }
    for (path, settings, number) in [
        ("common", json!({ "audience": "AzureADMyOrg", "home_tenant": tenant }), "50194"),
        ("consumers", json!({ "audience": "AzureADMultipleOrgs" }), "9002332"),
        ("common", json!({ "audience": "PersonalMicrosoftAccount" }), "9002331"),
        ("00000000-1111-4222-a333-444444444444", json!({}), "90002"),
    ] {
        let app = at_tenant(path, settings).await;
        let (_, page) = app.stuck(&[WHOLE], ANN).await;
        assert!(page.contains(&format!("AADSTS{number}:")), "{path}: {page}");
    }
    let own = at_tenant(&tenant, json!({ "audience": "AzureADMyOrg", "home_tenant": tenant })).await;
    own.tokens(&[WHOLE], ANN).await;
}

#[tokio::test]
async fn microsoft_redeems_a_code_where_it_was_asked_for() {
    let mut app = microsoft().await;
    let back = app.callback(&[WHOLE], ANN).await;
    app.tenant = "organizations".to_owned();
    let (status, said) = app.redeem(&back["code"]).await;
    assert_eq!((status, code(&said), &said["error"]), (400, 700005, &json!("invalid_grant")));
    app.tenant = "common".to_owned();
    assert_eq!(app.redeem(&back["code"]).await.0, 200);
    let (_, said) = app.redeem(&back["code"]).await;
    assert_eq!((code(&said), &said["error"]), (54005, &json!("invalid_grant")));
    for member in ["error_description", "timestamp", "trace_id", "correlation_id"] {
        assert!(said[member].is_string(), "{said}");
    }
}

#[tokio::test]
async fn microsoft_gives_a_token_for_one_resource_at_a_time() {
    let app = microsoft().await;
    let back = app.callback(&[WHOLE], ANN).await;
    let grant =
        [("grant_type", "authorization_code"), ("code", back["code"].as_str()), ("redirect_uri", CALLBACK)];
    let (status, said) = app.token(&[&grant[..], &[WHOLE]].concat()).await;
    assert_eq!((status, code(&said)), (400, 28000), "{said}");
    let (status, said) =
        app.token(&[&grant[..], &[("scope", "https://graph.microsoft.com/No.Such")]].concat()).await;
    assert_eq!((status, code(&said), &said["error"]), (400, 70011, &json!("invalid_scope")));
    let (_, graph) = app.token(&[&grant[..], &[("scope", MAIL)]].concat()).await;
    assert!(has_scopes(&graph, &["openid", "email", "profile", MAIL]), "{graph}");

    let token = graph["refresh_token"].as_str().unwrap();
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let spelt = "https://outlook.office365.com/IMAP.AccessAsUser.All offline_access";
    let (_, mail) = app.token(&[&refresh[..], &[("scope", spelt)]].concat()).await;
    assert!(mail["scope"].as_str().unwrap().contains(IMAP), "{mail}");
    assert!(!mail["scope"].as_str().unwrap().contains("graph"), "{mail}");
    // Graph's userinfo is no place for it.
    let (status, said) = app.userinfo(mail["access_token"].as_str().unwrap()).await;
    assert_eq!((status, &said["error"]["code"]), (401, &json!("InvalidAuthenticationToken")));
    let (_, said) =
        app.token(&[&refresh[..], &[("scope", "https://graph.microsoft.com/Mail.Send")]].concat()).await;
    assert_eq!((code(&said), &said["suberror"]), (65001, &json!("consent_required")));
}

#[tokio::test]
async fn microsoft_changes_refresh_tokens_and_takes_the_old_ones() {
    let app = microsoft().await;
    let none = app.tokens(&[("scope", "openid https://graph.microsoft.com/User.Read")], ANN).await;
    assert!(none["refresh_token"].is_null(), "{none}");
    assert!(has_scopes(&none, &["openid", READ]), "{none}");
    let first = app.tokens(&[WHOLE], ANN).await["refresh_token"].as_str().unwrap().to_owned();
    let (_, second) = app.refresh(&first).await;
    assert!(second["refresh_token"].is_string() && second["refresh_token"] != first.as_str(), "{second}");
    assert_eq!(app.refresh(&first).await.0, 200, "the old one is still good");
    assert_eq!(app.refresh(second["refresh_token"].as_str().unwrap()).await.0, 200);

    let strict = App::with(House::Microsoft, json!({ "strict_refresh": true })).await;
    let first = strict.tokens(&[WHOLE], ANN).await["refresh_token"].as_str().unwrap().to_owned();
    let (_, second) = strict.refresh(&first).await;
    let (_, said) = strict.refresh(&first).await;
    assert_eq!((code(&said), &said["suberror"]), (50173, &json!("bad_token")));
    assert_eq!(strict.refresh(second["refresh_token"].as_str().unwrap()).await.0, 400, "the family is dead");
}

#[tokio::test]
async fn microsoft_goes_back_with_its_own_errors() {
    let app = microsoft().await;
    let no = Choices { deny: true, ..Choices::default() };
    let back = app.callback_after(&[WHOLE], ANN, &no).await;
    assert_eq!((back["error"].as_str(), back["error_subcode"].as_str()), ("access_denied", "cancel"));
    assert!(back["error_description"].starts_with("AADSTS65004"), "{back:?}");
    assert_eq!(back["state"], "the-state");
    for (params, error, number) in [
        ([WHOLE, ("prompt", "select_account consent")], "invalid_request", "AADSTS90023"),
        ([("scope", "https://graph.microsoft.com/No.Such"), ("prompt", "")], "invalid_scope", "AADSTS70011"),
    ] {
        let back = app.callback(&params, ANN).await;
        assert_eq!((back["error"].as_str(), back["state"].as_str()), (error, "the-state"));
        assert!(back["error_description"].starts_with(number), "{back:?}");
    }
    let (_, page) = app.stuck(&[WHOLE, ("redirect_uri", "http://127.0.0.1:9/other")], ANN).await;
    assert!(page.contains("AADSTS50011"), "{page}");
    let (_, page) = app.stuck(&[WHOLE, ("client_id", "nobody")], ANN).await;
    assert!(page.contains("AADSTS700016"), "{page}");
}

#[tokio::test]
async fn microsoft_asks_again_only_when_told_to() {
    let app = microsoft().await;
    let mut ann = app.identity.visitor();
    let all = Choices::default();
    assert!(matches!(ann.walk(&app.address(&[WHOLE]), ANN, &all).await, Walk::Back(_)));
    assert!(matches!(ann.walk(&app.address(&[WHOLE]), ANN, &all).await, Walk::Back(_)));
    assert_eq!(ann.seen.len(), 2, "{:?}", ann.seen);
    for (prompt, title) in [
        ("consent", "Acme CRM wants access to your account"),
        ("select_account", "Choose an account"),
        ("login", "Choose an account"),
    ] {
        ann.seen.clear();
        assert!(matches!(
            ann.walk(&app.address(&[WHOLE, ("prompt", prompt)]), ANN, &all).await,
            Walk::Back(_)
        ));
        assert_eq!(ann.seen, [title]);
    }
    let more = app.address(&[("scope", "openid https://graph.microsoft.com/Mail.Send"), ("prompt", "none")]);
    let Walk::Back(url) = ann.walk(&more, ANN, &all).await else { panic!("stuck") };
    assert_eq!(fields(&url)["error"], "consent_required");
}

#[tokio::test]
async fn microsoft_waits_for_an_administrator_where_one_is_needed() {
    let (bob, admin) = ("bob@needs-approval.example", "admin@needs-approval.example");
    let app = microsoft().await;
    let back = app.callback(&[WHOLE], bob).await;
    assert_eq!(back["error"], "access_denied");
    assert!(back["error_description"].starts_with("AADSTS90094"), "{back:?}");
    // Who only signs in needs nobody.
    app.tokens(&[("scope", "openid https://graph.microsoft.com/User.Read")], bob).await;
    for error in ["consent_required", "interaction_required"] {
        let settings = json!({ "approval_domains": ["strict.example"], "approval_error": error });
        let other = App::with(House::Microsoft, settings).await;
        assert_eq!(other.callback(&[WHOLE], "bob@strict.example").await["error"], error);
    }

    let tenant = app.identity.tenant("needs-approval.example").await;
    let scope = "openid profile email offline_access https://graph.microsoft.com/Mail.ReadWrite \
                 https://outlook.office.com/.default";
    let page = |tenant: &str| {
        let mut url = url::Url::parse(&app.identity.at(&format!("/{tenant}/v2.0/adminconsent"))).unwrap();
        let query = [
            ("client_id", app.client.id.as_str()),
            ("redirect_uri", CALLBACK),
            ("scope", scope),
            ("state", "s 1"),
        ];
        url.query_pairs_mut().extend_pairs(query);
        url.to_string()
    };
    let walk = async |tenant: &str, person: &str, deny: bool| {
        let choices = Choices { deny, ..Choices::default() };
        app.identity.visitor().walk(&page(tenant), person, &choices).await
    };
    assert!(matches!(walk("common", admin, false).await, Walk::Stuck { .. }));
    let Walk::Stuck { text, .. } = walk("organizations", bob, false).await else {
        panic!("not an administrator")
    };
    assert!(text.contains("is not an administrator"), "{text}");
    let elsewhere = app.identity.tenant("example.com").await;
    assert!(matches!(walk(&elsewhere, admin, false).await, Walk::Stuck { .. }));
    let Walk::Back(url) = walk(&tenant, admin, true).await else { panic!("stuck") };
    let back = fields(&url);
    assert_eq!((back["error"].as_str(), back["admin_consent"].as_str()), ("access_denied", "True"));
    assert!(back["error_description"].starts_with("AADSTS65004") && back["state"] == "s 1", "{back:?}");
    assert_eq!(app.callback(&[WHOLE], bob).await["error"], "access_denied");

    let Walk::Back(url) = walk("organizations", admin, false).await else { panic!("stuck") };
    let back = fields(&url);
    assert_eq!((back["tenant"].as_str(), back["admin_consent"].as_str()), (tenant.as_str(), "True"));
    assert!(back["scope"].contains(MAIL) && back["state"] == "s 1", "{back:?}");
    // Nobody in the organisation is asked any more.
    let mut visitor = app.identity.visitor();
    assert!(matches!(visitor.walk(&app.address(&[WHOLE]), bob, &Choices::default()).await, Walk::Back(_)));
    assert_eq!(visitor.seen, ["Sign in"]);
}

#[tokio::test]
async fn microsoft_checks_an_applications_own_credentials() {
    let home = microsoft().await.identity.tenant("home.example").await;
    let default = "https://graph.microsoft.com/.default";
    let grant = [("grant_type", "client_credentials"), ("scope", default)];
    let app = at_tenant(&home, json!({ "home_tenant": home })).await;
    let (status, said) = app.token(&grant).await;
    assert!(status == 200 && said["access_token"].is_string() && said["refresh_token"].is_null(), "{said}");

    let path = app.token_path();
    let other = app.identity.tenant("other.example").await;
    for (path, id, secret, status, number, error) in [
        (path.clone(), &app.client.id, "wrong", 401, 7000215, "invalid_client"),
        (path, &"nobody".to_owned(), "wrong", 400, 700016, "unauthorized_client"),
        (
            format!("/{other}/oauth2/v2.0/token"),
            &app.client.id,
            &app.client.secret,
            400,
            700016,
            "unauthorized_client",
        ),
        (
            "/gone.invalid/oauth2/v2.0/token".to_owned(),
            &app.client.id,
            &app.client.secret,
            400,
            90002,
            "invalid_request",
        ),
        (
            "/common/oauth2/v2.0/token".to_owned(),
            &app.client.id,
            &app.client.secret,
            400,
            9001023,
            "invalid_request",
        ),
        (
            "/consumers/oauth2/v2.0/token".to_owned(),
            &app.client.id,
            &app.client.secret,
            400,
            9001023,
            "invalid_request",
        ),
    ] {
        let pair = [("client_id", id.as_str()), ("client_secret", secret)];
        let (got, said) = app.identity.post(&path, &[&pair[..], &grant].concat()).await;
        assert_eq!((got, code(&said), &said["error"]), (status, number, &json!(error)), "{path}: {said}");
    }
    let expired = at_tenant(&home, json!({ "home_tenant": home, "secret_expired": true })).await;
    let (status, said) = expired.token(&grant).await;
    assert_eq!((status, code(&said)), (401, 7000222));
    let (_, said) = app.token(&[("grant_type", "client_credentials"), ("scope", MAIL)]).await;
    assert_eq!(code(&said), 70011);
    let (_, said) = app
        .identity
        .post(&app.token_path(), &[&[("client_id", app.client.id.as_str())][..], &grant].concat())
        .await;
    assert_eq!(code(&said), 7000218);
}
