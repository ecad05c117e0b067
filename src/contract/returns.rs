//! The ways back to an attempt that a person leaves for the provider's own pages. The engine makes both, binds them to
//! the attempt and takes what comes back; a provider only puts them into the addresses it sends people to.

use crate::kernel::secret::Secret;

/// Where people and administrators come back to from one provider's pages. Empty outside an attempt.
#[derive(Clone, Debug, Default)]
pub struct Returns {
    /// The address that is registered at the provider; the same for every attempt.
    pub callback: String,
    /// What the person brings back as `state`: fresh with every step that sends them away, and good once.
    pub state: Option<Secret>,
    /// The address that is registered for an administrator's approval.
    pub approval_callback: String,
    /// What an administrator brings back as `state`: the same for the whole session, and good for nothing but to tell
    /// that one may try again.
    pub approval_state: Option<Secret>,
}

/// Where people come back to from a provider's pages, below the public URL.
pub fn callback(origin: &str, slug: &str) -> String {
    format!("{origin}/providers/{slug}/callback")
}

/// Where administrators come back to, below the public URL.
pub fn approval_callback(origin: &str, slug: &str) -> String {
    format!("{origin}/providers/{slug}/admin-consent")
}
