//! The key file: made once with a fresh key, readable by its owner alone, never overwritten.

use std::io::Write;
use std::path::Path;

use crate::kernel::random::{Random, Token};
use crate::kernel::seal::{Key, KeyRing, SealError};

/// Why there is no key ring.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file does not exist.
    #[error("the key file {0} does not exist")]
    Absent(String),
    /// Others may read it.
    #[error("the key file {path} can be read by others (mode {mode:o}); set it to 600")]
    TooOpen {
        /// The file.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// It cannot be read or made.
    #[error("the key file {0}: {1}")]
    Io(String, std::io::Error),
    /// Its content is no key ring.
    #[error("the key file {0}: {1}")]
    Content(String, SealError),
}

/// Reads the ring.
///
/// # Errors
/// See [`KeyFileError`].
pub fn read(path: &Path, random: Random) -> Result<KeyRing, KeyFileError> {
    let name = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => zeroize::Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(KeyFileError::Absent(name)),
        Err(error) => return Err(KeyFileError::Io(name, error)),
    };
    check_mode(path, &name)?;
    KeyRing::parse(&text, random).map_err(|error| KeyFileError::Content(name, error))
}

/// Makes the file with one fresh key. File and folder are synced: a key that sealed something is on the disk. The
/// name appears only once everything is in the file, so a power cut leaves a whole key or none.
///
/// # Errors
/// See [`KeyFileError`]; a file that exists is left alone.
pub fn create(path: &Path, random: &Random) -> Result<(), KeyFileError> {
    let name = path.display().to_string();
    let draft = path.with_added_extension(Token::new(random).hash());
    let write = || -> std::io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&draft)?;
        file.write_all(b"# Seals everything secret in the database. Whoever has both can read it; without this file it is lost.\n")?;
        file.write_all(Key::generate(random).line().as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        // Unlike a rename, a link never replaces a file that is there.
        std::fs::hard_link(&draft, path)?;
        std::fs::remove_file(&draft)?;
        match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => std::fs::File::open(folder)?.sync_all(),
            None => std::fs::File::open(".")?.sync_all(),
        }
    };
    write().map_err(|error| {
        // Nobody looks for a draft; what is left of it holds a key that never sealed anything.
        drop(std::fs::remove_file(&draft));
        KeyFileError::Io(name, error)
    })
}

#[cfg(unix)]
fn check_mode(path: &Path, name: &str) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path)
        .map_err(|error| KeyFileError::Io(name.to_owned(), error))?
        .permissions()
        .mode();
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(KeyFileError::TooOpen { path: name.to_owned(), mode: mode & 0o777 })
    }
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &str) -> Result<(), KeyFileError> {
    Ok(())
}
