//! Programs of packages that cannot be installed beside Dovecot; `cargo xtask setup` unpacks them into the tree.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where they are.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers");
    assert!(
        root.join("usr/lib/cyrus/bin/master").exists(),
        "target/servers is missing; run `cargo xtask setup`"
    );
    root
}

/// A command whose programs find their libraries there.
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(root().join(program));
    command.env("LD_LIBRARY_PATH", libraries());
    command
}

/// Where the unpacked libraries are, as the loader wants it.
pub fn libraries() -> OsString {
    let root = root();
    let multi = format!("lib/{}-linux-gnu", std::env::consts::ARCH);
    let folders = [root.join("usr").join(&multi), root.join(&multi), root.join("usr/lib")];
    std::env::join_paths(folders).expect("plain paths")
}
