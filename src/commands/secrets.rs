//! `vestibule secrets`: the keys that everything secret is sealed with.

use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Subcommand;
use serde_json::json;
use vestibule::config::{self, KeyFileError};
use vestibule::connect::KeyStatus;

/// Add, rotate and remove the keys that everything secret is sealed with.
#[derive(Subcommand)]
pub enum Secrets {
    /// Say which keys there are, how many rows each seals, and what every live server holds.
    Status,
    /// Put a fresh key in front of the key file. Servers load it within seconds and seal with it once all hold it.
    AddKey,
    /// Seal everything again under the first key, while servers serve. May be stopped and started again.
    Rotate(Patience),
    /// Take a key that seals nothing any more out of use and out of the key file.
    RemoveKey {
        /// Its name.
        id: String,
        #[command(flatten)]
        patience: Patience,
    },
}

/// How long to wait for servers.
#[derive(clap::Args)]
pub struct Patience {
    /// How many seconds to wait for servers that have not loaded the key yet.
    #[arg(long, default_value_t = 60)]
    wait: u64,
}

/// Runs it.
pub async fn run(verb: Secrets) -> anyhow::Result<()> {
    let core = super::quiet_core().await?;
    let keys = &core.config.keys;
    match verb {
        Secrets::Status => show(&core.connect.key_status().await?),
        Secrets::AddKey => {
            if keys.ring.is_some() {
                bail!(
                    "the keys come from the setting `keys`; put a new entry (id:base64 of 32 random bytes) in front of \
                     the others there, and restart every server, one after the other"
                );
            }
            println!("{}", config::add_key(&keys.file, &core.random)?);
            Ok(())
        }
        Secrets::Rotate(Patience { wait }) => {
            let mut told = Instant::now();
            let mut column = "";
            let tell = |progress: &vestibule::connect::Progress| {
                // A line for each column at its begin, and one a second after that.
                let name = progress.column.column;
                if name != column || told.elapsed() > Duration::from_secs(1) {
                    (told, column) = (Instant::now(), name);
                    let table = progress.column.table;
                    eprintln!("{table}.{name}: {} of {} rows", progress.done, progress.all);
                }
            };
            let resealed = core.connect.rotate(Duration::from_secs(wait), tell).await?;
            eprintln!("{resealed} rows were sealed again.");
            show(&core.connect.key_status().await?)
        }
        Secrets::RemoveKey { id, patience } => {
            core.connect.retire_key(&id, Duration::from_secs(patience.wait)).await?;
            if keys.ring.is_some() {
                eprintln!(
                    "The key {id} is out of use; its entry may leave the setting `keys` on every server."
                );
                return Ok(());
            }
            match config::remove_key(&keys.file, &id, &core.random) {
                Ok(()) | Err(KeyFileError::NoSuchKey(..)) => {}
                Err(error) => return Err(error.into()),
            }
            eprintln!(
                "The key {id} is out of use and out of {}. Keep it with the backups that it sealed.",
                keys.file.display()
            );
            Ok(())
        }
    }
}

fn show(status: &KeyStatus) -> anyhow::Result<()> {
    let key = |(id, rows): &(String, i64)| {
        let role = match () {
            () if status.retired.contains(id) => "retired",
            () if *id == status.first => "seals",
            () => "opens",
        };
        json!({ "id": id, "role": role, "rows": rows })
    };
    let node = |node: &vestibule::store::Node| {
        json!({
            "id": node.id,
            "name": node.name,
            "keys": node.keys,
            "seals": node.seals,
            "heard_at": node.heard_at.rfc3339(),
        })
    };
    super::print(&json!({
        "keys": status.keys.iter().map(key).collect::<Vec<_>>(),
        "rows_of_other_keys": status.others,
        "retired": status.retired,
        "nodes": status.nodes.iter().map(node).collect::<Vec<_>>(),
    }))
}
