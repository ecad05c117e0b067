//! Settings: what wins, what is refused and how it is said.

use super::*;

fn load(pairs: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(pairs, |sections| sections.keys().filter(|slug| *slug == "gogle").cloned().collect())
}

#[test]
fn without_any_setting_everything_has_a_safe_default() {
    let config = load(&[]).unwrap();
    assert_eq!(config.server.public_url.origin(), "http://127.0.0.1:8080");
    assert!(config.egress.allow.is_empty());
    assert_eq!(config.keys.file, PathBuf::from("vestibule-data/vestibule.key"));
    assert!(config.providers.contains_key("imap"));
}

#[test]
fn the_environment_sets_values_of_every_type() {
    let config = load(&[
        ("VESTIBULE_LISTEN", "[::1]:9000"),
        ("VESTIBULE_DATABASE_CONNECTIONS", "3"),
        ("VESTIBULE_EGRESS_ALLOW", "127.0.0.0/8, 10.0.0.0/8"),
        ("VESTIBULE_PROVIDERS__IMAP__ENABLED", "false"),
        ("VESTIBULE_PROVIDERS__GOOGLE__CLIENT_ID", "12345"),
        ("UNRELATED", "x"),
        ("VESTIBULE_PORT", "tcp://10.0.0.1:8080"),
        ("VESTIBULE_SERVICE_HOST", "10.0.0.1"),
    ])
    .unwrap();
    assert_eq!(config.server.public_url.origin(), "http://[::1]:9000");
    assert_eq!(config.database.connections, 3);
    assert_eq!(config.egress.allow.len(), 2);
    assert_eq!(config.providers["imap"]["enabled"], toml::Value::Boolean(false));
    assert_eq!(config.providers["google"]["client_id"], toml::Value::String("12345".to_owned()));
}

#[test]
fn every_problem_is_named_at_once() {
    let problems = load(&[
        ("VESTIBULE_LISTEN", "8080"),
        ("VESTIBULE_PUBLIC_URL", "https://example.com/connect"),
        ("VESTIBULE_DATABASE_URL", "mysql://x"),
        ("VESTIBULE_LOG_FORMAT", "xml"),
        ("VESTIBULE_LOG", "a=b=c"),
        ("VESTIBULE_KEYS", "garbage"),
        ("VESTIBULE_LISTN", "x"),
        ("VESTIBULE_PROVIDERS__GOGLE__X", "x"),
        ("VESTIBULE_PRODUCT_NAME", "x"),
        ("VESTIBULE_PRODUCT_NAME_FILE", "/nowhere"),
    ])
    .unwrap_err();
    let expected = [
        "listen: ",
        "public_url: must have no path",
        "database_url: ",
        "log_format: ",
        "log: ",
        "keys: ",
        "gogle",
        "VESTIBULE_LISTN: there is no such option",
        "VESTIBULE_PRODUCT_NAME_FILE: is given as well as product_name",
    ];
    for key in expected {
        assert!(problems.iter().any(|problem| problem.starts_with(key)), "{key} is not in {problems:?}");
    }
    let problems = load(&[("VESTIBULE_LISTN", "x"), ("VESTIBULE_SESSION_MAX_DAYS", "many")]).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn loopback_may_be_allowed_only_while_the_public_url_is_loopback() {
    assert!(load(&[("VESTIBULE_EGRESS_ALLOW", "127.0.0.0/8")]).is_ok());
    for network in
        ["127.0.0.0/8", "127.0.0.1", "::ffff:127.0.0.0/104", "::1/128", "0.0.0.0/0", "::/0", "126.0.0.0/7"]
    {
        let public = ("VESTIBULE_PUBLIC_URL", "https://connect.example.com");
        let problems = load(&[public, ("VESTIBULE_EGRESS_ALLOW", network)]).unwrap_err();
        assert!(problems[0].contains("loopback"), "{network}: {problems:?}");
    }
}

#[test]
fn a_network_of_ipv4_that_is_written_in_ipv6_is_one_of_ipv4() {
    let written = "::ffff:10.0.0.0/104, ::ffff:192.0.2.7, 192.0.2.8, 2001:db8::/32, ::/0, ::ffff:0:0/95";
    let config = load(&[("VESTIBULE_TRUSTED_PROXIES", written)]).unwrap();
    let read: Vec<String> = config.server.trusted_proxies.iter().map(ToString::to_string).collect();
    let meant = ["10.0.0.0/8", "192.0.2.7/32", "192.0.2.8/32", "2001:db8::/32", "::/0", "::ffff:0.0.0.0/95"];
    assert_eq!(read, meant);
}

#[test]
fn a_file_can_hold_a_secret_and_a_file_of_settings_can_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("url");
    std::fs::write(&secret, "postgres://u:p@db/v\n").unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "product_name = \"Acme\"\n[providers.imap]\nports = [993]\n").unwrap();
    let config = load(&[
        ("VESTIBULE_CONFIG", file.to_str().unwrap()),
        ("VESTIBULE_DATABASE_URL_FILE", secret.to_str().unwrap()),
    ])
    .unwrap();
    assert_eq!(config.database.url.unwrap().reveal(), "postgres://u:p@db/v");
    assert_eq!(config.product_name.as_deref(), Some("Acme"));
    std::fs::write(&file, "product = \"Acme\"\nlisten = 5").unwrap();
    let problems = load(&[("VESTIBULE_CONFIG", file.to_str().unwrap())]).unwrap_err();
    assert_eq!(problems, ["listen: must be text in quotes", "product: there is no such option"]);
}

#[test]
fn hosts_are_a_closed_list() {
    let url = PublicUrl::parse("https://Connect.Example.com/").unwrap();
    assert_eq!(url.serves("connect.example.COM"), Some("connect.example.com"));
    assert_eq!(url.serves("connect.example.com:443"), Some("connect.example.com"));
    assert_eq!(url.serves("connect.example.com:444"), None);
    assert_eq!(url.serves("evil.example"), None);
    let local = PublicUrl::parse("http://127.0.0.1:8080").unwrap();
    assert_eq!(local.serves("localhost:8080"), Some("localhost:8080"));
    assert_eq!(local.serves("localhost:8081"), None);
}

#[test]
fn a_key_file_is_made_once_and_refused_when_others_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    assert!(matches!(
        read_key_file(&path, crate::kernel::random::Random::system()),
        Err(KeyFileError::Absent(_))
    ));
    let random = crate::kernel::random::Random::system();
    create_key_file(&path, &random).unwrap();
    assert!(create_key_file(&path, &random).is_err(), "an existing key is never overwritten");
    assert!(read_key_file(&path, random.clone()).is_ok());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(read_key_file(&path, random), Err(KeyFileError::TooOpen { mode: 0o640, .. })));
}
