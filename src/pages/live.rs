//! What a step shows that moves on by itself: a QR code as an SVG drawn here, a code to type, or the wait.

use minijinja::{Value, context};
use qrcode::{Color, EcLevel, QrCode};

use crate::contract::{Code, Step, StepKind};
use crate::kernel::clock::Millis;

/// The quiet zone around a QR code, in modules (ISO/IEC 18004).
const QUIET: usize = 4;
/// Up to this length the code bears some dirt; a longer one is large enough.
const SHORT: usize = 120;
/// How long a page without scripts stands, in seconds.
const RELOAD: u64 = 10;
/// Below this length a code to type is set in groups.
const TYPED: usize = 12;

/// What its template needs; `None` for a step that stands still. `answered` says that it is the person's answer which leads
/// on, and not what is done elsewhere.
pub(super) fn draw(step: &Step, mark: &str, now: Millis) -> Option<Value> {
    let shows = matches!(step.kind, StepKind::Qr | StepKind::Code);
    if !step.live {
        return None;
    }
    let code = step.code.as_ref().filter(|_| shows);
    let seconds = code.and_then(|code| code.expires_at).map(|at| at.since(now).as_secs());
    // A code without an end is there to be compared.
    let answered =
        !step.fields.is_empty() || (step.kind == StepKind::Code && code.is_some() && seconds.is_none());
    Some(context! {
        mark,
        scans => step.kind == StepKind::Qr,
        shows,
        svg => code.filter(|_| step.kind == StepKind::Qr).and_then(|code| svg(&code.value)).map(Value::from_safe_string),
        groups => code.filter(|_| step.kind == StepKind::Code).map(groups),
        seconds,
        answered,
    })
}

/// After how many seconds the page has to be loaded again by those without scripts, so that no dead code is on show; never
/// where somebody types.
pub(super) fn reloads(step: &Step, now: Millis) -> Option<u64> {
    let ends = step.code.as_ref().and_then(|code| code.expires_at);
    let left = ends.map_or(RELOAD, |at| at.since(now).as_secs() + 1);
    (step.live && step.fields.is_empty()).then_some(left.min(RELOAD))
}

/// A code to type, in groups of four where it is of that length.
fn groups(code: &Code) -> Vec<String> {
    let signs: Vec<char> = code.value.chars().collect();
    if signs.len() > TYPED || !signs.len().is_multiple_of(4) {
        return vec![code.value.clone()];
    }
    signs.chunks(4).map(|group| group.iter().collect()).collect()
}

/// A QR code as one path; `None` for what is too long for any.
fn svg(text: &str) -> Option<String> {
    let level = if text.len() <= SHORT { EcLevel::M } else { EcLevel::L };
    let code = QrCode::with_error_correction_level(text, level).ok()?;
    let (width, colours) = (code.width(), code.to_colors());
    let mut path = String::new();
    for (y, row) in colours.chunks(width).enumerate() {
        let mut x = 0;
        while x < width {
            let run = row[x..].iter().take_while(|colour| **colour == row[x]).count();
            if row[x] == Color::Dark {
                path.push_str(&format!("M{} {}h{run}v1h-{run}z", x + QUIET, y + QUIET));
            }
            x += run;
        }
    }
    let side = width + 2 * QUIET;
    Some(format!(
        "<svg viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\" aria-hidden=\"true\"><path d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_module_by_module_inside_its_quiet_zone() {
        let drawn = svg("tg://login?token=abc").unwrap();
        let code = QrCode::with_error_correction_level("tg://login?token=abc", EcLevel::M).unwrap();
        let (width, colours) = (code.width(), code.to_colors());
        let mut modules = vec![Color::Light; width * width];
        let path = drawn.split("d=\"").nth(1).unwrap().split('"').next().unwrap();
        for run in path.split('M').skip(1) {
            let (at, rest) = run.split_once('h').unwrap();
            let (x, y) = at.split_once(' ').unwrap();
            let (x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
            let length: usize = rest.split('v').next().unwrap().parse().unwrap();
            for module in x..x + length {
                modules[(y - QUIET) * width + module - QUIET] = Color::Dark;
            }
        }
        assert!(modules == colours && drawn.contains(&format!("0 0 {0} {0}", width + 8)));
        assert_eq!(svg(&"x".repeat(5000)), None);
    }

    #[test]
    fn a_code_to_type_is_set_in_fours() {
        let code = |value: &str| Code { value: value.to_owned(), expires_at: None };
        assert_eq!(groups(&code("ABCD1234")), ["ABCD", "1234"]);
        assert_eq!(groups(&code("12345")), ["12345"]);
    }
}
