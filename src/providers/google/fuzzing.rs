//! What an operator pastes, read as the provider reads it, and what must hold of it however it was written.

use super::client_json;

/// Reads the file of a client.
pub fn client_json(text: &str) {
    match client_json::read(text) {
        Ok(client) => {
            assert!(text.len() <= client_json::LONGEST);
            assert!(
                !client.client_id.is_empty() && client.client_id.bytes().all(|byte| byte.is_ascii_graphic())
            );
            assert!(client.client_secret.is_none_or(|secret| !secret.reveal().is_empty()));
        }
        Err(problem) => assert!(!problem.is_empty()),
    }
}
