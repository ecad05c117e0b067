//! What was kept long enough is removed by the running server; what is not, stays.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use vestibule::kernel::clock::Clock;
use vestibule::kernel::random::Random;
use vestibule::kernel::words::SessionState;
use vestibule::store::{Address, Store, sqlite_url};

use super::session;
use crate::app::App;
use crate::parts::{READY, eventually_async};

#[tokio::test]
async fn sessions_that_ended_longer_ago_than_they_are_kept_are_removed_in_batches() {
    let mut app = App::with(&[("KEEP_SESSIONS_DAYS", "2")]);
    assert!(app.stop());
    let ring = vestibule::config::read_key_file(&app.data("vestibule.key"), Random::system()).unwrap();
    let address = Address { url: sqlite_url(&app.data("vestibule.db")), connections: 2 };
    let store = Store::open(&address, ring, Clock::system(), Random::system()).await.unwrap();
    let mut ids = Vec::new();
    // More than one batch of old ones, one that is younger, and an open one.
    for (count, days, state) in
        [(250, 3, SessionState::Cancelled), (1, 1, SessionState::Cancelled), (1, 3, SessionState::Open)]
    {
        for _ in 0..count {
            let at = Clock::system().now().before(Duration::from_secs(days * 24 * 3600));
            let mut session = session(at);
            session.state = state;
            match state {
                SessionState::Open => session.expires_at = at.after(Duration::from_secs(30 * 24 * 3600)),
                _ => session.ended_at = Some(at),
            }
            ids.push(session.id.to_string());
            store.write(session, |session, tx| Box::pin(tx.insert_session(session))).await.unwrap();
        }
    }
    store.close().await;
    app.run();
    let kept = &ids[250..];
    eventually_async("the sweep", READY, async || {
        let reply = app.api("GET", "/v1/hosted/accounts/link?limit=250", None).await.json();
        let left: Vec<_> =
            reply["items"].as_array()?.iter().map(|item| item["id"].as_str().unwrap()).collect();
        assert!(kept.iter().all(|id| left.contains(&id.as_str())), "{left:?}");
        (left.len() == kept.len()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_link_whose_row_is_damaged_does_not_keep_others_from_their_end() {
    let mut app = App::start();
    assert!(app.stop());
    let ring = vestibule::config::read_key_file(&app.data("vestibule.key"), Random::system()).unwrap();
    let address = Address { url: sqlite_url(&app.data("vestibule.db")), connections: 2 };
    let store = Store::open(&address, ring, Clock::system(), Random::system()).await.unwrap();
    let mut ids = Vec::new();
    // The damaged one ran out first, and so comes first whenever somebody looks.
    for minutes in [9, 6] {
        let at = Clock::system().now().before(Duration::from_secs(minutes * 60));
        let mut session = session(at);
        session.expires_at = at.after(Duration::from_secs(60));
        ids.push(session.id.to_string());
        store.write(session, |session, tx| Box::pin(tx.insert_session(session))).await.unwrap();
    }
    store.close().await;
    let mut raw = SqliteConnection::connect(&address.url).await.unwrap();
    let spoil = format!("UPDATE sessions SET providers = 'spoilt' WHERE id = '{}'", ids[0]);
    sqlx::raw_sql(AssertSqlSafe(spoil)).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
    app.run();
    eventually_async("the end to be written down", READY, async || {
        let link = app.session(&ids[1]).await;
        assert_eq!(link["status"], "EXPIRED");
        (!link["ended_at"].is_null()).then_some(())
    })
    .await;
    assert!(app.output().contains("a link's end could not be written down"), "{}", app.output());
}
