//! What a relying party must refuse, each with a code of its own and no trace of an account: whatever a thief, a broken
//! provider or a mixed-up browser brings back.

use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;
use vestibule::store::sqlite_url;

use super::{HOUSES, Place, leaves_for, parameter};
use crate::app::Link;
use crate::app::person::Person;
use crate::parts::identity::House;
use crate::parts::{READY, dial, eventually_async, local};
use crate::proofs::walk::succeeded;

/// Faults of the provider's replies at both houses, with the code each is refused with.
const REPLIES: &[(&str, &str)] = &[
    ("id_token_missing", "id_token_missing"),
    ("id_token_wrong_nonce", "id_token_nonce"),
    ("id_token_no_nonce", "id_token_nonce_missing"),
    ("id_token_wrong_iss", "id_token_issuer"),
    ("id_token_wrong_aud", "id_token_audience"),
    ("id_token_many_aud", "id_token_audience_several"),
    ("id_token_no_iss", "id_token_issuer"),
    ("id_token_no_aud", "id_token_audience"),
    ("id_token_no_signature", "id_token_signature"),
    ("id_token_bad_signature", "id_token_signature"),
    ("id_token_unknown_key", "id_token_signature"),
    ("id_token_unknown_kid", "id_token_key_unknown"),
    ("id_token_alg_none", "id_token_alg"),
    ("id_token_hs256_secret", "id_token_alg"),
    ("id_token_hs256_public_key", "id_token_alg"),
    ("id_token_expired", "id_token_expired"),
    ("id_token_iat_future", "id_token_in_future"),
    ("id_token_nbf_future", "id_token_in_future"),
    ("id_token_no_sub", "id_token_sub"),
    ("id_token_empty_sub", "id_token_sub"),
];

/// No account, nothing that was told or waits to be told of one, and nothing that waits for a backend.
async fn assert_no_trace(place: &Place, of: &str) {
    assert!(place.app.accounts().await.is_empty(), "{of} left an account");
    let mut raw =
        SqliteConnection::connect(&sqlite_url(&place.app.data("vestibule.db"))).await.expect("the file");
    for (what, sql) in [
        ("accounts", "SELECT COUNT(*) FROM accounts"),
        ("events", "SELECT COUNT(*) FROM events WHERE kind LIKE 'account.%' OR kind = 'session.completed'"),
        ("finishes", "SELECT COUNT(*) FROM finishes"),
    ] {
        let left: i64 = sqlx::query_scalar(sql).fetch_one(&mut raw).await.expect("a number");
        assert_eq!(left, 0, "{of} left {what}");
    }
}

/// How often a code stands in the log of a server.
fn logged(place: &Place, code: &str) -> usize {
    let line = format!("cause=\"{code}\"");
    place.app.output().lines().filter(|said| said.contains(&line)).count()
}

async fn cause(place: &Place, link: &Link) -> Value {
    place.app.session(&link.id).await["cause"].clone()
}

#[tokio::test]
async fn tokens_that_prove_nothing_are_refused_by_name_and_the_person_may_try_again() {
    for house in HOUSES {
        let place = Place::start(house).await;
        for (fault, code) in REPLIES {
            let link = place.link(json!({})).await;
            let person = Person::new();
            let leaving = person.begin(&link).await;
            let back = place.consent(&leaving).await;
            place.identity.fault_once(&place.client, fault).await;
            let refused = person.open(back.as_str()).await;
            assert_eq!(refused.reply.status, 200, "{fault}");
            assert_eq!(cause(&place, &link).await, *code, "{fault} at {house:?}");
            assert!(
                refused.has("#notice") && refused.has("button[value=submit]"),
                "{fault}: {}",
                refused.text()
            );
            assert_no_trace(&place, fault).await;
            place.identity.clear_faults(&place.client).await;
        }
        let link = place.link(json!({})).await;
        assert!(succeeded(&place.connect(&Person::new(), &link).await), "nothing stays behind");
    }
}

/// Faults that only one house has.
#[tokio::test]
async fn what_only_one_provider_can_get_wrong_is_refused_by_name_too() {
    for (house, faults) in [
        (
            House::Google,
            &[
                ("userinfo_other_sub", "userinfo_sub"),
                ("userinfo_401", "userinfo_refused"),
                ("userinfo_500", "userinfo_unavailable"),
                ("callback_wrong_iss", "callback_iss_wrong"),
                ("callback_no_iss", "callback_iss_missing"),
            ][..],
        ),
        (
            House::Microsoft,
            &[
                ("id_token_wrong_tid", "id_token_issuer"),
                ("id_token_no_tid", "id_token_tenant_missing"),
                ("id_token_tid_no_guid", "id_token_tenant_missing"),
                ("id_token_foreign_key", "id_token_key_issuer"),
            ][..],
        ),
    ] {
        let place = Place::start(house).await;
        for (fault, code) in faults {
            let link = place.link(json!({})).await;
            let person = Person::new();
            let leaving = person.begin(&link).await;
            place.identity.fault_once(&place.client, fault).await;
            let back = place.consent(&leaving).await;
            let asked = place.identity.log(&place.client, "token").await.len();
            let refused = person.open(back.as_str()).await;
            assert_eq!(refused.reply.status, 200, "{fault}: {}", refused.text());
            if fault.starts_with("callback_") {
                let now = place.identity.log(&place.client, "token").await.len();
                assert_eq!(now, asked, "{fault}: its code was exchanged");
            }
            assert_eq!(cause(&place, &link).await, *code, "{fault} at {house:?}");
            assert!(refused.has("#notice"), "{fault}: {}", refused.text());
            assert_no_trace(&place, fault).await;
        }
    }
}

/// The code was redeemed by then, so that the person has allowed something that nobody would use.
#[tokio::test]
async fn what_a_person_granted_is_ended_when_the_new_token_does_not_prove_to_be_theirs() {
    let place = Place::start(House::Google).await;
    let link = place.link(json!({})).await;
    let person = Person::new();
    let back = place.consent(&person.begin(&link).await).await;
    place.identity.fault_once(&place.client, "userinfo_other_sub").await;
    let refused = person.open(back.as_str()).await;
    assert_eq!(cause(&place, &link).await, "userinfo_sub");
    let ended = async || place.identity.log(&place.client, "revoke").await;
    eventually_async("the end of the grant", READY, async || (ended().await.len() == 1).then_some(())).await;
    let again = person.submit(&refused, &refused.sheet()).await;
    let end = person.open(place.consent(&again).await.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());
}

/// What Microsoft says of a code besides: each word of its own leads to a code of its own.
#[tokio::test]
async fn what_microsoft_says_of_a_code_is_told_apart() {
    let place = Place::start(House::Microsoft).await;
    for (number, code) in [
        (54_005, "code_redeemed_before"),
        (501_481, "pkce_mismatch"),
        (70_008, "sign_in_expired"),
        (50_105, "user_not_assigned"),
    ] {
        let link = place.link(json!({})).await;
        let person = Person::new();
        let back = place.consent(&person.begin(&link).await).await;
        place.identity.fault(&place.client, "token_400", json!({ "error_codes": [number] }), true).await;
        let refused = person.open(back.as_str()).await;
        assert!(refused.has("#notice"), "{number}: {}", refused.text());
        assert_eq!(cause(&place, &link).await, code, "{number}");
        assert_no_trace(&place, code).await;
    }
}

/// A policy of the organisation asks for more than a password: what Microsoft wants to be asked goes back to it, as it
/// stands, and once.
#[tokio::test]
async fn what_microsoft_challenges_people_to_prove_is_asked_for_the_next_time_they_leave() {
    let place = Place::start(House::Microsoft).await;
    let person = Person::new();
    let leaving = person.begin(&place.link(json!({})).await).await;
    assert_eq!(parameter(&leaves_for(&leaving), "claims"), None);
    let back = place.consent(&leaving).await;
    let claims = r#"{"access_token":{"capolids":{"essential":true,"values":["c1"]}}}"#;
    let challenge = json!({ "suberror": "basic_action", "error_codes": [50076], "claims": claims });
    place.identity.fault(&place.client, "token_400", challenge, true).await;
    let page = person.open(back.as_str()).await;
    assert!(page.has("#notice"), "{}", page.text());
    assert!(place.app.accounts().await.is_empty());
    let again = person.submit(&page, &page.sheet()).await;
    assert_eq!(parameter(&leaves_for(&again), "claims").as_deref(), Some(claims));
    let end = person.open(place.consent(&again).await.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());
}

/// Replies of the token endpoint that are no answer.
#[tokio::test]
async fn a_provider_that_does_not_answer_is_nobody_s_fault() {
    let place = Place::start(House::Microsoft).await;
    for (fault, value) in
        [("token_500", 1), ("token_503", 1), ("token_html", 1), ("token_huge", 1), ("token_cut", 1)]
    {
        let link = place.link(json!({})).await;
        let person = Person::new();
        let leaving = person.begin(&link).await;
        let back = place.consent(&leaving).await;
        place.identity.fault(&place.client, fault, value, true).await;
        let page = person.open(back.as_str()).await;
        assert_eq!(page.reply.status, 200, "{fault}");
        assert!(page.has("#notice") && page.has("button[value=submit]"), "{fault}: {}", page.text());
        assert!(place.app.accounts().await.is_empty());
        let asked = place.identity.log(&place.client, "token").await.len();
        let again = person.open(back.as_str()).await;
        assert_eq!(again.reply.status, 200);
        assert_eq!(
            place.identity.log(&place.client, "token").await.len(),
            asked,
            "{fault}: a code is spent once"
        );
        let next = person.submit(&page, &page.sheet()).await;
        leaves_for(&next);
    }
}

/// What comes to the callback, and with it what must not be taken for it: each refused with a code of its own, in the log
/// where no session is known to be meant.
#[tokio::test]
async fn states_that_are_swapped_repeated_stale_or_made_up_exchange_nothing() {
    for house in HOUSES {
        let place = Place::start(house).await;
        let (one, two) = (place.link(json!({})).await, place.link(json!({})).await);
        let (ada, eve) = (Person::new(), Person::new());
        let (hers, theirs) = (ada.begin(&one).await, eve.begin(&two).await);
        let back = place.consent(&hers).await;

        // Eve puts Ada's code under her own state: the verifier is another one.
        let mut swapped = back.clone();
        let state = parameter(&leaves_for(&theirs), "state").unwrap();
        replace(&mut swapped, "state", &state);
        let page = eve.open(swapped.as_str()).await;
        assert_eq!(page.reply.status, 200, "{}", page.text());
        assert!(page.has("#notice"), "{}", page.text());
        // Google says of a wrong verifier what it says of a code that is over.
        let code = if house == House::Google { "sign_in_expired" } else { "pkce_mismatch" };
        assert_eq!(cause(&place, &two).await, code, "{house:?}");
        // Ada's own sign-in was not touched by it.
        let end = ada.open(back.as_str()).await;
        assert!(succeeded(&end), "{}", end.text());

        let asked = async || place.identity.log(&place.client, "token").await.len();
        let before = asked().await;
        let logged = |code: &str| logged(&place, code);
        // Once more it is too late, and so it is for whoever has another browser.
        assert_eq!(logged("state_repeated"), 0);
        assert!(succeeded(&ada.open(back.as_str()).await));
        assert_eq!(logged("state_repeated"), 1);
        let mut doubles = logged("callback_repeated");
        for doubled in ["state=a", "code=b", "iss=c&iss=d"] {
            let page = ada.open(&format!("{back}&{doubled}")).await;
            assert_eq!(page.reply.status, 400, "{doubled}");
            doubles += 1;
            assert_eq!(logged("callback_repeated"), doubles, "{doubled}");
        }
        for (name, value, status, code) in [
            ("state", "x".repeat(43), 404, "state_unknown"),
            ("state", String::new(), 400, "callback_stateless"),
            ("code", String::new(), 400, "callback_empty"),
            ("pad", "p".repeat(20_000), 400, "callback_too_long"),
        ] {
            let mut wrong = back.clone();
            replace(&mut wrong, name, &value);
            let page = Person::new().open(wrong.as_str()).await;
            assert_eq!(page.reply.status, status, "{name}={value:.10}: {}", page.text());
            assert_eq!(logged(code), 1, "{name}={value:.10}");
        }
        let page = ada.open(&format!("{back}&note=%ff%fe")).await;
        assert_eq!((page.reply.status, logged("callback_encoding")), (400, 1));
        // So much is no request at all: it is not even read.
        assert_eq!(status_of(&format!("{back}&big={}", "x".repeat(1 << 20))).await, "431");
        // Another provider's callback is none of this state's.
        let third = place.link(json!({})).await;
        let mixed = place.consent(&ada.begin(&third).await).await;
        let (own, other) = match house {
            House::Google => ("/providers/google/", "/providers/microsoft/"),
            House::Microsoft => ("/providers/microsoft/", "/providers/google/"),
        };
        assert_eq!(ada.open(&mixed.as_str().replace(own, other)).await.reply.status, 404);
        assert_eq!(logged("callback_other_provider"), 1);
        assert_eq!(asked().await, before, "{house:?}");
        assert_eq!(place.app.accounts().await.len(), 1);
    }
}

/// The state is a fresh one and the thief's own; only the code is somebody else's, and was redeemed.
#[tokio::test]
async fn a_code_that_was_redeemed_is_worth_nothing_under_a_fresh_state_and_its_account_stays() {
    for house in HOUSES {
        let place = Place::start(house).await;
        let ada = Person::new();
        let back = place.consent(&ada.begin(&place.link(json!({ "name": "user_1" })).await).await).await;
        let code = parameter(back.as_str(), "code").expect("a code");
        assert!(succeeded(&ada.open(back.as_str()).await));
        let account = place.app.accounts().await[0]["id"].as_str().unwrap().to_owned();
        let link = place.link(json!({ "name": "user_2" })).await;
        let eve = Person::new();
        let mut replayed = place.consent(&eve.begin(&link).await).await;
        replace(&mut replayed, "code", &code);
        let page = eve.open(replayed.as_str()).await;
        assert!(page.has("#notice") && page.has("button[value=submit]"), "{}", page.text());
        // Both refuse it; Microsoft's stand-in looks at the verifier first, which is Eve's.
        let code = if house == House::Google { "sign_in_expired" } else { "pkce_mismatch" };
        assert_eq!(cause(&place, &link).await, code, "{house:?}");
        assert_eq!(place.app.accounts().await.len(), 1, "{house:?}");
        let body = place.credentials(&account, json!({ "refresh": true })).await.json();
        assert_eq!(body["state"], "active", "{house:?}: {body}");
        // Eve's own sign-in is a matter of its own.
        let again = eve.submit(&page, &page.sheet()).await;
        assert!(succeeded(&eve.open(place.consent(&again).await.as_str()).await), "{house:?}");
    }
}

#[tokio::test]
async fn sessions_that_are_over_take_no_sign_in() {
    let place = Place::start(House::Google).await;
    let link = place.link(json!({})).await;
    let person = Person::new();
    let leaving = person.begin(&link).await;
    let back = place.consent(&leaving).await;
    let taken = place.app.api("DELETE", &format!("/v1/hosted/accounts/link/{}", link.id), None).await;
    assert_eq!(taken.status, 200);
    let page = person.open(back.as_str()).await;
    assert_eq!((page.reply.status, logged(&place, "revoked")), (410, 1), "{}", page.text());

    let soon = vestibule::kernel::clock::Clock::system().now().after(std::time::Duration::from_secs(3));
    let link = place.link(json!({ "expiresOn": soon.rfc3339() })).await;
    let person = Person::new();
    let leaving = person.begin(&link).await;
    let back = place.consent(&leaving).await;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let page = person.open(back.as_str()).await;
    assert_eq!((page.reply.status, logged(&place, "expired")), (410, 1), "{}", page.text());
    assert!(place.identity.log(&place.client, "token").await.is_empty());
    assert!(place.app.accounts().await.is_empty());
}

/// The same address with another value for one parameter.
fn replace(url: &mut Url, name: &str, value: &str) {
    let pairs: Vec<(String, String)> =
        url.query_pairs().into_owned().filter(|(known, _)| known != name).collect();
    url.query_pairs_mut().clear().extend_pairs(pairs).append_pair(name, value);
}

/// The status of the answer to an address that is longer than clients send.
async fn status_of(url: &str) -> String {
    let url = Url::parse(url).expect("an address");
    let address = local(url.port().expect("a port"));
    let wire = dial(address).expect("a connection");
    wire.set_nonblocking(true).expect("a socket for the runtime");
    let mut wire = TcpStream::from_std(wire).expect("a socket");
    let path = &url[url::Position::BeforePath..];
    let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    // It may stop listening before it has heard everything.
    let (mut answer, mut told) = wire.split();
    let (_, answered) = tokio::join!(told.write_all(head.as_bytes()), async {
        let mut first = [0; 12];
        answer.read_exact(&mut first).await.expect("an answer");
        String::from_utf8_lossy(&first[9..]).into_owned()
    });
    answered
}
