//! What large providers and common servers really say, over the wire, and what a person is told of it: the cause, the
//! words and the way on. The texts are data, in `texts.toml`.

use std::time::Duration;

use serde::Deserialize;

use super::double::{Act, Stage, say};
use super::*;
use crate::contract::Actor;
use crate::providers::imap::given::Given;
use crate::providers::imap::servers::Encryption::Tls;
use crate::providers::imap::steps::{notice, sending_notice};
use crate::providers::imap::table::Table;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    imap: Vec<Row>,
    smtp: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    host: String,
    #[serde(default)]
    password: String,
    said: Vec<String>,
    code: String,
    actor: Option<Actor>,
    advice: Option<String>,
}

fn rows() -> Rows {
    toml::from_str(include_str!("texts.toml")).unwrap()
}

fn limits() -> Limits {
    Limits { connect: Duration::from_secs(5), whole: Duration::from_secs(10) }
}

/// Everything a server says until it has heard the password.
fn until_password(sending: bool) -> Vec<Act> {
    if sending {
        return vec![
            say("220 ready"),
            Act::Hear("EHLO"),
            say("250-here"),
            say("250 AUTH PLAIN"),
            Act::Hear("AUTH"),
        ];
    }
    let abilities = "* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR";
    vec![
        say("* OK ready"),
        Act::Hear("CAPABILITY"),
        say(abilities),
        say("{tag} OK"),
        Act::Hear("AUTHENTICATE"),
    ]
}

/// Plays each row with a server that says it, and compares.
async fn compare(rows: &[Row], sending: bool) {
    let table = Table::built_in().unwrap();
    for Row { host, password, said, code, actor, advice } in rows {
        let stage = Stage::new();
        let mut script = until_password(sending);
        script.extend(said.iter().map(|line| say(line)));
        let (server, _) = stage.play(Tls, &script, usize::MAX).await;
        let typed = if password == "letters16" { "abcd efgh ijkl mnop" } else { "correct horse" };
        let given = Given::at(table.by_host(host), Secret::new(typed));
        let tried = match sending {
            false => super::reading(&stage.egress, &server, &given.password, limits()).await,
            true => super::sending(&stage.egress, &server, &given.password, limits()).await,
        };
        let refusal = given.refused(tried.expect_err("it is refused"));
        let actor = actor.unwrap_or(Actor::Person);
        assert_eq!((refusal.code.as_str(), refusal.actor), (code.as_str(), actor), "{host}: {said:?}");
        let told = if sending { sending_notice(refusal, &server) } else { notice(refusal, &server) };
        let advice = advice.as_deref().unwrap_or(code);
        assert_eq!(told.advice.unwrap().key, format!("imap.advice.{advice}"), "{host}: {said:?}");
    }
}

#[tokio::test]
async fn what_servers_say_where_mail_is_read() {
    compare(&rows().imap, false).await;
}

#[tokio::test]
async fn what_servers_say_where_mail_is_sent() {
    compare(&rows().smtp, true).await;
}

#[tokio::test]
async fn a_server_that_only_says_afterwards_that_it_wants_our_name_is_told_it_once() {
    for (again, expected) in
        [("{tag} OK [READ-ONLY] done", Ok(())), ("{tag} NO EXAMINE Unsafe Login", Err(Code::PolicyBlocked))]
    {
        let stage = Stage::new();
        let mut script = until_password(false);
        script.extend([
            say("{tag} OK in"),
            Act::Hear("EXAMINE"),
            say("{tag} NO EXAMINE Unsafe Login. Please contact kefu@188.com for help"),
            Act::Hear("ID ("),
            say("{tag} OK"),
            Act::Hear("EXAMINE"),
            say(again),
            Act::Hear("LOGOUT"),
        ]);
        let (server, _) = stage.play(Tls, &script, usize::MAX).await;
        let tried = super::reading(&stage.egress, &server, &Secret::new("x"), limits()).await;
        assert_eq!(tried.map_err(|refusal| refusal.code), expected);
    }
}
