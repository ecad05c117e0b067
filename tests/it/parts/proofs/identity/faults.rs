//! The faults: each does what its name says, to the client it was set for, and is over when it should be.

use super::App;
use super::client::{MAIL, fields, part};
use crate::parts::certs::Ca;
use crate::parts::identity::{House, Identity};
use base64::Engine;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const ANN: &str = "ann.lee@example.com";
const ASKED: [(&str, &str); 3] =
    [("scope", "openid email https://mail.google.com/"), ("access_type", "offline"), ("prompt", "consent")];

fn decode(text: &str) -> Vec<u8> {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).expect("base64")
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

async fn keys(identity: &Identity, house: House) -> Vec<Value> {
    let path = if house == House::Google { "/oauth2/v3/certs" } else { "/common/discovery/v2.0/keys" };
    let set = identity.send("GET", &identity.at(path), &[], "").await.expect("an answer").json();
    set["keys"].as_array().expect("keys").clone()
}

/// Which of these keys signed a token.
fn signers<'a>(keys: &'a [Value], token: &str) -> Vec<&'a str> {
    let (body, signature) = token.rsplit_once('.').expect("a signature");
    let number = |key: &Value, name: &str| decode(key[name].as_str().expect("a number"));
    let signed = keys.iter().filter(|key| {
        let components = RsaPublicKeyComponents { n: number(key, "n"), e: number(key, "e") };
        components.verify(&RSA_PKCS1_2048_8192_SHA256, body.as_bytes(), &decode(signature)).is_ok()
    });
    signed.map(|key| key["kid"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn id_tokens_are_wrong_in_every_way_that_can_be_asked_for() {
    for house in [House::Google, House::Microsoft] {
        let app = App::at(house).await;
        let asked: &[_] = if house == House::Google {
            &ASKED
        } else {
            &[("scope", "openid email profile offline_access https://graph.microsoft.com/User.Read")]
        };
        let keys = keys(app.identity, house).await;
        let good = app.tokens(asked, ANN).await;
        let (good_head, good_claims) = (part(&good["id_token"], 0), part(&good["id_token"], 1));
        assert_eq!(signers(&keys, good["id_token"].as_str().unwrap()), [good_head["kid"].as_str().unwrap()]);

        let mut faults = vec![
            "id_token_wrong_nonce",
            "id_token_no_nonce",
            "id_token_wrong_iss",
            "id_token_wrong_aud",
            "id_token_many_aud",
            "id_token_no_iss",
            "id_token_no_aud",
            "id_token_no_signature",
            "id_token_expired",
            "id_token_iat_future",
            "id_token_nbf_future",
            "id_token_no_sub",
            "id_token_empty_sub",
            "id_token_bad_signature",
            "id_token_unknown_key",
            "id_token_unknown_kid",
            "id_token_no_kid",
            "id_token_alg_none",
            "id_token_hs256_secret",
            "id_token_hs256_public_key",
        ];
        if house == House::Microsoft {
            faults.extend([
                "id_token_wrong_tid",
                "id_token_no_tid",
                "id_token_tid_no_guid",
                "id_token_foreign_key",
            ]);
        }
        for fault in faults {
            app.identity.fault_once(&app.client, fault).await;
            let tokens = app.tokens(asked, ANN).await;
            let token = tokens["id_token"].as_str().expect("a token");
            let (head, claims) = (part(&tokens["id_token"], 0), part(&tokens["id_token"], 1));
            let signers = if head["alg"] == "RS256" { signers(&keys, token) } else { Vec::new() };
            let time = |name: &str| claims[name].as_i64().unwrap_or_default() - now();
            let bent = match fault {
                "id_token_wrong_nonce" => {
                    claims["nonce"].is_string() && claims["nonce"] != good_claims["nonce"]
                }
                "id_token_no_nonce" => claims["nonce"].is_null(),
                "id_token_wrong_iss" => claims["iss"] == "https://somebody-else.example",
                "id_token_wrong_aud" => claims["aud"] == "another-client",
                "id_token_many_aud" => claims["aud"] == json!([app.client.id, "another-client"]),
                "id_token_no_iss" => claims["iss"].is_null(),
                "id_token_no_aud" => claims["aud"].is_null(),
                "id_token_no_signature" => head["alg"] == "RS256" && token.ends_with('.'),
                "id_token_expired" => time("exp") < -3000 && time("iat") < time("exp"),
                "id_token_iat_future" => time("iat") > 3000,
                "id_token_nbf_future" => time("nbf") > 3000 && time("iat") < 60,
                "id_token_no_sub" => claims["sub"].is_null(),
                "id_token_empty_sub" => claims["sub"] == "",
                "id_token_bad_signature" => signers.is_empty() && head == good_head,
                "id_token_unknown_key" => signers.is_empty() && head == good_head,
                "id_token_unknown_kid" => signers.len() == 1 && head["kid"] != signers[0],
                "id_token_no_kid" => signers.len() == 1 && head["kid"].is_null(),
                "id_token_alg_none" => head["alg"] == "none" && token.ends_with('.'),
                "id_token_hs256_secret" => hmac(token, app.client.secret.as_bytes()),
                "id_token_hs256_public_key" => {
                    head["alg"] == "HS256" && !hmac(token, app.client.secret.as_bytes())
                }
                "id_token_wrong_tid" => {
                    !claims["iss"].as_str().unwrap().contains(claims["tid"].as_str().unwrap())
                }
                "id_token_no_tid" => claims["tid"].is_null(),
                "id_token_tid_no_guid" => {
                    claims["tid"] == "not-a-guid" && claims["iss"].as_str().unwrap().contains("not-a-guid")
                }
                "id_token_foreign_key" => head["kid"] == signers[0] && head["kid"] != good_head["kid"],
                _ => unreachable!(),
            };
            assert!(bent, "{house:?} {fault}: {head} {claims}");
        }
        if house == House::Microsoft {
            let tenant = app.identity.tenant("contoso.example").await;
            assert_ne!(good_claims["tid"], tenant);
            app.identity.fault(&app.client, "id_token_of_tenant", tenant.as_str(), true).await;
            let tokens = app.tokens(asked, ANN).await;
            let claims = part(&tokens["id_token"], 1);
            assert!(claims["tid"] == tenant && claims["iss"].as_str().unwrap().contains(&tenant), "{claims}");
            assert_eq!(signers(&keys, tokens["id_token"].as_str().unwrap()).len(), 1);
        }
        app.identity.fault_once(&app.client, "id_token_missing").await;
        assert!(app.tokens(asked, ANN).await["id_token"].is_null());
        // All of them were meant once.
        let after = app.tokens(asked, ANN).await;
        assert_eq!(signers(&keys, after["id_token"].as_str().unwrap()).len(), 1);
    }
}

fn hmac(token: &str, secret: &[u8]) -> bool {
    let (body, tag) = token.rsplit_once('.').expect("a signature");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    ring::hmac::verify(&key, body.as_bytes(), &decode(tag)).is_ok()
}

#[tokio::test]
async fn the_token_endpoint_fails_as_asked() {
    let app = App::at(House::Google).await;
    let token = app.tokens(&ASKED, ANN).await["refresh_token"].as_str().unwrap().to_owned();
    let form = format!(
        "grant_type=refresh_token&refresh_token={token}&client_id={}&client_secret={}",
        app.client.id, app.client.secret
    );
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let url = app.identity.at("/token");
    let ask = async || app.identity.send("POST", &url, &headers, &form).await;
    for (fault, status) in [("token_400", 400), ("token_401", 401), ("token_500", 500), ("token_503", 503)] {
        app.identity.fault_once(&app.client, fault).await;
        let reply = ask().await.expect("an answer");
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("retry-after"), if status == 503 { "7" } else { "" });
    }
    app.identity.fault_once(&app.client, "token_html").await;
    assert!(ask().await.unwrap().text().starts_with("<!doctype html>"));
    app.identity.fault_once(&app.client, "token_huge").await;
    assert!(ask().await.unwrap().body.len() > 2 * 1024 * 1024);
    for fault in ["token_cut", "token_lost"] {
        app.identity.fault_once(&app.client, fault).await;
        assert!(ask().await.is_none(), "{fault}");
    }
    app.identity.fault(&app.client, "token_hang", 1, true).await;
    let start = Instant::now();
    assert_eq!(ask().await.unwrap().status, 200);
    assert!(start.elapsed() >= Duration::from_secs(1));

    // Until it is cleared, and for nobody else.
    app.identity.fault(&app.client, "token_400", "temporarily_unavailable", false).await;
    for _ in 0..2 {
        assert_eq!(ask().await.unwrap().json()["error"], "temporarily_unavailable");
    }
    App::at(House::Google).await.tokens(&ASKED, ANN).await;
    app.identity.clear_faults(&app.client).await;
    assert_eq!(ask().await.unwrap().status, 200);
}

#[tokio::test]
async fn token_replies_lack_what_was_asked_to_be_left_out() {
    for (fault, member) in [
        ("token_no_refresh_token", "refresh_token"),
        ("token_no_token_type", "token_type"),
        ("token_no_expires_in", "expires_in"),
    ] {
        let app = App::at(House::Google).await;
        app.identity.fault_once(&app.client, fault).await;
        assert!(app.tokens(&ASKED, ANN).await[member].is_null(), "{fault}");
        assert!(!app.tokens(&ASKED, ANN).await[member].is_null());
    }
    let app = App::at(House::Google).await;
    app.identity.fault_once(&app.client, "token_fewer_scopes").await;
    assert!(!app.tokens(&ASKED, ANN).await["scope"].as_str().unwrap().contains(MAIL));
}

#[tokio::test]
async fn userinfo_fails_as_asked_and_tokens_end_when_told() {
    for house in [House::Google, House::Microsoft] {
        let app = App::at(house).await;
        let asked = [(
            "scope",
            if house == House::Google { "openid email" } else { "openid email offline_access User.Read" },
        )];
        let tokens = app.tokens(&asked, ANN).await;
        let access = tokens["access_token"].as_str().unwrap();
        for (fault, status) in [("userinfo_401", 401), ("userinfo_500", 500)] {
            app.identity.fault_once(&app.client, fault).await;
            assert_eq!(app.userinfo(access).await.0, status);
        }
        app.identity.fault_once(&app.client, "userinfo_other_sub").await;
        let (_, other) = app.userinfo(access).await;
        let (_, info) = app.userinfo(access).await;
        assert_eq!(info["sub"], part(&tokens["id_token"], 1)["sub"]);
        assert!(other["sub"].is_string() && other["sub"] != info["sub"], "{other}");

        app.identity.expire_access(&app.client, ANN).await;
        assert_eq!(app.userinfo(access).await.0, 401);
    }
}

#[tokio::test]
async fn a_person_withdraws_behind_the_applications_back() {
    for (house, scope) in [(House::Google, ASKED[0].1), (House::Microsoft, "openid offline_access User.Read")]
    {
        let app = App::at(house).await;
        let asked = [("scope", scope), ASKED[1]];
        let tokens = app.tokens(&asked, ANN).await;
        let refresh = tokens["refresh_token"].as_str().unwrap();
        app.identity.expire_access(&app.client, ANN).await;
        assert_eq!(app.refresh(refresh).await.0, 200, "only access has ended");
        app.identity.withdraw(&app.client, ANN).await;
        let (status, said) = app.refresh(refresh).await;
        assert_eq!((status, &said["error"]), (400, &json!("invalid_grant")));
        // And is asked again the next time.
        let mut visitor = app.identity.visitor();
        visitor.walk(&app.address(&asked), ANN, &crate::parts::visitor::Choices::default()).await;
        assert_eq!(visitor.seen.len(), 2);
    }
}

#[tokio::test]
async fn the_way_back_is_bent_as_asked() {
    let app = App::at(House::Google).await;
    let url = async |fault: &str| {
        app.identity.fault_once(&app.client, fault).await;
        app.identity.consent(&app.address(&ASKED), ANN, &Default::default()).await
    };
    let all = |url: &url::Url, name: &str| url.query_pairs().filter(|(found, _)| found == name).count();
    assert_eq!(fields(&url("callback_wrong_iss").await)["iss"], "https://somebody-else.example");
    assert_eq!(all(&url("callback_no_iss").await, "iss"), 0);
    assert_eq!(all(&url("callback_two_states").await, "state"), 2);
    assert_eq!(all(&url("callback_two_codes").await, "code"), 2);
    app.identity.fault_once(&app.client, "authorize_dead_end").await;
    let (status, page) = app.stuck(&ASKED, ANN).await;
    assert!(status == 500 && !page.contains("<form") && !page.contains("<a "), "{page}");
    // Microsoft sends none by itself; somebody else might.
    let app = App::at(House::Microsoft).await;
    app.identity.fault_once(&app.client, "callback_wrong_iss").await;
    assert!(app.callback(&[("scope", "openid")], ANN).await.contains_key("iss"));
}

#[tokio::test]
async fn keys_fail_and_change_as_asked() {
    let ca = Ca::new();
    let identity = Identity::start(&ca, House::Google);
    let url = identity.at("/oauth2/v3/certs");
    let ask = async || identity.send("GET", &url, &[], "").await.expect("an answer");
    let before = keys(&identity, House::Google).await;
    identity.fault_for_all("keys_500", Value::Null).await;
    assert_eq!(ask().await.status, 500);
    identity.fault_for_all("keys_empty", Value::Null).await;
    assert_eq!(ask().await.json(), json!({ "keys": [] }));
    identity.fault_for_all("keys_hang", 1).await;
    let start = Instant::now();
    assert_eq!(ask().await.status, 200);
    assert!(start.elapsed() >= Duration::from_secs(1));
    identity.rotate_keys().await;
    let after = keys(&identity, House::Google).await;
    assert!(after.len() == 2 && after.iter().all(|key| before.iter().all(|old| old["kid"] != key["kid"])));
    assert_eq!(identity.whole_log("keys").await.len(), 5);
}

#[tokio::test]
async fn the_log_tells_what_was_asked() {
    let app = App::at(House::Google).await;
    let back = app.callback(&ASKED, ANN).await;
    let (_, tokens) = app.redeem(&back["code"]).await;
    app.userinfo(tokens["access_token"].as_str().unwrap()).await;
    app.redeem("4/0bogus").await;
    let asked = app.identity.log(&app.client, "token").await;
    assert_eq!(asked.iter().map(|one| one.status).collect::<Vec<_>>(), [Some(200), Some(400)]);
    assert_eq!(asked[0].params["code"], back["code"].as_str());
    assert!(asked[0].time <= asked[1].time && asked[0].path == "/token");
    let asked = app.identity.log(&app.client, "userinfo").await;
    assert_eq!((asked.len(), asked[0].authorization.as_str()), (1, "Bearer"));
    let asked = app.identity.log(&app.client, "authorize").await;
    assert_eq!((asked.len(), &asked[0].params["scope"]), (1, &json!(ASKED[0].1)));
    assert!(asked[0].user_agent.starts_with("Mozilla"));
    // What is not known is refused, so that a misspelt fault is not a test that passes.
    let url = format!("{}/faults", app.identity.control());
    assert_eq!(crate::app::http::send("POST", &url, &[], b"{\"fault\":\"tokn_500\"}").await.status, 400);
}

#[tokio::test]
async fn a_code_is_worth_nothing_without_its_verifier() {
    // The example of RFC 7636, appendix B.
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let challenge = ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    for (house, scope) in [(House::Google, "openid"), (House::Microsoft, "openid")] {
        let app = App::at(house).await;
        let asked = [("scope", scope), challenge, ("code_challenge_method", "S256")];
        for (given, wanted) in
            [(verifier, 200), ("another-verifier-that-is-just-as-long-as-the-right-one", 400), ("", 400)]
        {
            let back = app.callback(&asked, ANN).await;
            let mut form = vec![
                ("grant_type", "authorization_code"),
                ("code", back["code"].as_str()),
                ("redirect_uri", super::client::CALLBACK),
            ];
            if !given.is_empty() {
                form.push(("code_verifier", given));
            }
            let (status, said) = app.token(&form).await;
            assert_eq!(status, wanted, "{house:?} {given}: {said}");
            assert!(wanted == 200 || said["error"] == "invalid_grant", "{said}");
        }
    }
}
