//! Pages to test and to look at: every kind, several steps, and values meant to break them.

use std::collections::BTreeMap;

use crate::contract::{
    Alternative, Choice, Fact, Field, FieldKind, Help, Notice, Step, StepKind, Text, Tone, Tried,
};
use crate::kernel::clock::Millis;
use crate::pages::page::{
    Busy, Frame, Handover, Leaving, Page, Problem, ProblemKind, ProviderWords, StepPage, Success, Welcome,
};

/// What a hostile product, server or person puts in.
pub(super) const HOSTILE: &str = "<script>alert(1)</script>\"' onmouseover=alert(1) \u{202e}{product}";

/// One word that does not fit.
pub(super) const LONG: &str = "averyveryverylongwordwithoutanyplacetobreakitthatgoesonandonandonandonandonandonandonandon@\
    an.equally.long.subdomain.of.a.host.name.that.somebody.really.registered.example";

/// A provider's words, as a catalogue would hand them in.
pub(super) fn words() -> ProviderWords {
    let strings = toml::from_str(include_str!("samples.toml")).expect("the samples' words are TOML");
    ProviderWords {
        slug: "sample".to_owned(),
        icon: ICON,
        strings: BTreeMap::from([("en".to_owned(), strings)]),
    }
}

const ICON: &str = "<svg viewBox=\"0 0 24 24\" width=\"24\" height=\"24\" fill=\"none\" stroke=\"currentColor\" \
    stroke-width=\"1.75\" stroke-linejoin=\"round\"><rect x=\"3\" y=\"5\" width=\"18\" height=\"14\" rx=\"2.25\"/>\
    <path d=\"m4 7 8 6 8-6\"/></svg>";

/// A frame for a product.
pub(super) fn frame(product: &str) -> Frame<'_> {
    Frame {
        locale: "en",
        product,
        form_token: "f0rm-t0ken",
        here: &|tag| format!("?lang={tag}"),
        reference: "7Q4K-M2XD",
    }
}

/// When the samples are drawn.
pub(super) const NOW: Millis = Millis(1_782_820_800_000);

pub(super) fn say(key: &str) -> Text {
    Text::key(format!("sample.{key}"))
}

fn step(name: &str, fields: Vec<Field>) -> Step {
    let mut step = Step::new(StepKind::Form, name, say(&format!("{name}.title")), say("continue"));
    step.intro = Some(say(&format!("{name}.intro")));
    step.fields = fields;
    step
}

pub(super) fn field(name: &str, kind: FieldKind) -> Field {
    Field::new(name, kind, say(&format!("field.{name}")))
}

fn choice(value: &str) -> Choice {
    Choice { value: value.to_owned(), label: say(&format!("security.{value}")) }
}

pub(super) fn way(name: &str) -> Alternative {
    Alternative { name: name.to_owned(), label: say(&format!("way.{name}")) }
}

fn refused(code: &str) -> Notice {
    Notice {
        code: code.to_owned(),
        tone: Tone::Refused,
        text: say(&format!("notice.{code}")),
        advice: Some(say(&format!("notice.{code}_advice"))),
    }
}

fn address() -> Step {
    let mut email = field("email", FieldKind::Email);
    email.autocomplete = Some("username".to_owned());
    email.help = Some(say("field.email_help"));
    step("address", vec![email])
}

fn servers() -> Step {
    let mut fields = Vec::new();
    for side in ["in", "out"] {
        let mut host = field(&format!("{side}_host"), FieldKind::Host);
        host.value = Some(format!("{side}.mail.example.org"));
        let mut port = field(&format!("{side}_port"), FieldKind::Port);
        port.value = Some(if side == "in" { "993".to_owned() } else { "465".to_owned() });
        let mut security = field(&format!("{side}_security"), FieldKind::Select);
        security.choices = vec![choice("tls"), choice("starttls")];
        security.value = Some("tls".to_owned());
        fields.extend([host, port, security]);
    }
    let mut step = step("servers", fields);
    step.alternatives = vec![way("back")];
    step
}

fn password() -> Step {
    let mut password = field("password", FieldKind::Password);
    password.autocomplete = Some("current-password".to_owned());
    password.value = Some("must-never-be-shown".to_owned());
    let mut step = step("password", vec![password]);
    step.intro = Some(say("password.intro").with("email", "ada@example.org"));
    step.username = Some("ada@example.org".to_owned());
    step.facts = vec![
        Fact { label: say("fact.in"), value: "in.mail.example.org:993".to_owned() },
        Fact { label: say("fact.out"), value: "out.mail.example.org:465".to_owned() },
    ];
    step.help = vec![Help {
        device: None,
        text: say("help.app_password"),
        url: Some("https://example.org/app-passwords".to_owned()),
    }];
    step.alternatives = vec![way("servers")];
    step
}

/// Every step worth looking at, by a file name.
pub(super) fn steps() -> Vec<(&'static str, Step)> {
    let mut wrong = password();
    if let Some(field) = wrong.fields.first_mut() {
        field.error = Some(say("error.password"));
    }
    wrong.attempts_left = Some(2);
    let mut denied = password();
    denied.notice = Some(refused("denied"));
    let mut sending =
        step("sending", vec![field("login", FieldKind::Text), field("keep", FieldKind::Checkbox)]);
    sending.notice = Some(refused("sending"));
    sending.alternatives = vec![way("receive_only"), way("servers")];
    if let Some(keep) = sending.fields.last_mut() {
        keep.required = false;
    }
    let mut missing = servers();
    for at in [0, 3] {
        if let Some(field) = missing.fields.get_mut(at) {
            field.value = Some(String::new());
            field.error = Some(say("error.host"));
        }
    }
    let mut info = address();
    info.notice =
        Some(Notice { code: "moved".to_owned(), tone: Tone::Info, text: say("notice.moved"), advice: None });
    let mut lost = address();
    lost.notice = Some(refused("lost"));
    lost.tried = ["mx", "settings", "names"]
        .map(|place| Tried {
            place: say(&format!("tried.{place}")),
            outcome: say(&format!("tried.{place}_outcome")),
        })
        .into();
    lost.alternatives = vec![way("servers")];
    let mut all = vec![
        ("step-address", address()),
        ("step-address-lost", lost),
        ("step-servers", servers()),
        ("step-servers-wrong", missing),
        ("step-password", password()),
        ("step-password-wrong", wrong),
        ("step-password-denied", denied),
        ("step-sending", sending),
        ("step-info", info),
        ("step-choose", choose()),
        ("step-redirect", redirect()),
        ("step-wait", wait()),
        ("step-long", broken(LONG)),
        ("step-hostile", broken(HOSTILE)),
    ];
    all.extend(super::moving::steps());
    all
}

/// Which provider it shall be.
fn choose() -> Step {
    let mut step = address();
    (step.kind, step.name) = (StepKind::Choose, "choose".to_owned());
    (step.title, step.intro) = (Text::key("choose.title"), Some(Text::key("choose.intro")));
    step.fields[0].label = Text::key("choose.email");
    step.submit = Text::key("choose.submit");
    let one = |slug: &str, key: &str| Alternative { name: format!("choose:{slug}"), label: say(key) };
    step.alternatives = vec![one("sample", "name"), one("other", "other_name")];
    step
}

/// Off to the provider's own pages.
fn redirect() -> Step {
    let mut step = address();
    (step.kind, step.name) = (StepKind::Redirect, "sign_in".to_owned());
    step.url = Some("https://login.example/authorize?x=1&y=2".to_owned());
    step.notice = Some(refused("denied"));
    step.fields.clear();
    step
}

/// Somebody else has to act.
fn wait() -> Step {
    let mut step = redirect();
    (step.kind, step.name) = (StepKind::Wait, "approval".to_owned());
    step.notice = None;
    step
}

/// A step in which every value and every argument is the given one.
pub(super) fn broken(value: &str) -> Step {
    let text = || say("echo").with("value", value);
    let kinds = [
        FieldKind::Text,
        FieldKind::Host,
        FieldKind::Port,
        FieldKind::Checkbox,
        FieldKind::Select,
        FieldKind::Password,
    ];
    let fields = kinds.into_iter().enumerate().map(|(at, kind)| Field {
        name: format!("{at}{}", if value == HOSTILE { value } else { "" }),
        kind,
        label: text(),
        value: Some(value.to_owned()),
        help: Some(text()),
        error: Some(text()),
        required: at % 2 == 0,
        autocomplete: Some(if value == HOSTILE { value.to_owned() } else { "off".to_owned() }),
        choices: vec![Choice { value: value.to_owned(), label: text() }],
    });
    let mut step = Step::new(StepKind::Form, value, text(), text());
    step.intro = Some(text());
    step.notice =
        Some(Notice { code: value.to_owned(), tone: Tone::Refused, text: text(), advice: Some(text()) });
    step.facts = vec![Fact { label: text(), value: value.to_owned() }];
    step.tried = vec![Tried { place: text(), outcome: text() }];
    step.help = vec![Help { device: Some(value.to_owned()), text: text(), url: Some(value.to_owned()) }];
    step.phone_title = Some(text());
    step.fields = fields.collect();
    step.alternatives = vec![Alternative { name: value.to_owned(), label: text() }];
    step.attempts_left = Some(1);
    step
}

/// A problem page with the ways on that go with its kind.
pub(super) fn problem(kind: ProblemKind) -> Problem<'static> {
    let home = Some("https://product.example/settings");
    let own = Some("/c/own");
    let none = Problem { kind, home_url: None, retry: None, takeover: None, hidden: &[] };
    match kind {
        ProblemKind::OpenElsewhere => Problem { takeover: own, home_url: home, ..none },
        ProblemKind::OpenElsewhereBusy | ProblemKind::TooManyTries | ProblemKind::ServerError => {
            Problem { retry: own, home_url: home, ..none }
        }
        ProblemKind::TooManyRequests => Problem { retry: own, ..none },
        ProblemKind::Cancelling => Problem { retry: own, takeover: own, ..none },
        ProblemKind::Expired
        | ProblemKind::Used
        | ProblemKind::Cancelled
        | ProblemKind::Failed
        | ProblemKind::TooManyConnects => Problem { home_url: home, ..none },
        ProblemKind::UnknownLink
        | ProblemKind::Revoked
        | ProblemKind::MovedOn
        | ProblemKind::TooManyTakeovers
        | ProblemKind::StraySignIn
        | ProblemKind::CookieMissing
        | ProblemKind::CrossSite
        | ProblemKind::NotFound
        | ProblemKind::ApprovalGiven
        | ProblemKind::ApprovalRefused
        | ProblemKind::WrongHost => none,
    }
}

/// Hands every page but the steps to `see`, with a file name and the product that asks.
pub(super) fn pages(mut see: impl FnMut(&str, &str, &Page<'_>)) {
    let acme = "Acme Mail";
    let action = "/c/own";
    let one = Welcome {
        action,
        hidden: &[],
        email: None,
        user_label: Some("ada@example.org"),
        provider: Some("sample"),
        account: None,
    };
    see("welcome", acme, &Page::Welcome(one));
    see("welcome-any", acme, &Page::Welcome(Welcome { user_label: None, provider: None, ..one }));
    see("welcome-address", acme, &Page::Welcome(Welcome { email: Some(""), provider: None, ..one }));
    see("welcome-repair", acme, &Page::Welcome(Welcome { account: Some("ada@example.org"), ..one }));
    for (name, value) in [("long", LONG), ("hostile", HOSTILE)] {
        let welcome = Welcome {
            action: value,
            hidden: &[("state", value)],
            email: Some(value),
            user_label: Some(value),
            provider: Some(value),
            account: Some(value),
        };
        see(&format!("welcome-{name}"), value, &Page::Welcome(welcome));
        let note = Text::key("sample.echo").with("value", value);
        let success = Success {
            label: value,
            provider: value,
            repaired: false,
            note: Some(&note),
            continue_url: Some(value),
        };
        see(&format!("success-{name}"), value, &Page::Success(success));
        see(&format!("leaving-{name}"), value, &Page::Leaving(Leaving { url: value, host: value }));
        see(&format!("busy-{name}"), value, &Page::Busy(Busy { refresh: value, provider: value }));
        let problem = Problem {
            kind: ProblemKind::OpenElsewhere,
            home_url: Some(value),
            retry: Some(value),
            takeover: Some(value),
            hidden: &[("state", value)],
        };
        see(&format!("problem-{name}"), value, &Page::Problem(problem));
    }
    see("busy", acme, &Page::Busy(Busy { refresh: "busy.html", provider: "sample" }));
    let url = Some("https://product.example/done?account_id=1");
    let done = Success {
        label: "ada@example.org",
        provider: "sample",
        repaired: false,
        note: None,
        continue_url: url,
    };
    see("success", acme, &Page::Success(done));
    let note = say("note.receive_only");
    see("success-note", acme, &Page::Success(Success { note: Some(&note), continue_url: None, ..done }));
    see("success-repaired", acme, &Page::Success(Success { repaired: true, ..done }));
    let leaving = Leaving { url: "https://login.example/authorize?x=1&y=2", host: "login.example" };
    see("leaving", acme, &Page::Leaving(leaving));
    let url = "https://connect.example/handover/authsess_01HZY7FN5MSV2S8A1G31RZK8H4.1.1700000000000.x";
    see("handover", acme, &Page::Handover(Handover { url, provider: "sample", here: Some("/c/own") }));
    for kind in ProblemKind::ALL {
        see(&format!("problem-{}", kind.as_str()), acme, &Page::Problem(problem(*kind)));
    }
    see("problem-unnamed", "", &Page::Problem(problem(ProblemKind::UnknownLink)));
}

/// Every page there is, with a file name and the product that asks.
pub(super) fn every(mut see: impl FnMut(&str, &str, &Page<'_>)) {
    pages(&mut see);
    for (name, step) in steps() {
        let page = StepPage {
            action: "/c/own",
            version: 3,
            provider: "sample",
            step: &step,
            mark: "0.3.1",
            now: NOW,
        };
        let product = if name == "step-hostile" { HOSTILE } else { "Acme Mail" };
        see(name, product, &Page::Step(page));
    }
}
