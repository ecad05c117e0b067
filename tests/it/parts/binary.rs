//! Which server the tests drive: the release build that `cargo xtask test` made, or else the one that
//! cargo built beside this test.

use std::path::PathBuf;

/// The path of the server under test.
#[expect(clippy::disallowed_methods, reason = "the test's own setting, not the server's")]
pub fn vestibule() -> PathBuf {
    std::env::var_os("VESTIBULE_TEST_BINARY")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_vestibule")), PathBuf::from)
}
