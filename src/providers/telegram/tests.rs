//! The provider as its neighbours see it, without a network: its words, its secrets, the ways that lead nowhere.

use std::collections::BTreeSet;
use std::path::Path;

use grammers_tl_types::{enums, types};

use super::config::Application;
use super::outcome::connected;
use super::place::Way;
use super::session::Kept;
use super::steps::NOTICES;
use super::*;
use crate::contract::{Allowance, Returns, Step};
use crate::kernel::clock::Clock;
use crate::kernel::egress::{Egress, Setup};
use crate::kernel::random::Random;

const CLIENT: &str = "api_id = 7\napi_hash = '0123456789abcdef0123456789abcdef'";

fn built() -> Arc<dyn Provider> {
    build(&mut Section::new("telegram", CLIENT.parse().unwrap())).unwrap().unwrap()
}

pub(super) fn context() -> Context {
    Context {
        egress: Egress::new(Setup::default()).unwrap(),
        clock: Clock::system(),
        random: Random::system(),
        allowance: Allowance::new(0, 0),
        returns: Returns::default(),
    }
}

pub(super) fn application() -> Arc<Application> {
    let read = Application::read(&mut Section::new("telegram", CLIENT.parse().unwrap()));
    Arc::new(read.unwrap())
}

fn user(phone: Option<&str>, username: Option<&str>, name: Option<&str>) -> enums::User {
    let nobody = types::UserEmpty { id: 0 };
    let mut user = blank();
    (user.id, user.phone) = (7_000_000_000 + nobody.id, phone.map(str::to_owned));
    (user.username, user.first_name) = (username.map(str::to_owned), name.map(str::to_owned));
    user.into()
}

/// A user of whom nothing is known, read from what Telegram would send: the flags and an id.
fn blank() -> types::User {
    let bytes = [0_u32.to_le_bytes(), 0_u32.to_le_bytes(), 1_u32.to_le_bytes(), 0_u32.to_le_bytes()].concat();
    <types::User as grammers_tl_types::Deserializable>::from_bytes(&bytes).unwrap()
}

#[test]
fn every_word_that_is_used_exists_and_every_word_that_exists_is_used() {
    let provider = built();
    let written: BTreeSet<String> = provider.about().strings["en"].keys().cloned().collect();
    // What the wizard's frame says of every provider.
    let of_the_frame = [
        "name",
        "welcome.title",
        "welcome.access",
        "welcome.encrypted",
        "welcome.repair",
        "busy.title",
        "success.title",
        "success.repaired",
    ];
    let mut used = BTreeSet::from(of_the_frame.map(str::to_owned));
    // Keys that the code puts together.
    used.extend(Way::ALL.map(|way| format!("code.intro.{}", way.as_str())));
    used.extend(NOTICES.iter().flat_map(|code| [format!("trouble.{code}"), format!("advice.{code}")]));
    used.extend(["qr.title_repair", "qr.title_phone_repair", "phone.title_repair"].map(str::to_owned));
    let mut codes = BTreeSet::new();
    for file in
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/providers/telegram")).unwrap()
    {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|end| end != "rs") || path.ends_with("tests.rs") {
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        let said = |call: &str| -> Vec<String> {
            let calls = source.split(call).skip(1).filter_map(|call| call.split('"').next());
            calls.map(str::to_owned).collect()
        };
        used.extend(["say(\"", "Wrong::field(\"", "self.title(\""].into_iter().flat_map(said));
        let ways = source.split("way(\"").skip(1).filter_map(|call| call.split('"').nth(2));
        used.extend(ways.filter(|key| key.contains('.')).map(str::to_owned));
        codes.extend(["Wrong::notice(\"", " notice(\""].into_iter().flat_map(said));
    }
    assert_eq!(used.difference(&written).collect::<Vec<_>>(), Vec::<&String>::new(), "used, not written");
    assert_eq!(written.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "written, not used");
    assert_eq!(codes, NOTICES.iter().map(|code| (*code).to_owned()).collect());
}

#[test]
fn an_account_is_called_by_its_number_its_name_or_what_it_calls_itself() {
    let kept = || Kept::new(4, "149.154.167.92:443".parse().unwrap(), &[0xab; 256]);
    for (user, label) in [
        (user(Some("447700900123"), Some("countess"), Some("Ada")), "+447700900123"),
        (user(None, Some("countess"), Some("Ada")), "@countess"),
        (user(Some(" "), None, Some("Ada")), "Ada"),
        (user(None, None, None), "7000000000"),
    ] {
        let connected = connected(user, 7, kept()).unwrap();
        assert_eq!((&*connected.identity, &*connected.profile.label), ("7000000000", label));
        assert_eq!(connected.profile.text("user_id"), "7000000000");
    }
    let empty = enums::User::Empty(types::UserEmpty { id: 1 });
    assert_eq!(connected(empty, 7, kept()).err().unwrap().code, "user_missing");
}

/// What grammers-session 0.11 reads with its feature `serde`, field by field. The crate itself would bring a good two dozen
/// others into the lock file.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct DcOption {
    id: i32,
    ipv4: std::net::SocketAddrV4,
    ipv6: std::net::SocketAddrV6,
    /// 256 bytes as hexadecimal digits.
    auth_key: Option<String>,
}

#[test]
fn credentials_are_strings_that_other_clients_read() {
    let provider = built();
    let key: [u8; 256] = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let kept = Kept::new(4, "149.154.167.92:443".parse().unwrap(), &key);
    let connected = connected(user(Some("1"), None, None), 7, kept).unwrap();
    let given = provider.credentials(&connected.secret, &connected.profile).unwrap();
    let value = given.value;
    assert_eq!((&value["type"], &value["api_id"]), (&"telegram_session".into(), &7.into()));
    let telethon = value["telethon"].as_str().unwrap();
    // A digit; 263 bytes in base64: number, address, port, key.
    assert_eq!((telethon.len(), &telethon[..9]), (353, "1BJWap1wB"));
    let option: DcOption = serde_json::from_value(value["grammers"].clone()).unwrap();
    assert_eq!((option.id, option.ipv4), (4, "149.154.167.92:443".parse().unwrap()));
    assert_eq!((option.ipv6.ip().to_ipv4_mapped(), option.ipv6.port()), (Some(*option.ipv4.ip()), 443));
    let spelt: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((&option.auth_key, &value["auth_key"]), (&Some(spelt.clone()), &spelt.into()));
    assert!(given.expires_at.is_none());
    let outlook = provider.outlook(&connected.secret).unwrap();
    assert!(!outlook.renews && outlook.end.is_none());
    assert!(provider.outlook(&State::default()).is_err());
}

#[tokio::test]
async fn what_no_step_offers_is_a_bug_and_nothing_is_asked() {
    let (provider, cx) = (built(), context());
    let begin = |method| Begin { method, email: None, target: None, force_consent: false };
    let show = |next: Next| -> (Step, State) {
        let Next::Step { step, state } = next else { panic!("{next:?}") };
        (*step, state)
    };
    let (qr, state) = show(provider.begin(&cx, begin(crate::contract::Method::Qr)).await.unwrap());
    assert!(qr.live && provider.converse(&cx, state.clone()).is_ok());
    let answer = |action| Answer { action, fields: Default::default() };
    for action in
        [Action::Returned, Action::Decided { granted: true }, Action::Alternative("resend".to_owned())]
    {
        assert_eq!(
            provider.answer(&cx, state.clone(), answer(action)).await.unwrap_err().code,
            "unknown_action"
        );
    }
    let (phone, state) = show(provider.begin(&cx, begin(crate::contract::Method::PhoneCode)).await.unwrap());
    assert_eq!((&*phone.name, phone.live), ("phone", false));
    assert_eq!(provider.converse(&cx, state).err().unwrap().code, "nothing_to_say");
    assert_eq!(
        provider.answer(&cx, State::default(), answer(Action::Submit)).await.unwrap_err().code,
        "state_unreadable"
    );
}
