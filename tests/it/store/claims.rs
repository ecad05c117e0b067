//! Claims: deliveries go out once each and in order per endpoint and subject; replays keep their id and skip it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tokio::sync::Mutex;
use vestibule::kernel::clock::Millis;
use vestibule::kernel::ids::DeliveryId;
use vestibule::kernel::words::DeliveryState;
use vestibule::store::{Delivery, Endpoint, Store, Wake};

use super::bench::{Database, SOON, now};
use super::rows::{
    claim, endpoint, finish, insert_endpoint, insert_session, read_delivery, session, tell, told,
};

async fn replay(store: &Store, id: &DeliveryId) -> bool {
    store.write(id.clone(), |id, tx| Box::pin(tx.replay_delivery(id, now()))).await.unwrap()
}

pub async fn eight_workers_on_two_nodes_claim_each_delivery_once_and_in_order(database: Database) {
    let nodes = [database.open().await, database.open().await];
    let mut all = HashSet::new();
    for at in 0..10 {
        // Two subjects share each endpoint; two endpoints share a lane.
        let (_, endpoint, ids) = told(&nodes[0], &format!("lane {}", at / 2), 20).await;
        all.extend(ids);
        let other = session();
        insert_session(&nodes[0], &other).await.unwrap();
        all.extend(tell(&nodes[0], &other, &endpoint, 20).await);
    }
    assert_eq!(all.len(), 400);
    let log: Arc<Mutex<Vec<Delivery>>> = Arc::default();
    let mut workers = tokio::task::JoinSet::new();
    for at in 0..8 {
        let (store, log, by) = (nodes[at % 2].clone(), log.clone(), format!("node {}", at % 2));
        workers.spawn(async move {
            while log.lock().await.len() < 400 {
                let lanes = store.read().await.unwrap().due_lanes(now(), 99, |_| true).await.unwrap();
                for lane in lanes {
                    let claimed = claim(&store, &by, &lane, 3).await;
                    for delivery in &claimed {
                        assert_eq!(delivery.leased_by.as_deref(), Some(by.as_str()));
                        // Logged while the lease is held, so the log is in the order of the calls.
                        log.lock().await.push(delivery.clone());
                        finish(&store, delivery, DeliveryState::Done, now()).await.unwrap();
                    }
                }
            }
        });
    }
    tokio::time::timeout(SOON * 6, workers.join_all()).await.expect("everything is delivered");
    let log = log.lock().await;
    let ids: HashSet<_> = log.iter().map(|delivery| delivery.id.clone()).collect();
    assert_eq!((log.len(), ids), (400, all));
    let mut last = BTreeMap::new();
    for delivery in log.iter() {
        let seen = last.insert((delivery.endpoint_id.clone(), delivery.subject.clone()), delivery.seq);
        assert_eq!(seen.unwrap_or(0) + 1, delivery.seq, "out of order");
    }
}

pub async fn only_the_head_of_a_subject_is_leased(database: Database) {
    let store = database.open().await;
    let (_, endpoint, ids) = told(&store, "lane", 3).await;
    let other = session();
    insert_session(&store, &other).await.unwrap();
    let others = tell(&store, &other, &endpoint, 1).await;
    let claimed = claim(&store, "node", "lane", 9).await;
    let heads: HashSet<_> = claimed.iter().map(|delivery| delivery.id.clone()).collect();
    assert_eq!(heads, HashSet::from([ids[0].clone(), others[0].clone()]));
    assert!(claim(&store, "node", "lane", 9).await.is_empty(), "the rest waits while the heads are tried");
    let head = claimed.iter().find(|delivery| delivery.id == ids[0]).unwrap();
    finish(&store, head, DeliveryState::Done, now()).await.unwrap();
    assert_eq!(claim(&store, "node", "lane", 9).await[0].id, ids[1]);
}

pub async fn a_head_that_waits_for_its_next_try_holds_its_subject(database: Database) {
    let store = database.open().await;
    let (_, _, ids) = told(&store, "lane", 2).await;
    let head = claim(&store, "node", "lane", 9).await.remove(0);
    let later = Millis(now().0 + 3_600_000);
    finish(&store, &head, DeliveryState::Due, later).await.unwrap();
    assert!(claim(&store, "node", "lane", 9).await.is_empty());
    let waiting = read_delivery(&store, &ids[0]).await;
    assert_eq!((waiting.due_at, waiting.tries, waiting.ended_at), (later, 1, None));
    let mut db = store.read().await.unwrap();
    assert!(db.due_lanes(now(), 9, |_| true).await.unwrap().is_empty());
    assert_eq!(db.due_lanes(later, 9, |_| true).await.unwrap(), ["lane"]);
}

pub async fn a_dead_head_lets_the_next_go(database: Database) {
    let store = database.open().await;
    let mut wakes = store.wakes();
    let (_, _, ids) = told(&store, "lane", 2).await;
    let head = claim(&store, "node", "lane", 9).await.remove(0);
    while wakes.try_recv().is_ok() {}
    finish(&store, &head, DeliveryState::Dead, now()).await.unwrap();
    let woken = tokio::time::timeout(SOON, wakes.recv()).await.expect("whoever delivers is told");
    assert_eq!(woken, Ok(Wake::Deliveries));
    let dead = read_delivery(&store, &ids[0]).await;
    assert!(dead.state == DeliveryState::Dead && dead.ended_at.is_some());
    assert_eq!(claim(&store, "node", "lane", 9).await[0].id, ids[1]);
}

pub async fn a_replay_keeps_its_id_and_skips_the_order(database: Database) {
    let store = database.open().await;
    let (_, _, ids) = told(&store, "lane", 3).await;
    for state in [DeliveryState::Dead, DeliveryState::Done] {
        let head = claim(&store, "node", "lane", 9).await.remove(0);
        finish(&store, &head, state, now()).await.unwrap();
    }
    let third = claim(&store, "node", "lane", 9).await.remove(0);
    assert_eq!(third.id, ids[2]);
    // Both go out although the third is being tried, and hold up nobody who comes after.
    assert!(replay(&store, &ids[1]).await && replay(&store, &ids[0]).await);
    let again = claim(&store, "node", "lane", 9).await;
    let replayed: HashSet<_> = again.iter().map(|delivery| delivery.id.clone()).collect();
    assert_eq!(replayed, HashSet::from([ids[0].clone(), ids[1].clone()]));
    assert!(again.iter().all(|delivery| delivery.tries == 1 && delivery.ended_at.is_none()));
    finish(&store, &third, DeliveryState::Due, now()).await.unwrap();
    assert_eq!(claim(&store, "node", "lane", 9).await[0].id, ids[2]);
    for delivery in again {
        finish(&store, &delivery, DeliveryState::Done, now()).await.unwrap();
        assert_eq!(store.read().await.unwrap().tries(&delivery.id).await.unwrap().len(), 2);
    }
    let unknown = DeliveryId::new(now(), &vestibule::kernel::random::Random::system());
    assert!(!replay(&store, &unknown).await);
}

pub async fn what_is_being_tried_is_not_replayed(database: Database) {
    let store = database.open().await;
    let (_, _, ids) = told(&store, "lane", 2).await;
    let head = claim(&store, "node", "lane", 9).await.remove(0);
    assert!(!replay(&store, &ids[0]).await);
    finish(&store, &head, DeliveryState::Due, Millis(now().0 + 3_600_000)).await.unwrap();
    assert!(replay(&store, &ids[0]).await, "one that waits is tried at once");
    let claimed = claim(&store, "node", "lane", 9).await;
    assert_eq!(claimed.iter().map(|delivery| &delivery.id).collect::<Vec<_>>(), [&ids[0]]);
}

pub async fn a_claim_keeps_to_its_lane_its_limit_and_the_time(database: Database) {
    let store = database.open().await;
    for _ in 0..5 {
        told(&store, "a", 1).await;
    }
    told(&store, "b", 1).await;
    assert!(claim(&store, "node", "c", 9).await.is_empty());
    assert_eq!(claim(&store, "node", "a", 2).await.len(), 2);
    let oldest = claim(&store, "node", "a", 9).await;
    assert_eq!(oldest.len(), 3);
    assert!(oldest.windows(2).all(|pair| pair[0].due_at <= pair[1].due_at));
    let past = vestibule::store::Due {
        by: "node".to_owned(),
        now: Millis(1),
        until: Millis(2),
        lane: "b".to_owned(),
        limit: 9,
    };
    let early = store.write(past, |due, tx| Box::pin(tx.claim_deliveries(due)));
    assert!(early.await.unwrap().is_empty());
    assert_eq!(claim(&store, "node", "b", 9).await.len(), 1);
}

pub async fn lanes_that_can_only_wait_hide_no_other(database: Database) {
    let store = database.open().await;
    for at in 0..5 {
        let lane = format!("slow {at}");
        told(&store, &lane, 2).await;
        let head = claim(&store, "node", &lane, 1).await.remove(0);
        finish(&store, &head, DeliveryState::Due, Millis(now().0 + 3_600_000)).await.unwrap();
    }
    told(&store, "free", 1).await;
    let lanes = store.read().await.unwrap().due_lanes(now(), 3, |_| true).await.unwrap();
    assert_eq!(lanes, ["free"], "receivers that are down would starve everybody else");
}

pub async fn lanes_of_endpoints_that_stand_are_found_whatever_else_waits(database: Database) {
    let store = database.open().await;
    for at in 0..5 {
        told(&store, &format!("host {at}"), 1).await;
    }
    let (session, standing) = (session(), Endpoint { session_id: None, ..endpoint("standing") });
    insert_session(&store, &session).await.unwrap();
    insert_endpoint(&store, &standing).await.unwrap();
    tell(&store, &session, &standing, 2).await;
    let mut db = store.read().await.unwrap();
    assert_eq!(db.due_standing_lanes(now()).await.unwrap(), ["standing"]);
    assert!(db.due_standing_lanes(Millis(1)).await.unwrap().is_empty());
    let full = |lane: &str| !["host 0", "host 1"].contains(&lane);
    assert_eq!(
        db.due_lanes(now(), 2, full).await.unwrap(),
        ["host 2", "host 3"],
        "the longest waiting first"
    );
    assert_eq!(db.due_lanes(now(), 99, full).await.unwrap().len(), 3);
    drop(db);
    let held = claim(&store, "node", "standing", 9).await.remove(0);
    let mut db = store.read().await.unwrap();
    assert!(db.due_standing_lanes(now()).await.unwrap().is_empty(), "its next waits");
    drop(db);
    // Whatever was on its way to one that is deleted is ended all the same.
    finish(&store, &held, DeliveryState::Done, now()).await.unwrap();
    database.raw().await.run("DELETE FROM endpoints WHERE session_id IS NULL").await;
    let mut db = store.read().await.unwrap();
    assert!(db.due_standing_lanes(now()).await.unwrap().is_empty());
    assert_eq!(db.due_lanes(now(), 99, |lane| lane == "standing").await.unwrap(), ["standing"]);
}

/// Sends everything that was ever told to an endpoint once more; gives how many that makes.
async fn recover(store: &Store, endpoint: &Endpoint) -> i64 {
    let all = Endpoint { wanted: Vec::new(), ..endpoint.clone() };
    let recovered = store.write(all, |endpoint, tx| Box::pin(tx.recover_events(endpoint, "", 99)));
    recovered.await.unwrap().deliveries
}

/// Claims one delivery after the other, each of which is taken; gives their numbers.
async fn the_rest(store: &Store, lane: &str) -> Vec<i64> {
    let mut order = Vec::new();
    while let [next] = &claim(store, "node", lane, 9).await[..] {
        order.push(next.seq);
        finish(store, next, DeliveryState::Done, now()).await.unwrap();
    }
    order
}

pub async fn what_was_being_told_during_a_replay_is_told_again_behind_it(database: Database) {
    let store = database.open().await;
    let (_, endpoint, ids) = told(&store, "lane", 3).await;
    let first = claim(&store, "node", "lane", 9).await.remove(0);
    finish(&store, &first, DeliveryState::Done, now()).await.unwrap();
    let second = claim(&store, "node", "lane", 9).await.remove(0);
    assert_eq!(recover(&store, &endpoint).await, 1, "the others are on their way");
    assert!(
        claim(&store, "node", "lane", 9).await.is_empty(),
        "two of one subject at once come in any order"
    );
    assert!(store.read().await.unwrap().due_lanes(now(), 9, |_| true).await.unwrap().is_empty());
    let mut wakes = store.wakes();
    finish(&store, &second, DeliveryState::Done, now()).await.unwrap();
    let woken = tokio::time::timeout(SOON, wakes.recv()).await.expect("whoever delivers is told");
    assert_eq!(woken, Ok(Wake::Deliveries));
    let again = read_delivery(&store, &ids[1]).await;
    assert_eq!((again.state, again.ended_at, again.leased_by), (DeliveryState::Due, None, None));
    assert_eq!((again.tries, again.tried_before), (1, 1), "its tries are counted from here");
    assert_eq!(the_rest(&store, "lane").await, [1, 2, 3]);
    assert_eq!(store.read().await.unwrap().tries(&ids[1]).await.unwrap().len(), 2);
}

pub async fn what_failed_or_was_asked_for_alone_is_not_told_again_behind_a_replay(database: Database) {
    let store = database.open().await;
    let (_, endpoint, ids) = told(&store, "lane", 2).await;
    assert_eq!(the_rest(&store, "lane").await, [1, 2]);
    assert!(replay(&store, &ids[1]).await);
    let alone = claim(&store, "node", "lane", 9).await.remove(0);
    assert_eq!(recover(&store, &endpoint).await, 1);
    let first = claim(&store, "node", "lane", 9).await.remove(0);
    assert_eq!(first.seq, 1, "what is out of order is waited for by nobody");
    finish(&store, &alone, DeliveryState::Done, now()).await.unwrap();
    assert_eq!(read_delivery(&store, &ids[1]).await.state, DeliveryState::Done);
    finish(&store, &first, DeliveryState::Done, now()).await.unwrap();
    assert_eq!(recover(&store, &endpoint).await, 2);
    let first = claim(&store, "node", "lane", 9).await.remove(0);
    finish(&store, &first, DeliveryState::Dead, now()).await.unwrap();
    assert_eq!(the_rest(&store, "lane").await, [2]);
}

pub async fn two_calls_that_crossed_are_told_again_in_order(database: Database) {
    for lower_first in [true, false] {
        let store = database.open().await;
        let lane = format!("lane {lower_first}");
        let (_, _, ids) = told(&store, &lane, 2).await;
        let lower = claim(&store, "node", &lane, 9).await.remove(0);
        // A node whose claim was under way while a replay sent the first on its way, which another node took.
        let sql = "UPDATE deliveries SET leased_by = 'other', version = version + 1 WHERE id";
        database.raw().await.run(&format!("{sql} = '{}'", ids[1].as_str())).await;
        let higher = read_delivery(&store, &ids[1]).await;
        let ends = if lower_first { [&lower, &higher] } else { [&higher, &lower] };
        for end in ends {
            finish(&store, end, DeliveryState::Done, now()).await.unwrap();
        }
        let rest = the_rest(&store, &lane).await;
        assert_eq!(rest, if lower_first { vec![1, 2] } else { vec![2] });
    }
}

pub async fn what_is_due_further_ahead_than_it_can_be_is_due_now(database: Database) {
    let store = database.open().await;
    let at = now();
    let [tried, fresh, soon] = [at.0 + 1_000_000, at.0 + 1_000, at.0 + 500].map(Millis);
    let mut ids = Vec::new();
    // Tried and not, each: too far ahead, as far as a pause can be, about now.
    for (number, due_at) in [Millis(tried.0 + 1), tried, soon].into_iter().enumerate() {
        for tries in [0, 1] {
            let (_, _, id) = told(&store, &format!("{number} {tries}"), 1).await;
            let sql = format!("UPDATE deliveries SET due_at = {}, tries = {tries} WHERE id = ", due_at.0);
            database.raw().await.run(&format!("{sql}'{}'", id[0].as_str())).await;
            ids.extend(id);
        }
    }
    assert!(store.read().await.unwrap().is_something_stranded(tried, fresh).await.unwrap());
    let bring = || {
        store.write((tried, fresh, at), |(tried, fresh, at), tx| Box::pin(tx.bring_back(*tried, *fresh, *at)))
    };
    assert_eq!(bring().await, Ok(3));
    let mut due = Vec::new();
    for id in &ids {
        due.push(read_delivery(&store, id).await.due_at);
    }
    assert_eq!(due, [at, at, at, tried, soon, soon]);
    assert!(!store.read().await.unwrap().is_something_stranded(tried, fresh).await.unwrap());
    assert_eq!(bring().await, Ok(0));
}

pub async fn a_body_is_kept_once_and_stays(database: Database) {
    let store = database.open().await;
    let (_, _, ids) = told(&store, "lane", 1).await;
    for body in ["first", "second"] {
        let write =
            store.write((ids[0].clone(), body), |(id, body), tx| Box::pin(tx.keep_body(id, body.as_bytes())));
        write.await.unwrap();
        let kept = read_delivery(&store, &ids[0]).await.body.expect("a body");
        assert_eq!(kept.as_slice(), b"first");
    }
}
