//! A person and a backend who simply go on when they get no answer, on the way over a provider's own pages, and what must
//! hold of the provider's log afterwards.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{address, slug, tag};
use crate::app::http::try_send;
use crate::app::person::{Person, Seen};
use crate::app::{App, Link};
use crate::parts::eventually_async;
use crate::parts::identity::{Asked, House, Identity, Registered};
use crate::parts::visitor::Choices;
use crate::proofs::walk::{arrived, persist};
use crate::stories::Dialect;

/// How long a person keeps trying.
const PATIENCE: Duration = Duration::from_secs(90);

/// Asks for a link to a house until there is an answer.
pub async fn ask_link(
    (dialect, house): (Dialect, House),
    base: &str,
    key: &str,
    notify: &str,
    lost: &mut dyn FnMut(),
) -> Link {
    let (path, mut body) = dialect.request(base, notify);
    match (dialect, house) {
        (Dialect::Postpress, _) => body["providers"] = json!([tag(house)]),
        (Dialect::Riposte, House::Google) => body["provider"] = json!("gmail"),
        (Dialect::Riposte, House::Microsoft) => body["provider"] = json!("microsoft"),
    }
    let body = body.to_string();
    let headers = [("x-api-key", key), ("content-type", "application/json")];
    loop {
        match try_send("POST", &format!("{base}{path}"), &headers, body.as_bytes()).await {
            Ok(reply) => return dialect.made(&reply),
            Err(_) => lost(),
        }
    }
}

/// Where a page sends the person at this house, if it does.
fn away(seen: &Seen, identity: &Identity) -> Option<String> {
    let (_, url) = seen.reply.header("refresh").split_once("url=")?;
    url.starts_with(identity.origin()).then(|| url.to_owned())
}

/// Goes from wherever the person stands to the page that takes them home, agreeing to everything at the provider. What got
/// no answer is sent again as it was.
pub async fn go_on(person: &Person, house: House, from: &str, lost: &mut dyn FnMut()) -> Seen {
    let (identity, begun) = (Identity::shared(house), Instant::now());
    let mut seen = persist(lost, async || person.try_open(from).await).await;
    while !arrived(&seen) {
        assert!(begun.elapsed() < PATIENCE, "nothing goes on: {}", seen.text());
        assert_eq!(seen.reply.status, 200, "{}", seen.text());
        seen = if let Some(url) = away(&seen, identity) {
            let back = identity.consent(&url, address(house), &Choices::default()).await;
            persist(lost, async || person.try_open(back.as_str()).await).await
        } else if seen.has("form") {
            let mut sheet = seen.sheet();
            if seen.has("input[name=\"email\"]") {
                sheet = sheet.raw("email", address(house));
            }
            persist(lost, async || person.try_submit(&seen, &sheet).await).await
        } else {
            // An answer is being checked; the page loads itself again.
            tokio::time::sleep(Duration::from_millis(200)).await;
            let here = seen.url.clone();
            persist(lost, async || person.try_open(&here).await).await
        };
    }
    seen
}

/// What a client asked the token endpoint with this kind of grant.
pub async fn asked_for(identity: &Identity, client: &Registered, grant: &str) -> Vec<Asked> {
    let mut asked = identity.log(client, "token").await;
    asked.retain(|asked| asked.params["grant_type"] == grant);
    asked
}

/// How many codes a client has brought; none of them twice.
pub async fn codes(identity: &Identity, client: &Registered) -> usize {
    let asked = asked_for(identity, client, "authorization_code").await;
    let different: BTreeSet<_> = asked.iter().map(|asked| asked.params["code"].as_str().unwrap()).collect();
    assert_eq!(different.len(), asked.len(), "a code was brought twice");
    asked.len()
}

/// Waits until a client has asked an endpoint so many times.
pub async fn until_asked(identity: &Identity, client: &Registered, endpoint: &str, times: usize) {
    eventually_async("the question to the provider", Duration::from_secs(20), async || {
        (identity.log(client, endpoint).await.len() >= times).then_some(())
    })
    .await;
}

/// Waits until everything that a client asked an endpoint is answered, also where nobody is there to hear it.
pub async fn until_answered(identity: &Identity, client: &Registered, endpoint: &str) {
    eventually_async("the provider's answer", Duration::from_secs(30), async || {
        identity.log(client, endpoint).await.iter().all(|asked| asked.status.is_some()).then_some(())
    })
    .await;
}

/// Registers one more client with a server's addresses at a house.
pub async fn another_client(app: &App, house: House) -> Registered {
    let uri = |route: &str| app.url(&format!("/providers/{}/{route}", slug(house)));
    let (callback, consent) = (uri("callback"), uri("admin-consent"));
    Identity::shared(house).register(&[&callback, &consent], json!({})).await
}
