//! What the pages load besides themselves, under names that carry the hash of their content, so that a browser
//! may keep them for ever. Everything is compiled in.

use std::collections::BTreeMap;

use ring::digest;

/// A file below `/assets/`.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its content.
    pub bytes: &'static [u8],
    /// Its `Content-Type`.
    pub content_type: &'static str,
}

/// Stem, extension, type and content of every file.
const FILES: [(&str, &str, &str, &[u8]); 3] = [
    ("wizard", "css", "text/css; charset=utf-8", include_bytes!("../../assets/wizard.css")),
    ("wizard", "js", "text/javascript; charset=utf-8", include_bytes!("../../assets/wizard.js")),
    ("favicon", "svg", "image/svg+xml", include_bytes!("../../assets/favicon.svg")),
];

/// The files by their hashed name, and the hashed names by the plain ones.
pub(super) struct Assets {
    files: BTreeMap<String, Asset>,
    names: BTreeMap<String, String>,
}

impl Assets {
    pub(super) fn new() -> Self {
        let mut assets = Self { files: BTreeMap::new(), names: BTreeMap::new() };
        for (stem, extension, content_type, bytes) in FILES {
            let hash = digest::digest(&digest::SHA256, bytes);
            let hex: String = hash.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            let name = format!("{stem}.{hex}.{extension}");
            assets.names.insert(format!("{stem}.{extension}"), name.clone());
            assets.files.insert(name, Asset { bytes, content_type });
        }
        assets
    }

    /// A file by its hashed name.
    pub(super) fn get(&self, path: &str) -> Option<Asset> {
        self.files.get(path).copied()
    }

    /// The plain names, each with the path a page links to.
    pub(super) fn paths(&self) -> impl Iterator<Item = (&str, String)> {
        self.names.iter().map(|(plain, name)| (plain.as_str(), format!("/assets/{name}")))
    }

    /// Every hashed name.
    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }
}
