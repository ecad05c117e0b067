//! The key file: made once with a fresh key, readable by its owner alone. It is changed by putting a whole new file in
//! its place, so that whoever reads it, or loses power, has the old lines or the new ones.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

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
    /// The key that shall be taken out is not in it.
    #[error("the key file {0} holds no key {1}")]
    NoSuchKey(String, String),
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
        Ok(text) => Zeroizing::new(text),
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
        let text = Zeroizing::new(format!("{OPENING}{}\n", *Key::generate(random).line()));
        draw_up(&draft, &text)?;
        // Unlike a rename, a link never replaces a file that is there.
        std::fs::hard_link(&draft, path)?;
        std::fs::remove_file(&draft)?;
        folder(path)?.sync_all()
    };
    write().map_err(|error| {
        // Nobody looks for a draft; what is left of it holds a key that never sealed anything.
        drop(std::fs::remove_file(&draft));
        KeyFileError::Io(name, error)
    })
}

/// Puts a fresh key in front of the others; gives its name. Everything else in the file stays as it is.
///
/// # Errors
/// See [`KeyFileError`]; the file is as it was then.
pub fn add(path: &Path, random: &Random) -> Result<String, KeyFileError> {
    let key = Key::generate(random);
    change(path, random, |lines| {
        let at = lines.iter().position(|line| names(line).next().is_some()).unwrap_or(lines.len());
        lines.insert(at, key.line());
        Ok(())
    })?;
    Ok(key.id().to_owned())
}

/// Takes a key out. Everything else in the file stays as it is.
///
/// # Errors
/// [`KeyFileError::NoSuchKey`], and see [`KeyFileError`]; the file is as it was then.
pub fn remove(path: &Path, id: &str, random: &Random) -> Result<(), KeyFileError> {
    change(path, random, |lines| {
        let mut found = false;
        for line in lines.iter_mut().filter(|line| names(line).any(|name| name == id)) {
            found = true;
            let (entries, comment) = line.split_once('#').unwrap_or((line, ""));
            let others: Vec<_> =
                entries.split(',').map(str::trim).filter(|entry| name_of(entry) != Some(id)).collect();
            let comment = if comment.is_empty() { String::new() } else { format!(" #{comment}") };
            *line = Zeroizing::new(format!("{}{comment}", others.join(",")));
        }
        if found { Ok(()) } else { Err(KeyFileError::NoSuchKey(path.display().to_string(), id.to_owned())) }
    })
}

const OPENING: &str = "# Seals everything secret in the database. Whoever has both can read it; without this file it is lost.\n";

/// The names of the keys on a line.
fn names(line: &str) -> impl Iterator<Item = &str> {
    line.split('#').next().unwrap_or_default().split(',').filter_map(|entry| name_of(entry.trim()))
}

fn name_of(entry: &str) -> Option<&str> {
    entry.split_once(':').map(|(name, _)| name)
}

fn change(
    path: &Path,
    random: &Random,
    edit: impl FnOnce(&mut Vec<Zeroizing<String>>) -> Result<(), KeyFileError>,
) -> Result<(), KeyFileError> {
    let name = path.display().to_string();
    let io = |error| KeyFileError::Io(name.clone(), error);
    // Two changes at once would lose the one that is written first.
    let folder = folder(path).map_err(io)?;
    folder.lock().map_err(io)?;
    read(path, random.clone())?;
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(io)?);
    let mut lines: Vec<_> = text.lines().map(|line| Zeroizing::new(line.to_owned())).collect();
    edit(&mut lines)?;
    let mut text = Zeroizing::new(String::new());
    for line in &lines {
        text.push_str(line);
        text.push('\n');
    }
    KeyRing::parse(&text, random.clone()).map_err(|error| KeyFileError::Content(name.clone(), error))?;
    let draft = path.with_added_extension(Token::new(random).hash());
    let write = || {
        draw_up(&draft, &text)?;
        let owner = std::fs::metadata(path)?;
        std::os::unix::fs::chown(&draft, Some(owner.uid()), Some(owner.gid()))?;
        std::fs::rename(&draft, path)?;
        folder.sync_all()
    };
    write().map_err(|error| {
        drop(std::fs::remove_file(&draft));
        io(error)
    })
}

/// Writes a file that nobody else may read and that was not there before, and syncs it.
fn draw_up(draft: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn folder(path: &Path) -> std::io::Result<std::fs::File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or(Path::new(".")))
}

fn check_mode(path: &Path, name: &str) -> Result<(), KeyFileError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_added_in_front_and_taken_out_again_while_everything_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (path, random) = (folder.path().join("keys"), Random::system());
        create(&path, &random).unwrap();
        let before = std::fs::read_to_string(&path).unwrap();
        let first = read(&path, random.clone()).unwrap().seals().to_owned();
        let second = add(&path, &random).unwrap();
        let ring = read(&path, random.clone()).unwrap();
        assert_eq!(ring.ids().collect::<Vec<_>>(), [&second, &first]);
        assert!(std::fs::read_to_string(&path).unwrap().starts_with(OPENING));
        remove(&path, &second, &random).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().replace("\n\n", "\n"), before);
        assert!(matches!(remove(&path, &second, &random), Err(KeyFileError::NoSuchKey(..))));
        assert!(matches!(remove(&path, &first, &random), Err(KeyFileError::Content(_, SealError::Empty))));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
        assert_eq!(read(&path, random).unwrap().seals(), first);
    }

    #[test]
    fn a_key_is_taken_out_of_a_line_with_others_and_a_remark() {
        let folder = tempfile::tempdir().unwrap();
        let (path, random) = (folder.path().join("keys"), Random::system());
        let keys: Vec<_> = (0..3).map(|_| Key::generate(&random)).collect();
        let text = format!("{}, {} # both\n{}\n", *keys[0].line(), *keys[1].line(), *keys[2].line());
        draw_up(&path, &text).unwrap();
        remove(&path, keys[0].id(), &random).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{} # both\n{}\n", *keys[1].line(), *keys[2].line()));
    }
}
