//! Words and texts: fixed ones, unknown ones, long ones, and ones that differ in case only.

use vestibule::kernel::words::{
    AttemptState, DeliveryState, Dialect, EventKind, Purpose, SessionState, Status,
};
use vestibule::store::{AccountFilter, Error, SessionFilter};

use super::bench::Database;
use super::rows::{
    account, api_key, attempt, claim, finish, insert_account, insert_api_key, insert_attempt, insert_session,
    is_corrupt, read_attempt, read_delivery, read_session, session, told,
};

pub async fn every_word_reads_back(database: Database) {
    let store = database.open().await;
    for dialect in Dialect::ALL {
        for purpose in Purpose::ALL {
            for state in SessionState::ALL {
                let mut written = session();
                (written.dialect, written.purpose, written.state) = (*dialect, *purpose, *state);
                insert_session(&store, &written).await.unwrap();
                let read = read_session(&store, &written.id).await;
                assert_eq!((read.dialect, read.purpose, read.state), (*dialect, *purpose, *state));
            }
        }
    }
    for state in AttemptState::ALL {
        let mut written = attempt(&session());
        written.state = *state;
        insert_attempt(&store, &written).await.unwrap();
        assert_eq!(read_attempt(&store, &written.id).await.state, *state);
    }
    for status in Status::ALL {
        let mut written = account();
        written.status = *status;
        insert_account(&store, &written, b"s").await.unwrap();
        let read = store.read().await.unwrap().account(&written.id).await.unwrap().unwrap();
        assert_eq!(read.status, *status);
    }
    let subject = session();
    insert_session(&store, &subject).await.unwrap();
    for kind in EventKind::ALL {
        let write = store.write((subject.id.clone(), *kind), |(id, kind), tx| {
            Box::pin(tx.append_session_event(id, *kind, &[]))
        });
        let event = write.await.unwrap();
        assert_eq!(store.read().await.unwrap().event(&event.id).await.unwrap().unwrap().kind, *kind);
    }
    for state in DeliveryState::ALL {
        let (_, _, ids) = told(&store, state.as_str(), 1).await;
        let claimed = claim(&store, "node", state.as_str(), 1).await.remove(0);
        finish(&store, &claimed, *state, claimed.due_at).await.unwrap();
        assert_eq!(read_delivery(&store, &ids[0]).await.state, *state);
    }
}

pub async fn an_unknown_word_is_corrupt_and_never_shown(database: Database) {
    let store = database.open().await;
    let mut raw = database.raw().await;
    let (session, account) = (session(), account());
    insert_session(&store, &session).await.unwrap();
    insert_account(&store, &account, b"s").await.unwrap();
    raw.run("UPDATE accounts SET status = 'hunter2'").await;
    for change in ["state = 'hunter2'", "state = 'open', providers = 'hunter2'", "id = 'hunter2'"] {
        raw.run(&format!("UPDATE sessions SET {change}")).await;
        let read =
            store.read().await.unwrap().sessions(&SessionFilter { limit: 9, ..Default::default() }).await;
        assert!(matches!(&read, Err(Error::Corrupt { table: "sessions", .. })), "{change}: {read:?}");
        assert!(!format!("{read:?}").contains("hunter2"), "{read:?}");
    }
    let read = store.read().await.unwrap().account(&account.id).await;
    assert!(is_corrupt(&read), "{read:?}");
}

pub async fn letter_case_is_significant_everywhere(database: Database) {
    let store = database.open().await;
    let (mut lower, mut upper) = (session(), session());
    lower.link_hash = "abc".to_owned();
    upper.link_hash = "ABC".to_owned();
    lower.name_mark = Some("name".to_owned());
    upper.name_mark = Some("NAME".to_owned());
    insert_session(&store, &lower).await.unwrap();
    insert_session(&store, &upper).await.unwrap();
    let (mut small, mut large) = (account(), account());
    small.identity_mark = "who".to_owned();
    large.identity_mark = "WHO".to_owned();
    small.name_mark = Some("name".to_owned());
    large.name_mark = Some("name".to_owned());
    insert_account(&store, &small, b"s").await.unwrap();
    insert_account(&store, &large, b"s").await.unwrap();
    let (mut one, mut two) = (api_key("one"), api_key("two"));
    one.hash = "key".to_owned();
    two.hash = "KEY".to_owned();
    insert_api_key(&store, &one).await.unwrap();
    insert_api_key(&store, &two).await.unwrap();
    told(&store, "lane", 1).await;
    told(&store, "LANE", 1).await;

    let mut db = store.read().await.unwrap();
    assert_eq!(db.session_by_link("abc").await.unwrap().unwrap().id, lower.id);
    assert_eq!(db.session_by_link("ABC").await.unwrap().unwrap().id, upper.id);
    assert!(db.session_by_link("Abc").await.unwrap().is_none());
    let named = SessionFilter { name_mark: Some("NAME".to_owned()), limit: 9, ..Default::default() };
    assert_eq!(db.sessions(&named).await.unwrap().len(), 1);
    let named = AccountFilter { name_mark: Some("Name".to_owned()), limit: 9, ..Default::default() };
    assert!(db.accounts(&named).await.unwrap().is_empty());
    let found = db.account_by_identity("mail", "WHO", "name").await.unwrap().unwrap();
    assert_eq!(found.id, large.id);
    assert!(db.account_by_identity("Mail", "WHO", "name").await.unwrap().is_none());
    assert_eq!(db.api_key_by_hash("KEY").await.unwrap().unwrap().id, two.id);
    assert!(db.api_key_by_hash("Key").await.unwrap().is_none());
    drop(db);
    assert!(claim(&store, "node", "Lane", 9).await.is_empty());
    let held = claim(&store, "node", "LANE", 9).await;
    assert_eq!(held.len(), 1);
    let taken =
        store.write(held[0].clone(), |held, tx| Box::pin(tx.free_delivery(&held.id, held.version, "NODE")));
    assert_eq!(taken.await, Err(Error::Conflict));
}

pub async fn names_of_sixty_four_kilobytes_and_any_script_are_kept(database: Database) {
    let store = database.open().await;
    let name = "Ünïcødé 你好 שלום 🦊 e\u{301} '\"\\%_-- ".repeat(1_700);
    assert!(name.len() > 65_536);
    let key = api_key(&name);
    insert_api_key(&store, &key).await.unwrap();
    assert_eq!(store.read().await.unwrap().api_key_by_hash(&key.hash).await.unwrap(), Some(key));
    let mut written = session();
    written.cause = Some(name.clone());
    written.providers = vec![name.clone(); 2];
    insert_session(&store, &written).await.unwrap();
    let read = read_session(&store, &written.id).await;
    assert_eq!((read.cause, read.providers), (written.cause, written.providers));
}
