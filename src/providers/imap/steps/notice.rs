//! A refusal in words: what happened, and what to do about it.

use crate::contract::{Actor, Notice, Tone};

use super::super::refusal::{Code, Refusal};
use super::super::servers::Server;
use super::form::say;

/// Words for a refusal by this server.
pub fn notice(refusal: Refusal, server: &Server) -> Notice {
    let code = refusal.code.as_str();
    let by_admin = refusal.code == Code::ProtocolDisabled && refusal.actor == Actor::Admin;
    let advice = if by_admin { say("advice.ask_admin") } else { say(&format!("advice.{code}")) };
    Notice {
        code: code.to_owned(),
        tone: Tone::Refused,
        text: say(&format!("trouble.{code}")).with("server", server.to_string()),
        advice: Some(advice),
    }
}
