//! What is Google's own.

use super::App;
use super::client::{CALLBACK, MAIL, fields, has_scopes, part, stuck};
use crate::parts::identity::House;
use crate::parts::visitor::{Choices, Walk};
use serde_json::json;

const ANN: &str = "ann.lee@example.com";
const EMAIL: &str = "https://www.googleapis.com/auth/userinfo.email";
const CALENDAR: &str = "https://www.googleapis.com/auth/calendar.readonly";
const WHOLE: &str = "openid email https://mail.google.com/ https://www.googleapis.com/auth/calendar.readonly";

const OFFLINE: (&str, &str) = ("access_type", "offline");
const CONSENT: (&str, &str) = ("prompt", "consent");

async fn google() -> App {
    App::at(House::Google).await
}

#[tokio::test]
async fn google_answers_with_its_own_parameters_and_spellings() {
    let app = google().await;
    let back = app.callback(&[("scope", "openid email profile"), OFFLINE, CONSENT], ANN).await;
    assert_eq!(back["state"], "the-state");
    assert_eq!(back["iss"], app.identity.origin());
    assert_eq!(
        (back["authuser"].as_str(), back["prompt"].as_str(), back["hd"].as_str()),
        ("0", "consent", "example.com")
    );
    assert!(back["code"].starts_with("4/0") && back["scope"].contains(EMAIL), "{back:?}");

    let (status, tokens) = app.redeem(&back["code"]).await;
    assert_eq!(status, 200, "{tokens}");
    let profile = "https://www.googleapis.com/auth/userinfo.profile";
    assert!(has_scopes(&tokens, &["openid", EMAIL, profile]), "{tokens}");
    assert_eq!((tokens["token_type"].as_str(), tokens["expires_in"].as_u64()), (Some("Bearer"), Some(3599)));
    let claims = part(&tokens["id_token"], 1);
    assert_eq!(part(&tokens["id_token"], 0)["alg"], "RS256");
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(app.identity.origin()), &json!(app.client.id)));
    assert_eq!((&claims["email"], &claims["email_verified"]), (&json!(ANN), &json!(true)));
    assert_eq!((&claims["hd"], &claims["nonce"]), (&json!("example.com"), &json!("the-nonce")));
    assert_eq!(claims["name"], "Ann Lee");
    assert!(claims["picture"].is_string());
    let sub = claims["sub"].as_str().unwrap();
    assert!(sub.len() == 21 && sub.bytes().all(|digit| digit.is_ascii_digit()), "{sub}");

    let (_, info) = app.userinfo(tokens["access_token"].as_str().unwrap()).await;
    assert_eq!((&info["sub"], &info["email"]), (&claims["sub"], &json!(ANN)));

    // Another application sees the same person; somebody at gmail.com belongs to no domain.
    let other = google().await;
    let there = other.tokens(&[("scope", "openid")], ANN).await;
    assert_eq!(part(&there["id_token"], 1)["sub"], claims["sub"]);
    let free = other.tokens(&[("scope", "openid email")], "bob@gmail.com").await;
    assert!(part(&free["id_token"], 1)["hd"].is_null());
}

#[tokio::test]
async fn google_announces_itself_under_its_own_paths() {
    let app = google().await;
    let url = app.identity.at("/.well-known/openid-configuration");
    let said = app.identity.send("GET", &url, &[], "").await.unwrap().json();
    assert_eq!(said["issuer"], app.identity.origin());
    assert_eq!(said["authorization_response_iss_parameter_supported"], true);
    assert_eq!(said["authorization_endpoint"], app.identity.at("/o/oauth2/v2/auth"));
    let keys = app.identity.send("GET", said["jwks_uri"].as_str().unwrap(), &[], "").await.unwrap().json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn google_gives_a_refresh_token_only_offline_and_after_consent() {
    let app = google().await;
    let scope = ("scope", WHOLE);
    assert!(app.tokens(&[scope], ANN).await["refresh_token"].is_null());
    // The grant is there now, so there is no consent any more, and so no refresh token.
    assert!(app.tokens(&[scope, OFFLINE], ANN).await["refresh_token"].is_null());
    let tokens = app.tokens(&[scope, OFFLINE, CONSENT], ANN).await;
    let token = tokens["refresh_token"].as_str().expect("a refresh token");
    assert!(tokens["refresh_token_expires_in"].is_null());

    let (status, fresh) = app.refresh(token).await;
    assert_eq!(status, 200, "{fresh}");
    assert!(fresh["refresh_token"].is_null() && fresh["access_token"] != tokens["access_token"], "{fresh}");
    assert_eq!(app.refresh(token).await.0, 200, "the same one is good again");
    // The first time of somebody else counts without `prompt`.
    assert!(app.tokens(&[scope, OFFLINE], "bob@example.com").await["refresh_token"].is_string());
}

#[tokio::test]
async fn google_says_when_a_limited_grant_ends_and_ends_it() {
    let app = App::with(House::Google, json!({ "refresh_token_expires_in": 1 })).await;
    let tokens = app.tokens(&[("scope", WHOLE), OFFLINE, CONSENT], ANN).await;
    assert_eq!(tokens["refresh_token_expires_in"], 1);
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    let (status, refused) = app.refresh(tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!((status, &refused["error"]), (400, &json!("invalid_grant")));
}

#[tokio::test]
async fn google_lets_people_leave_single_permissions_out() {
    let app = google().await;
    let asked = [("scope", WHOLE), OFFLINE, CONSENT];
    let partly = Choices { untick: vec![CALENDAR], ..Choices::default() };
    let back = app.callback_after(&asked, ANN, &partly).await;
    assert!(back["scope"].contains(MAIL) && !back["scope"].contains(CALENDAR), "{back:?}");
    let (_, tokens) = app.redeem(&back["code"]).await;
    assert!(has_scopes(&tokens, &["openid", EMAIL, MAIL]), "{tokens}");
    let (_, fresh) = app.refresh(tokens["refresh_token"].as_str().unwrap()).await;
    assert!(has_scopes(&fresh, &["openid", EMAIL, MAIL]), "{fresh}");

    // Asked again, they may change their mind.
    let tokens = app.tokens(&asked, ANN).await;
    assert!(has_scopes(&tokens, &["openid", EMAIL, MAIL, CALENDAR]), "{tokens}");
    // With the earlier grants, when the application wants them.
    let more = [("scope", "openid"), ("include_granted_scopes", "true")];
    assert!(has_scopes(&app.tokens(&more, ANN).await, &["openid", EMAIL, MAIL, CALENDAR]));
    assert!(has_scopes(&app.tokens(&[("scope", "openid")], ANN).await, &["openid"]));
}

#[tokio::test]
async fn google_takes_a_no_at_both_pages() {
    let app = google().await;
    for choices in
        [Choices { deny: true, ..Choices::default() }, Choices { deny_sign_in: true, ..Choices::default() }]
    {
        let back = app.callback_after(&[("scope", WHOLE)], ANN, &choices).await;
        assert_eq!((back["error"].as_str(), back["state"].as_str()), ("access_denied", "the-state"));
        assert_eq!(back["iss"], app.identity.origin());
        assert!(!back.contains_key("code"));
    }
}

#[tokio::test]
async fn google_shows_a_page_only_when_there_is_something_to_ask() {
    let app = google().await;
    let mut ann = app.identity.visitor();
    let all = Choices::default();
    let plain = app.address(&[("scope", WHOLE)]);
    assert!(matches!(ann.walk(&plain, ANN, &all).await, Walk::Back(_)));
    assert_eq!(ann.seen, ["Sign in", "Acme CRM wants access to your account"]);
    ann.seen.clear();

    let Walk::Back(url) = ann.walk(&plain, ANN, &all).await else { panic!("stuck") };
    assert_eq!((ann.seen.len(), fields(&url)["prompt"].as_str()), (0, "none"));
    // Asked for, both pages come again; another address in the hint means another person.
    let both = app.address(&[("scope", WHOLE), ("prompt", "select_account consent")]);
    assert!(matches!(ann.walk(&both, "bob@example.com", &all).await, Walk::Back(_)));
    assert_eq!(ann.seen, ["Choose an account", "Acme CRM wants access to your account"]);
    ann.seen.clear();
    let hinted = app.address(&[("scope", "openid"), ("login_hint", "bob@example.com")]);
    assert!(matches!(ann.walk(&hinted, "bob@example.com", &all).await, Walk::Back(_)));
    assert!(ann.seen.is_empty(), "{:?}", ann.seen);
    let hinted = app.address(&[("scope", "openid"), ("login_hint", ANN)]);
    assert!(matches!(ann.walk(&hinted, ANN, &all).await, Walk::Back(_)));
    assert_eq!(ann.seen, ["Choose an account"]);
}

#[tokio::test]
async fn google_fills_the_hint_into_its_form() {
    let app = google().await;
    let params = [("scope", "openid"), ("login_hint", ANN)];
    // What is no address at all is refused, on the page that shows the hint.
    let (status, _) = app.stuck(&params, "nobody").await;
    assert_eq!(status, 400);
    let (first, page) =
        crate::parts::visitor::first_page(&mut app.identity.visitor(), &app.address(&params)).await;
    assert_eq!(first, 200);
    assert!(page.contains(&format!("value=\"{ANN}\"")), "{page}");
}

#[tokio::test]
async fn google_keeps_its_errors_on_its_own_pages() {
    let app = google().await;
    let (status, page) =
        app.stuck(&[("scope", WHOLE), ("redirect_uri", "http://127.0.0.1:9/other")], ANN).await;
    assert_eq!(status, 400);
    assert!(page.contains("Error 400: redirect_uri_mismatch"), "{page}");
    let (status, page) = app.stuck(&[("scope", WHOLE), ("client_id", "nobody")], ANN).await;
    assert!(status == 401 && page.contains("invalid_client"), "{page}");
    let (status, page) = app.stuck(&[("scope", "https://mail.example.com/")], ANN).await;
    assert!(status == 400 && page.contains("invalid_scope"), "{page}");
    let (status, page) = app.stuck(&[("scope", WHOLE), ("response_type", "token")], ANN).await;
    assert!(status == 400 && page.contains("unsupported_response_type"), "{page}");

    for agent in [
        "Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) AppleWebKit/537.36 Version/4.0 Chrome/140.0 Mobile Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/22A3354",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/22A Safari/604 [FBAN/FBIOS]",
    ] {
        let mut embedded = app.identity.visitor();
        embedded.user_agent = agent.to_owned();
        let (status, page) = stuck(&mut embedded, &app.address(&[("scope", WHOLE)]), ANN).await;
        assert!(status == 403 && page.contains("disallowed_useragent"), "{agent}: {page}");
    }
}

#[tokio::test]
async fn google_tells_a_bogus_code_from_a_wrong_pair() {
    let app = google().await;
    let bogus = [("grant_type", "authorization_code"), ("code", "bogus"), ("redirect_uri", CALLBACK)];
    let (status, said) = app.token(&bogus).await;
    assert_eq!(
        (status, said),
        (400, json!({ "error": "invalid_grant", "error_description": "Malformed auth code." }))
    );
    let pair = [("client_id", app.client.id.as_str()), ("client_secret", "wrong")];
    let (status, said) = app.identity.post("/token", &[&pair[..], &bogus].concat()).await;
    assert_eq!((status, &said["error"]), (401, &json!("invalid_client")));
    let pair = [("client_id", "nobody"), ("client_secret", "wrong")];
    let (status, said) = app.identity.post("/token", &[&pair[..], &bogus].concat()).await;
    assert_eq!((status, &said["error"]), (401, &json!("invalid_client")));
}

#[tokio::test]
async fn google_revokes_for_all_clients_of_the_project() {
    let app = google().await;
    let project = app.client.id.split('-').next().unwrap().to_owned();
    let sibling =
        App::with(House::Google, json!({ "client_id": format!("{project}-two.apps.googleusercontent.com") }))
            .await;
    let asked = [("scope", WHOLE), OFFLINE, CONSENT];
    let here = app.tokens(&asked, ANN).await;
    let again = app.tokens(&asked, ANN).await;
    let there = sibling.tokens(&asked, ANN).await;
    let bob = app.tokens(&asked, "bob@example.com").await;

    let token = here["refresh_token"].as_str().unwrap();
    assert_eq!(app.identity.post("/revoke", &[("token", token)]).await.0, 200);
    for (app, tokens) in [(&app, &here), (&app, &again), (&sibling, &there)] {
        let (status, said) = app.refresh(tokens["refresh_token"].as_str().unwrap()).await;
        assert_eq!((status, &said["error"]), (400, &json!("invalid_grant")), "{said}");
        assert_eq!(said["error_description"], "Token has been expired or revoked.");
        assert_eq!(app.userinfo(tokens["access_token"].as_str().unwrap()).await.0, 401);
    }
    assert_eq!(app.refresh(bob["refresh_token"].as_str().unwrap()).await.0, 200);
    let (status, said) = app.identity.post("/revoke", &[("token", token)]).await;
    assert_eq!((status, &said["error"]), (400, &json!("invalid_token")));
}
