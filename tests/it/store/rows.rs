//! Rows to begin with, and the short ways of writing and reading them.

use std::fmt::Debug;

use vestibule::kernel::clock::Millis;
use vestibule::kernel::ids::{AccountId, ApiKeyId, AttemptId, DeliveryId, EndpointId, SessionId};
use vestibule::kernel::random::{Random, Token};
use vestibule::kernel::words::{
    AttemptState, DeliveryState, Dialect, EndpointState, EventKind, Purpose, Status,
};
use vestibule::store::{
    Account, ApiKey, Attempt, Delivery, Due, Endpoint, Error, Result, Session, Store, Try, Watch,
};
use zeroize::Zeroizing;

use super::bench::now;

/// A random word.
pub fn word() -> String {
    Token::new(&Random::system()).reveal().to_owned()
}

/// Rows have no equality of their own: what they print decides.
pub fn assert_same<T: Debug>(read: &T, written: &T) {
    assert_eq!(format!("{read:?}"), format!("{written:?}"));
}

pub fn session() -> Session {
    let at = now();
    Session {
        providers: vec!["mail".to_owned()],
        ..Session::unopened(
            SessionId::new(at, &Random::system()),
            Dialect::Postpress,
            Purpose::Create,
            word(),
            Zeroizing::new(b"{}".to_vec()),
            at,
            Millis(at.0 + 3_600_000),
        )
    }
}

pub fn attempt(session: &Session) -> Attempt {
    let at = now();
    Attempt {
        id: AttemptId::new(at, &Random::system()),
        session_id: session.id.clone(),
        claim_no: 1,
        provider: "mail".to_owned(),
        method: "password".to_owned(),
        host: "connect.example.com".to_owned(),
        state: AttemptState::Live,
        shown: Zeroizing::new(b"{}".to_vec()),
        shown_version: 1,
        version: 1,
        busy_by: None,
        busy_until: None,
        talks_on: None,
        code: None,
        code_version: 0,
        created_at: at,
        updated_at: at,
    }
}

pub fn account() -> Account {
    let at = now();
    Account {
        id: AccountId::new(at, &Random::system()),
        provider: "mail".to_owned(),
        status: Status::Ok,
        cause: None,
        identity_mark: word(),
        name_mark: None,
        details: Zeroizing::new(b"{}".to_vec()),
        seq: 0,
        version: 1,
        created_at: at,
        updated_at: at,
        status_at: at,
        handed_out_at: None,
        watch: Watch { lane: "mail".to_owned(), check_at: at, ..Watch::default() },
    }
}

pub fn endpoint(lane: &str) -> Endpoint {
    Endpoint {
        id: EndpointId::new(now(), &Random::system()),
        dialect: Dialect::Postpress,
        version: 1,
        // Of a session's own, so that it is told what a test tells it, and nothing by itself.
        session_id: Some(SessionId::new(now(), &Random::system())),
        lane: lane.to_owned(),
        wanted: vec![EventKind::AccountConnected.into()],
        target: Zeroizing::new(b"https://hooks.example.com/".to_vec()),
        state: EndpointState::Enabled,
        some_accounts: false,
        created_at: now(),
    }
}

pub fn api_key(name: &str) -> ApiKey {
    ApiKey {
        id: ApiKeyId::new(now(), &Random::system()),
        name: name.to_owned(),
        hash: word(),
        scopes: vec!["sessions".to_owned()],
        created_at: now(),
        revoked_at: None,
    }
}

pub async fn insert_session(store: &Store, session: &Session) -> Result<()> {
    store.write(session.clone(), |session, tx| Box::pin(tx.insert_session(session))).await
}

pub async fn insert_attempt(store: &Store, attempt: &Attempt) -> Result<()> {
    store.write(attempt.clone(), |attempt, tx| Box::pin(tx.insert_attempt(attempt))).await
}

pub async fn insert_account(store: &Store, account: &Account, secret: &[u8]) -> Result<()> {
    let context = (account.clone(), secret.to_vec());
    store.write(context, |(account, secret), tx| Box::pin(tx.insert_account(account, secret))).await
}

pub async fn insert_endpoint(store: &Store, endpoint: &Endpoint) -> Result<()> {
    store.write(endpoint.clone(), |endpoint, tx| Box::pin(tx.insert_endpoint(endpoint))).await
}

pub async fn insert_api_key(store: &Store, key: &ApiKey) -> Result<()> {
    store.write(key.clone(), |key, tx| Box::pin(tx.insert_api_key(key))).await
}

/// The session as it is now.
pub async fn read_session(store: &Store, id: &SessionId) -> Session {
    store.read().await.expect("a connection").session(id).await.expect("a session").expect("it is there")
}

/// The attempt as it is now.
pub async fn read_attempt(store: &Store, id: &AttemptId) -> Attempt {
    store.read().await.expect("a connection").attempt(id).await.expect("an attempt").expect("it is there")
}

/// The delivery as it is now.
pub async fn read_delivery(store: &Store, id: &DeliveryId) -> Delivery {
    store.read().await.expect("a connection").delivery(id).await.expect("a delivery").expect("it is there")
}

/// Writes `count` facts about a stored session down, each on its way to a stored endpoint.
pub async fn tell(store: &Store, session: &Session, endpoint: &Endpoint, count: usize) -> Vec<DeliveryId> {
    let context = (session.id.clone(), endpoint.clone(), count);
    let written = store.write(context, |(session, endpoint, count), tx| {
        Box::pin(async move {
            let mut ids = Vec::new();
            for _ in 0..*count {
                let event = tx.append_session_event(session, EventKind::StepFailed, &[]).await?;
                ids.push(tx.enqueue(&event, endpoint).await?);
            }
            Ok(ids)
        })
    });
    written.await.expect("the outbox is written")
}

/// A stored session and endpoint with `count` deliveries between them, in order.
pub async fn told(store: &Store, lane: &str, count: usize) -> (Session, Endpoint, Vec<DeliveryId>) {
    let (session, endpoint) = (session(), endpoint(lane));
    insert_session(store, &session).await.expect("a session");
    insert_endpoint(store, &endpoint).await.expect("an endpoint");
    let ids = tell(store, &session, &endpoint, count).await;
    (session, endpoint, ids)
}

/// What a node called `by` claims in a lane.
pub async fn claim(store: &Store, by: &str, lane: &str, limit: i64) -> Vec<Delivery> {
    let at = now();
    let due = Due { by: by.to_owned(), now: at, until: Millis(at.0 + 60_000), lane: lane.to_owned(), limit };
    store.write(due, |due, tx| Box::pin(tx.claim_deliveries(due))).await.expect("a claim")
}

/// Writes down that a claimed delivery's try ended so; it is due again at `due_at`.
pub async fn finish(store: &Store, delivery: &Delivery, state: DeliveryState, due_at: Millis) -> Result<()> {
    let tried = Try {
        number: delivery.tries + 1,
        at: now(),
        took: 1,
        status: Some(if state == DeliveryState::Done { 200 } else { 500 }),
        problem: None,
        answer: None,
    };
    let context = (delivery.clone(), state, due_at, tried);
    let written = store.write(context, |(delivery, state, due_at, tried), tx| {
        Box::pin(tx.finish_try(delivery, *state, *due_at, tried))
    });
    written.await
}

/// Whether a result is `Corrupt`, whatever it is about.
pub fn is_corrupt<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::Corrupt { .. }))
}
