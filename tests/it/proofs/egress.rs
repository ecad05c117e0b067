//! The one way out: addresses that are nobody's business are not connected to, however they are written and
//! whatever a name answers, and the person learns no more than from a closed port.

use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::walk::{calls, deliveries, mailbox};
use crate::app::App;
use crate::app::mailbox::{ADDRESS, PASSWORD};
use crate::app::person::{Person, Seen};
use crate::parts::dns::{Answer as Says, Dns, Kind};
use crate::parts::front::Front;
use crate::parts::sink::{Answer, Sink};
use crate::parts::{READY, eventually, free_port, local};

const TRAP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

#[tokio::test]
async fn addresses_that_may_not_be_called_are_refused_when_the_link_is_made() {
    let sink = Sink::start();
    let port = sink.address().port();
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "0",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00::1]",
        "[fd00:ec2::254]",
        "%31%32%37.0.0.1",
        "①27.0.0.1",
    ];
    let mut app = App::prepared(&[]);
    app.set("EGRESS_ALLOW", "");
    app.run();
    let body = |app: &App, host: &str| {
        json!({
            "type": "create", "providers": ["MAIL"], "api_url": app.url("/v1"),
            "expiresOn": crate::app::in_an_hour(), "notify_url": format!("http://{host}:{port}/x"),
        })
    };
    for host in hosts {
        let reply = app.api("POST", "/v1/hosted/accounts/link", Some(body(&app, host))).await;
        assert_eq!(reply.status, 400, "{host}: {}", reply.text());
        assert!(reply.text().contains("notify_url"), "{host}: {}", reply.text());
    }
    let allowed = App::start();
    for host in ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "localhost", "[::ffff:127.0.0.1]"] {
        let reply = allowed.api("POST", "/v1/hosted/accounts/link", Some(body(&allowed, host))).await;
        assert_eq!(reply.status, 201, "{host}: {}", reply.text());
    }
    assert!(sink.calls().is_empty());
}

/// Connects an account whose backend is told at `url`.
async fn connect(app: &App, url: &str) {
    let link = app.link(json!({ "notify_url": url })).await;
    Person::new().account(app, mailbox(), &link).await;
}

fn problems(app: &App) -> Vec<String> {
    let due = deliveries(app, "due");
    let tries = due.iter().flat_map(|delivery| delivery["tries"].as_array().expect("tries").clone());
    tries.map(|tried| tried["problem"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn names_and_redirects_that_lead_to_forbidden_addresses_reach_nobody() {
    // The mail servers and this receiver may be reached; the trap at the same port of another address may not.
    let sink = Sink::start();
    let port = sink.address().port();
    let trap = Sink::start_at(SocketAddr::from((TRAP, port)));
    let dns = Dns::start();
    let trap_at = IpAddr::from(TRAP);
    let good = IpAddr::from(Ipv4Addr::LOCALHOST);
    let mapped: IpAddr = "::ffff:127.0.0.2".parse().unwrap();
    let nat64: IpAddr = "64:ff9b::7f00:2".parse().unwrap();
    dns.answer("private.example.test", Says::one(trap_at));
    dns.answer("mapped.example.test", Says::one(mapped));
    dns.answer("nat64.example.test", Says::one(nat64));
    dns.answer("metadata.example.test", Says::one([169, 254, 169, 254]));
    dns.answer("mixed.example.test", Says::Addresses(vec![trap_at, good]));
    dns.script("rebind.example.test", vec![Says::one(good), Says::one(trap_at)]);
    dns.script("late.example.test", vec![Says::one(trap_at)]);
    let server = dns.address().to_string();
    let app = mailbox().app(&[("EGRESS_ALLOW", "127.0.0.1/32"), ("DNS_SERVER", &server)]);
    let refused = ["private", "mapped", "nat64", "metadata"];
    for name in refused {
        connect(&app, &format!("http://{name}.example.test:{port}/{name}")).await;
    }
    eventually("four refusals", READY, || (problems(&app).len() >= 4).then_some(()));
    assert!(problems(&app).iter().all(|problem| problem == "address_not_allowed"), "{:?}", problems(&app));

    for name in ["rebind", "mixed"] {
        connect(&app, &format!("http://{name}.example.test:{port}/{name}")).await;
        eventually("the call", READY, || (calls(&sink, &format!("/{name}")).len() == 1).then_some(()));
    }
    // The address that was checked is the one that was used: there was no second question to answer otherwise.
    assert_eq!(dns.queries("rebind.example.test", Kind::A), 1);

    sink.answer_next([Answer::redirect(&format!("http://127.0.0.2:{port}/redirected"))]);
    connect(&app, &sink.url("/redirects")).await;
    eventually("the redirect", READY, || (calls(&sink, "/redirects").len() == 1).then_some(()));
    sink.answer_next([Answer::status(307).header("location", &sink.url("/followed"))]);
    connect(&app, &sink.url("/again")).await;
    eventually("the redirect", READY, || (!calls(&sink, "/again").is_empty()).then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(calls(&sink, "/followed").is_empty() && calls(&sink, "/redirected").is_empty());
    assert!(trap.calls().is_empty(), "{:?}", trap.calls());

    let open = mailbox().app(&[("DNS_SERVER", &server)]);
    for name in ["private", "mapped"] {
        connect(&open, &format!("http://{name}.example.test:{port}/{name}")).await;
        eventually("the call", READY, || (calls(&trap, &format!("/{name}")).len() == 1).then_some(()));
    }
}

/// Tries a password at an IMAP host and gives the page that follows, without what was typed.
async fn try_host(app: &App, host: &str, port: u16) -> String {
    let link = app.link(json!({})).await;
    let person = Person::new();
    let address = person.begin(&link).await;
    let servers = person.submit(&address, &address.sheet().with("email", ADDRESS)).await;
    let mut sheet = servers.sheet();
    for (name, value) in mailbox().servers() {
        sheet = sheet.with(name, &value);
    }
    let sheet = sheet.with("imap_host", host).with("imap_port", &port.to_string());
    let password = person.submit(&servers, &sheet).await;
    if password.step() != "password" {
        return format!("refused as typed: {}", password.text());
    }
    let seen: Seen = person.submit(&password, &password.sheet().with("password", PASSWORD)).await;
    assert_eq!(app.session(&link.id).await["status"], "OPEN");
    // The code to quote for support is the only other thing that differs from page to page.
    let text = seen.text();
    let (before, after) = text.split_once("quote this code: ").expect("a code");
    let text = format!("{before}{}", &after["XXXX-XXXX".len()..]);
    text.replace(host, "HOST").replace(&port.to_string(), "PORT")
}

#[tokio::test]
async fn a_forbidden_mail_server_looks_like_a_closed_port_and_is_not_connected_to() {
    let wire = Front::start(mailbox().dovecot.tls());
    let open = wire.address().port();
    let closed = free_port();
    let dns = Dns::start();
    dns.answer("private.example.test", Says::one([127, 0, 0, 1]));
    dns.answer("mapped.example.test", Says::one("::ffff:127.0.0.1".parse::<IpAddr>().unwrap()));
    dns.answer("closed.example.test", Says::one([127, 0, 0, 1]));
    let server = dns.address().to_string();
    let ports = format!("{open},{closed},{}", mailbox().submission.tls().port());
    let settings = [("PROVIDERS__IMAP__PORTS", ports.as_str()), ("DNS_SERVER", server.as_str())];
    let free = mailbox().app(&settings);
    let strict = mailbox().app(&[&settings[..], &[("EGRESS_ALLOW", "")]].concat());
    let plain = try_host(&free, "127.0.0.1", closed).await;
    assert!(plain.contains("HOST"), "{plain}");
    let named = try_host(&free, "closed.example.test", closed).await;
    for host in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254", "64:ff9b::7f00:1"] {
        let shown = try_host(&strict, host, open).await;
        let shown = shown.replace(&format!("[{host}]"), "HOST").replace("[HOST]", "HOST");
        assert_eq!(shown, plain, "{host}");
    }
    for host in ["private.example.test", "mapped.example.test"] {
        assert_eq!(try_host(&strict, host, open).await, named, "{host}");
    }
    for host in ["localhost", "2130706433", "0x7f.1", "127.1", "0177.0.0.1"] {
        try_host(&strict, host, open).await;
    }
    assert_eq!(wire.taken(), 0, "nothing connected");
    // The same words where it is allowed do connect.
    let link = free.link(json!({})).await;
    drop(link);
    let shown = try_host(&free, "127.0.0.1", mailbox().submission.tls().port()).await;
    assert_ne!(shown, plain, "a server that answers is told apart from one that does not");
    let _ = local(open);
}
