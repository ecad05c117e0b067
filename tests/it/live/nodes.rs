//! Processes that die while a code is on show: another one, or the next, shows a fresh code, and that one works.

use std::time::Duration;

use serde_json::json;

use super::{House, PHONE, code, until};
use crate::app::App;
use crate::parts::eventually_async;
use crate::parts::front::Front;
use crate::parts::postgres::schema;
use crate::parts::whatsapp::Whatsapp;
use crate::proofs::nodes::ring;
use crate::steps::Screen;

/// A dead node is believed dead after a while.
const MISSED: Duration = Duration::from_secs(60);

/// Two nodes on one database, with these settings besides.
pub fn two_nodes(own: &[(String, String)], url: &str) -> (App, App) {
    two_nodes_at(own, url, None)
}

/// The same behind a front, which is the one address that both are reached at.
pub fn two_nodes_at(own: &[(String, String)], url: &str, front: Option<&Front>) -> (App, App) {
    let ring = ring();
    let prepared = || {
        let mut all: Vec<_> = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.extend([("DATABASE_URL", url), ("KEYS", ring.as_str())]);
        let mut app = App::prepared(&all);
        if let Some(front) = front {
            app.behind(front.address());
        }
        app
    };
    let (mut first, mut second) = (prepared(), prepared());
    if let Some(front) = front {
        front.aim(first.address());
    }
    first.run();
    second.share_key(&first);
    second.run();
    (first, second)
}

/// The code that is shown in place of another one, once somebody noticed that its node is dead.
pub async fn fresh_code(screen: &mut Screen, old: &str) -> String {
    eventually_async("a fresh code", MISSED, async || {
        let found = code(screen).await;
        (found != old).then_some(found)
    })
    .await
}

#[tokio::test]
async fn a_server_killed_while_a_code_is_on_show_shows_a_fresh_one_when_it_is_back() {
    let mut house = House::start();
    let link = house.link(json!({})).await;
    let mut screen = Screen::start(&house.app, &link).await;
    let dead = code(&mut screen).await;
    house.app.kill();
    house.app.run();
    let fresh = fresh_code(&mut screen, &dead).await;
    assert!(house.double.scan(PHONE, &dead).await.is_err(), "what is on nobody's screen links nothing");
    house.double.scan(PHONE, &fresh).await.expect("a scan");
    until(&mut screen, "an account", |seen| seen["state"] == "connected").await;
    assert_eq!(house.app.accounts().await.len(), 1);
}

/// As after a moment without the database, or on a machine that slept.
#[tokio::test]
async fn nodes_that_were_both_silent_for_a_while_take_nothing_from_each_other() {
    let (double, schema) = (Whatsapp::start(), schema());
    let (mut first, mut second) = two_nodes(&double.variables(), &schema.url());
    let link = first.link(json!({ "providers": ["WHATSAPP"] })).await;
    let mut screen = Screen::start(&first, &link).await;
    let shown = code(&mut screen).await;
    for node in [&mut first, &mut second] {
        node.process().signal("STOP");
    }
    tokio::time::sleep(Duration::from_secs(16)).await;
    second.process().signal("CONT");
    let mut beside = screen.moved_to(&second, &link);
    assert_eq!(code(&mut beside).await, shown, "the other one may live as well");
    first.process().signal("CONT");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(code(&mut beside).await, shown);
    assert_eq!(double.log("registration").await.len(), 1, "nobody else talks");
    double.scan(PHONE, &shown).await.expect("a scan");
    until(&mut beside, "an account", |seen| seen["state"] == "connected").await;
}

#[tokio::test]
async fn of_two_nodes_one_talks_and_when_it_dies_the_other_goes_on() {
    let (double, schema) = (Whatsapp::start(), schema());
    let (mut first, second) = two_nodes(&double.variables(), &schema.url());
    let link = first.link(json!({ "providers": ["WHATSAPP"] })).await;
    let mut screen = Screen::start(&first, &link).await;
    let shown = code(&mut screen).await;
    // The other node shows the same code, and connects to nobody.
    let mut beside = screen.moved_to(&second, &link);
    assert_eq!(code(&mut beside).await, shown);
    assert_eq!(double.log("registration").await.len(), 1);
    first.kill();
    let fresh = fresh_code(&mut beside, &shown).await;
    double.scan(PHONE, &fresh).await.expect("a scan");
    until(&mut beside, "an account", |seen| seen["state"] == "connected").await;
    assert_eq!(second.accounts().await.len(), 1);
}
