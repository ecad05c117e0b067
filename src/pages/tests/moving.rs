//! Samples of steps that move on by themselves.

use serde_json::json;

use super::samples::{NOW, field, say, way};
use crate::contract::{Code, FieldKind, Step, StepKind};
use crate::kernel::clock::Millis;

/// Each with its file name.
pub(super) fn steps() -> Vec<(&'static str, Step)> {
    // As long as the longest that a provider is known to show.
    let long = format!("https://app.example/linked_devices#2@{}", "Ab3".repeat(90));
    let scan = |value: Option<&str>| {
        let mut step = live(StepKind::Qr, "scan", value);
        step.alternatives = vec![way("phone"), way("servers")];
        step
    };
    let mut passkey = live(StepKind::Form, "passkey", None);
    passkey.fields = vec![field("assertion", FieldKind::Long)];
    passkey.request = Some(json!({ "challenge": "AAAA" }));
    let mut phone = live(StepKind::Form, "phone", None);
    phone.fields = vec![field("phone", FieldKind::Phone)];
    phone.live = false;
    vec![
        ("step-qr", scan(Some(&long))),
        ("step-qr-app", scan(Some("tg://login?token=AQMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM"))),
        ("step-qr-making", scan(None)),
        ("step-code", live(StepKind::Code, "code", Some("AB12CD34"))),
        ("step-moving", live(StepKind::Wait, "moving", None)),
        ("step-passkey", passkey),
        ("step-phone", phone),
    ]
}

fn live(kind: StepKind, name: &str, value: Option<&str>) -> Step {
    let mut step = Step::new(kind, name, say(&format!("{name}.title")), say("again"));
    step.intro = Some(say(&format!("{name}.intro")));
    step.live = true;
    let expires_at = Some(Millis(NOW.0 + 17_000));
    step.code = value.map(|value| Code { value: value.to_owned(), expires_at });
    step
}
