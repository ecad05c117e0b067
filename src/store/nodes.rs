//! The server processes that live, and which key seals. A key seals in this process only when every live node has
//! said that it holds it: until then the others could not read what we write. A node says so by its row, first when
//! it starts and before it checks the ring's canaries; a key's canary is there before anybody may seal with it. So a
//! node that starts beside a new key is either seen without it, and waited for, or refused.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use sqlx::any::AnyRow;

use super::columns::Columns;
use super::error::Result;
use super::tx::{Pulse, Shared};
use super::{Db, Store};
use crate::kernel::clock::Millis;
use crate::kernel::ids::NodeId;
use crate::kernel::seal::KeyRing;

/// A node that was not heard of for so long has died. It is heard of every four seconds.
const LIVE: Duration = Duration::from_secs(45);
/// So long between two beats is a gap: one of them was missed.
const GAP: Duration = Duration::from_secs(8);
/// Rows of the dead are kept for whoever wonders, and then removed.
const KEPT: Duration = Duration::from_secs(3600);

/// A server process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its id, another one for every start.
    pub id: NodeId,
    /// What it calls itself, for people.
    pub name: String,
    /// The names of the keys that it holds.
    pub keys: Vec<String>,
    /// The name of the key that seals whatever it writes.
    pub seals: String,
    /// When it was last heard of.
    pub heard_at: Millis,
}

impl Shared {
    fn beaten(&self) {
        let now = Instant::now();
        let mut pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        let since =
            pulse.filter(|pulse| now.duration_since(pulse.last) < GAP).map_or(now, |pulse| pulse.since);
        *pulse = Some(Pulse { since, last: now });
    }

    /// For how long this process has been heard of without a gap. Who was not heard of itself, because the database was away
    /// or the machine slept, cannot say of others that they are dead.
    pub(super) fn steady_for(&self) -> Duration {
        let pulse = *self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        let steady = pulse.filter(|pulse| pulse.last.elapsed() < GAP);
        steady.map_or(Duration::ZERO, |pulse| pulse.since.elapsed())
    }
}

impl Db {
    /// The nodes that live at this moment, in the order they started.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn live_nodes(&mut self) -> Result<Vec<Node>> {
        let since = self.shared.clock.now().0.saturating_sub(LIVE.as_millis() as i64);
        let rows =
            sqlx::query("SELECT id, name, keys, seals, heard_at FROM nodes WHERE heard_at > $1 ORDER BY id")
                .bind(since)
                .fetch_all(self.conn())
                .await?;
        let lift = |row: &AnyRow| {
            let mut columns = Columns::of("nodes", row);
            Ok(Node {
                id: columns.word(|id| id.parse().ok())?,
                name: columns.text()?,
                keys: columns.json()?,
                seals: columns.text()?,
                heard_at: columns.time()?,
            })
        };
        rows.iter().map(lift).collect()
    }
}

impl Store {
    /// Says that this node lives, and with which keys.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn beat(&self, id: &NodeId, name: &str) -> Result<()> {
        let ring = self.shared.ring();
        let node = Node {
            id: id.clone(),
            name: name.to_owned(),
            keys: ring.ids().map(str::to_owned).collect(),
            seals: ring.seals().to_owned(),
            heard_at: self.shared.clock.now(),
        };
        self.write(node, |node, tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO nodes (id, name, keys, seals, heard_at) VALUES ($1, $2, $3, $4, $5) \
                     ON CONFLICT (id) DO UPDATE SET keys = $3, seals = $4, heard_at = $5",
                )
                .bind(node.id.as_str())
                .bind(&*node.name)
                .bind(serde_json::json!(node.keys).to_string())
                .bind(&*node.seals)
                .bind(node.heard_at.0)
                .execute(tx.conn())
                .await?;
                sqlx::query("DELETE FROM nodes WHERE heard_at < $1")
                    .bind(node.heard_at.0.saturating_sub(KEPT.as_millis() as i64))
                    .execute(tx.conn())
                    .await?;
                Ok(())
            })
        })
        .await?;
        self.shared.beaten();
        Ok(())
    }

    /// Takes this process among the nodes. From now on [`Store::beat`] must be called every few seconds.
    ///
    /// # Errors
    /// `Unavailable`; `Corrupt` when a key was added since the store was opened that this node does not hold.
    pub async fn join(&self, id: &NodeId, name: &str) -> Result<()> {
        self.beat(id, name).await?;
        self.check_ring(&self.shared.ring()).await
    }

    /// Takes this process out of the nodes, so that nobody waits for it.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn leave(&self, id: &NodeId) -> Result<()> {
        self.write(id.clone(), |id, tx| {
            Box::pin(async move {
                sqlx::query("DELETE FROM nodes WHERE id = $1").bind(id.as_str()).execute(tx.conn()).await?;
                Ok(())
            })
        })
        .await
    }

    /// The names of the keys that are loaded, in the ring's order, and of the one that seals.
    pub fn keys(&self) -> (Vec<String>, String) {
        let ring = self.shared.ring();
        (ring.ids().map(str::to_owned).collect(), ring.seals().to_owned())
    }

    /// Exchanges the ring. Which key seals stays as it is until [`Store::choose_key`], if the ring holds that key.
    ///
    /// # Errors
    /// `Corrupt` when the ring lacks a key that the database was sealed with; the ring stays as it was then.
    pub async fn load_ring(&self, ring: KeyRing) -> Result<()> {
        let before = self.shared.ring();
        let ring = Arc::new(ring.sealing_under(before.seals()).unwrap_or(ring));
        self.check_ring(&ring).await?;
        self.exchange(ring);
        Ok(())
    }

    /// Seals from now on with the first key of the ring that every live node holds and that is not out of use; gives
    /// whether that is another key than before. Returns when nothing is being sealed with the former one any more.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn choose_key(&self) -> Result<bool> {
        let mut db = self.read().await?;
        let (nodes, retired) = (db.live_nodes().await?, db.retired_keys().await?);
        drop(db);
        let ring = self.shared.ring();
        let fits = |id: &&str| {
            let known = nodes.iter().all(|node| node.keys.iter().any(|key| key == id));
            known && !retired.iter().any(|key| key == id)
        };
        let chosen = ring.ids().find(fits).filter(|id| *id != ring.seals());
        let Some(other) = chosen.and_then(|id| ring.sealing_under(id)) else { return Ok(false) };
        self.exchange(Arc::new(other));
        self.drain().await?;
        Ok(true)
    }

    fn exchange(&self, ring: Arc<KeyRing>) {
        *self.shared.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
    }
}
