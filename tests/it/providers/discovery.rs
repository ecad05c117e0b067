//! Finding mail servers, with a real name server, a real web server and real mail servers at their well-known ports.
//! Each source is proved alone: all the others say nothing, or something wrong.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::app::App;
use crate::app::mailbox::PASSWORD;
use crate::app::person::{Person, Seen};
use crate::parts::certs::{Ca, Leaf};
use crate::parts::dnsmasq::Dnsmasq;
use crate::parts::dovecot::Dovecot;
use crate::parts::front::Front;
use crate::parts::https::{Answer, Https};
use crate::parts::own_addresses;
use crate::parts::submission::Submission;

const ADDRESS: &str = "ada.lovelace@harbour-mail.net";

/// Real servers at the well-known ports of one address, known under several names, and a dead address.
struct World {
    ca: Ca,
    dovecot: Dovecot,
    _submission: Submission,
    _fronts: Vec<Front>,
    /// Where the mail servers are.
    mail: Ipv4Addr,
    /// Where nobody is.
    dead: Ipv4Addr,
    /// Where the web server is.
    web: Ipv4Addr,
}

/// Every name that the good servers' certificates hold.
const GOOD: &[&str] = &[
    "good.harbour-mail.net",
    "imap.harbour-mail.net",
    "mail.harbour-mail.net",
    "smtp.harbour-mail.net",
    "imap.gmail.com",
    "smtp.gmail.com",
    "imap.gmx.net",
    "posteo.de",
    "secure.emailsrvr.com",
];

const WEB: &[&str] = &[
    "list.pilot.net",
    "autoconfig.harbour-mail.net",
    "harbour-mail.net",
    "autoconfig.quay.net",
    "quay.net",
    "autoconfig.posteo.net",
    "posteo.net",
    "autoconfig.emailsrvr.com",
    "emailsrvr.com",
];

impl World {
    fn new() -> Self {
        let [mail, dead, web] = own_addresses();
        let ca = Ca::new();
        let dovecot = Dovecot::start_named(&ca, Leaf::Good, GOOD);
        dovecot.set_password(ADDRESS, PASSWORD);
        dovecot.set_password("ada.lovelace", PASSWORD);
        let submission = Submission::start_named(&ca, Leaf::Good, &dovecot, GOOD);
        let fronts = [
            (993, dovecot.tls()),
            (143, dovecot.starttls()),
            (465, submission.tls()),
            (587, submission.starttls()),
        ];
        let fronts = fronts.map(|(port, to)| Front::at((mail, port).into(), to));
        Self { ca, dovecot, _submission: submission, _fronts: fronts.into(), mail, dead, web }
    }

    /// A server of ours that knows the world by these records, besides where the web server is.
    fn app(&self, records: &[String]) -> (Dnsmasq, App) {
        let mut all: Vec<String> = WEB.iter().map(|name| at(name, self.web)).collect();
        all.extend(records.iter().cloned());
        let names = Dnsmasq::start(&all);
        let (server, ca) = (names.address().to_string(), self.ca.file().display().to_string());
        let app = App::with(&[
            ("DNS_SERVER", &server),
            ("EXTRA_CA_FILE", &ca),
            ("PROVIDERS__IMAP__SETTINGS_DATABASE", "https://list.pilot.net/v1.1"),
        ]);
        (names, app)
    }

    fn web(&self, pages: &[(String, Answer)]) -> Https {
        Https::start(&self.ca, self.web, WEB, pages)
    }
}

fn at(name: &str, address: Ipv4Addr) -> String {
    format!("host-record={name},{address}")
}

fn file(host: &str, imap: (u16, &str), smtp: (u16, &str), login: &str) -> Answer {
    Answer::File(format!(
        "<clientConfig version=\"1.1\"><emailProvider id=\"harbour\"><domain>harbour-mail.net</domain>\
         <incomingServer type=\"imap\"><hostname>{host}</hostname><port>{}</port><socketType>{}</socketType>\
         <username>{login}</username><authentication>password-cleartext</authentication></incomingServer>\
         <outgoingServer type=\"smtp\"><hostname>{host}</hostname><port>{}</port><socketType>{}</socketType>\
         <username>%EMAILADDRESS%</username><authentication>password-cleartext</authentication></outgoingServer>\
         </emailProvider></clientConfig>",
        imap.0, imap.1, smtp.0, smtp.1
    ))
}

fn good_file() -> Answer {
    file("good.harbour-mail.net", (993, "SSL"), (465, "SSL"), "%EMAILADDRESS%")
}

/// What is right in form and leads to servers that cannot prove the name.
fn wrong_file() -> Answer {
    file("other.harbour-mail.net", (993, "SSL"), (465, "SSL"), "%EMAILADDRESS%")
}

fn own(domain: &str) -> String {
    format!("autoconfig.{domain}/mail/config-v1.1.xml")
}

fn well_known(domain: &str) -> String {
    format!("{domain}/.well-known/autoconfig/mail/config-v1.1.xml")
}

fn listed(domain: &str) -> String {
    format!("list.pilot.net/v1.1/{domain}")
}

/// Types the address and gives what is shown then.
async fn ask(app: &App, address: &str) -> (Person, Seen) {
    let person = Person::new();
    let begun = person.begin(&app.link(json!({})).await).await;
    let seen = person.submit(&begun, &begun.sheet().with("email", address)).await;
    (person, seen)
}

/// The address leads to a password, and the password to an account.
async fn connects(app: &App, host: &str) {
    connects_as(ADDRESS, app, host).await;
}

async fn connects_as(address: &str, app: &App, host: &str) {
    let (person, password) = ask(app, address).await;
    assert_eq!(password.step(), "password", "{}", password.text());
    assert!(password.text().contains(host), "{}", password.text());
    person.submit(&password, &password.sheet().with("password", PASSWORD)).await;
    assert_eq!(app.accounts().await.len(), 1);
}

/// The one source that tells the truth.
#[derive(Debug)]
enum Honest {
    Table,
    Exchange,
    Page(String),
    Records([&'static str; 2]),
    Names([&'static str; 2]),
}

impl Honest {
    /// Whose people ask.
    fn domain(&self) -> &'static str {
        if matches!(self, Self::Table) { "posteo.net" } else { "harbour-mail.net" }
    }

    /// Who takes the domain's mail. One record cannot lie and lead to an honest page at the same time: that of a
    /// stranger says nothing by itself.
    fn exchange(&self) -> &'static str {
        match self {
            Self::Page(page) if page.contains("quay.net") => "quay.net",
            _ => "emailsrvr.com",
        }
    }

    fn pages(&self) -> Vec<(String, Answer)> {
        let all = [self.domain(), self.exchange()].map(|name| [own(name), well_known(name), listed(name)]);
        let speaks = |page: &String| matches!(self, Self::Page(honest) if honest == page);
        let answer = |page: &String| if speaks(page) { good_file() } else { wrong_file() };
        all.into_iter().flatten().map(|page| (page.clone(), answer(&page))).collect()
    }

    fn records(&self, world: &World) -> Vec<String> {
        let domain = self.domain();
        let either = |honest: bool| if honest { world.mail } else { world.dead };
        let mut all = vec![
            at("good.harbour-mail.net", world.mail),
            at("dead.harbour-mail.net", world.dead),
            // A name that the certificate does not hold.
            at("other.harbour-mail.net", world.mail),
            at("posteo.de", either(matches!(self, Self::Table))),
            at("secure.emailsrvr.com", either(matches!(self, Self::Exchange))),
            format!("mx-host={domain},mx1.{},10", self.exchange()),
        ];
        for (service, port) in [("imaps", 993), ("submissions", 465), ("imap", 143), ("submission", 587)] {
            let speaks = matches!(self, Self::Records(honest) if honest.contains(&service));
            let host = if speaks { "good" } else { "dead" };
            all.push(format!("srv-host=_{service}._tcp.{domain},{host}.harbour-mail.net,{port}"));
        }
        for name in ["imap", "smtp", "mail"] {
            let speaks = matches!(self, Self::Names(honest) if honest.contains(&name));
            all.push(at(&format!("{name}.{domain}"), either(speaks)));
        }
        all
    }
}

#[tokio::test]
async fn each_source_leads_there_alone_while_all_others_lie() {
    let world = World::new();
    world.dovecot.set_password("ada.lovelace@posteo.net", PASSWORD);
    let page = |page: String| (Honest::Page(page), "good.harbour-mail.net:993");
    for (honest, host) in [
        (Honest::Table, "posteo.de:993"),
        (Honest::Exchange, "secure.emailsrvr.com:993"),
        page(own("harbour-mail.net")),
        page(well_known("harbour-mail.net")),
        page(listed("harbour-mail.net")),
        page(own("quay.net")),
        page(well_known("quay.net")),
        page(listed("quay.net")),
        (Honest::Records(["imaps", "submissions"]), "good.harbour-mail.net:993"),
        (Honest::Records(["imap", "submission"]), "good.harbour-mail.net:143"),
        (Honest::Names(["imap", "smtp"]), "imap.harbour-mail.net:993"),
        (Honest::Names(["mail", "mail"]), "mail.harbour-mail.net:993"),
    ] {
        eprintln!("{honest:?}");
        let (web, (_names, app)) = (world.web(&honest.pages()), world.app(&honest.records(&world)));
        connects_as(&format!("ada.lovelace@{}", honest.domain()), &app, host).await;
        let asked = web.asked();
        assert!(!asked.join("\n").contains("ada"), "only the domain is told to anybody: {asked:?}");
        // Liars who are trusted more were heard; less trusted ones need not have been.
        let heard = honest.pages().iter().filter(|(page, _)| asked.contains(page)).count();
        let least = match honest {
            Honest::Table | Honest::Exchange => 0,
            Honest::Page(_) => 1,
            Honest::Records(_) | Honest::Names(_) => honest.pages().len(),
        };
        assert!(heard >= least, "{honest:?}: {asked:?}");
        assert!(heard == 0 || !matches!(honest, Honest::Table), "the table asks nobody: {asked:?}");
    }
}

#[tokio::test]
async fn of_several_sources_that_hold_the_most_trusted_one_is_taken() {
    let world = World::new();
    let file =
        |host: &str| file(&format!("{host}.harbour-mail.net"), (993, "SSL"), (465, "SSL"), "%EMAILADDRESS%");
    let sources = [(own("harbour-mail.net"), file("good")), (listed("harbour-mail.net"), file("smtp"))];
    // Service records are the first to be known, and must wait for what is trusted more.
    let records = [
        at("good.harbour-mail.net", world.mail),
        at("smtp.harbour-mail.net", world.mail),
        at("mail.harbour-mail.net", world.mail),
        at("imap.harbour-mail.net", world.mail),
        "mx-host=harbour-mail.net,mx.harbour-mail.net,10".to_owned(),
        "srv-host=_imaps._tcp.harbour-mail.net,mail.harbour-mail.net,993".to_owned(),
        "srv-host=_submissions._tcp.harbour-mail.net,mail.harbour-mail.net,465".to_owned(),
    ];
    for (silent, host) in ["good", "smtp", "mail"].into_iter().enumerate() {
        let (_web, (_names, app)) = (world.web(&sources[silent..]), world.app(&records));
        connects(&app, &format!("{host}.harbour-mail.net:993")).await;
    }
}

#[tokio::test]
async fn whoever_takes_the_mail_decides_before_anything_that_is_published() {
    let world = World::new();
    let pages = [(own("harbour-mail.net"), good_file()), (listed("harbour-mail.net"), good_file())];
    let _web = world.web(&pages);
    let (_names, app) = world.app(&[
        at("good.harbour-mail.net", world.mail),
        at("imap.gmail.com", world.mail),
        at("smtp.gmail.com", world.mail),
        "mx-host=harbour-mail.net,alt1.aspmx.l.google.com,10".to_owned(),
    ]);
    let (_person, seen) = ask(&app, ADDRESS).await;
    assert_eq!(seen.step(), "password", "{}", seen.text());
    assert!(
        seen.text().contains("imap.gmail.com:993") && seen.text().contains("app password"),
        "{}",
        seen.text()
    );

    let microsoft = "mx-host=harbour-mail.net,harbour-mail-net.mail.protection.outlook.com,0".to_owned();
    let (_names, app) = world.app(&[at("good.harbour-mail.net", world.mail), microsoft]);
    let (person, seen) = ask(&app, ADDRESS).await;
    assert_eq!(seen.step(), "address", "{}", seen.text());
    assert!(seen.text().contains("Microsoft"), "{}", seen.text());
    let by_hand = person.submit(&seen, &seen.sheet().pressing("alternative:servers")).await;
    assert_eq!(by_hand.step(), "servers", "who knows better may say so: {}", by_hand.text());
}

#[tokio::test]
async fn a_domain_without_mail_is_named_and_the_way_by_hand_stays_open() {
    let world = World::new();
    let (_names, app) = world.app(&["dns-rr=harbour-mail.net,15,000000".to_owned()]);
    let (_person, seen) = ask(&app, ADDRESS).await;
    assert!(seen.text().contains("harbour-mail.net does not take any mail"), "{}", seen.text());
    let (person, seen) = ask(&app, "ada@harbour-mial.net").await;
    assert!(seen.text().contains("There is no harbour-mial.net"), "{}", seen.text());
    let by_hand = person.submit(&seen, &seen.sheet().pressing("alternative:servers")).await;
    assert_eq!(by_hand.step(), "servers");
    assert_eq!(
        by_hand.attribute("[name=\"f.imap_host\"]", "value").as_deref(),
        Some("imap.harbour-mial.net")
    );
}

#[tokio::test]
async fn what_lies_or_hangs_or_swells_leads_to_the_form_with_what_was_tried() {
    let world = World::new();
    let domain = "harbour-mail.net";
    let bomb = "<!DOCTYPE a [<!ENTITY a \"aaaaaaaa\">]><clientConfig><emailProvider><incomingServer type=\"imap\">\
        <hostname>&a;</hostname></incomingServer></emailProvider></clientConfig>";
    let large = format!("<clientConfig>{}</clientConfig>", "<a/>".repeat(250_000));
    let lies = [
        file("dead.harbour-mail.net", (993, "SSL"), (465, "SSL"), "x"),
        file("good.harbour-mail.net", (143, "plain"), (25, "plain"), "x"),
        file("other.harbour-mail.net", (993, "SSL"), (465, "SSL"), "x"),
        file("10.0.0.1", (993, "SSL"), (465, "SSL"), "x"),
        Answer::File(bomb.to_owned()),
        Answer::File(large),
        Answer::Elsewhere("http://autoconfig.harbour-mail.net/".to_owned()),
        Answer::Elsewhere("https://192.168.0.1/x".to_owned()),
        Answer::Elsewhere(format!("https://{}", own(domain))),
        Answer::Silence,
    ];
    let records = [
        at("good.harbour-mail.net", world.mail),
        at("dead.harbour-mail.net", world.dead),
        // A name that the certificate does not hold.
        at("other.harbour-mail.net", world.mail),
        "mx-host=harbour-mail.net,mx.harbour-mail.net,10".to_owned(),
        "srv-host=_imaps._tcp.harbour-mail.net".to_owned(),
    ];
    for lie in lies {
        let (_web, (_names, app)) = (world.web(&[(own(domain), lie.clone())]), world.app(&records));
        let began = Instant::now();
        let (_person, seen) = ask(&app, ADDRESS).await;
        assert_eq!(seen.step(), "servers", "{lie:?}: {}", seen.text());
        assert!(seen.has("details.tried") && seen.text().contains("What we tried"), "{}", seen.text());
        assert!(began.elapsed() < Duration::from_secs(50), "an answer has a minute");
        assert!(!seen.text().contains("10.0.0.1 ") && !app.output().contains(PASSWORD));
    }
    assert_eq!(world.dovecot.logins(ADDRESS), 0);
}

#[tokio::test]
async fn two_redirects_are_followed_and_login_names_are_filled_in() {
    let world = World::new();
    let hop = |to: &str| Answer::Elsewhere(format!("https://harbour-mail.net/{to}"));
    let pages = [
        (own("harbour-mail.net"), hop("one")),
        ("harbour-mail.net/one".to_owned(), hop("two")),
        (
            "harbour-mail.net/two".to_owned(),
            file("good.harbour-mail.net", (993, "SSL"), (587, "STARTTLS"), "%EMAILLOCALPART%"),
        ),
    ];
    let (_web, (_names, app)) = (world.web(&pages), world.app(&[at("good.harbour-mail.net", world.mail)]));
    connects(&app, "good.harbour-mail.net:993").await;
    let account = &app.accounts().await[0];
    assert_eq!(account["connection_params"]["mail"]["imap_user"], "ada.lovelace");
    assert_eq!(account["connection_params"]["mail"]["smtp_user"], ADDRESS);
}

#[tokio::test]
async fn what_a_known_system_refuses_is_told_with_what_it_wants_and_its_own_pages() {
    let world = World::new();
    let records =
        [at("imap.gmx.net", world.mail), at("imap.gmail.com", world.mail), at("smtp.gmail.com", world.dead)];
    let (_names, app) = world.app(&records);
    let (person, password) = ask(&app, "ada@gmx.de").await;
    let refused = person.submit(&password, &password.sheet().with("password", "wrong")).await;
    assert_eq!(refused.step(), "password", "{}", refused.text());
    assert!(refused.text().contains("If sign-in in two steps is switched on at GMX"), "{}", refused.text());
    assert!(refused.has("a[href^=\"https://hilfe.gmx.net/\"]"));

    // Where sending fails, the pages about the password are at hand as well.
    world.dovecot.set_password("ada@gmail.com", "abcdefghijklmnop");
    let (person, password) = ask(&app, "ada@gmail.com").await;
    let sending = person.submit(&password, &password.sheet().with("password", "abcd efgh ijkl mnop")).await;
    assert_eq!(sending.step(), "sending", "{}", sending.text());
    assert!(sending.has("a[href=\"https://myaccount.google.com/apppasswords\"]"));
}
