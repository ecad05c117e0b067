//! Sealing: what is secret is not readable at rest, and sealed bytes open only where they were sealed.

use vestibule::kernel::clock::Millis;
use vestibule::kernel::ids::{AccountId, AttemptId};
use vestibule::kernel::seal::{Key, Place};
use vestibule::kernel::words::{AttemptState, DeliveryState, EventKind, Status};
use vestibule::store::{
    AccountFilter, AccountUpdate, Aside, Call, Finish, Result, SessionFilter, Store, Taken, Try, Watch,
};
use zeroize::Zeroizing;

use super::bench::{Database, Raw, now, ring};
use super::grants;
use super::rows::{
    account, attempt, claim, endpoint, insert_account, insert_attempt, insert_endpoint, insert_session,
    is_corrupt, session, tell, word,
};

const PLAIN: &[u8] = b"correct horse battery staple";

/// Every sealed column with what names its rows.
const SEALED: &[(&str, &str, &str)] = &[
    ("sessions", "request", "id"),
    ("attempts", "shown", "id"),
    ("accounts", "details", "id"),
    ("accounts", "secret", "id"),
    ("endpoints", "target", "id"),
    ("deliveries", "body", "id"),
    ("delivery_tries", "answer", "delivery_id"),
    ("idempotent_calls", "reply", "id"),
    ("returns", "parked", "id"),
    ("releases", "secret", "id"),
    ("finishes", "details", "session_id"),
    ("finishes", "secret", "session_id"),
    ("sealed_values", "value", "id"),
];

pub struct Filled {
    pub account: AccountId,
    pub attempt: AttemptId,
}

/// One row in every table, each secret of it [`PLAIN`].
pub async fn fill(store: &Store, lane: &str) -> Filled {
    let mut session = session();
    session.request = Zeroizing::new(PLAIN.to_vec());
    insert_session(store, &session).await.unwrap();
    let mut attempt = attempt(&session);
    attempt.shown = Zeroizing::new(PLAIN.to_vec());
    insert_attempt(store, &attempt).await.unwrap();
    let mut account = account();
    account.details = Zeroizing::new(PLAIN.to_vec());
    insert_account(store, &account, PLAIN).await.unwrap();
    let mut endpoint = endpoint(lane);
    endpoint.target = Zeroizing::new(PLAIN.to_vec());
    insert_endpoint(store, &endpoint).await.unwrap();
    tell(store, &session, &endpoint, 1).await;
    let claimed = claim(store, "node", lane, 1).await.remove(0);
    let tried =
        Try { number: 1, at: now(), took: 1, status: Some(500), problem: None, answer: Some(PLAIN.to_vec()) };
    let write = store.write((claimed, tried), |(claimed, tried), tx| {
        Box::pin(async move {
            tx.keep_body(&claimed.id, PLAIN).await?;
            tx.finish_try(claimed, DeliveryState::Done, Millis(0), tried).await
        })
    });
    write.await.unwrap();
    // The event keeps what was known of the account; the account's row stays, for what else is read of it.
    let gone = store.write(account.id.clone(), |id, tx| {
        Box::pin(tx.append_account_event(id, EventKind::AccountDeleted, &[]))
    });
    gone.await.unwrap();
    let call = call(&word());
    assert_eq!(take_call(store, &call).await, Ok(Taken::Now(1)));
    let done = store.write((call, session), |(call, session), tx| {
        Box::pin(tx.finish_call(&call.id, 1, Some(&session.id), Some(PLAIN), call.expires_at))
    });
    done.await.unwrap();
    grants::park(store, &word(), &attempt.id, "handle", PLAIN).await.unwrap();
    grants::insert_release(store, &grants::release("mail", &word(), PLAIN)).await;
    let (details, secret) = (Zeroizing::new(PLAIN.to_vec()), Zeroizing::new(PLAIN.to_vec()));
    let finish = Finish {
        session_id: attempt.session_id.clone(),
        account_id: account.id.clone(),
        provider: "mail".to_owned(),
        code_hash: word(),
        aside: Some(Aside { details, secret }),
        due_at: Millis(now().0 + 3_600_000),
        created_at: now(),
    };
    store.write(finish, |finish, tx| Box::pin(tx.insert_finish(finish))).await.unwrap();
    store.marker().await.unwrap();
    store.signing_secret().await.unwrap();
    Filled { account: account.id, attempt: attempt.id }
}

/// A call that is kept long enough for a test.
fn call(id: &str) -> Call {
    let at = now();
    let expires_at = Millis(at.0 + 3_600_000);
    Call { id: id.to_owned(), fingerprint: "body".to_owned(), now: at, busy_until: expires_at, expires_at }
}

async fn take_call(store: &Store, call: &Call) -> Result<Taken> {
    store.write(call.clone(), |call, tx| Box::pin(tx.take_call(call))).await
}

/// Whether every row of a table can be read; secrets of accounts are opened as the engine will.
async fn readable(database: &Database, store: &Store, table: &str, column: &str) -> bool {
    readable_with(database, store, table, column, database.key()).await
}

/// The same with another key than the database's first.
pub async fn readable_with(database: &Database, store: &Store, table: &str, column: &str, key: Key) -> bool {
    let mut db = store.read().await.unwrap();
    match (table, column) {
        ("sessions", _) => !is_corrupt(&db.sessions(&SessionFilter { limit: 9, ..Default::default() }).await),
        ("events", _) => {
            let told = "SELECT id FROM events WHERE details IS NOT NULL";
            for id in database.raw().await.texts(told).await {
                if is_corrupt(&db.last_details(&id.parse().unwrap()).await) {
                    return false;
                }
            }
            true
        }
        ("attempts", _) => {
            let ids = database.raw().await.texts("SELECT id FROM attempts").await;
            for id in ids {
                let id: AttemptId = id.parse().unwrap();
                if is_corrupt(&db.attempt(&id).await) {
                    return false;
                }
            }
            true
        }
        ("accounts", "details") => {
            !is_corrupt(&db.accounts(&AccountFilter { limit: 9, ..Default::default() }).await)
        }
        ("accounts", _) => {
            let mut raw = database.raw().await;
            let secrets = raw.bytes("SELECT secret FROM accounts ORDER BY id").await;
            let ids = raw.texts("SELECT id FROM accounts ORDER BY id").await;
            let versions = raw.texts("SELECT CAST(version AS TEXT) FROM accounts ORDER BY id").await;
            secrets.iter().zip(&ids).zip(&versions).all(|((sealed, id), version)| {
                let version = version.parse().unwrap();
                let place = Place { table: "accounts", column: "secret", id, version };
                ring(vec![key.clone()]).open(place, sealed).is_ok()
            })
        }
        ("endpoints", _) => {
            let ids = database.raw().await.texts("SELECT id FROM endpoints").await;
            for id in ids {
                let id = id.parse().unwrap();
                if is_corrupt(&db.endpoint(&id).await) {
                    return false;
                }
            }
            true
        }
        ("deliveries", _) => !is_corrupt(
            &db.deliveries(&vestibule::store::DeliveryFilter { limit: 9, ..Default::default() }).await,
        ),
        ("delivery_tries", _) => {
            let ids = database.raw().await.texts("SELECT delivery_id FROM delivery_tries").await;
            for id in ids {
                let id = id.parse().unwrap();
                if is_corrupt(&db.tries(&id).await) {
                    return false;
                }
            }
            true
        }
        ("returns", _) => {
            for id in database.raw().await.texts("SELECT attempt_id FROM returns").await {
                if is_corrupt(&db.parked(&id.parse().unwrap(), "handle").await) {
                    return false;
                }
            }
            true
        }
        ("finishes", _) => {
            for id in database.raw().await.texts("SELECT session_id FROM finishes").await {
                if is_corrupt(&db.finish(&id.parse().unwrap()).await) {
                    return false;
                }
            }
            true
        }
        ("releases", _) => !is_corrupt(&db.due_releases(Millis(i64::MAX), 99).await),
        ("idempotent_calls", _) => {
            drop(db);
            let ids = database.raw().await.texts("SELECT id FROM idempotent_calls").await;
            for id in ids {
                if is_corrupt(&take_call(store, &call(&id)).await) {
                    return false;
                }
            }
            true
        }
        _ => {
            drop(db);
            !is_corrupt(&store.marker().await)
                && !is_corrupt(&store.signing_secret().await)
                && database.open_with(vec![key]).await.is_ok()
        }
    }
}

/// The sealed bytes of a column, rows in order.
async fn sealed(raw: &mut Raw, table: &str, column: &str, id: &str) -> Vec<Vec<u8>> {
    raw.bytes(&format!("SELECT {column} FROM {table} ORDER BY {id}")).await
}

async fn rows(raw: &mut Raw, table: &str, id: &str) -> Vec<String> {
    raw.texts(&format!("SELECT {id} FROM {table} ORDER BY {id}")).await
}

pub async fn nothing_secret_is_written_in_clear(database: Database) {
    let store = database.open().await;
    fill(&store, "lane").await;
    let mut raw = database.raw().await;
    for (table, column, id) in SEALED {
        for bytes in sealed(&mut raw, table, column, id).await {
            let seen = bytes.windows(PLAIN.len()).any(|window| window == PLAIN);
            assert!(!seen && bytes.len() > PLAIN.len(), "{table}.{column}");
        }
    }
    let hex: String = PLAIN.iter().map(|byte| format!("{byte:02x}")).collect();
    let rest = database.at_rest().await;
    assert!(rest.len() > 1_000);
    for needle in [PLAIN, hex.as_bytes(), store.signing_secret().await.unwrap().reveal().as_bytes()] {
        assert!(!rest.windows(needle.len()).any(|window| window == needle));
    }
}

pub async fn equal_secrets_do_not_look_equal(database: Database) {
    let store = database.open().await;
    fill(&store, "a").await;
    fill(&store, "b").await;
    let mut raw = database.raw().await;
    for (table, column, id) in SEALED {
        let bytes = sealed(&mut raw, table, column, id).await;
        assert!(bytes.len() >= 2 && bytes[0] != bytes[1], "{table}.{column}");
    }
}

pub async fn bytes_moved_to_another_row_are_corrupt(database: Database) {
    let store = database.open().await;
    fill(&store, "a").await;
    fill(&store, "b").await;
    let mut raw = database.raw().await;
    for (table, column, id) in SEALED {
        assert!(readable(&database, &store, table, column).await, "{table}.{column}");
        let bytes = sealed(&mut raw, table, column, id).await;
        let ids = rows(&mut raw, table, id).await;
        for (row, moved) in ids.iter().zip(bytes.iter().cycle().skip(1)) {
            raw.put(table, column, &format!("{id} = '{row}'"), moved).await;
        }
        assert!(!readable(&database, &store, table, column).await, "{table}.{column}");
        for (row, own) in ids.iter().zip(&bytes) {
            raw.put(table, column, &format!("{id} = '{row}'"), own).await;
        }
        assert!(readable(&database, &store, table, column).await, "{table}.{column}");
    }
}

pub async fn an_older_value_of_the_same_row_is_corrupt(database: Database) {
    let store = database.open().await;
    let filled = fill(&store, "lane").await;
    let mut raw = database.raw().await;
    let mut old = Vec::new();
    for (table, column) in [("attempts", "shown"), ("accounts", "details"), ("accounts", "secret")] {
        old.push((table, column, sealed(&mut raw, table, column, "id").await.remove(0)));
    }
    let update = AccountUpdate {
        status: Status::Ok,
        cause: None,
        details: Zeroizing::new(b"new".to_vec()),
        secret: Zeroizing::new(b"new".to_vec()),
        at: now(),
        watch: Watch::default(),
    };
    let write = store.write((filled.attempt, filled.account, update), |(attempt, account, update), tx| {
        Box::pin(async move {
            tx.save_attempt(attempt, 1, AttemptState::Live, b"new", false, update.at).await?;
            tx.update_account(account, 1, update).await
        })
    });
    write.await.unwrap();
    for (table, column, bytes) in old {
        assert!(readable(&database, &store, table, column).await, "{table}.{column}");
        let newer = sealed(&mut raw, table, column, "id").await.remove(0);
        raw.put(table, column, "1 = 1", &bytes).await;
        assert!(!readable(&database, &store, table, column).await, "{table}.{column}");
        raw.put(table, column, "1 = 1", &newer).await;
    }
}

pub async fn bytes_moved_to_another_column_are_corrupt(database: Database) {
    let store = database.open().await;
    fill(&store, "lane").await;
    let mut raw = database.raw().await;
    raw.run("UPDATE accounts SET details = secret").await;
    assert!(!readable(&database, &store, "accounts", "details").await);
}

pub async fn cut_and_empty_bytes_are_corrupt(database: Database) {
    let store = database.open().await;
    fill(&store, "lane").await;
    let mut raw = database.raw().await;
    for (table, column, id) in SEALED.iter().filter(|(table, _, _)| *table != "sealed_values") {
        let own = sealed(&mut raw, table, column, id).await.remove(0);
        for bytes in [&own[..0], &own[..1], &own[..20], &own[..own.len() - 1]] {
            raw.put(table, column, "1 = 1", bytes).await;
            assert!(!readable(&database, &store, table, column).await, "{table}.{column}: {}", bytes.len());
        }
        raw.put(table, column, "1 = 1", &own).await;
    }
}
