//! Measures a whole sign-in at a provider, from the callback to the redirect at its end, beside a bare client that
//! does nothing but ask the provider the same things over the same kind of connections. Run by `cargo xtask bench`; it
//! prints a table and never fails because of a number.
//!
//! The provider is the stand-in of the tests, a certified identity provider; both sides take turns (A B A B …), so a noisy
//! machine disturbs both alike. What is left of a sign-in without the bare client's time is ours: parking what was brought,
//! taking it out, judging the ID token, sealing and two synced commits.

#![expect(clippy::unwrap_used, reason = "what cannot be measured ends the measurement")]
#![expect(clippy::allow_attributes, reason = "parts and harness are libraries for the tests they belong to")]

#[path = "../../tests/it/app/mod.rs"]
#[allow(dead_code, unused_imports, missing_docs, reason = "what the tests need besides")]
mod app;
#[path = "../../tests/it/parts/mod.rs"]
#[allow(dead_code, unused_imports, missing_docs, reason = "what the tests need besides")]
mod parts;

use std::time::{Duration, Instant};

use app::person::Person;
use app::signing::{HOUSES, Place, address, leaves_for, parameter, slug};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parts::identity::House;
use parts::visitor::Choices;
use serde_json::json;

const ROUNDS: usize = 60;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    println!(
        "| sign-in, from the callback to the redirect | whole ms, p50 / p90 | bare client ms, p50 / p90 | ours ms, p50 / p90 | aim |"
    );
    println!("| --- | ---: | ---: | ---: | ---: |");
    for house in HOUSES {
        let place = Place::with(house, &[("REQUESTS_PER_MINUTE", "0"), ("LOG", "info")], json!({})).await;
        // Both warm up: keys are read, pages drawn, code compiled.
        for _ in 0..10 {
            whole(&place).await;
            bare(&place).await;
        }
        let (mut ours, mut bares) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(whole(&place).await);
            bares.push(bare(&place).await);
        }
        let mut own: Vec<f64> =
            ours.iter().zip(&bares).map(|(ours, bare)| millis(*ours) - millis(*bare)).collect();
        own.sort_by(f64::total_cmp);
        println!(
            "| {} | {} | {} | **{:.1}** / {:.1} | 5 |",
            slug(house),
            spread(&mut ours),
            spread(&mut bares),
            own[own.len() / 2],
            own[own.len() * 9 / 10]
        );
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn spread(times: &mut [Duration]) -> String {
    times.sort();
    format!("{:.1} / {:.1}", millis(times[times.len() / 2]), millis(times[times.len() * 9 / 10]))
}

/// One whole sign-in; only what comes after the provider's pages is timed.
async fn whole(place: &Place) -> Duration {
    let link = place.link(json!({})).await;
    let person = Person::new();
    let back = place.consent(&person.begin(&link).await).await;
    let began = Instant::now();
    let end = person.hop(back.as_str(), "/return").await;
    let took = began.elapsed();
    let end = person.open(&end).await;
    assert!(end.has(".sign-good"), "{}", end.text());
    took
}

/// The same questions asked by a client that keeps nothing and judges nothing.
async fn bare(place: &Place) -> Duration {
    // An address of the server's own, with a challenge of ours.
    let link = place.link(json!({})).await;
    let url = leaves_for(&Person::new().begin(&link).await);
    let verifier = "a".repeat(64);
    let challenge = URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes()));
    let url = url.replace(&parameter(&url, "code_challenge").unwrap(), &challenge);
    let back = place.identity.consent(&url, address(place.house), &Choices::default()).await;
    let code = parameter(back.as_str(), "code").unwrap();
    let callback = place.app.url(&format!("/providers/{}/callback", slug(place.house)));
    let path = match place.house {
        House::Google => "/token",
        House::Microsoft => "/common/oauth2/v2.0/token",
    };
    let scope = parameter(&url, "scope").unwrap();
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", callback.as_str()),
        ("client_id", place.client.id.as_str()),
        ("client_secret", place.client.secret.as_str()),
        ("code_verifier", verifier.as_str()),
    ];
    if place.house == House::Microsoft {
        form.push(("scope", scope.as_str()));
    }
    let began = Instant::now();
    let (status, reply) = place.identity.post(path, &form).await;
    assert_eq!(status, 200, "{reply}");
    if place.house == House::Google {
        let bearer = format!("Bearer {}", reply["access_token"].as_str().unwrap());
        let headers = [("authorization", bearer.as_str())];
        place.identity.send("GET", &place.identity.at("/v1/userinfo"), &headers, "").await.unwrap();
    }
    began.elapsed()
}
