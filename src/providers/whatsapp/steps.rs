//! The steps as the person sees them. What is shown is decided here; where it leads is decided elsewhere. A code to scan or
//! to type is never part of a step: the conversation tells it.

use serde_json::Value;

use crate::contract::{Alternative, Field, FieldKind, Help, Notice, Step, StepKind, Text, Tone};
use crate::kernel::clock::Millis;

use super::end::End;
use super::phone::BadPhone;
use super::place::Place;

/// Another way on: a QR code, which is also how to begin anew.
pub const QR: &str = "qr";

/// Another way on: a code to type on the phone.
pub const PAIRING_CODE: &str = "pairing_code";

const IPHONE: Option<&str> = Some("iPhone");
const ANDROID: Option<&str> = Some("Android");

/// One of this provider's sentences.
pub fn say(key: &str) -> Text {
    Text::key(format!("whatsapp.{key}"))
}

/// A QR code to scan.
pub fn qr(place: &Place, notice: Option<Notice>) -> Step {
    let (title, phone_title) = match &place.target {
        Some(target) => (
            say("qr.title_repair").with("account", &target.label),
            say("qr.title_phone_repair").with("account", &target.label),
        ),
        None => (say("qr.title"), say("qr.title_phone")),
    };
    let mut step = live(StepKind::Qr, QR, title, say("submit.new_code"));
    step.intro = Some(say("link.meaning"));
    step.notice = notice;
    step.phone_title = Some(phone_title);
    step.help =
        help([(IPHONE, say("help.iphone")), (ANDROID, say("help.android")), (None, say("help.terms"))]);
    step.alternatives.push(way(PAIRING_CODE, say("way.pairing_code")));
    step
}

/// The number of the phone that a code is to be typed on.
pub fn phone(typed: &str, error: Option<BadPhone>, notice: Option<Notice>) -> Step {
    let mut step = Step::new(StepKind::Form, "phone", say("phone.title"), say("submit.next"));
    step.intro = Some(say("phone.intro"));
    step.notice = notice;
    let mut field = Field::new("phone", FieldKind::Phone, say("field.phone"));
    field.value = Some(typed.to_owned()).filter(|typed| !typed.is_empty());
    field.help = Some(say("field.phone_help"));
    field.autocomplete = Some("tel".to_owned());
    field.error = error.map(|bad| match bad {
        BadPhone::Missing => say("error.phone_missing"),
        BadPhone::Country => say("error.phone_country"),
        BadPhone::Invalid => say("error.phone_invalid"),
    });
    step.fields.push(field);
    step.alternatives.push(way(QR, say("way.qr")));
    step
}

/// A code to type on the phone.
pub fn code(place: &Place, notice: Option<Notice>) -> Step {
    let phone = place.phone.as_deref().unwrap_or_default();
    let title = say("code.title").with("phone", phone);
    let mut step = live(StepKind::Code, PAIRING_CODE, title, say("submit.new_code"));
    step.intro = Some(say("link.meaning"));
    step.notice = notice;
    step.help = help([
        (IPHONE, say("help.iphone_code")),
        (ANDROID, say("help.android_code")),
        (None, say("help.notification")),
        (None, say("help.terms")),
    ]);
    step.alternatives.push(way(QR, say("way.qr")));
    step.alternatives.push(way(PAIRING_CODE, say("way.number")));
    step
}

/// The answer of a passkey, from whoever could get it.
pub fn passkey(request: &Value, error: Option<Text>) -> Step {
    let mut step = live(StepKind::Form, "passkey", say("passkey.title"), say("submit.next"));
    step.intro = Some(say("passkey.intro"));
    step.help = help([(None, say("help.passkey"))]);
    step.request = Some(request.clone());
    let mut field = Field::new("assertion", FieldKind::Long, say("field.assertion"));
    field.help = Some(say("field.assertion_help"));
    field.error = error;
    step.fields.push(field);
    step.alternatives.push(way(QR, say("way.other_account")));
    step
}

/// Characters to compare with those that the phone shows.
pub fn compare() -> Step {
    let mut step = live(StepKind::Code, "passkey_code", say("compare.title"), say("submit.same"));
    step.intro = Some(say("compare.intro"));
    step.alternatives.push(way(QR, say("way.different")));
    step
}

/// Waiting for the service's word about a passkey.
pub fn checking() -> Step {
    let mut step = live(StepKind::Wait, "passkey_wait", say("checking.title"), say("submit.look"));
    step.intro = Some(say("checking.intro"));
    step
}

/// Waiting for the device's first login.
pub fn linking() -> Step {
    let mut step = live(StepKind::Wait, "linking", say("linking.title"), say("submit.look"));
    step.intro = Some(say("linking.intro"));
    step
}

/// The phone said yes, and the first login does not come about.
pub fn unfinished(end: End, now: Millis) -> Step {
    let title = say("unfinished.title");
    let mut step = Step::new(StepKind::Form, "unfinished", title, say("submit.again"));
    step.intro = Some(say("unfinished.intro"));
    step.notice = Some(notice(end, now));
    step.alternatives.push(way(QR, say("way.anew")));
    step
}

/// Nothing is under way any more.
pub fn ended(place: &Place, end: End, now: Millis) -> Step {
    let submit = match end {
        // With this one, a new code would end the same way.
        End::AccountBanned(_) | End::AccountLocked => say("way.other_account"),
        End::ClientOutdated | End::ServerUntrusted => say("submit.again"),
        _ => say("submit.new_code"),
    };
    let mut step = Step::new(StepKind::Form, "ended", say("ended.title"), submit);
    step.notice = Some(notice(end, now));
    if place.phone.is_some() {
        step.alternatives.push(way(QR, say("way.qr")));
        step.alternatives.push(way(PAIRING_CODE, say("way.number")));
    } else {
        step.alternatives.push(way(PAIRING_CODE, say("way.pairing_code")));
    }
    step
}

/// An end in words.
pub fn notice(end: End, now: Millis) -> Notice {
    let code = end.code();
    let text = match end {
        End::AccountBanned(Some(left)) => {
            // To the minute, in UTC: the same in every language.
            let until = now.after(left).rfc3339().replace('T', " ");
            let until = until.get(..16).unwrap_or(&until).to_owned();
            say("trouble.account_banned_until").with("until", format!("{until} UTC"))
        }
        _ => say(&format!("trouble.{code}")),
    };
    let advice = Some(say(&format!("advice.{code}")));
    Notice { code: code.to_owned(), tone: Tone::Refused, text, advice }
}

/// The connection that a code was on is gone, and with it the code.
pub fn interrupted() -> Notice {
    info("interrupted", say("notice.interrupted"), say("notice.interrupted_advice"))
}

/// The phone has answered for a pairing code.
pub fn typed() -> Notice {
    info("code_typed", say("notice.typed"), say("notice.typed_advice"))
}

fn info(code: &str, text: Text, advice: Text) -> Notice {
    Notice { code: code.to_owned(), tone: Tone::Info, text, advice: Some(advice) }
}

fn live(kind: StepKind, name: &str, title: Text, submit: Text) -> Step {
    Step { live: true, ..Step::new(kind, name, title, submit) }
}

fn way(name: &str, label: Text) -> Alternative {
    Alternative { name: name.to_owned(), label }
}

fn help<const N: usize>(sentences: [(Option<&str>, Text); N]) -> Vec<Help> {
    let one =
        |(device, text): (Option<&str>, Text)| Help { device: device.map(str::to_owned), ..Help::new(text) };
    sentences.into_iter().map(one).collect()
}
