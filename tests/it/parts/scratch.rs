//! A folder for one part, readable by the unprivileged users that real servers drop to, and removed
//! on drop or at the death of the test process.

use super::process::reaper;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A temporary folder that removes itself.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// Makes an empty folder whose name starts with `name`.
    pub fn new(name: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix(&format!("vestibule-{name}-"))
            .tempdir()
            .expect("a temporary folder");
        reaper().folder(folder.path());
        let scratch = Self(folder);
        mode(scratch.path(), 0o755);
        scratch
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A path inside it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file inside it and returns its path.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, text).expect("a file in the temporary folder");
        path
    }

    /// Makes a folder inside it, owned by a user id when one is given.
    pub fn folder(&self, name: &str, owner: Option<u32>) -> PathBuf {
        let path = self.join(name);
        std::fs::create_dir_all(&path).expect("a folder in the temporary folder");
        if let Some(owner) = owner {
            std::os::unix::fs::chown(&path, Some(owner), None).expect("real servers need a root user here");
        }
        path
    }
}

/// Sets the permission bits of a path.
pub fn mode(path: &Path, bits: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).expect("permission bits");
}

/// The user and group id that the system gives `name`.
pub fn user(name: &str) -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").expect("the list of users");
    let line = users
        .lines()
        .find(|line| line.split(':').next() == Some(name))
        .unwrap_or_else(|| panic!("the user {name} is missing; run `cargo xtask setup`"));
    let mut ids = line.split(':').skip(2).map(|id| id.parse().expect("a numeric id"));
    (ids.next().expect("a user id"), ids.next().expect("a group id"))
}
