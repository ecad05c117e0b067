//! Lists: orders, filters and pages.

use vestibule::kernel::clock::Millis;
use vestibule::kernel::ids::{AccountId, ApiKeyId, DeliveryId, SessionId};
use vestibule::kernel::random::Random;
use vestibule::kernel::words::{DeliveryState, Dialect};
use vestibule::store::{AccountFilter, DeliveryFilter, Error, SessionFilter};

use super::bench::{Database, now};
use super::rows::{
    account, api_key, claim, finish, insert_account, insert_api_key, insert_session, session, told,
};

pub async fn sessions_come_newest_first_in_pages_and_by_filter(database: Database) {
    let store = database.open().await;
    let mut made = Vec::new();
    for at in 0..10 {
        let mut written = session();
        written.id = SessionId::new(Millis(1_000 + at), &Random::system());
        written.dialect = if at % 2 == 0 { Dialect::Postpress } else { Dialect::Riposte };
        written.name_mark = (at % 5 == 0).then(|| "mark".to_owned());
        insert_session(&store, &written).await.unwrap();
        made.push(written.id.to_string());
    }
    made.reverse();
    let mut db = store.read().await.unwrap();
    let mut read = Vec::new();
    let mut before = None;
    loop {
        let filter = SessionFilter { before: before.clone(), limit: 3, ..Default::default() };
        let page = db.sessions(&filter).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        before = Some(last.id.to_string());
        read.extend(page.iter().map(|session| session.id.to_string()));
    }
    assert_eq!(read, made);
    let second = SessionFilter { offset: 3, limit: 3, ..Default::default() };
    let (all, page) =
        (SessionFilter { limit: 99, ..Default::default() }, db.sessions(&second).await.unwrap());
    let all = db.sessions(&all).await.unwrap();
    assert_eq!(
        page.iter().map(|one| &one.id).collect::<Vec<_>>(),
        all[3..all.len().min(6)].iter().map(|one| &one.id).collect::<Vec<_>>()
    );
    assert_eq!(db.count_sessions(&second).await.unwrap(), all.len() as i64, "whatever the page");
    let ours = SessionFilter { dialect: Some(Dialect::Riposte), limit: 99, ..Default::default() };
    assert_eq!(db.sessions(&ours).await.unwrap().len(), 5);
    let named = SessionFilter { name_mark: Some("mark".to_owned()), limit: 99, ..Default::default() };
    assert_eq!(db.sessions(&named).await.unwrap().len(), 2);
    assert!(
        db.count_sessions(&ours).await.unwrap() < db.count_sessions(&SessionFilter::default()).await.unwrap()
    );
    let both = SessionFilter { dialect: Some(Dialect::Riposte), ..named };
    let found = db.sessions(&both).await.unwrap();
    assert_eq!(found.iter().map(|session| session.id.to_string()).collect::<Vec<_>>(), made[4..5]);
    assert!(db.sessions(&SessionFilter::default()).await.unwrap().is_empty(), "nothing was asked for");
}

pub async fn accounts_come_oldest_first_in_pages_and_by_name(database: Database) {
    let store = database.open().await;
    let mut made = Vec::new();
    for at in 0..7 {
        let mut written = account();
        written.id = AccountId::new(Millis(1_000 + at), &Random::system());
        written.name_mark = (at >= 5).then(|| "mark".to_owned());
        insert_account(&store, &written, b"s").await.unwrap();
        made.push(written.id.to_string());
    }
    let mut db = store.read().await.unwrap();
    let mut read: Vec<String> = Vec::new();
    loop {
        let filter = AccountFilter { after: read.last().cloned(), limit: 3, ..Default::default() };
        let page = db.accounts(&filter).await.unwrap();
        if page.is_empty() {
            break;
        }
        read.extend(page.iter().map(|account| account.id.to_string()));
    }
    assert_eq!(read, made);
    let second = AccountFilter { offset: 3, limit: 2, ..Default::default() };
    assert_eq!(
        db.accounts(&second).await.unwrap().len() as i64,
        (db.count_accounts(&second).await.unwrap() - 3).clamp(0, 2)
    );
    let named = AccountFilter { name_mark: Some("mark".to_owned()), limit: 99, ..Default::default() };
    let found = db.accounts(&named).await.unwrap();
    assert_eq!(found.iter().map(|account| account.id.to_string()).collect::<Vec<_>>(), made[5..]);
}

pub async fn deliveries_come_newest_first_and_by_filter(database: Database) {
    let store = database.open().await;
    let (one, _, first) = told(&store, "a", 1).await;
    let (_, _, second) = told(&store, "b", 2).await;
    let claimed = claim(&store, "node", "a", 1).await.remove(0);
    finish(&store, &claimed, DeliveryState::Dead, now()).await.unwrap();
    let mut db = store.read().await.unwrap();
    let all = db.deliveries(&DeliveryFilter { limit: 9, ..Default::default() }).await.unwrap();
    assert_eq!(all.len(), 3);
    assert!(all.windows(2).all(|pair| pair[0].id > pair[1].id));
    let newest = db.deliveries(&DeliveryFilter { limit: 1, ..Default::default() }).await.unwrap();
    assert_eq!(newest[0].id, all[0].id);
    let dead = DeliveryFilter { state: Some(DeliveryState::Dead), limit: 9, ..Default::default() };
    assert_eq!(db.deliveries(&dead).await.unwrap()[0].id, first[0]);
    let due = DeliveryFilter { state: Some(DeliveryState::Due), limit: 9, ..Default::default() };
    let found = db.deliveries(&due).await.unwrap();
    assert!(found.len() == 2 && found.iter().all(|delivery| second.contains(&delivery.id)));
    let about = DeliveryFilter { subject: Some(one.id.to_string()), limit: 9, ..Default::default() };
    assert_eq!(db.deliveries(&about).await.unwrap().len(), 1);
    let both = DeliveryFilter { state: Some(DeliveryState::Due), ..about };
    assert!(db.deliveries(&both).await.unwrap().is_empty());
}

pub async fn ids_of_one_millisecond_order_by_their_bytes(database: Database) {
    let store = database.open().await;
    let at = now();
    let mut made = Vec::new();
    for _ in 0..60 {
        let mut written = session();
        written.id = SessionId::new(at, &Random::system());
        insert_session(&store, &written).await.unwrap();
        made.push(written.id);
    }
    made.sort_by(|one, two| two.as_str().as_bytes().cmp(one.as_str().as_bytes()));
    let mut db = store.read().await.unwrap();
    let listed = db.sessions(&SessionFilter { limit: 99, ..Default::default() }).await.unwrap();
    assert_eq!(listed.iter().map(|session| session.id.clone()).collect::<Vec<_>>(), made);
    let filter = SessionFilter { before: Some(made[29].to_string()), limit: 99, ..Default::default() };
    assert_eq!(db.sessions(&filter).await.unwrap().len(), 30);
}

pub async fn keys_come_oldest_first_and_end_once(database: Database) {
    let store = database.open().await;
    let (mut older, mut newer) = (api_key("older"), api_key("newer"));
    older.id = ApiKeyId::new(Millis(1), &Random::system());
    newer.id = ApiKeyId::new(Millis(2), &Random::system());
    insert_api_key(&store, &newer).await.unwrap();
    insert_api_key(&store, &older).await.unwrap();
    for (at, done) in [(5, true), (6, false)] {
        let ended =
            store.write((older.id.clone(), Millis(at)), |(id, at), tx| Box::pin(tx.revoke_api_key(id, *at)));
        assert_eq!(ended.await, Ok(done));
    }
    older.revoked_at = Some(Millis(5));
    assert_eq!(store.read().await.unwrap().api_keys().await.unwrap(), vec![older.clone(), newer]);
    let mut third = api_key("third");
    third.hash = older.hash;
    assert_eq!(insert_api_key(&store, &third).await, Err(Error::Conflict));
}

pub async fn what_a_page_names_is_read_at_once(database: Database) {
    let store = database.open().await;
    let (_, endpoint, ids) = told(&store, "lane", 2).await;
    let head = claim(&store, "node", "lane", 1).await.remove(0);
    finish(&store, &head, DeliveryState::Due, now()).await.unwrap();
    let head = claim(&store, "node", "lane", 1).await.remove(0);
    finish(&store, &head, DeliveryState::Done, now()).await.unwrap();
    let mut db = store.read().await.unwrap();
    let tries = db.tries_at(ids.iter().map(DeliveryId::as_str)).await.unwrap();
    assert_eq!((tries.len(), tries[ids[0].as_str()].len()), (1, 2));
    let events = db.events_named([head.event_id.as_str(), "unknown"].into_iter()).await.unwrap();
    assert_eq!((events.len(), events[head.event_id.as_str()].seq), (1, 1));
    assert!(db.tries_at([].into_iter()).await.unwrap().is_empty());
    assert!(db.events_named([].into_iter()).await.unwrap().is_empty());
    drop(db);
    let (one, two) = (account(), account());
    insert_account(&store, &one, b"secret").await.unwrap();
    let named = [one.id.clone(), two.id.clone()];
    let context = (endpoint.id.clone(), named.to_vec());
    let write = store.write(context, |(id, named), tx| Box::pin(tx.name_accounts(id, named)));
    write.await.unwrap();
    let mut db = store.read().await.unwrap();
    let there = [(one.id.clone(), "mail".to_owned())];
    assert_eq!(db.accounts_of_endpoint(&endpoint.id).await.unwrap(), there, "the other one is none");
    assert_eq!(db.providers_of(&named).await.unwrap(), there);
    assert!(db.providers_of(&[]).await.unwrap().is_empty());
}
