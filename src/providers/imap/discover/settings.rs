//! Mozilla's autoconfiguration format (draft-ietf-mailmaint-autoconfig): reading what a stranger published. Whatever
//! is not understood is passed over; what would go over the line in clear, or wants more than a password, is not taken.

use roxmltree::{Document, Node, ParsingOptions};

use super::super::address::Address;
use super::super::config::Config;
use super::super::servers::{self, Encryption, Server};
use super::prove::Candidate;

/// The largest file that is read, in bytes.
pub const LARGEST: usize = 64 * 1024;
/// The most servers of a kind that are looked at.
const MOST_SERVERS: usize = 10;
/// The most nodes a file may have; real ones have a hundred.
const MOST_NODES: u32 = 10_000;

/// Reads a file; `None` when it is not one. The candidate may be empty: a file that offers nothing of use.
pub fn read(bytes: &[u8], address: &Address, config: &Config) -> Option<Candidate> {
    if bytes.len() > LARGEST {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    // Without a document type there are no entities, and so nothing grows when it is read.
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).ok()?;
    let root = document.root_element();
    if root.tag_name().name() != "clientConfig" {
        return None;
    }
    let provider = root.children().find(|node| node.has_tag_name("emailProvider"))?;
    let servers = |element: &str, kind: &str| {
        let all = provider.children().filter(|node| node.has_tag_name(element));
        let all = all.filter(|node| node.attribute("type").is_some_and(|own| own.eq_ignore_ascii_case(kind)));
        all.take(MOST_SERVERS).filter_map(|node| server(node, address, config)).collect()
    };
    Some(Candidate { imap: servers("incomingServer", "imap"), smtp: servers("outgoingServer", "smtp") })
}

fn server(node: Node<'_, '_>, address: &Address, config: &Config) -> Option<Server> {
    let text = |name: &str| {
        let child = node.children().find(|child| child.has_tag_name(name))?;
        child.text().map(str::trim).filter(|text| !text.is_empty())
    };
    let host = servers::host(&filled_in(text("hostname")?, address)).ok()?;
    let port: u16 = text("port")?.parse().ok().filter(|port| config.permits(*port))?;
    let encryption = match text("socketType")?.to_ascii_uppercase().as_str() {
        "SSL" => Encryption::Tls,
        "STARTTLS" => Encryption::Starttls,
        // In clear.
        _ => return None,
    };
    let mut ways = node.children().filter(|child| child.has_tag_name("authentication")).peekable();
    let takes_password = |way: Node<'_, '_>| {
        let way = way.text().unwrap_or_default().trim().to_ascii_lowercase();
        matches!(way.as_str(), "password-cleartext" | "password-encrypted" | "plain" | "secure")
    };
    if ways.peek().is_some() && !ways.any(takes_password) {
        return None;
    }
    let login = text("username").map_or_else(|| address.to_string(), |form| filled_in(form, address));
    let odd = login.is_empty() || login.len() > 320 || login.chars().any(char::is_control);
    (!odd).then_some(Server { host, port, encryption, login })
}

fn filled_in(form: &str, address: &Address) -> String {
    let form: String = form.chars().take(500).collect();
    // The address first: what a person typed is never read as a placeholder.
    let mut filled = String::new();
    let mut rest = form.as_str();
    while let Some((before, after)) = rest.split_once('%') {
        filled.push_str(before);
        match after.split_once('%') {
            Some(("EMAILADDRESS", after)) => {
                filled.push_str(&address.to_string());
                rest = after;
            }
            Some(("EMAILLOCALPART", after)) => {
                filled.push_str(&address.local);
                rest = after;
            }
            Some(("EMAILDOMAIN", after)) => {
                filled.push_str(&address.spelt_domain());
                rest = after;
            }
            _ => {
                filled.push('%');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config { ports: vec![143, 465, 587, 993], ..Config::default() }
    }

    fn ada() -> Address {
        Address::parse("Ada%EMAILDOMAIN%@mail.example.org").unwrap()
    }

    fn file(servers: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><clientConfig version=\"1.1\"><emailProvider id=\"x\"><domain>x</domain>{servers}</emailProvider></clientConfig>"
        )
    }

    fn one(port: &str, socket: &str, way: &str) -> String {
        file(&format!(
            "<incomingServer type=\"pop3\"><hostname>pop.example.org</hostname><port>995</port><socketType>SSL</socketType></incomingServer>\
             <incomingServer type=\"imap\"><hostname>imap.%EMAILDOMAIN%</hostname><port>{port}</port>\
             <socketType>{socket}</socketType><username>%EMAILLOCALPART%</username><authentication>{way}</authentication></incomingServer>\
             <outgoingServer type=\"smtp\"><hostname>smtp.example.org</hostname><port>587</port><socketType>STARTTLS</socketType>\
             <username>%EMAILADDRESS%</username><authentication>OAuth2</authentication><authentication>password-cleartext</authentication></outgoingServer>"
        ))
    }

    #[test]
    fn the_format_is_read_with_its_placeholders_and_no_more_than_once() {
        let read = read(one("993", "SSL", "password-cleartext").as_bytes(), &ada(), &config()).unwrap();
        let server = |host: &str, port, encryption, login: &str| Server {
            host: host.to_owned(),
            port,
            encryption,
            login: login.to_owned(),
        };
        assert_eq!(read.imap, [server("imap.mail.example.org", 993, Encryption::Tls, "Ada%EMAILDOMAIN%")]);
        let address = "Ada%EMAILDOMAIN%@mail.example.org";
        assert_eq!(read.smtp, [server("smtp.example.org", 587, Encryption::Starttls, address)]);
    }

    #[test]
    fn a_domain_in_other_letters_is_spelt_as_its_address_does_in_names_and_in_ascii_in_hosts() {
        let way = "<port>993</port><socketType>SSL</socketType>";
        let form = format!(
            "<incomingServer type=\"imap\"><hostname>imap.%EMAILDOMAIN%</hostname>{way}\
             <username>%EMAILLOCALPART%@%EMAILDOMAIN%</username></incomingServer>"
        );
        for (typed, login) in
            [("büro@例え.test", "büro@例え.test"), ("ada@例え.test", "ada@xn--r8jz45g.test")]
        {
            let address = Address::parse(typed).unwrap();
            let found = read(file(&form).as_bytes(), &address, &config()).unwrap().imap.remove(0);
            assert_eq!((found.host.as_str(), found.login.as_str()), ("imap.xn--r8jz45g.test", login));
        }
    }

    #[test]
    fn what_would_go_in_clear_or_wants_more_than_a_password_is_not_taken() {
        for (port, socket, way) in [
            ("143", "plain", "password-cleartext"),
            ("25", "STARTTLS", "password-cleartext"),
            ("99999", "SSL", "password-cleartext"),
            ("993", "SSL", "OAuth2"),
            ("993", "", "password-cleartext"),
        ] {
            let read = read(one(port, socket, way).as_bytes(), &ada(), &config()).unwrap();
            assert!(read.imap.is_empty(), "{port} {socket} {way}");
        }
    }

    #[test]
    fn hostile_files_are_no_files() {
        let bomb = "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>\
             <clientConfig><emailProvider><incomingServer type=\"imap\"><hostname>&b;</hostname></incomingServer></emailProvider></clientConfig>";
        let deep = format!("{}{}", "<a>".repeat(9_000), "</a>".repeat(9_000));
        let large = file(&" ".repeat(LARGEST));
        for text in [bomb, "", "<clientConfig>", "<html/>", &deep, &large, "\u{0}"] {
            assert!(read(text.as_bytes(), &ada(), &config()).is_none());
        }
        assert!(read(&[0xff, 0xfe, 0x3c], &ada(), &config()).is_none());
        let strange = file(
            "<incomingServer type=\"imap\"><hostname>http://x/</hostname><port>993</port><socketType>SSL</socketType></incomingServer>",
        );
        assert_eq!(read(strange.as_bytes(), &ada(), &config()), Some(Candidate::default()));
    }
}
