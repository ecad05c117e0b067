//! Living among the nodes: this server says every four seconds that it lives and which keys it holds, looks at its key
//! file every two, and seals with a new key once every other node holds it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::complaint::Complaint;
use crate::kernel::ids::NodeId;
use crate::kernel::seal::KeyRing;
use crate::store::{self, Store};

/// How often the key file is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How often this node says that it lives: at the second look at the latest.
const BEAT: Duration = Duration::from_secs(3);

/// Reads the ring as it is written now, or says why it cannot be read.
pub type Reload = Box<dyn Fn() -> Result<KeyRing, String> + Send + Sync>;

/// Runs until told that nothing is sealed here any more. The node has joined already, and is taken out at the end.
/// `reload` is `None` when the ring is fixed for as long as the process lives.
pub async fn run(
    store: Store,
    node: NodeId,
    name: String,
    reload: Option<Reload>,
    mut stop: watch::Receiver<bool>,
) {
    let mut heard = Instant::now();
    let mut complaint = String::new();
    let mut unheard = Complaint::new(
        "this node cannot say at the moment that it lives",
        "this node says again that it lives",
    );
    while !*stop.borrow() {
        tokio::select! {
            _ = stop.changed() => break,
            () = tokio::time::sleep(LOOK) => {}
        }
        let changed = match look(&store, reload.as_ref()).await {
            Ok(changed) => {
                complaint.clear();
                changed
            }
            Err(why) => {
                // Once for each reason, not every two seconds.
                if why != complaint {
                    tracing::error!(why, "the key ring stays as it is");
                    complaint = why;
                }
                false
            }
        };
        if !changed && heard.elapsed() < BEAT {
            continue;
        }
        let said = store.beat(&node, &name).await;
        if unheard.heard(said).is_some() {
            heard = Instant::now();
        }
    }
    if let Err(error) = store.leave(&node).await {
        tracing::warn!(error = %error, "this node could not be taken out of the list");
    }
}

/// Loads a changed ring and chooses the key that seals; gives whether the others should hear of it at once.
async fn look(store: &Store, reload: Option<&Reload>) -> Result<bool, String> {
    let told = |error: store::Error| error.to_string();
    let mut changed = false;
    if let Some(reload) = reload {
        let ring = reload()?;
        if !ring.ids().eq(&store.keys().0) {
            let keys: Vec<_> = ring.ids().map(str::to_owned).collect();
            store.load_ring(ring).await.map_err(told)?;
            tracing::info!(?keys, "the key file was loaded again");
            changed = true;
        }
    }
    let (keys, seals) = store.keys();
    // Most of the time the first key seals, and nothing needs to be asked.
    if keys.first() != Some(&seals) && store.choose_key().await.map_err(told)? {
        tracing::info!(key = store.keys().1, "every node holds the key; it seals from now on");
        changed = true;
    }
    Ok(changed)
}
