//! What makes the pages the operator's own: logo, accent colours, a way to support. Files are read here, once, and
//! everything is checked: a colour that cannot be read is refused together with the nearest one that can.

use std::path::Path;

use url::Url;

use super::{Problems, non_empty};
use crate::kernel::colour::{Colour, DARK_PAPER, LIGHT_PAPER, READABLE};

/// The accent of the pages where none is set, in the light and in the dark.
const OURS: (&str, &str) = ("#0d5c56", "#7fd1c5");

/// Where only the light accent is set, the dark one is made from it with this contrast.
const COMFORTABLE: f64 = 7.0;

/// The largest file of a logo, in bytes.
const LARGEST: u64 = 128 * 1024;

/// The widest or highest logo, in pixels of a PNG.
const WIDEST: u32 = 2048;

/// How the pages look and whom they name.
#[derive(Clone, Debug, Default)]
pub struct Branding {
    /// The accent in the light and in the dark; `None` for the pages' own.
    pub accents: Option<(Colour, Colour)>,
    /// The logo.
    pub logo: Option<Picture>,
    /// The logo where the person prefers dark colours, when it is another one.
    pub logo_dark: Option<Picture>,
    /// Where people get help: https or mailto.
    pub support: Option<Url>,
}

/// A picture that people's browsers are given.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The file's content.
    pub bytes: Vec<u8>,
    /// Whether it is SVG; PNG otherwise.
    pub is_svg: bool,
}

/// The settings as they are written.
pub(super) struct RawBranding<'a> {
    pub(super) logo_file: &'a str,
    pub(super) logo_dark_file: &'a str,
    pub(super) accent: &'a str,
    pub(super) accent_dark: &'a str,
    pub(super) support: &'a str,
}

impl RawBranding<'_> {
    pub(super) fn read(&self, problems: &mut Problems) -> Branding {
        let mut note = |key, text: &str, read: fn(&str) -> Result<Picture, String>| {
            non_empty(text).and_then(|text| problems.note(key, read(text)))
        };
        let (logo, logo_dark) = (
            note("logo_file", self.logo_file, picture),
            note("logo_dark_file", self.logo_dark_file, picture),
        );
        if logo_dark.is_some() && non_empty(self.logo_file).is_none() {
            problems
                .0
                .push("logo_dark_file: is set without logo_file; set that one, or only that one".to_owned());
        }
        let light = non_empty(self.accent)
            .and_then(|text| problems.note("accent", accent(text, LIGHT_PAPER, "light")));
        let dark = non_empty(self.accent_dark)
            .and_then(|text| problems.note("accent_dark", accent(text, DARK_PAPER, "dark")));
        let ours = |text| Colour::parse(text).unwrap_or(LIGHT_PAPER.ink());
        let accents = match (light, dark) {
            (None, None) => None,
            (Some(light), Some(dark)) => Some((light, dark)),
            (Some(light), None) => Some((light, light.readable_on(DARK_PAPER, COMFORTABLE))),
            (None, Some(dark)) => Some((ours(OURS.0), dark)),
        };
        let support =
            non_empty(self.support).and_then(|text| problems.note("support_contact", contact(text)));
        Branding { accents, logo, logo_dark, support }
    }
}

/// A colour that reads on its paper.
fn accent(text: &str, paper: Colour, mode: &str) -> Result<Colour, String> {
    let colour = Colour::parse(text).ok_or_else(|| format!("{text} is no colour such as {}", OURS.0))?;
    let contrast = colour.contrast(paper);
    if contrast >= READABLE {
        return Ok(colour);
    }
    let nearest = colour.readable_on(paper, READABLE);
    Err(format!(
        "{colour} has a contrast of {contrast:.1} with the {mode} pages, where links and buttons need {READABLE}; \
         {nearest} is the nearest that has it"
    ))
}

/// A logo, known by its content, whatever its file is called.
fn picture(path: &str) -> Result<Picture, String> {
    let about = |error: std::io::Error| format!("{path}: {error}");
    let about_file = std::fs::metadata(Path::new(path)).map_err(about)?;
    // A device or a pipe has no length, and no end.
    if !about_file.is_file() {
        return Err(format!("{path} is no file"));
    }
    let length = about_file.len();
    if length > LARGEST {
        return Err(format!("{path} has {length} bytes; a logo may have {LARGEST}, so save it smaller"));
    }
    let bytes = std::fs::read(path).map_err(about)?;
    if let Some(header) = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n") {
        let side = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
        return match (header.get(4..8) == Some(b"IHDR"), side(8), side(12)) {
            (true, Some(1..=WIDEST), Some(1..=WIDEST)) => Ok(Picture { bytes, is_svg: false }),
            (true, Some(width), Some(height)) => Err(format!(
                "{path} is {width} by {height} pixels; a logo may have {WIDEST} each way, so scale it down"
            )),
            _ => Err(format!("{path} is a broken PNG; export it again")),
        };
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) if opens_as_svg(text) => Ok(Picture { bytes, is_svg: true }),
        _ => Err(format!("{path} is neither a PNG nor an SVG in UTF-8; export the logo as one of them")),
    }
}

/// Whether the first element is `svg`, after what may stand before it.
fn opens_as_svg(text: &str) -> bool {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    for (open, close) in [("<?xml", "?>"), ("<!--", "-->"), ("<!DOCTYPE svg", ">"), ("<!--", "-->")] {
        while rest.starts_with(open) {
            let Some((_, after)) = rest.split_once(close) else { return false };
            rest = after.trim_start();
        }
    }
    rest.strip_prefix("<svg").is_some_and(|after| after.starts_with([' ', '\t', '\r', '\n', '>']))
}

/// Where people get help.
fn contact(text: &str) -> Result<Url, String> {
    let rule = "must be https://… or mailto:…, such as mailto:help@example.com";
    let url = Url::parse(text).map_err(|_| match text.contains('@') {
        true => format!("must begin with mailto:, so write mailto:{text}"),
        false => rule.to_owned(),
    })?;
    match url.scheme() {
        "https" if url.username().is_empty() && url.password().is_none() => Ok(url),
        "mailto"
            if url.path().split_once('@').is_some_and(|(who, host)| !who.is_empty() && !host.is_empty()) =>
        {
            Ok(url)
        }
        _ => Err(rule.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(change: impl FnOnce(&mut RawBranding<'_>)) -> (Branding, Vec<String>) {
        let mut raw =
            RawBranding { logo_file: "", logo_dark_file: "", accent: "", accent_dark: "", support: "" };
        change(&mut raw);
        let mut problems = Problems::default();
        (raw.read(&mut problems), problems.0)
    }

    #[test]
    fn a_colour_that_cannot_be_read_is_refused_with_one_that_can() {
        let (_, problems) = read(|raw| (raw.accent, raw.accent_dark) = ("#ff6600", "#003366"));
        assert_eq!(problems.len(), 2, "{problems:?}");
        for (problem, paper) in problems.iter().zip([LIGHT_PAPER, DARK_PAPER]) {
            let offered = problem.split("; ").nth(1).unwrap().split(' ').next().unwrap();
            assert!(Colour::parse(offered).unwrap().contrast(paper) >= READABLE, "{problem}");
        }
        let (branding, problems) = read(|raw| raw.accent = "#b34700");
        assert!(problems.is_empty(), "{problems:?}");
        let (light, dark) = branding.accents.unwrap();
        assert_eq!(light.to_string(), "#b34700");
        assert!(dark.contrast(DARK_PAPER) >= COMFORTABLE, "the dark accent is made from the light one");
        assert!(read(|raw| raw.accent = "orange").1[0].starts_with("accent: orange is no colour"));
    }

    #[test]
    fn a_logo_is_known_by_its_content_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let try_one = |bytes: &[u8]| {
            let path = folder.path().join("logo");
            std::fs::write(&path, bytes).unwrap();
            picture(path.to_str().unwrap()).map(|picture| picture.is_svg)
        };
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10".to_vec();
        assert_eq!(try_one(&png), Ok(false));
        png[16..20].copy_from_slice(&9000_u32.to_be_bytes());
        assert!(try_one(&png).unwrap_err().contains("9000 by 16"));
        assert!(try_one(b"\x89PNG\r\n\x1a\n").unwrap_err().contains("broken PNG"));
        assert_eq!(try_one(b"<?xml version=\"1.0\"?>\n<!-- x -->\n<svg xmlns='x'/>"), Ok(true));
        assert!(try_one(b"<html><svg></svg></html>").unwrap_err().contains("neither"));
        assert!(try_one(&vec![b' '; 200_000]).unwrap_err().contains("save it smaller"));
        assert!(picture("/nowhere/logo.png").is_err());
        assert!(picture("/dev/zero").unwrap_err().contains("is no file"));
    }

    #[test]
    fn support_is_a_page_or_an_address() {
        for text in ["https://help.example.com/mail", "mailto:help@example.com"] {
            assert!(contact(text).is_ok(), "{text}");
        }
        assert!(contact("help@example.com").unwrap_err().contains("write mailto:help@example.com"));
        for text in
            ["http://help.example.com", "javascript:alert(1)", "mailto:help", "help", "https://a:b@x.example"]
        {
            assert!(contact(text).is_err(), "{text}");
        }
    }
}
