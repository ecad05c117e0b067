//! The provider as the engine uses it, without a network: its settings, the way out, the administrator's approval, and
//! what comes back with nothing to redeem.

use super::super::oauth::tests::{context, query, spoken, words_fit};
use super::*;
use crate::contract::{Method, Next, Profile, Step, StepKind, Target, Tone};
use crate::kernel::secret::Secret;
use serde_json::json;

const ID: &str = "00000000-1111-2222-3333-444444444444";
const TENANT: &str = "11111111-2222-3333-4444-555555555555";

fn read(section: &str) -> (Option<Arc<dyn Provider>>, Vec<String>) {
    let mut section = Section::new("microsoft", section.parse().unwrap());
    let built = build(&mut section).unwrap();
    (built, section.finish())
}

fn built(more: &str) -> Arc<dyn Provider> {
    let (provider, problems) = read(&format!("client_id = '{ID}'\nclient_secret = 'abc~hunter2'\n{more}"));
    assert_eq!(problems, Vec::<String>::new());
    provider.unwrap()
}

fn fresh(email: &str) -> Begin {
    let email = Some(email.to_owned()).filter(|email| !email.is_empty());
    Begin { method: Method::Oauth, email, target: None, force_consent: false }
}

fn reconnect() -> Begin {
    let details = json!({ "address": "ada@contoso.example", "tenant": TENANT });
    let details = serde_json::from_value(details).unwrap();
    let profile = Profile { label: "ada@contoso.example".into(), details, note: None };
    Begin { target: Some(Target { identity: format!("{TENANT}/{ID}"), profile }), ..fresh("") }
}

struct Wizard {
    provider: Arc<dyn Provider>,
    step: Step,
    state: State,
}

impl Wizard {
    async fn begin(more: &str, begin: Begin) -> Self {
        let provider = built(more);
        let next = provider.begin(&context(), begin).await.unwrap();
        let Next::Step { step, state } = next else { panic!("{next:?}") };
        spoken(provider.about(), &step);
        Self { provider, step: *step, state }
    }

    async fn act(&mut self, action: Action, fields: &[(&str, &str)]) -> Result<(), Trouble> {
        let fields = fields.iter().map(|(name, text)| ((*name).to_owned(), Secret::new(*text))).collect();
        let next = self.provider.answer(&context(), self.state.clone(), Answer { action, fields }).await?;
        let Next::Step { step, state } = next else { panic!("{next:?}") };
        spoken(self.provider.about(), &step);
        (self.step, self.state) = (*step, state);
        Ok(())
    }

    fn asked(&self) -> std::collections::BTreeMap<String, String> {
        query(self.step.url.as_deref().unwrap())
    }
}

#[tokio::test]
async fn the_way_out_has_one_prompt_and_one_resource() {
    let wizard = Wizard::begin("", fresh("ada@contoso.example")).await;
    let url = wizard.step.url.clone().unwrap();
    assert!(url.starts_with("https://login.microsoftonline.com/common/oauth2/v2.0/authorize?"));
    let asked = wizard.asked();
    assert_eq!((&*asked["prompt"], &*asked["response_mode"]), ("select_account", "query"));
    assert_eq!(asked["login_hint"], "ada@contoso.example");
    assert_eq!(
        asked["scope"],
        "openid profile email offline_access https://graph.microsoft.com/Mail.ReadWrite \
         https://graph.microsoft.com/Mail.Send https://graph.microsoft.com/Calendars.ReadWrite \
         https://graph.microsoft.com/Contacts.ReadWrite"
    );
    let forced = Wizard::begin("", Begin { force_consent: true, ..fresh("") }).await;
    assert_eq!(forced.asked()["prompt"], "consent");
    let repair = Wizard::begin("", reconnect()).await;
    assert!(!repair.asked().contains_key("prompt"));
    assert_eq!(repair.asked()["login_hint"], "ada@contoso.example");
    let imap = Wizard::begin(
        "scopes = 'imap'\noptional_scopes = ''\ntenant = '22222222-2222-3333-4444-555555555555'",
        fresh(""),
    )
    .await;
    assert!(imap.step.url.clone().unwrap().contains("/22222222-2222-3333-4444-555555555555/oauth2/"));
    assert!(imap.asked()["scope"].ends_with("https://outlook.office.com/SMTP.Send"));
    let cloud = "scopes = 'imap'\noptional_scopes = ''\nbase = 'https://login.partner.microsoftonline.cn'";
    let cloud = Wizard::begin(cloud, fresh("")).await.asked();
    assert!(cloud["scope"].ends_with("https://partner.outlook.cn/SMTP.Send"), "{}", cloud["scope"]);
}

#[tokio::test]
async fn an_administrator_is_asked_where_microsoft_says_so_or_the_person_does() {
    let mut wizard = Wizard::begin("", fresh("ada@contoso.example")).await;
    let description = "AADSTS90094: The grant requires admin permission.";
    let left_with = wizard.asked()["scope"].clone();
    wizard
        .act(Action::Returned, &[("error", "access_denied"), ("error_description", description)])
        .await
        .unwrap();
    assert_eq!((wizard.step.kind, &*wizard.step.name), (StepKind::Wait, "approval"));
    assert_eq!(wizard.step.refusal(), Some("admin_approval_required"));
    let facts: Vec<_> = wizard.step.facts.iter().map(|fact| (&*fact.label.key, &*fact.value)).collect();
    assert_eq!(facts, [("microsoft.approval.app", ID)], "the administrator sees which app it is");
    let url = wizard.step.url.clone().unwrap();
    assert!(url.starts_with("https://login.microsoftonline.com/contoso.example/v2.0/adminconsent?"), "{url}");
    let asked = wizard.asked();
    assert_eq!(asked["client_id"], ID);
    assert_eq!(asked["redirect_uri"], "https://us.example/providers/x/admin-consent");
    assert_eq!(asked["state"], "lasting-state");
    assert_eq!(asked["scope"], left_with, "what the person is asked for, and no less");

    wizard.act(Action::Decided { granted: false }, &[]).await.unwrap();
    assert_eq!((&*wizard.step.name, wizard.step.refusal()), ("approval", Some("approval_declined")));
    wizard.act(Action::Decided { granted: true }, &[]).await.unwrap();
    let notice = wizard.step.notice.clone().unwrap();
    assert_eq!((&*wizard.step.name, &*notice.code, notice.tone), ("sign_in", "approval_granted", Tone::Info));
    wizard.act(Action::Alternative("approval".into()), &[]).await.unwrap();
    assert_eq!((&*wizard.step.name, wizard.step.notice.is_none()), ("approval", true));
    // Whoever waits brings nothing back.
    assert_eq!(wizard.act(Action::Returned, &[("code", "x")]).await.unwrap_err().code, "nobody_left");
    wizard.act(Action::Submit, &[]).await.unwrap();
    assert_eq!((&*wizard.step.name, wizard.step.notice.is_none()), ("sign_in", true));
}

#[tokio::test]
async fn the_administrators_tenant_is_the_accounts_own_or_left_open() {
    for (more, begin, tenant) in [
        ("", fresh(""), "organizations"),
        ("", fresh("ada@outlook.com"), "organizations"),
        ("", fresh("ada@gmail.com"), "organizations"),
        ("", fresh("ada@Contoso.example"), "contoso.example"),
        ("", fresh("ada@bücher.example"), "organizations"),
        ("", reconnect(), TENANT),
        (
            "tenant = '33333333-2222-3333-4444-555555555555'",
            fresh("ada@contoso.example"),
            "33333333-2222-3333-4444-555555555555",
        ),
    ] {
        let mut wizard = Wizard::begin(more, begin).await;
        wizard.act(Action::Alternative("approval".into()), &[]).await.unwrap();
        let url = wizard.step.url.unwrap();
        assert!(
            url.starts_with(&format!("https://login.microsoftonline.com/{tenant}/v2.0/adminconsent?")),
            "{url}"
        );
    }
    let mut personal = Wizard::begin("tenant = 'consumers'", fresh("")).await;
    assert!(personal.step.alternatives.is_empty());
    assert!(personal.act(Action::Alternative("approval".into()), &[]).await.is_err());
}

#[tokio::test]
async fn what_comes_back_without_a_usable_code_leads_to_a_fresh_way_and_says_why() {
    let mut wizard = Wizard::begin("", fresh("")).await;
    let told = "AADSTS65004: User declined to consent.";
    for (fields, code) in [
        (vec![("error", "access_denied"), ("error_description", told)], "user_denied"),
        (vec![("error", "server_error")], "provider_unavailable"),
        (vec![("error", "access_denied"), ("error_description", "AADSTS53003: no")], "policy_blocked"),
        (
            vec![("error", "unauthorized_client"), ("error_description", "AADSTS700016: x")],
            "config_client_unknown",
        ),
        (vec![("code", "x"), ("iss", "https://evil.example")], "callback_iss_wrong"),
        (vec![("session_state", "x")], "callback_incomplete"),
        (vec![("code", "x")], "keys_unreachable"),
    ] {
        wizard.act(Action::Returned, &fields).await.unwrap();
        assert_eq!((&*wizard.step.name, wizard.step.refusal()), ("sign_in", Some(code)));
        assert!(wizard.step.url.is_some());
    }
}

#[tokio::test]
async fn what_microsoft_wants_to_ask_next_time_is_sent_along() {
    let mut wizard = Wizard::begin("", fresh("")).await;
    assert!(!wizard.asked().contains_key("claims"));
    wizard.state.0["claims"] = json!(r#"{"access_token":{"acrs":{"value":"c1"}}}"#);
    wizard.act(Action::Submit, &[]).await.unwrap();
    assert_eq!(wizard.asked()["claims"], r#"{"access_token":{"acrs":{"value":"c1"}}}"#);
    wizard.act(Action::Returned, &[("error", "access_denied")]).await.unwrap();
    assert!(!wizard.asked().contains_key("claims"), "it was asked");
}

#[test]
fn settings_that_cannot_work_are_named_and_none_is_repeated() {
    let client = format!("client_id = '{ID}'\nclient_secret = 'x'\n");
    for (text, key) in [
        (format!("client_id = '{ID}'"), "client_secret"),
        ("client_secret = 'hunter2'".to_owned(), "client_id"),
        ("client_id = 'hunter2'\nclient_secret = 'x'".to_owned(), "client_id"),
        (format!("client_id = '{ID}'\nclient_secret = '{TENANT}'"), "client_secret"),
        (format!("{client}tenant = '{ID}'"), "client_id"),
        (format!("{client}tenant = 'hunter2'"), "tenant"),
        (format!("{client}home_tenant = 'hunter2'"), "home_tenant"),
        (format!("{client}home_tenant = 'common'"), "home_tenant"),
        (format!("{client}home_tenant = '{ID}'"), "client_id"),
        (format!("{client}client_secret_expires = 'hunter2'"), "client_secret_expires"),
        (format!("{client}scopes = []"), "scopes"),
        (format!("{client}scopes = ['hunter2']"), "scopes"),
        (format!("{client}scopes = ['imap']"), "optional_scopes"),
        (format!("{client}scopes = ['imap', 'mail']\noptional_scopes = []"), "scopes"),
        (format!("{client}base = 'http://login.microsoftonline.com'"), "base"),
        (format!("{client}base = 'https://login.microsoftonline.us'"), "graph_base"),
    ] {
        let (_, problems) = read(&text);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert!(problems[0].starts_with(&format!("providers.microsoft.{key}: ")), "{problems:?}");
        assert!(!problems[0].contains("hunter2"), "{problems:?}");
    }
    let (none, problems) =
        read("client_id = ''\nclient_secret = ''\ntenant = ''\nclient_secret_expires = ''");
    assert!(none.is_none() && problems.is_empty(), "{problems:?}");
    let own = format!(
        "{client}scopes = ['Mail.Read', 'https://graph.microsoft.com/User.Read']\nclient_secret_expires = 2027-06-30"
    );
    assert!(read(&own).0.is_some());
    let cloud = format!(
        "{client}base = 'https://login.microsoftonline.us'\ngraph_base = 'https://graph.microsoft.us'"
    );
    assert_eq!(read(&cloud).1, Vec::<String>::new());
}

#[test]
fn every_word_that_is_used_exists_and_every_word_that_exists_is_used() {
    words_fit(built("").about());
}
