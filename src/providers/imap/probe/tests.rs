//! The conversations against servers that follow a script: the good, the odd and the hostile.

use std::time::Duration;

use super::double::{Act, Heard, Stage, say};
use super::*;
use crate::kernel::egress::Setup;
use crate::providers::imap::servers::Encryption::{self, Starttls, Tls};

const PASSWORD: &str = "correct \"horse\"";
const SASL: &str = "AGFkYUBleGFtcGxlLm9yZwBjb3JyZWN0ICJob3JzZSI=";
const ALL: usize = usize::MAX;

fn limits() -> Limits {
    Limits { connect: Duration::from_secs(5), whole: Duration::from_secs(10) }
}

fn code(outcome: Result<(), Refusal>) -> &'static str {
    outcome.map_or_else(|refusal| refusal.code.as_str(), |()| "ok")
}

async fn read(encryption: Encryption, script: &[Act]) -> (&'static str, Heard) {
    let stage = Stage::new();
    let (server, heard) = stage.play(encryption, script, ALL).await;
    (code(reading(&stage.egress, &server, &Secret::new(PASSWORD), limits()).await), heard)
}

async fn send(encryption: Encryption, script: &[Act]) -> (&'static str, Heard) {
    let stage = Stage::new();
    let (server, heard) = stage.play(encryption, script, ALL).await;
    (code(sending(&stage.egress, &server, &Secret::new(PASSWORD), limits()).await), heard)
}

fn lines(heard: &Heard) -> Vec<String> {
    heard.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
}

/// Greeting and abilities over TLS from the first byte.
fn imap_hello(abilities: &str) -> Vec<Act> {
    let abilities = format!("* CAPABILITY IMAP4rev1 {abilities}");
    vec![say("* OK ready"), Act::Hear("CAPABILITY"), say(&abilities), say("{tag} OK done")]
}

fn imap_end() -> Vec<Act> {
    vec![Act::Hear("EXAMINE INBOX"), say("* 3 EXISTS"), say("{tag} OK [READ-ONLY] done"), Act::Hear("LOGOUT")]
}

fn smtp_hello(abilities: &str) -> Vec<Act> {
    vec![say("220 ready"), Act::Hear("EHLO"), say("250-here"), say(&format!("250 {abilities}"))]
}

fn smtp_end() -> Vec<Act> {
    vec![say("235 welcome"), Act::Hear("NOOP"), say("250 ok"), Act::Hear("QUIT")]
}

#[tokio::test]
async fn a_password_is_tried_in_the_short_form_where_it_is_offered() {
    let good = [say("{tag} OK [CAPABILITY IMAP4rev1] in")];
    let script =
        [imap_hello("AUTH=PLAIN SASL-IR"), vec![Act::Hear("AUTHENTICATE PLAIN ")], good.into(), imap_end()];
    let (outcome, heard) = read(Tls, &script.concat()).await;
    assert_eq!(outcome, "ok");
    assert_eq!(lines(&heard)[1], format!("V2 AUTHENTICATE PLAIN {SASL}"));
}

#[tokio::test]
async fn a_server_that_rejects_the_short_form_it_offers_gets_the_long_one() {
    let detour = vec![
        Act::Hear("AUTHENTICATE PLAIN "),
        say("{tag} BAD Request not ending with"),
        Act::Hear("AUTHENTICATE PLAIN"),
        say("+"),
        Act::Hear(SASL),
    ];
    // What the last line heard begins with is no tag, so it is spelled out.
    let script = [imap_hello("AUTH=PLAIN SASL-IR"), detour, vec![say("V3 OK in")], imap_end()];
    assert_eq!(read(Tls, &script.concat()).await.0, "ok");
}

#[tokio::test]
async fn a_server_that_asks_although_it_was_told_is_told_once_more_and_not_twice() {
    let ask = vec![Act::Hear("AUTHENTICATE PLAIN "), say("+ "), Act::Hear(SASL)];
    let polite = [imap_hello("AUTH=PLAIN SASL-IR"), ask.clone(), vec![say("V2 OK in")], imap_end()];
    assert_eq!(read(Tls, &polite.concat()).await.0, "ok");
    let stubborn = [imap_hello("AUTH=PLAIN SASL-IR"), ask, vec![say("+ "), Act::Hang]];
    let (outcome, heard) = read(Tls, &stubborn.concat()).await;
    assert_eq!(outcome, "protocol_error");
    assert_eq!(lines(&heard).len(), 3);
}

#[tokio::test]
async fn a_refused_password_is_not_tried_again() {
    for answer in ["{tag} NO [AUTHENTICATIONFAILED] no", "{tag} NO LOGIN failed."] {
        let refuse = vec![Act::Hear("AUTHENTICATE"), say(answer), Act::Hear("never")];
        let (outcome, heard) = read(Tls, &[imap_hello("AUTH=PLAIN SASL-IR"), refuse].concat()).await;
        assert_eq!(outcome, "credentials_invalid");
        assert_eq!(lines(&heard).len(), 2);
    }
}

#[tokio::test]
async fn without_plain_the_login_command_is_used_with_its_quoting() {
    let script = [imap_hello(""), vec![Act::Hear("LOGIN"), say("{tag} OK in")], imap_end()];
    let (outcome, heard) = read(Tls, &script.concat()).await;
    assert_eq!(outcome, "ok");
    assert_eq!(lines(&heard)[1], r#"V2 LOGIN "ada@example.org" "correct \"horse\"""#);
}

#[tokio::test]
async fn a_password_the_login_command_cannot_hold_is_not_sent_at_all() {
    let stage = Stage::new();
    let (server, heard) = stage.play(Tls, &[imap_hello(""), vec![Act::Hear("x")]].concat(), ALL).await;
    let outcome = reading(&stage.egress, &server, &Secret::new("naïve"), limits()).await;
    assert_eq!(code(outcome), "password_characters");
    assert_eq!(lines(&heard).len(), 1);
}

#[tokio::test]
async fn servers_that_take_no_password_say_which_kind_they_are() {
    assert_eq!(read(Tls, &imap_hello("LOGINDISABLED AUTH=XOAUTH2")).await.0, "oauth_required");
    assert_eq!(read(Tls, &imap_hello("LOGINDISABLED")).await.0, "login_not_offered");
    let dialogue = vec![
        Act::Hear("AUTHENTICATE LOGIN"),
        say("+ VXNlcm5hbWU6"),
        Act::Hear("YWRhQGV4YW1wbGUub3Jn"),
        say("+ UGFzc3dvcmQ6"),
        Act::Hear("Y29ycmVjdCAiaG9yc2Ui"),
        say("V2 OK in"),
    ];
    let script = [imap_hello("LOGINDISABLED AUTH=LOGIN"), dialogue, imap_end()].concat();
    assert_eq!(read(Tls, &script).await.0, "ok");
    assert_eq!(send(Tls, &smtp_hello("AUTH XOAUTH2")).await.0, "oauth_required");
    assert_eq!(send(Tls, &smtp_hello("SIZE 1")).await.0, "login_not_offered");
}

#[tokio::test]
async fn nothing_but_the_question_for_tls_is_said_in_clear() {
    let imap = vec![
        say("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready"),
        Act::Hear("CAPABILITY"),
        say("* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN"),
        say("{tag} OK done"),
        Act::Hear("STARTTLS"),
        say("{tag} OK go"),
        Act::Tls,
        Act::Hear("CAPABILITY"),
        say("* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR"),
        say("{tag} OK done"),
        Act::Hear("AUTHENTICATE"),
        say("{tag} OK in"),
    ];
    let (outcome, heard) = read(Starttls, &[imap, imap_end()].concat()).await;
    assert_eq!(outcome, "ok");
    let clear = |heard: &Heard| {
        let heard = heard.lock().unwrap();
        heard.iter().filter(|(private, _)| !private).map(|(_, line)| line.clone()).collect::<Vec<_>>()
    };
    assert_eq!(clear(&heard), ["V1 CAPABILITY", "V2 STARTTLS"]);
    let smtp = vec![Act::Hear("STARTTLS"), say("220 go"), Act::Tls];
    let again = vec![Act::Hear("EHLO"), say("250 AUTH PLAIN"), Act::Hear("AUTH PLAIN ")];
    let script = [vec![say("220 ready")], smtp_hello("STARTTLS")[1..].to_vec(), smtp, again, smtp_end()];
    let (outcome, heard) = send(Starttls, &script.concat()).await;
    assert_eq!(outcome, "ok");
    assert_eq!(clear(&heard), ["EHLO [127.0.0.1]", "STARTTLS"]);
}

#[tokio::test]
async fn without_starttls_nobody_signs_in() {
    for refused in
        [imap_hello("AUTH=PLAIN"), [imap_hello("STARTTLS"), vec![Act::Hear("S"), say("{tag} NO")]].concat()]
    {
        assert_eq!(read(Starttls, &refused).await.0, "tls_not_offered");
    }
    for refused in
        [smtp_hello("AUTH PLAIN"), [smtp_hello("STARTTLS"), vec![Act::Hear("S"), say("454 no")]].concat()]
    {
        assert_eq!(send(Starttls, &refused).await.0, "tls_not_offered");
    }
}

#[tokio::test]
async fn words_smuggled_in_behind_the_answer_to_starttls_end_the_conversation() {
    let smuggled = Act::Say("{tag} OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n".to_owned());
    let script = [imap_hello("STARTTLS"), vec![Act::Hear("STARTTLS"), smuggled, Act::Hang]].concat();
    assert_eq!(read(Starttls, &script).await.0, "protocol_error");
    let smuggled = Act::Say("220 go\r\n250 AUTH PLAIN\r\n".to_owned());
    let script = [smtp_hello("STARTTLS"), vec![Act::Hear("STARTTLS"), smuggled, Act::Hang]].concat();
    assert_eq!(send(Starttls, &script).await.0, "protocol_error");
}

#[tokio::test]
async fn greetings_that_are_none_are_told_apart() {
    for (greeting, expected) in [
        ("* BYE [UNAVAILABLE] later", "provider_unavailable"),
        ("* BYE Too many connections", "rate_limited"),
        ("* PREAUTH welcome back", "protocol_error"),
        ("220 mail.example.org ESMTP", "protocol_error"),
        ("HTTP/1.1 400 Bad Request", "protocol_error"),
    ] {
        assert_eq!(read(Tls, &[say(greeting), Act::Hang]).await.0, expected, "{greeting}");
    }
    for (greeting, expected) in [
        ("421 4.3.2 not now", "provider_unavailable"),
        ("554 5.7.1 go away", "policy_blocked"),
        ("* OK IMAP4rev1 ready", "protocol_error"),
    ] {
        assert_eq!(send(Tls, &[say(greeting), Act::Hang]).await.0, expected, "{greeting}");
    }
}

#[tokio::test]
async fn a_hint_before_the_refusal_is_part_of_it() {
    let refuse = vec![
        Act::Hear("AUTHENTICATE"),
        say("* NO [WEBALERT https://accounts.example.com/x] Web login required."),
        say("{tag} NO [ALERT] Invalid credentials (Failure)"),
    ];
    assert_eq!(read(Tls, &[imap_hello("AUTH=PLAIN SASL-IR"), refuse].concat()).await.0, "web_login_required");
    let hang_up =
        vec![Act::Hear("AUTHENTICATE"), say("* BYE closing"), say("{tag} NO [AUTHENTICATIONFAILED] no")];
    assert_eq!(
        read(Tls, &[imap_hello("AUTH=PLAIN SASL-IR"), hang_up].concat()).await.0,
        "credentials_invalid"
    );
    let only_bye = vec![Act::Hear("AUTHENTICATE"), say("* BYE [UNAVAILABLE] closing")];
    assert_eq!(
        read(Tls, &[imap_hello("AUTH=PLAIN SASL-IR"), only_bye].concat()).await.0,
        "provider_unavailable"
    );
}

#[tokio::test]
async fn we_say_who_we_are_before_the_inbox_is_opened_and_the_inbox_must_open() {
    let identify = vec![
        Act::Hear("AUTHENTICATE"),
        say("{tag} OK in"),
        Act::Hear("ID ("),
        say("* ID NIL"),
        say("{tag} OK"),
    ];
    let script = [imap_hello("AUTH=PLAIN SASL-IR ID"), identify.clone(), imap_end()];
    assert_eq!(read(Tls, &script.concat()).await.0, "ok");
    for (answer, expected) in [
        ("{tag} NO EXAMINE Unsafe Login. Please contact kefu@188.com for help", "policy_blocked"),
        ("{tag} NO [UNAVAILABLE] later", "provider_unavailable"),
        ("{tag} NO no such mailbox", "mailbox_unavailable"),
    ] {
        let closed = vec![Act::Hear("EXAMINE"), say(answer)];
        let script = [imap_hello("AUTH=PLAIN SASL-IR ID"), identify.clone(), closed];
        assert_eq!(read(Tls, &script.concat()).await.0, expected, "{answer}");
    }
}

#[tokio::test]
async fn literals_on_the_way_are_read_past() {
    let noise = vec![
        Act::Hear("AUTHENTICATE"),
        say("* LIST () \"/\" {9}"),
        say("V2 NO x\r\n tail {3}"),
        say("abc"),
        say("{tag} OK in"),
    ];
    let script = [imap_hello("AUTH=PLAIN SASL-IR"), noise, imap_end()];
    assert_eq!(read(Tls, &script.concat()).await.0, "ok");
}

#[tokio::test]
async fn sending_is_proved_by_each_way_to_sign_in() {
    let short = [smtp_hello("AUTH LOGIN PLAIN"), vec![Act::Hear("AUTH PLAIN ")], smtp_end()].concat();
    assert_eq!(send(Tls, &short).await.0, "ok");
    let asking = vec![Act::Hear("AUTH PLAIN "), say("334 "), Act::Hear(SASL)];
    assert_eq!(send(Tls, &[smtp_hello("AUTH PLAIN"), asking, smtp_end()].concat()).await.0, "ok");
    let dialogue = vec![
        Act::Hear("AUTH LOGIN"),
        say("334 VXNlcm5hbWU6"),
        Act::Hear("YWRhQGV4YW1wbGUub3Jn"),
        say("334 UGFzc3dvcmQ6"),
        Act::Hear("Y29ycmVjdCAiaG9yc2Ui"),
    ];
    assert_eq!(send(Tls, &[smtp_hello("AUTH=LOGIN"), dialogue.clone(), smtp_end()].concat()).await.0, "ok");
    let unknown = vec![Act::Hear("AUTH PLAIN "), say("504 5.7.4 Unrecognized authentication type")];
    let script = [smtp_hello("AUTH PLAIN LOGIN"), unknown, dialogue, smtp_end()].concat();
    assert_eq!(send(Tls, &script).await.0, "ok");
    let refused = vec![Act::Hear("AUTH PLAIN "), say("535-5.7.8 no"), say("535 5.7.8 no"), Act::Hear("x")];
    let (outcome, heard) = send(Tls, &[smtp_hello("AUTH PLAIN LOGIN"), refused].concat()).await;
    assert_eq!(outcome, "credentials_invalid");
    assert_eq!(lines(&heard).len(), 2);
}

#[tokio::test]
async fn a_password_too_long_for_one_command_goes_by_itself() {
    let stage = Stage::new();
    let long = vec![Act::Hear("AUTH PLAIN\r\n"), say("334 "), Act::Hear("AGFkYUBle")];
    let script = [smtp_hello("AUTH PLAIN"), long, smtp_end()].concat();
    let (server, _) = stage.play(Tls, &script, ALL).await;
    assert_eq!(code(sending(&stage.egress, &server, &Secret::new("x".repeat(600)), limits()).await), "ok");
}

#[tokio::test]
async fn a_server_that_says_too_much_is_left() {
    let endless: [&[Act]; 4] = [
        &[Act::Forever(b"x")],
        &[say("* OK ready"), Act::Forever(b"* OK still here\r\n")],
        &[say("* OK ready"), say("* X {70000}"), Act::Forever(b"x")],
        &[say("* OK ready"), say("* X {99999999999}"), Act::Hang],
    ];
    for script in endless {
        assert_eq!(read(Tls, script).await.0, "protocol_error", "{script:?}");
    }
    for script in [&[Act::Forever(b"2")][..], &[Act::Forever(b"220-\r\n")], &[Act::Forever(b"\r\n")]] {
        assert_eq!(send(Tls, script).await.0, "protocol_error", "{script:?}");
    }
}

#[tokio::test]
async fn a_server_that_says_too_little_is_left_in_time() {
    let stage = Stage::new();
    let brief = Limits { connect: Duration::from_millis(300), whole: Duration::from_millis(600) };
    let password = Secret::new(PASSWORD);
    for (encryption, script) in [
        (Tls, vec![Act::Hang]),
        (Tls, vec![Act::Drip]),
        (Starttls, vec![Act::Hang]),
        (Tls, vec![say("* OK ready"), Act::Drip]),
    ] {
        for imap in [true, false] {
            let (server, _) = stage.play(encryption, &script, ALL).await;
            let begun = Instant::now();
            let outcome = match imap {
                true => reading(&stage.egress, &server, &password, brief).await,
                false => sending(&stage.egress, &server, &password, brief).await,
            };
            assert!(["server_silent", "protocol_error"].contains(&code(outcome)), "{script:?}");
            assert!(begun.elapsed() < Duration::from_secs(2), "{script:?}");
        }
    }
}

#[tokio::test]
async fn a_line_that_goes_dead_anywhere_ends_in_a_clear_code() {
    let stage = Stage::new();
    let password = Secret::new(PASSWORD);
    let good = vec![Act::Hear("AUTHENTICATE"), say("{tag} OK in")];
    let imap = [imap_hello("AUTH=PLAIN SASL-IR"), good, imap_end()].concat();
    let smtp = [smtp_hello("AUTH PLAIN"), vec![Act::Hear("AUTH")], smtp_end()].concat();
    for (script, is_imap) in [(imap, true), (smtp, false)] {
        let whole: usize =
            script.iter().map(|act| if let Act::Say(text) = act { text.len() } else { 0 }).sum();
        for budget in (0..whole).step_by(3) {
            let (server, _) = stage.play(Tls, &script, budget).await;
            let outcome = match is_imap {
                true => reading(&stage.egress, &server, &password, limits()).await,
                false => sending(&stage.egress, &server, &password, limits()).await,
            };
            let outcome = code(outcome);
            // Tags are shorter than their place-holder, so the last few bytes are never asked for.
            assert!(
                outcome == "connection_broken" || (outcome == "ok" && budget + 12 > whole),
                "{budget}: {outcome}"
            );
        }
    }
}

#[tokio::test]
async fn trouble_on_the_way_keeps_its_name() {
    let password = Secret::new(PASSWORD);
    let greeting = [say("* OK ready"), Act::Hang];
    let stage = Stage::named("other.example");
    let (server, _) = stage.play(Tls, &greeting, ALL).await;
    let outcome = reading(&stage.egress, &server, &password, limits()).await;
    assert_eq!(code(outcome), "tls_certificate_wrong_name");

    let stage = Stage::new();
    let (mut server, _) = stage.play(Starttls, &greeting, ALL).await;
    server.encryption = Tls;
    assert_eq!(code(reading(&stage.egress, &server, &password, limits()).await), "tls_not_spoken");

    let allow = vec!["127.0.0.0/8".parse().unwrap()];
    let stranger = Egress::new(Setup { allow, ..Setup::default() }).unwrap();
    let (server, _) = stage.play(Tls, &greeting, ALL).await;
    let outcome = reading(&stranger, &server, &password, limits()).await;
    assert_eq!(code(outcome), "tls_certificate_unknown_issuer");

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server { port: closed, ..server };
    assert_eq!(code(sending(&stage.egress, &server, &password, limits()).await), "connect_refused");
    // An address we may not reach must not be told apart from one where nobody listens.
    let strict = Egress::new(Setup::default()).unwrap();
    assert_eq!(code(sending(&strict, &server, &password, limits()).await), "connect_refused");
}
