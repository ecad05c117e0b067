//! A refusal in words: what happened, and what to do about it.

use crate::contract::{Actor, Notice, Tone};

use super::super::refusal::{Code, Refusal};
use super::super::servers::Server;
use super::form::say;

/// Words for a refusal where mail is read.
pub fn notice(refusal: Refusal, server: &Server) -> Notice {
    let code = refusal.code.as_str();
    let by_admin = refusal.actor == Actor::Admin;
    let advice = match refusal.code {
        Code::ProtocolDisabled | Code::PolicyBlocked if by_admin => say("advice.ask_admin"),
        _ => say(&format!("advice.{code}")),
    };
    let advice = match server.other_port() {
        Some(other) if refusal.code == Code::PortBlocked => advice.with("port", other.to_string()),
        _ => advice,
    };
    Notice {
        code: code.to_owned(),
        tone: Tone::Refused,
        text: say(&format!("trouble.{code}")).with("server", server.to_string()),
        advice: Some(advice),
    }
}

/// Words for a refusal where mail is sent: what is switched off there is not IMAP.
pub fn sending_notice(refusal: Refusal, server: &Server) -> Notice {
    let mut notice = notice(refusal, server);
    if refusal.code == Code::ProtocolDisabled {
        notice.text = say("trouble.sending_disabled").with("server", server.to_string());
        notice.advice = Some(say("advice.ask_admin"));
    }
    notice
}

/// Words for a refused password where the usual one works only without sign-in in two steps.
pub fn two_step_notice(refusal: Refusal, server: &Server, provider: &str) -> Notice {
    let advice = Some(say("advice.two_step").with("provider", provider));
    Notice { advice, ..notice(refusal, server) }
}
