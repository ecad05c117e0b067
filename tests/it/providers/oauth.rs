//! The providers that are signed in to on their own pages, against the stand-ins for Google and Microsoft: what connects,
//! what is refused and by what name, what is renewed and given back, and what the stand-ins saw of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use url::Url;
use vestibule::contract::{
    Action, Allowance, Answer, Begin, Connected, Context, Finding, Method, Next, Profile, Provider, Renewed,
    Returns, State, Step, StepKind, Target,
};
use vestibule::kernel::clock::{Clock, Millis};
use vestibule::kernel::egress::{Egress, Setup};
use vestibule::kernel::random::{Random, Token};
use vestibule::kernel::secret::Secret;
use vestibule::providers::catalogue;

use crate::parts::certs::Ca;
use crate::parts::identity::{House, Identity, Registered};
use crate::parts::visitor::{Choices, Walk};

const ADA: &str = "ada.lovelace@contoso.example";
const MAIL: &str = "https://mail.google.com/";
const CALENDAR: &str = "https://www.googleapis.com/auth/calendar";

fn slug(house: House) -> &'static str {
    if house == House::Google { "google" } else { "microsoft" }
}

fn callback(house: House) -> String {
    format!("https://connect.example/providers/{}/callback", slug(house))
}

fn approval_callback(house: House) -> String {
    format!("https://connect.example/providers/{}/admin-consent", slug(house))
}

/// An operator's set-up at one of the stand-ins.
struct App<'a> {
    identity: &'a Identity,
    house: House,
    client: Registered,
    provider: Arc<dyn Provider>,
    egress: Egress,
    clock: Clock,
}

impl<'a> App<'a> {
    async fn at(house: House) -> App<'static> {
        App::with(Identity::shared(house), house, json!({}), &[]).await
    }

    async fn with(
        identity: &'a Identity,
        house: House,
        registration: Value,
        settings: &[(&str, &str)],
    ) -> Self {
        let addresses = [callback(house), approval_callback(house)];
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let client = identity.register(&addresses, registration).await;
        Self::set_up(identity, house, client, settings)
    }

    /// Whether or not the stand-in knows the client so.
    fn set_up(identity: &'a Identity, house: House, client: Registered, settings: &[(&str, &str)]) -> Self {
        let mut section = toml::Table::new();
        let usual =
            [("client_id", &*client.id), ("client_secret", &client.secret), ("base", identity.origin())];
        for (name, value) in usual.iter().chain(settings) {
            section.insert((*name).to_owned(), (*value).into());
        }
        let sections = BTreeMap::from([(slug(house).to_owned(), section)]);
        let offer = catalogue(&sections).unwrap_or_else(|problems| panic!("{problems:?}"));
        let setup = Setup {
            allow: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            extra_ca_file: Some(identity.ca_file()),
            ..Setup::default()
        };
        let egress = Egress::new(setup).unwrap();
        let provider = offer.built.into_iter().find(|provider| provider.about().slug == slug(house)).unwrap();
        Self { identity, house, client, provider, egress, clock: Clock::system() }
    }

    /// What the engine hands in: a state that was never used before.
    fn context(&self) -> Context {
        let random = Random::system();
        Context {
            egress: self.egress.clone(),
            clock: self.clock.clone(),
            allowance: Allowance::new(0, 0),
            returns: Returns {
                callback: callback(self.house),
                state: Some(Secret::new(Token::new(&random).reveal())),
                approval_callback: approval_callback(self.house),
                approval_state: Some(Secret::new("of-the-session")),
            },
            random,
        }
    }

    async fn begin(&self) -> Visit<'_> {
        self.begin_with(Begin { method: Method::Oauth, email: None, target: None, force_consent: false })
            .await
    }

    async fn begin_with(&self, begin: Begin) -> Visit<'_> {
        let next = self.provider.begin(&self.context(), begin).await.unwrap();
        let mut visit = Visit { app: self, step: None, state: State::default(), signed: None, unfit: None };
        visit.note(next);
        visit
    }

    /// Somebody who has connected.
    async fn connected(&self, person: &str) -> Connected {
        let mut visit = self.begin().await;
        visit.go(person, &Choices::default()).await;
        visit.signed.unwrap_or_else(|| panic!("{:?}", visit.step))
    }

    async fn renew(&self, secret: &State) -> Result<Renewed, &'static str> {
        self.provider.renew(&self.context(), secret.clone()).await.map_err(|trouble| trouble.code)
    }

    async fn fresh(&self, secret: &State) -> State {
        match self.renew(secret).await {
            Ok(Renewed::Fresh { secret, .. }) => secret,
            other => panic!("{other:?}"),
        }
    }

    fn credentials(&self, secret: &State) -> Value {
        self.provider.credentials(secret, &Profile::default()).unwrap().value
    }

    async fn findings(&self) -> Vec<Finding> {
        self.provider.try_settings(&self.context()).await
    }
}

/// A person at the wizard, without the wizard.
struct Visit<'a> {
    app: &'a App<'a>,
    step: Option<Step>,
    state: State,
    signed: Option<Connected>,
    /// What is to be given back.
    unfit: Option<Connected>,
}

impl Visit<'_> {
    fn note(&mut self, next: Next) {
        match next {
            Next::Step { step, state } => (self.step, self.state) = (Some(*step), state),
            Next::Connected(signed) => (self.step, self.signed) = (None, Some(*signed)),
            Next::Unfit { step, state, signed } => {
                (self.step, self.state, self.unfit) = (Some(*step), state, Some(*signed));
            }
            Next::Holding { .. } | Next::Failed(_) => panic!("{next:?}"),
        }
    }

    async fn act(&mut self, action: Action, fields: &[(String, String)]) {
        let fields = fields.iter().map(|(name, text)| (name.clone(), Secret::new(text.as_str()))).collect();
        let (app, state) = (self.app, self.state.clone());
        let next = app.provider.answer(&app.context(), state, Answer { action, fields }).await.unwrap();
        self.note(next);
    }

    fn url(&self) -> &str {
        self.step.as_ref().and_then(|step| step.url.as_deref()).expect("a way out")
    }

    /// Walks through the provider's pages; what came back is not read yet.
    async fn walk(&self, person: &str, choices: &Choices<'_>) -> Vec<(String, String)> {
        let left = Url::parse(self.url()).unwrap();
        let back = self.app.identity.consent(self.url(), person, choices).await;
        assert!(back.as_str().starts_with(&callback(self.app.house)), "{back}");
        let value =
            |url: &Url| url.query_pairs().find(|(name, _)| name == "state").map(|pair| pair.1.into_owned());
        assert_eq!(value(&back), value(&left));
        back.query_pairs().into_owned().collect()
    }

    async fn go(&mut self, person: &str, choices: &Choices<'_>) {
        let brought = self.walk(person, choices).await;
        self.act(Action::Returned, &brought).await;
    }

    /// The step shown and what it says was wrong.
    fn told(&self) -> (&str, Option<&str>) {
        self.step.as_ref().map_or(("connected", None), |step| (step.name.as_str(), step.refusal()))
    }
}

fn detail<'a>(signed: &'a Connected, name: &str) -> &'a Value {
    signed.profile.details.get(name).unwrap_or(&Value::Null)
}

fn sorted(list: &Value) -> Vec<&str> {
    let mut list: Vec<_> = list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    list.sort_unstable();
    list
}

#[tokio::test]
async fn a_google_account_connects_renews_and_is_given_back() {
    let app = App::at(House::Google).await;
    let signed = app.connected(ADA).await;
    assert_eq!(signed.identity.len(), 21, "Google's own id");
    assert_eq!((&*signed.profile.label, signed.profile.note.is_none()), (ADA, true));
    assert_eq!(detail(&signed, "name"), "Ada Lovelace");
    assert_eq!(detail(&signed, "tenant"), "contoso.example");
    assert!(detail(&signed, "scopes").as_array().unwrap().contains(&json!(MAIL)));
    let given = app.credentials(&signed.secret);
    assert_eq!(
        (&given["type"], &given["token_type"], &given["login"]),
        (&json!("oauth"), &json!("Bearer"), &json!(ADA))
    );
    let ends = Millis::parse_rfc3339(given["expires_at"].as_str().unwrap()).unwrap();
    assert!((3_000..=3_600).contains(&ends.since(Clock::system().now()).as_secs()));

    let renewed = app.fresh(&signed.secret).await;
    assert_ne!(app.credentials(&renewed)["access_token"], given["access_token"]);
    let kept = |state: &State| state.0["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(kept(&renewed), kept(&signed.secret), "Google gives no other one");

    assert!(app.provider.revokes());
    app.provider.revoke(&app.context(), renewed.clone()).await.unwrap();
    app.provider.revoke(&app.context(), renewed.clone()).await.unwrap();
    let gone = app.renew(&renewed).await.unwrap();
    assert!(matches!(gone, Renewed::Gone { cause, .. } if cause == "session_expired"));
    let redeemed = app.identity.log(&app.client, "token").await;
    let codes = redeemed.iter().filter(|asked| asked.params["grant_type"] == "authorization_code");
    assert_eq!(codes.count(), 1);
}

#[tokio::test]
async fn a_google_account_with_a_box_unticked_lacks_what_is_optional_or_is_given_back() {
    let app = App::at(House::Google).await;
    let mut visit = app.begin().await;
    visit.go(ADA, &Choices { untick: vec![CALENDAR], ..Choices::default() }).await;
    let signed = visit.signed.as_ref().expect("mail is enough");
    assert_eq!(detail(signed, "missing_scopes"), &json!([CALENDAR]));
    assert_eq!(signed.profile.note.as_ref().unwrap().key, "google.success.partial");

    let mut visit = app.begin().await;
    visit.go("grace@gmail.com", &Choices { untick: vec![MAIL], ..Choices::default() }).await;
    assert_eq!(visit.told(), ("sign_in", Some("missing_scopes")));
    let facts = &visit.step.as_ref().unwrap().facts;
    assert_eq!((facts.len(), &*facts[0].label.key, &*facts[0].value), (1, "google.missing.mail", MAIL));
    let unfit = visit.unfit.take().expect("a grant to give back");
    app.provider.revoke(&app.context(), unfit.secret).await.unwrap();
    visit.go("grace@gmail.com", &Choices::default()).await;
    assert_eq!(visit.told(), ("connected", None));
}

#[tokio::test]
async fn whoever_says_no_may_think_again() {
    for house in [House::Google, House::Microsoft] {
        let app = App::at(house).await;
        let mut visit = app.begin().await;
        visit.go(ADA, &Choices { deny: true, ..Choices::default() }).await;
        assert_eq!(visit.told(), ("sign_in", Some("user_denied")), "{house:?}");
        visit.act(Action::Submit, &[]).await;
        assert_eq!(visit.told(), ("sign_in", None));
        visit.go(ADA, &Choices::default()).await;
        assert_eq!(visit.told(), ("connected", None));
    }
}

#[tokio::test]
async fn each_fault_of_a_sign_in_is_refused_by_its_own_name_and_the_next_try_connects() {
    let tokens = [
        ("id_token_missing", "id_token_missing"),
        ("id_token_wrong_nonce", "id_token_nonce"),
        ("id_token_no_nonce", "id_token_nonce_missing"),
        ("id_token_wrong_iss", "id_token_issuer"),
        ("id_token_wrong_aud", "id_token_audience"),
        ("id_token_many_aud", "id_token_audience_several"),
        ("id_token_bad_signature", "id_token_signature"),
        ("id_token_unknown_key", "id_token_signature"),
        ("id_token_unknown_kid", "id_token_key_unknown"),
        ("id_token_no_kid", "id_token_key_ambiguous"),
        ("id_token_alg_none", "id_token_alg"),
        ("id_token_hs256_secret", "id_token_alg"),
        ("id_token_hs256_public_key", "id_token_alg"),
        ("id_token_expired", "id_token_expired"),
        ("id_token_iat_future", "id_token_in_future"),
        ("id_token_nbf_future", "id_token_in_future"),
        ("id_token_no_sub", "id_token_sub"),
        ("id_token_empty_sub", "id_token_sub"),
        ("token_400", "sign_in_expired"),
        ("token_401", "config_client_invalid"),
        ("token_500", "token_unavailable"),
        ("token_503", "token_unavailable"),
        ("token_html", "token_reply_not_json"),
        ("token_huge", "token_reply_too_big"),
        ("token_cut", "token_unreachable"),
        ("callback_wrong_iss", "callback_iss_wrong"),
    ];
    let googles = [
        ("callback_no_iss", "callback_iss_missing"),
        ("userinfo_other_sub", "userinfo_sub"),
        ("userinfo_401", "userinfo_refused"),
        ("userinfo_500", "userinfo_unavailable"),
    ];
    let microsofts = [
        ("id_token_wrong_tid", "id_token_issuer"),
        ("id_token_no_tid", "id_token_tenant_missing"),
        ("id_token_tid_no_guid", "id_token_tenant_missing"),
        ("id_token_foreign_key", "id_token_key_issuer"),
    ];
    for (house, own) in [(House::Google, googles), (House::Microsoft, microsofts)] {
        let app = App::at(house).await;
        let mut visit = app.begin().await;
        let mut wrong = Vec::new();
        for (fault, code) in tokens.into_iter().chain(own) {
            app.identity.fault_once(&app.client, fault).await;
            visit.go(ADA, &Choices::default()).await;
            if visit.told() != ("sign_in", Some(code)) {
                wrong.push(format!("{fault}: {:?}, not {code}", visit.told()));
                visit = app.begin().await;
            }
        }
        assert!(wrong.is_empty(), "{house:?}: {wrong:#?}");
        visit.go(ADA, &Choices::default()).await;
        assert_eq!(visit.told(), ("connected", None), "{house:?}");
    }
}

#[tokio::test]
async fn a_grant_that_does_not_last_is_given_back() {
    for house in [House::Google, House::Microsoft] {
        let app = App::at(house).await;
        let mut visit = app.begin().await;
        for (fault, code) in
            [("token_no_refresh_token", "no_lasting_access"), ("token_fewer_scopes", "missing_scopes")]
        {
            app.identity.fault_once(&app.client, fault).await;
            visit.go(ADA, &Choices::default()).await;
            assert_eq!(visit.told(), ("sign_in", Some(code)), "{house:?}");
            assert!(visit.unfit.take().is_some());
        }
        for fault in ["token_no_token_type", "token_no_expires_in"] {
            app.identity.fault_once(&app.client, fault).await;
        }
        visit.go(ADA, &Choices::default()).await;
        assert_eq!(visit.told(), ("connected", None), "{house:?}");
    }
}

#[tokio::test]
async fn what_is_refused_once_the_person_is_known_is_given_back() {
    let app = App::at(House::Google).await;
    let mut visit = app.begin().await;
    for (fault, known) in [
        ("id_token_wrong_nonce", false),
        ("userinfo_401", true),
        ("userinfo_500", true),
        ("userinfo_other_sub", true),
    ] {
        app.identity.fault_once(&app.client, fault).await;
        visit.go(ADA, &Choices::default()).await;
        assert_eq!(visit.told().0, "sign_in", "{fault}");
        let unfit = visit.unfit.take();
        assert_eq!(unfit.is_some(), known, "{fault}");
        let Some(unfit) = unfit else { continue };
        app.provider.revoke(&app.context(), unfit.secret.clone()).await.unwrap();
        let gone = app.renew(&unfit.secret).await.unwrap();
        assert!(matches!(gone, Renewed::Gone { .. }), "{fault}: it is the grant itself");
        visit.go(ADA, &Choices::default()).await;
        let signed = visit.signed.take().unwrap_or_else(|| panic!("{fault}"));
        assert_eq!(signed.identity, unfit.identity, "{fault}");
        visit = app.begin().await;
    }
}

#[tokio::test]
async fn a_silent_token_endpoint_is_given_up_after_ten_seconds() {
    let app = App::at(House::Google).await;
    let mut visit = app.begin().await;
    app.identity.fault(&app.client, "token_hang", 14, true).await;
    visit.go(ADA, &Choices::default()).await;
    assert_eq!(visit.told(), ("sign_in", Some("token_slow")));
}

#[tokio::test]
async fn no_answer_leaves_a_grant_as_it_is_and_only_a_definite_one_ends_it() {
    for house in [House::Google, House::Microsoft] {
        let app = App::at(house).await;
        let signed = app.connected(ADA).await;
        for (fault, code) in [
            ("token_500", "token_unavailable"),
            ("token_503", "token_unavailable"),
            ("token_html", "token_reply_not_json"),
            ("token_cut", "token_unreachable"),
            ("token_401", "config_client_invalid"),
        ] {
            app.identity.fault_once(&app.client, fault).await;
            assert_eq!(app.renew(&signed.secret).await.unwrap_err(), code, "{house:?}");
        }
        let renewed = app.fresh(&signed.secret).await;
        app.identity.withdraw(&app.client, ADA).await;
        let gone = app.renew(&renewed).await.unwrap();
        assert!(
            matches!(&gone, Renewed::Gone { cause, .. } if cause == "session_expired"),
            "{house:?}: {gone:?}"
        );
    }
}

/// What the operator asks for since then was never asked of those who are connected, and Microsoft refuses to renew with it.
#[tokio::test]
async fn settings_that_ask_for_more_leave_those_who_are_connected_as_they_are() {
    for house in [House::Google, House::Microsoft] {
        let identity = Identity::shared(house);
        let app = App::with(identity, house, json!({}), &[("optional_scopes", "")]).await;
        let signed = app.connected(ADA).await;
        let held = detail(&signed, "scopes").clone();
        for settings in [&[][..], &[("scopes", "mail,calendar"), ("optional_scopes", "contacts")]] {
            let app = App::set_up(identity, house, app.client.clone(), settings);
            let renewed = app.renew(&signed.secret).await.unwrap();
            let Renewed::Fresh { secret, details } = renewed else { panic!("{house:?}: {renewed:?}") };
            assert_eq!(sorted(&details["scopes"]), sorted(&held), "{house:?}");
            // It is told to whoever may want to ask for them.
            assert_eq!(details["missing_scopes"].as_array().unwrap().len(), 2, "{house:?}: {details:?}");
            assert_eq!(app.credentials(&secret)["scopes"], details["scopes"], "{house:?}");
            app.fresh(&secret).await;
        }
        let asked = identity.log(&app.client, "token").await;
        let last = asked.last().unwrap().params.get("scope").and_then(Value::as_str);
        let expected = "openid profile email offline_access https://graph.microsoft.com/Mail.ReadWrite \
                        https://graph.microsoft.com/Mail.Send";
        let mut last: Vec<_> = last.unwrap_or_default().split(' ').collect();
        let mut expected: Vec<_> =
            if house == House::Google { vec![""] } else { expected.split(' ').collect() };
        last.sort_unstable();
        expected.sort_unstable();
        assert_eq!(last, expected);
    }
}

#[tokio::test]
async fn what_a_person_has_taken_back_is_told_with_the_next_renewal_and_ends_it_where_it_is_required() {
    for (house, optional) in
        [(House::Google, CALENDAR), (House::Microsoft, "https://graph.microsoft.com/Calendars.ReadWrite")]
    {
        let app = App::at(house).await;
        let signed = app.connected(ADA).await;
        app.identity.fault(&app.client, "token_fewer_scopes", json!([optional]), true).await;
        let renewed = app.renew(&signed.secret).await.unwrap();
        let Renewed::Fresh { secret, details } = renewed else { panic!("{house:?}: {renewed:?}") };
        assert!(!details["scopes"].as_array().unwrap().contains(&json!(optional)), "{house:?}: {details:?}");
        assert_eq!(details["missing_scopes"], json!([optional]), "{house:?}");
        assert_eq!(app.credentials(&secret)["scopes"], details["scopes"]);
        let mut kept = secret;
        // It stays so, whatever is renewed, until what is missing comes back.
        for _ in 0..2 {
            app.identity.fault_once(&app.client, "token_fewer_scopes").await;
            let short = app.renew(&kept).await.unwrap();
            let Renewed::Short { secret, details, cause, .. } = short else { panic!("{house:?}: {short:?}") };
            assert_eq!(cause, "missing_scopes", "{house:?}");
            assert_eq!(app.credentials(&secret)["scopes"], details["scopes"], "{house:?}");
            kept = secret;
        }
        let Renewed::Fresh { details, .. } = app.renew(&kept).await.unwrap() else { panic!() };
        // Microsoft is asked for what was left before; nothing besides was taken back for good.
        let missing = if house == House::Google { Value::Null } else { json!([optional]) };
        assert_eq!(details["missing_scopes"], missing, "{house:?}");
    }
}

#[tokio::test]
async fn keys_that_did_not_come_once_are_asked_for_by_the_next_one_who_signs_in() {
    let ca = Ca::new();
    let identity = Identity::start(&ca, House::Google);
    let app = App::with(&identity, House::Google, json!({}), &[]).await;
    app.connected(ADA).await;
    identity.rotate_keys().await;
    identity.fault_for_all("keys_500", Value::Null).await;
    let mut visit = app.begin().await;
    visit.go(ADA, &Choices::default()).await;
    assert_eq!(visit.told(), ("sign_in", Some("keys_unavailable")));
    visit.go(ADA, &Choices::default()).await;
    assert_eq!(visit.told(), ("connected", None));
    // Whoever makes up keys while there is no answer has us ask so often and no more.
    let app = App::with(&identity, House::Google, json!({}), &[]).await;
    app.connected(ADA).await;
    let before = identity.whole_log("keys").await.len();
    for _ in 0..12 {
        identity.fault_once(&app.client, "id_token_unknown_kid").await;
        identity.fault_for_all("keys_500", Value::Null).await;
        let mut visit = app.begin().await;
        visit.go(ADA, &Choices::default()).await;
        assert_eq!(visit.told().0, "sign_in");
    }
    assert_eq!(identity.whole_log("keys").await.len() - before, 10);
}

#[tokio::test]
async fn new_keys_are_fetched_once_when_a_token_names_one() {
    let ca = Ca::new();
    for house in [House::Google, House::Microsoft] {
        let identity = Identity::start(&ca, house);
        let app = App::with(&identity, house, json!({}), &[]).await;
        for _ in 0..3 {
            app.connected(ADA).await;
        }
        assert_eq!(identity.whole_log("keys").await.len(), 1, "they are kept");
        identity.rotate_keys().await;
        app.connected(ADA).await;
        assert_eq!(identity.whole_log("keys").await.len(), 2);
        // Made-up keys do not make us ask again and again.
        let mut visit = app.begin().await;
        for _ in 0..3 {
            identity.fault_once(&app.client, "id_token_unknown_kid").await;
            visit.go(ADA, &Choices::default()).await;
            assert_eq!(visit.told(), ("sign_in", Some("id_token_key_unknown")));
        }
        assert_eq!(identity.whole_log("keys").await.len(), 2);
        // Where there are no keys, no code is spent.
        let app = App::with(&identity, house, json!({}), &[]).await;
        for (fault, code) in [("keys_500", "keys_unavailable"), ("keys_empty", "keys_unusable")] {
            identity.fault_for_all(fault, Value::Null).await;
            let mut visit = app.begin().await;
            visit.go(ADA, &Choices::default()).await;
            assert_eq!(visit.told(), ("sign_in", Some(code)), "{house:?}");
        }
        assert!(identity.log(&app.client, "token").await.is_empty());
        app.connected(ADA).await;
    }
}

/// Google announces that it names itself beside a code. Should it stop to, people still get in.
#[tokio::test]
async fn a_code_without_the_providers_name_is_refused_only_where_the_name_is_announced() {
    let ca = Ca::new();
    for (fault, told) in [
        ("metadata_500", Some("metadata_unavailable")),
        ("", Some("callback_iss_missing")),
        ("metadata_nameless", None),
    ] {
        let identity = Identity::start(&ca, House::Google);
        let app = App::with(&identity, House::Google, json!({}), &[]).await;
        if !fault.is_empty() {
            identity.fault_for_all(fault, Value::Null).await;
        }
        identity.fault_once(&app.client, "callback_no_iss").await;
        match told {
            Some(code) => {
                let mut visit = app.begin().await;
                visit.go(ADA, &Choices::default()).await;
                assert_eq!(visit.told(), ("sign_in", Some(code)));
                assert!(identity.log(&app.client, "token").await.is_empty());
            }
            None => assert_eq!(app.connected(ADA).await.profile.label, ADA),
        }
    }
}

#[tokio::test]
async fn a_microsoft_account_connects_and_its_last_token_for_renewing_is_kept() {
    let app = App::at(House::Microsoft).await;
    let signed = app.connected(ADA).await;
    let tenant = app.identity.tenant("contoso.example").await;
    assert!(signed.identity.starts_with(&format!("{tenant}/")) && signed.identity.len() == 73);
    assert_eq!((&*signed.profile.label, detail(&signed, "tenant")), (ADA, &json!(tenant)));
    assert_eq!(app.credentials(&signed.secret)["login"], ADA);
    let kept = |state: &State| state.0["refresh_token"].as_str().unwrap().to_owned();
    let renewed = app.fresh(&signed.secret).await;
    assert_ne!(kept(&renewed), kept(&signed.secret));
    app.fresh(&renewed).await;
    assert!(!app.provider.revokes());

    let personal = app.connected("grace@outlook.com").await;
    assert!(personal.identity.starts_with("9188040d-6c67-4c5b-b112-36a304b66dad/"));
    let imap = [("scopes", "imap"), ("optional_scopes", "")];
    let app = App::with(Identity::shared(House::Microsoft), House::Microsoft, json!({}), &imap).await;
    let signed = app.connected(ADA).await;
    let scopes = detail(&signed, "scopes").to_string();
    assert!(
        scopes.contains("outlook.office.com/IMAP.AccessAsUser.All") && !scopes.contains("graph"),
        "{scopes}"
    );
}

#[tokio::test]
async fn a_reconnect_goes_to_its_own_account() {
    for house in [House::Google, House::Microsoft] {
        let app = App::at(house).await;
        let signed = app.connected(ADA).await;
        let target = Target { identity: signed.identity.clone(), profile: signed.profile };
        let begin = Begin { method: Method::Oauth, email: None, target: Some(target), force_consent: false };
        let mut visit = app.begin_with(begin).await;
        let hint = Url::parse(visit.url()).unwrap();
        assert!(hint.query_pairs().any(|(name, value)| name == "login_hint" && value == ADA));
        visit.go(ADA, &Choices::default()).await;
        assert_eq!(visit.signed.unwrap().identity, signed.identity, "{house:?}");
    }
}

#[tokio::test]
async fn an_administrators_approval_opens_the_way() {
    const PERSON: &str = "ada@needs-approval.example";
    let app = App::at(House::Microsoft).await;
    let begin =
        Begin { method: Method::Oauth, email: Some(PERSON.into()), target: None, force_consent: false };
    let mut visit = app.begin_with(begin).await;
    visit.go(PERSON, &Choices::default()).await;
    assert_eq!(visit.told(), ("approval", Some("admin_approval_required")));
    let step = visit.step.as_ref().unwrap();
    assert_eq!(step.kind, StepKind::Wait);
    // Trying again without approval leads to the same page.
    visit.act(Action::Submit, &[]).await;
    visit.go(PERSON, &Choices::default()).await;
    assert_eq!(visit.told().0, "approval");
    let address = visit.url().to_owned();
    let mut admin = app.identity.visitor();
    for (deny, name) in [(true, "approval"), (false, "sign_in")] {
        let choices = Choices { deny, ..Choices::default() };
        let walk = admin.walk(&address, "admin@needs-approval.example", &choices).await;
        let Walk::Back(back) = walk else { panic!("{walk:?}") };
        assert!(back.as_str().starts_with(&approval_callback(House::Microsoft)), "{back}");
        assert!(back.query_pairs().any(|(name, value)| name == "state" && value == "of-the-session"));
        visit.act(Action::Decided { granted: !deny }, &[]).await;
        assert_eq!(visit.told().0, name);
    }
    visit.go(PERSON, &Choices::default()).await;
    assert_eq!(visit.told(), ("connected", None));
}

#[tokio::test]
async fn settings_are_tried_without_a_person() {
    // What is registered is never seen from here, and always said.
    let codes = |findings: Vec<Finding>| {
        let all = findings.into_iter().map(|one| (one.code, one.key, one.fatal)).collect::<Vec<_>>();
        let (unproven, others): (Vec<_>, _) =
            all.into_iter().partition(|one| *one == ("config_redirect_unproven", "client_id", false));
        assert_eq!(unproven.len(), 1, "{others:?}");
        others
    };
    for house in [House::Google, House::Microsoft] {
        let identity = Identity::shared(house);
        let app = App::at(house).await;
        assert_eq!(codes(app.findings().await), [], "{house:?}");
        let wrong = Registered { secret: "wrong".into(), ..app.client.clone() };
        let found = App::set_up(identity, house, wrong, &[]).findings().await;
        let code =
            if house == House::Google { "config_client_invalid" } else { "config_client_secret_invalid" };
        assert_eq!(codes(found), [(code, "client_secret", true)]);
        let unknown = Registered { id: "nobody".into(), ..app.client.clone() };
        let found = App::set_up(identity, house, unknown, &[]).findings().await;
        assert_eq!(found.iter().filter(|one| one.fatal).count(), 1, "{found:?}");
    }
    let identity = Identity::shared(House::Microsoft);
    let home = identity.tenant("contoso.example").await;
    let at_home = json!({ "home_tenant": home, "audience": "AzureADMyOrg" });
    let app = App::with(identity, House::Microsoft, at_home.clone(), &[("tenant", &home)]).await;
    assert_eq!(codes(app.findings().await), []);
    app.connected(ADA).await;
    let common = App::set_up(identity, House::Microsoft, app.client.clone(), &[]);
    assert_eq!(codes(common.findings().await), [("config_tenant_wrong", "tenant", true)]);
    let mut expired = at_home;
    expired["secret_expired"] = json!(true);
    let settings = [("tenant", &*home), ("client_secret_expires", "2020-01-01")];
    let app = App::with(identity, House::Microsoft, expired, &settings).await;
    let expected = [
        ("config_client_secret_expired", "client_secret_expires", false),
        ("config_client_secret_expired", "client_secret", true),
    ];
    assert_eq!(codes(app.findings().await), expected);
    let nowhere = App::set_up(
        identity,
        House::Microsoft,
        app.client,
        &[("tenant", "12345678-2222-3333-4444-555555555555")],
    );
    assert_eq!(codes(nowhere.findings().await), [("config_tenant_unknown", "tenant", true)]);
}

#[tokio::test]
async fn an_account_of_another_tenant_is_not_let_in() {
    let identity = Identity::shared(House::Microsoft);
    let app = App::with(identity, House::Microsoft, json!({}), &[("tenant", "organizations")]).await;
    let visit = app.begin().await;
    let walk = identity.visitor().walk(visit.url(), "grace@outlook.com", &Choices::default()).await;
    assert!(matches!(walk, Walk::Stuck { .. }), "Microsoft says so on its own page");
}
