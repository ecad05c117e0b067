//! A copy of the embedded database while it is in use.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::Store;
use super::error::{Error, Result};
use super::fragments::Kind;

impl Store {
    /// Writes a consistent copy of the SQLite database, as of one moment, to a new file that only its owner may read,
    /// and syncs it. Readers and writers go on meanwhile.
    ///
    /// # Errors
    /// `Conflict` when the file exists; `NotFound` on PostgreSQL, which has tools of its own; `Unavailable`, and nothing
    /// is left of the file then.
    pub async fn backup(&self, path: &Path) -> Result<()> {
        if self.kind() != Kind::Sqlite {
            return Err(Error::NotFound);
        }
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Error::Conflict,
            _ => Error::Unavailable { what: format!("{}: {error}", path.display()), retry: false },
        };
        // SQLite copies into an empty file as well, and would make one that others may read.
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        let copied = self.copy_into(path).await.and_then(|()| file.sync_all().map_err(failed));
        if copied.is_err() {
            drop(std::fs::remove_file(path));
        }
        copied
    }

    async fn copy_into(&self, path: &Path) -> Result<()> {
        let odd = || Error::Unavailable {
            what: format!("{}: SQLite takes names in UTF-8 only", path.display()),
            retry: false,
        };
        let name = path.to_str().ok_or_else(odd)?.to_owned();
        sqlx::query("VACUUM INTO $1").bind(name).execute(self.read().await?.conn()).await?;
        Ok(())
    }
}
