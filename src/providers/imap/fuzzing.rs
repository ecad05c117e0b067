//! What strangers write, read as the provider reads it, and what must hold of it however it was written.

use std::time::Duration;

use super::address::{Address, readable};
use super::config::Config;
use super::discover::published;

/// Reads an address as a person types it.
pub fn address(typed: &str) {
    let Ok(address) = Address::parse(typed) else { return };
    assert!(!address.local.is_empty() && address.local.len() <= 64);
    assert!(address.domain.is_ascii() && address.domain.contains('.') && address.domain.len() <= 253);
    assert_eq!(address.domain, address.domain.to_ascii_lowercase());
    let shown = address.to_string();
    assert!(!shown.contains(['\r', '\n', '\0', ' ']), "{shown:?}");
    assert_eq!(Address::parse(&shown).as_ref(), Ok(&address), "what is shown can be typed: {shown:?}");
    assert_eq!(Address::parse(&readable(&shown)).as_ref(), Ok(&address), "and what is read, too: {shown:?}");
}

/// Reads a file of mail settings as somebody publishes it.
pub fn settings(file: &[u8]) {
    let config = Config {
        ports: vec![143, 465, 587, 993],
        connect: Duration::from_secs(15),
        discover: true,
        database: None,
        own_names: false,
    };
    let Ok(address) = Address::parse("ada@example.org") else { return };
    let Some(servers) = published(file, &address, &config) else { return };
    assert!(servers.len() <= 20);
    for server in servers {
        assert!(config.permits(server.port));
        assert_eq!(super::servers::host(&server.host).as_deref(), Ok(&*server.host), "{server:?}");
        assert!(!server.login.is_empty() && !server.login.chars().any(char::is_control), "{server:?}");
    }
}
