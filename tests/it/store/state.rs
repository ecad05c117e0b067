//! State: every field of every row reads back as it was written, and changes touch only what they name.

use vestibule::kernel::clock::Millis;
use vestibule::kernel::ids::{AccountId, ApiKeyId, AttemptId, DeliveryId, EventId, SessionId};
use vestibule::kernel::random::Random;
use vestibule::kernel::words::{
    AttemptState, DeliveryState, Dialect, EventKind, Purpose, SessionState, Status,
};
use vestibule::store::{AccountUpdate, Error, SessionUpdate, Store, Try, Watch};
use zeroize::Zeroizing;

use super::bench::{Database, now};
use super::rows::{
    account, api_key, assert_same, attempt, claim, endpoint, insert_account, insert_api_key, insert_attempt,
    insert_endpoint, insert_session, read_attempt, read_delivery, read_session, session, told, word,
};

/// Bytes of every value, more than any page of either database holds.
fn long() -> Zeroizing<Vec<u8>> {
    Zeroizing::new((0..65_536u32).map(|at| (at % 256) as u8).collect())
}

pub async fn every_field_of_a_session_reads_back(database: Database) {
    let store = database.open().await;
    let bare = session();
    let mut full = session();
    full.dialect = Dialect::Riposte;
    full.purpose = Purpose::Reconnect;
    full.state = SessionState::Connected;
    full.providers = vec!["one".to_owned(), "two \"quoted\" \\ 🦊".to_owned(), String::new()];
    full.request = long();
    full.name_mark = Some(word());
    full.account_id = Some(AccountId::new(now(), &Random::system()));
    full.cookie_hash = Some(word());
    full.claim_no = 7;
    full.claimed_at = Some(Millis(0));
    full.attempt_id = Some(AttemptId::new(now(), &Random::system()));
    full.secrets_tried = 3;
    full.connects = 11;
    full.cause = Some("ein Grund: שלום 你好 🦊 'quoted' -- ;".to_owned());
    full.seq = 41;
    full.version = i64::MAX - 1;
    full.created_at = Millis(-1);
    full.expires_at = Millis(i64::MAX);
    full.ended_at = Some(Millis(i64::MIN));
    for written in [&bare, &full] {
        insert_session(&store, written).await.unwrap();
        assert_same(&read_session(&store, &written.id).await, written);
        let end = &written.id.as_str()[written.id.as_str().len() - 8..];
        let by_end = store.read().await.unwrap().sessions_by_end(end).await.unwrap();
        assert_eq!(by_end.iter().map(|session| &session.id).collect::<Vec<_>>(), [&written.id]);
        assert!(store.read().await.unwrap().sessions_by_end("00000000").await.unwrap().is_empty());
        let by_link = store.read().await.unwrap().session_by_link(&written.link_hash).await.unwrap();
        assert_same(&by_link.expect("the link opens it"), written);
    }
}

pub async fn every_field_of_an_attempt_reads_back(database: Database) {
    let store = database.open().await;
    let bare = attempt(&session());
    let mut full = attempt(&session());
    full.claim_no = 5;
    full.state = AttemptState::Ended;
    full.shown = long();
    full.version = 9;
    full.shown_version = 9;
    full.busy_by = Some("node \"a\" 🦊".to_owned());
    full.busy_until = Some(Millis(i64::MAX));
    for written in [&bare, &full] {
        insert_attempt(&store, written).await.unwrap();
        assert_same(&read_attempt(&store, &written.id).await, written);
    }
    assert!(full.is_busy(now()) && !bare.is_busy(now()));
}

pub async fn every_field_of_an_account_reads_back(database: Database) {
    let store = database.open().await;
    let bare = account();
    let mut full = account();
    full.status = Status::Credentials;
    full.cause = Some("refused".to_owned());
    full.name_mark = Some(word());
    full.details = long();
    full.seq = 3;
    full.version = 4;
    full.status_at = Millis(12);
    for written in [&bare, &full] {
        insert_account(&store, written, &long()).await.unwrap();
        let read = store.read().await.unwrap().account(&written.id).await.unwrap();
        assert_same(&read.expect("it is there"), written);
    }
    let mark = full.name_mark.clone().unwrap();
    let found = store.read().await.unwrap().account_by_identity("mail", &full.identity_mark, &mark).await;
    assert_same(&found.unwrap().expect("it is there"), &full);
}

pub async fn every_field_of_an_api_key_reads_back(database: Database) {
    let store = database.open().await;
    let bare = api_key("");
    let mut full = api_key("ключ 🔑 'x'");
    full.scopes = vec!["a".to_owned(), "b\"".to_owned()];
    full.revoked_at = Some(Millis(7));
    for written in [&bare, &full] {
        insert_api_key(&store, written).await.unwrap();
        let read = store.read().await.unwrap().api_key_by_hash(&written.hash).await.unwrap();
        assert_eq!(read.as_ref(), Some(written));
    }
}

pub async fn every_field_of_an_endpoint_and_an_event_reads_back(database: Database) {
    let store = database.open().await;
    let session = session();
    insert_session(&store, &session).await.unwrap();
    let bare = endpoint("lane");
    let mut full = endpoint("Lane 🦊");
    full.dialect = Dialect::Riposte;
    full.session_id = Some(session.id.clone());
    full.target = long();
    for written in [&bare, &full] {
        insert_endpoint(&store, written).await.unwrap();
        let read = store.read().await.unwrap().endpoint(&written.id).await.unwrap();
        assert_same(&read.expect("it is there"), written);
    }
    let of = store.read().await.unwrap().endpoint_of(&session.id).await.unwrap();
    assert_same(&of.expect("the session has one"), &full);

    let write = store.write(session.id.clone(), |id, tx| {
        let facts = &[("cause", "nul \u{0} quote \" fox 🦊"), ("", "")];
        Box::pin(tx.append_session_event(id, EventKind::StepFailed, facts))
    });
    let event = write.await.unwrap();
    assert_eq!((event.seq, event.subject.as_str()), (1, session.id.as_str()));
    let mut db = store.read().await.unwrap();
    assert_eq!(db.event(&event.id).await.unwrap(), Some(event.clone()));
    assert_eq!(db.events_of(session.id.as_str()).await.unwrap(), vec![event]);
}

pub async fn every_field_of_a_delivery_and_its_tries_reads_back(database: Database) {
    let store = database.open().await;
    let (session, endpoint, ids) = told(&store, "lane", 1).await;
    let fresh = read_delivery(&store, &ids[0]).await;
    assert_eq!((fresh.state, fresh.tries, fresh.version), (DeliveryState::Due, 0, 1));
    assert_eq!((fresh.subject.as_str(), fresh.seq), (session.id.as_str(), 1));
    assert_eq!((&fresh.endpoint_id, fresh.created_at), (&endpoint.id, fresh.due_at));
    assert!(fresh.body.is_none() && fresh.leased_by.is_none() && fresh.ended_at.is_none());

    let mut tries = Vec::new();
    for (number, answer) in [(1, None), (2, Some(long().to_vec())), (3, Some(Vec::new()))] {
        let claimed = claim(&store, "node", "lane", 9).await.remove(0);
        assert_same(&claimed, &read_delivery(&store, &ids[0]).await);
        let tried = Try {
            number,
            at: Millis(number),
            took: i64::MAX,
            status: answer.as_ref().map(|_| 503),
            problem: answer.is_none().then(|| "timed_out".to_owned()),
            answer,
        };
        tries.push(tried.clone());
        let state = if number == 3 { DeliveryState::Done } else { DeliveryState::Due };
        let write = store.write((claimed, state, tried), |(claimed, state, tried), tx| {
            Box::pin(tx.finish_try(claimed, *state, Millis(0), tried))
        });
        write.await.unwrap();
    }
    assert_eq!(store.read().await.unwrap().tries(&ids[0]).await.unwrap(), tries);
    let done = read_delivery(&store, &ids[0]).await;
    assert_eq!((done.state, done.tries, done.leased_by.as_deref()), (DeliveryState::Done, 3, None));
    assert!(done.ended_at.is_some());
}

pub async fn a_change_touches_only_what_may_change(database: Database) {
    let store = database.open().await;
    let (before, bystander) = (session(), session());
    insert_session(&store, &before).await.unwrap();
    insert_session(&store, &bystander).await.unwrap();
    let update = SessionUpdate {
        provider: Some("mail".to_owned()),
        state: SessionState::Failed,
        account_id: Some(AccountId::new(now(), &Random::system())),
        cookie_hash: Some(word()),
        claim_no: 2,
        claimed_at: Some(Millis(5)),
        attempt_id: Some(AttemptId::new(now(), &Random::system())),
        secrets_tried: 6,
        connects: 12,
        cause: Some("cause".to_owned()),
        ended_at: Some(Millis(9)),
    };
    update_session(&store, &before.id, 1, &update).await.unwrap();
    let after = read_session(&store, &before.id).await;
    assert_same(&SessionUpdate::from(&after), &update);
    let mut expected = before.clone();
    expected.state = update.state;
    expected.provider = update.provider.clone();
    expected.account_id = update.account_id.clone();
    expected.cookie_hash = update.cookie_hash.clone();
    (expected.claim_no, expected.claimed_at) = (update.claim_no, update.claimed_at);
    expected.attempt_id = update.attempt_id.clone();
    (expected.secrets_tried, expected.ended_at) = (update.secrets_tried, update.ended_at);
    expected.connects = update.connects;
    expected.cause = update.cause.clone();
    expected.version = 2;
    assert_same(&after, &expected);
    assert_same(&read_session(&store, &bystander.id).await, &bystander);
    let cleared = SessionUpdate::from(&before);
    update_session(&store, &before.id, 2, &cleared).await.unwrap();
    expected = before;
    expected.version = 3;
    assert_same(&read_session(&store, &expected.id).await, &expected);
}

async fn update_session(
    store: &Store,
    id: &SessionId,
    version: i64,
    update: &SessionUpdate,
) -> vestibule::store::Result<()> {
    let context = (id.clone(), version, update.clone());
    let write =
        store.write(context, |(id, version, update), tx| Box::pin(tx.update_session(id, *version, update)));
    write.await
}

pub async fn an_open_session_past_its_time_has_expired_without_being_written(database: Database) {
    let store = database.open().await;
    for state in SessionState::ALL {
        let mut written = session();
        written.state = *state;
        written.expires_at = Millis(1_000);
        insert_session(&store, &written).await.unwrap();
        let read = read_session(&store, &written.id).await;
        assert_eq!((read.state, read.state_at(Millis(999))), (*state, *state));
        let late = if *state == SessionState::Open { SessionState::Expired } else { *state };
        assert_eq!(read.state_at(Millis(1_000)), late);
    }
}

pub async fn a_status_keeps_its_time_until_it_changes(database: Database) {
    let store = database.open().await;
    let written = account();
    insert_account(&store, &written, b"secret").await.unwrap();
    let steps = [(Status::Ok, written.status_at), (Status::Error, Millis(2)), (Status::Error, Millis(2))];
    for (version, (status, since)) in (1..).zip(steps) {
        let update = AccountUpdate {
            status,
            cause: Some(format!("cause {version}")),
            details: Zeroizing::new(vec![1, 2, 3]),
            secret: Zeroizing::new(b"newer".to_vec()),
            at: Millis(version),
            watch: Watch::default(),
        };
        let write = store.write((written.id.clone(), version, update), |(id, version, update), tx| {
            Box::pin(tx.update_account(id, *version, update))
        });
        write.await.unwrap();
        let read = store.read().await.unwrap().account(&written.id).await.unwrap().unwrap();
        assert_eq!((read.status, read.status_at, read.updated_at), (status, since, Millis(version)));
        assert_eq!((read.version, read.details.as_slice()), (version + 1, [1, 2, 3].as_slice()));
    }
}

pub async fn what_is_not_there_is_told_apart_from_what_is(database: Database) {
    let store = database.open().await;
    let random = Random::system();
    let (session, account) = (session(), account());
    let mut db = store.read().await.unwrap();
    assert!(db.session(&session.id).await.unwrap().is_none());
    assert!(db.session_by_link("").await.unwrap().is_none());
    assert!(db.attempt(&AttemptId::new(now(), &random)).await.unwrap().is_none());
    assert!(db.account(&account.id).await.unwrap().is_none());
    assert!(db.event(&EventId::new(now(), &random)).await.unwrap().is_none());
    assert!(db.endpoint_of(&session.id).await.unwrap().is_none());
    assert!(db.delivery(&DeliveryId::new(now(), &random)).await.unwrap().is_none());
    assert!(db.events_of("nobody").await.unwrap().is_empty());
    drop(db);

    let update = SessionUpdate::from(&session);
    assert_eq!(update_session(&store, &session.id, 1, &update).await, Err(Error::Conflict));
    let gone = store.write(account.id.clone(), |id, tx| Box::pin(tx.delete_account(id, 1)));
    assert_eq!(gone.await, Err(Error::Conflict));
    let key = ApiKeyId::new(now(), &random);
    assert_eq!(store.write(key, |id, tx| Box::pin(tx.revoke_api_key(id, Millis(1)))).await, Ok(false));
    let told = store.write(account.id.clone(), |id, tx| {
        Box::pin(tx.append_account_event(id, EventKind::AccountDeleted, &[]))
    });
    assert_eq!(told.await, Err(Error::NotFound));
    insert_account(&store, &account, b"secret").await.unwrap();
    let deleted = store.write(account.id.clone(), |id, tx| Box::pin(tx.delete_account(id, 1)));
    assert_eq!(deleted.await, Ok(()));
    assert!(store.read().await.unwrap().account(&account.id).await.unwrap().is_none());
}
