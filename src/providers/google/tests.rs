//! The provider as the engine uses it, without a network: its settings, the way out, and what comes back with nothing to
//! redeem.

use super::super::oauth::tests::{context, query, spoken, words_fit};
use super::*;
use crate::contract::{Method, Next, Profile, Step, StepKind, Target};
use crate::kernel::secret::Secret;
use serde_json::json;

const CLIENT: &str = "client_id = '123-abc.apps.googleusercontent.com'\nclient_secret = 'GOCSPX-hunter2'\n";

fn read(section: &str) -> (Option<Arc<dyn Provider>>, Vec<String>) {
    let mut section = Section::new("google", section.parse().unwrap());
    section.boolean("enabled", true);
    let built = build(&mut section).unwrap();
    (built, section.finish())
}

fn built(more: &str) -> Arc<dyn Provider> {
    let (provider, problems) = read(&format!("{CLIENT}{more}"));
    assert_eq!(problems, Vec::<String>::new());
    provider.unwrap()
}

fn fresh() -> Begin {
    Begin { method: Method::Oauth, email: None, target: None, force_consent: false }
}

fn reconnect() -> Begin {
    let details = json!({ "address": "ada@example.org", "tenant": "example.org" });
    let details = serde_json::from_value(details).unwrap();
    let profile = Profile { label: "ada@example.org".into(), details, note: None };
    Begin { target: Some(Target { identity: "1".into(), profile }), ..fresh() }
}

fn step(provider: &dyn Provider, next: Next) -> (Step, State) {
    let Next::Step { step, state } = next else { panic!("{next:?}") };
    spoken(provider.about(), &step);
    assert_eq!((step.kind, &*step.name), (StepKind::Redirect, "sign_in"));
    (*step, state)
}

async fn back(provider: &dyn Provider, state: State, fields: &[(&str, &str)]) -> (Step, State) {
    let fields = fields.iter().map(|(name, text)| ((*name).to_owned(), Secret::new(*text))).collect();
    let next = provider.answer(&context(), state, Answer { action: Action::Returned, fields }).await.unwrap();
    step(provider, next)
}

#[tokio::test]
async fn a_new_account_is_chosen_and_consented_to_and_a_reconnect_goes_to_its_own() {
    let provider = built("");
    let (step_one, _) = step(&*provider, provider.begin(&context(), fresh()).await.unwrap());
    let url = step_one.url.unwrap();
    assert!(url.starts_with("https://accounts.google.com/o/oauth2/v2/auth?"));
    let asked = query(&url);
    assert_eq!(asked["prompt"], "select_account consent");
    assert_eq!(
        asked["scope"],
        "openid email profile https://mail.google.com/ https://www.googleapis.com/auth/calendar \
         https://www.googleapis.com/auth/contacts"
    );
    assert_eq!((&*asked["access_type"], &*asked["include_granted_scopes"]), ("offline", "false"));
    assert!(!asked.contains_key("login_hint") && !asked.contains_key("hd"));
    let known = Begin { email: Some("ada@example.org".into()), ..fresh() };
    let (step_two, _) = step(&*provider, provider.begin(&context(), known).await.unwrap());
    assert_eq!(query(&step_two.url.unwrap())["login_hint"], "ada@example.org");
    let (repair, _) = step(&*provider, provider.begin(&context(), reconnect()).await.unwrap());
    let asked = query(&repair.url.unwrap());
    assert_eq!((&*asked["prompt"], &*asked["login_hint"]), ("consent", "ada@example.org"));
    assert_eq!((&*asked["hd"], &*repair.title.args["account"]), ("example.org", "ada@example.org"));
}

#[tokio::test]
async fn pressing_the_button_leaves_anew() {
    let provider = built("");
    let (first, state) = step(&*provider, provider.begin(&context(), fresh()).await.unwrap());
    let answer = Answer { action: Action::Submit, fields: Default::default() };
    let next = provider.answer(&context(), state, answer).await.unwrap();
    let (second, _) = step(&*provider, next);
    let (first, second) = (query(&first.url.unwrap()), query(&second.url.unwrap()));
    assert_ne!(first["nonce"], second["nonce"]);
    assert_ne!(first["code_challenge"], second["code_challenge"]);
}

#[tokio::test]
async fn what_comes_back_without_a_usable_code_leads_to_a_fresh_way_and_says_why() {
    let provider = built("");
    let (_, mut state) = step(&*provider, provider.begin(&context(), fresh()).await.unwrap());
    let iss = ("iss", "https://accounts.google.com");
    for (fields, code) in [
        (vec![("error", "access_denied"), iss], "user_denied"),
        (vec![("error", "admin_policy_enforced")], "policy_blocked"),
        (vec![("error", "server_error"), iss], "provider_unavailable"),
        (vec![("error", "made up"), iss], "provider_error_unknown"),
        (vec![("code", "x"), ("iss", "https://evil.example")], "callback_iss_wrong"),
        // Whether one without the name will do is asked first.
        (vec![("code", "x")], "metadata_unreachable"),
        (vec![iss], "callback_incomplete"),
        // The keys are asked for first, and no name server is there.
        (vec![("code", "x"), iss], "keys_unreachable"),
    ] {
        let (step, next) = back(&*provider, state, &fields).await;
        assert_eq!(step.refusal(), Some(code));
        assert!(step.url.is_some());
        state = next;
    }
}

#[test]
fn settings_that_cannot_work_are_named_and_none_is_repeated() {
    for (text, key) in [
        ("client_id = '123-abc.apps.googleusercontent.com'", "client_secret"),
        ("client_secret = 'hunter2'", "client_id"),
        ("client_id = 'hunter2'\nclient_secret = 'x'", "client_id"),
        ("client_json = '{\"installed\":{}}'", "client_json"),
        ("client_json = 'hunter2'", "client_json"),
        ("scopes = []", "scopes"),
        ("scopes = ['hunter2']", "scopes"),
        ("optional_scopes = 'hunter2'", "optional_scopes"),
        ("base = 'http://localhost'", "base"),
        ("base = 'https://id.example/path'", "base"),
    ] {
        let (_, problems) = read(text);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert!(problems[0].starts_with(&format!("providers.google.{key}: ")), "{problems:?}");
        assert!(!problems[0].contains("hunter2"), "{problems:?}");
    }
    let json = r#"client_json = '{"web":{"client_id":"123-abc.apps.googleusercontent.com","client_secret":"GOCSPX-x"}}'"#;
    assert_eq!(read(json).1, Vec::<String>::new());
    assert!(read(json).0.is_some());
    let both = format!("{CLIENT}{json}");
    assert_eq!(read(&both).1.len(), 1, "the secrets differ");
    assert!(read(&both.replace("GOCSPX-hunter2", "GOCSPX-x")).0.is_some());
    let (none, problems) = read("client_id = ''\nclient_secret = ''\nclient_json = ''\nbase = ''");
    assert!(none.is_none() && problems.is_empty());
}

#[test]
fn scopes_under_another_of_googles_names_are_the_same() {
    for (given, wanted) in [
        ("https://www.googleapis.com/auth/userinfo.email", "email"),
        ("https://www.google.com/m8/feeds/", "https://www.googleapis.com/auth/contacts"),
        ("https://www.google.com/calendar/feeds", "https://www.googleapis.com/auth/calendar"),
        ("https://mail.google.com", "https://mail.google.com/"),
    ] {
        assert_eq!(canonical(given), canonical(wanted));
    }
    assert_ne!(canonical("https://www.googleapis.com/auth/contacts.readonly"), canonical("contacts"));
}

#[test]
fn every_word_that_is_used_exists_and_every_word_that_exists_is_used() {
    words_fit(built("").about());
}
