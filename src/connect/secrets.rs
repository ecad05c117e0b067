//! The keys that seal: which there are, how much each seals, sealing everything again under the first one, and taking
//! one out of use. All of it while servers serve.

use std::time::{Duration, Instant};

use super::Connect;
use crate::kernel::clock::Millis;
use crate::store::{self, Node, Reached, SEALED, SealedColumn};

/// How many rows are sealed again at once: few enough that nobody notices that the database is written to.
const BATCH: i64 = 64;

/// Why keys are left as they are.
#[derive(Debug, thiserror::Error)]
pub enum KeyTrouble {
    /// Some node seals with another key.
    #[error("{}", behind(.0, .1, *.2))]
    Behind(String, Vec<Node>, Millis),
    /// It still seals something.
    #[error("the key {0} still seals {1} rows; run: vestibule secrets rotate")]
    StillSeals(String, i64),
    /// It is the one that everything is sealed with.
    #[error(
        "the key {0} is the first of the ring, which seals; add another one first: vestibule secrets add-key"
    )]
    First(String),
    /// There is none of that name.
    #[error("there is no key {0}; vestibule secrets status lists them")]
    Unknown(String),
    /// Some rows cannot be read, so they cannot be sealed again.
    #[error("{0} rows could not be read and were left as they are; the log names them")]
    Unreadable(u64),
    /// The database is out of reach.
    #[error(transparent)]
    Store(#[from] store::Error),
}

fn behind(key: &str, nodes: &[Node], now: Millis) -> String {
    let one = |node: &Node| {
        let since = now.since(node.heard_at).as_secs();
        let holds = if node.keys.iter().any(|held| held == key) {
            "holds it but waits for others"
        } else {
            "has not loaded it"
        };
        format!("{} ({}, heard of {since} s ago) {holds}", node.name, node.id)
    };
    let nodes: Vec<_> = nodes.iter().map(one).collect();
    format!(
        "not every live node seals with the key {key} yet: {}. Nodes look at their key file every two seconds; give \
         each of them the same file. One that was killed is forgotten after 45 seconds",
        nodes.join("; ")
    )
}

/// How far sealing again has come.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The table and column under way.
    pub column: &'static SealedColumn,
    /// Rows of it that were to be sealed again when it was begun.
    pub all: i64,
    /// Rows of it sealed again since.
    pub done: u64,
}

/// What each key seals, and who seals with it.
#[derive(Clone, Debug)]
pub struct KeyStatus {
    /// The key that shall seal: the ring's first.
    pub first: String,
    /// Each key of the ring, and rows sealed under it.
    pub keys: Vec<(String, i64)>,
    /// Rows sealed under a key that the ring lacks, or not sealed by us.
    pub others: i64,
    /// Keys that were taken out of use.
    pub retired: Vec<String>,
    /// The servers that live.
    pub nodes: Vec<Node>,
}

impl Connect {
    /// What each key seals.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn key_status(&self) -> Result<KeyStatus, store::Error> {
        let (ids, _) = self.store.keys();
        let mut db = self.store.read().await?;
        let mut keys: Vec<_> = ids.iter().map(|id| (id.clone(), 0)).collect();
        let mut all = 0;
        for column in SEALED {
            let counted = db.count_sealed(column, &ids).await?;
            all += counted.all;
            for ((_, rows), more) in keys.iter_mut().zip(counted.by_key) {
                *rows += more;
            }
        }
        let others = all - keys.iter().map(|(_, rows)| rows).sum::<i64>();
        let (retired, nodes) = (db.retired_keys().await?, db.live_nodes().await?);
        Ok(KeyStatus { first: ids.first().cloned().unwrap_or_default(), keys, others, retired, nodes })
    }

    /// Waits up to `patience` until every live node seals with the ring's first key; gives its name.
    ///
    /// # Errors
    /// `Behind`, `Store`.
    pub async fn await_first_key(&self, patience: Duration) -> Result<String, KeyTrouble> {
        let (ids, _) = self.store.keys();
        let first = ids.into_iter().next().unwrap_or_default();
        let begun = Instant::now();
        loop {
            let nodes = self.store.read().await?.live_nodes().await?;
            let behind: Vec<_> = nodes.into_iter().filter(|node| node.seals != first).collect();
            if behind.is_empty() {
                return Ok(first);
            }
            if begun.elapsed() >= patience {
                return Err(KeyTrouble::Behind(first, behind, self.now()));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Seals everything again under the ring's first key, once every live node seals with it. May be cut off anywhere
    /// and begun again: what was done stays done, and is not done twice. Gives how many rows were sealed again.
    ///
    /// # Errors
    /// `Behind`, `Unreadable`, `Store`.
    pub async fn rotate(
        &self,
        patience: Duration,
        mut tell: impl FnMut(&Progress),
    ) -> Result<u64, KeyTrouble> {
        let first = self.await_first_key(patience).await?;
        let (mut resealed, mut unreadable) = (0, 0);
        for column in SEALED {
            let counted = self.store.read().await?.count_sealed(column, std::slice::from_ref(&first)).await?;
            let all = counted.all - counted.by_key.first().copied().unwrap_or(0);
            let mut progress = Progress { column, all, done: 0 };
            let mut after = Reached::default();
            loop {
                let begun = Instant::now();
                let step = self.store.reseal(column, &first, &after, BATCH).await?;
                unreadable += step.unreadable;
                progress.done += step.resealed;
                if step.resealed > 0 {
                    tell(&progress);
                }
                match step.next {
                    Some(next) => after = next,
                    None => break,
                }
                // Others get at least as much of the database as this does.
                tokio::time::sleep(begun.elapsed().max(Duration::from_millis(1))).await;
            }
            resealed += progress.done;
        }
        if unreadable > 0 { Err(KeyTrouble::Unreadable(unreadable)) } else { Ok(resealed) }
    }

    /// Takes a key out of use, if it seals nothing any more and nobody seals with it. Its line may then leave the key
    /// file on every node. Doing so twice is fine.
    ///
    /// # Errors
    /// `First`, `Unknown`, `Behind`, `StillSeals`, `Store`.
    pub async fn retire_key(&self, id: &str, patience: Duration) -> Result<(), KeyTrouble> {
        let status = self.key_status().await?;
        if status.retired.iter().any(|retired| retired == id) {
            return Ok(());
        }
        if status.first == id {
            return Err(KeyTrouble::First(id.to_owned()));
        }
        let Some((_, rows)) = status.keys.iter().find(|(key, _)| key == id) else {
            return Err(KeyTrouble::Unknown(id.to_owned()));
        };
        if *rows > 0 {
            return Err(KeyTrouble::StillSeals(id.to_owned(), *rows));
        }
        self.await_first_key(patience).await?;
        // Counted once more, now that nobody seals with it.
        let left = self
            .store
            .write(id.to_owned(), |id, tx| {
                Box::pin(async move {
                    let mut left = 0;
                    for column in SEALED {
                        left += tx
                            .count_sealed(column, std::slice::from_ref(id))
                            .await?
                            .by_key
                            .iter()
                            .sum::<i64>();
                    }
                    if left == 0 {
                        tx.retire_key(id).await?;
                    }
                    Ok(left)
                })
            })
            .await?;
        if left == 0 { Ok(()) } else { Err(KeyTrouble::StillSeals(id.to_owned(), left)) }
    }
}
