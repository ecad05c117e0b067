//! Many nodes on one PostgreSQL, at an issuer that punishes the second use of a refresh token by ending everything that came
//! of it: none is lost, neither while sixteen processes watch and renew at once, nor while their clocks are hours apart.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::clock::Clock;
use super::{events, shown, status};
use crate::app::App;
use crate::app::http::Reply;
use crate::oauth::nodes::Pair;
use crate::oauth::walk::asked_for;
use crate::oauth::{Asking, point};
use crate::parts::identity::House;
use crate::proofs::nodes::ring;

const PROCESSES: usize = 16;
const RACE: Duration = Duration::from_secs(20);

/// Backends that want fresh credentials of these accounts from all nodes, for a while; how many answers they got.
async fn race(nodes: &[String], askings: &[Asking], callers: usize, span: Duration) -> usize {
    let (end, given) = (Instant::now() + span, Arc::new(AtomicUsize::new(0)));
    let mut all = JoinSet::new();
    for at in 0..callers {
        let (asking, node) = (askings[at % askings.len()].clone(), nodes[at % nodes.len()].clone());
        let given = given.clone();
        all.spawn(async move {
            while Instant::now() < end {
                let reply = asking.ask(&node, json!({ "refresh": true })).await.expect("an answer");
                // A machine that is busy may let somebody wait too long; a lost grant would say needs_reconnect.
                if reply.status == 503 {
                    continue;
                }
                assert_eq!(reply.json()["state"], "active", "{}", reply.text());
                given.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    all.join_all().await;
    given.load(Ordering::Relaxed)
}

/// No renewal was refused, and every account is as it was connected.
async fn nothing_lost(pair: &Pair, accounts: &[String], url: &str, least: usize) {
    let renewals = asked_for(pair.identity, &pair.client, "refresh_token").await;
    let refused = renewals.iter().filter(|asked| asked.status != Some(200)).count();
    println!("{} renewals, {refused} refused", renewals.len());
    assert_eq!(refused, 0, "of {} renewals", renewals.len());
    assert!(renewals.len() >= least, "{} renewals", renewals.len());
    for account in accounts {
        assert_eq!(status(&shown(&pair.second, account).await), "OK");
        let kinds: Vec<_> = events(url, account).await.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["account.connected"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_processes_that_watch_and_renew_at_once_lose_no_grant() {
    let pair = Pair::start(House::Microsoft, json!({ "strict_refresh": true })).await;
    let mut accounts = Vec::new();
    for name in ["one", "two", "three", "four"] {
        accounts.push(pair.account(&pair.link(json!({ "name": name })).await).await);
    }
    let url = pair.url();
    let more: Vec<App> = (0..PROCESSES - 2)
        .map(|_| {
            let settings = [
                ("DATABASE_URL", url.as_str()),
                ("DATABASE_CONNECTIONS", "4"),
                ("CHECKS__GRANTS_SECONDS", "1"),
                ("LOG", "info"),
            ];
            let mut app = App::prepared(&settings);
            app.set("KEYS", &ring());
            app.behind(pair.front.address());
            point(&mut app, House::Microsoft, &pair.client);
            app.share_key(&pair.first);
            app
        })
        .collect();
    let more: Vec<App> = std::thread::scope(|scope| {
        let started: Vec<_> = more
            .into_iter()
            .map(|mut app| {
                scope.spawn(move || {
                    app.run();
                    app
                })
            })
            .collect();
        started.into_iter().map(|app| app.join().expect("it starts")).collect()
    });
    let mut nodes: Vec<String> = pair.nodes().to_vec();
    nodes.extend(more.iter().map(|app| format!("http://{}", app.address())));
    assert_eq!(nodes.len(), PROCESSES);
    let askings: Vec<_> = accounts.iter().map(|account| Asking::at(&pair.second, account)).collect();
    let given = race(&nodes, &askings, 32, RACE).await;
    println!("{given} answers");
    assert!(given > 50, "{given} answers");
    nothing_lost(&pair, &accounts, &url, 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_whose_clocks_are_hours_apart_lose_no_grant() {
    let mut pair = Pair::start(House::Microsoft, json!({ "strict_refresh": true })).await;
    let account = pair.account(&pair.link(json!({})).await).await;
    let clock = Clock::at("+5h");
    pair.first.stop();
    let mut command = pair.first.command(&["serve"]);
    clock.give(&mut command);
    pair.first.run_as(command);
    let askings = [Asking::at(&pair.second, &account)];
    // Slow answers, so that each is asked for while the other one holds the account.
    pair.identity.fault(&pair.client, "token_hang", 1, false).await;
    let given = race(&pair.nodes(), &askings, 6, Duration::from_secs(15)).await;
    assert!(given > 4, "{given} answers");
    nothing_lost(&pair, &[account], &pair.url(), 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_takes_long_is_waited_for_by_the_other_node_and_not_done_twice() {
    let pair = Pair::start(House::Microsoft, json!({ "strict_refresh": true })).await;
    let account = pair.account(&pair.link(json!({})).await).await;
    let asking = Asking::at(&pair.second, &account);
    pair.identity.fault(&pair.client, "token_hang", 8, true).await;
    let [first, second] = pair.nodes();
    let one = asking.spawn(first, json!({ "refresh": true }));
    let renewals = async || asked_for(pair.identity, &pair.client, "refresh_token").await.len();
    crate::parts::eventually_async("the question", Duration::from_secs(20), async || {
        (renewals().await == 1).then_some(())
    })
    .await;
    let other = asking.ask(&second, json!({ "refresh": true })).await.expect("an answer");
    let one = one.await.expect("it ends").expect("an answer");
    for reply in [&one, &other] {
        assert_eq!((reply.status, &reply.json()["state"]), (200, &json!("active")), "{}", reply.text());
    }
    let token = |reply: &Reply| reply.json()["credentials"]["access_token"].clone();
    assert_eq!(token(&one), token(&other), "what the first one got");
    nothing_lost(&pair, &[account], &pair.url(), 1).await;
    assert_eq!(renewals().await, 1);
}
