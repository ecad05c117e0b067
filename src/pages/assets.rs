//! What the pages load besides themselves, under names that carry the hash of their content, so that a browser
//! may keep them for ever: what is compiled in, with the operator's colours laid over it, and the operator's logo.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ring::digest;

use super::brand::Brand;

/// A file below `/assets/`.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Its content.
    pub bytes: Cow<'static, [u8]>,
    /// Its `Content-Type`.
    pub content_type: &'static str,
}

const STYLE: &str = include_str!("../../assets/wizard.css");
const REFERENCE: &str = include_str!("../../assets/reference.css");
const SCRIPT: &str = include_str!("../../assets/wizard.js");
const FAVICON: &str = include_str!("../../assets/favicon.svg");
const SVG: &str = "image/svg+xml";

/// The files by their hashed name, and the hashed names by the plain ones.
pub(super) struct Assets {
    files: BTreeMap<String, Asset>,
    names: BTreeMap<&'static str, String>,
}

impl Assets {
    pub(super) fn new(brand: &Brand) -> Self {
        let mut assets = Self { files: BTreeMap::new(), names: BTreeMap::new() };
        let style = format!("{STYLE}{}", brand.style());
        assets.put("wizard.css", "css", "text/css; charset=utf-8", style.into_bytes().into());
        assets.put("reference.css", "css", "text/css; charset=utf-8", REFERENCE.as_bytes().into());
        assets.put("wizard.js", "js", "text/javascript; charset=utf-8", SCRIPT.as_bytes().into());
        assets.put("favicon.svg", "svg", SVG, brand.favicon(FAVICON).into_bytes().into());
        for (plain, logo) in [("logo", &brand.logo), ("logo-dark", &brand.logo_dark)] {
            if let Some((bytes, is_svg)) = logo {
                let (extension, kind) = if *is_svg { ("svg", SVG) } else { ("png", "image/png") };
                assets.put(plain, extension, kind, bytes.clone().into());
            }
        }
        assets
    }

    fn put(
        &mut self,
        plain: &'static str,
        extension: &str,
        content_type: &'static str,
        bytes: Cow<'static, [u8]>,
    ) {
        let hash = digest::digest(&digest::SHA256, &bytes);
        let hex: String = hash.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let stem = plain.split('.').next().unwrap_or(plain);
        let name = format!("{stem}.{hex}.{extension}");
        self.names.insert(plain, name.clone());
        self.files.insert(name, Asset { bytes, content_type });
    }

    /// A file by its hashed name.
    pub(super) fn get(&self, path: &str) -> Option<&Asset> {
        self.files.get(path)
    }

    /// The path that a page links to, by the plain name.
    pub(super) fn path(&self, plain: &str) -> Option<String> {
        self.names.get(plain).map(|name| format!("/assets/{name}"))
    }

    /// The plain names, each with the path a page links to.
    pub(super) fn paths(&self) -> impl Iterator<Item = (&str, String)> {
        self.names.iter().map(|(plain, name)| (*plain, format!("/assets/{name}")))
    }

    /// Every hashed name.
    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }
}
