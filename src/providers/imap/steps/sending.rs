//! The step `sending`: reading works, sending does not yet.

use crate::contract::{Field, FieldKind, Notice, Step};

use super::super::address::readable;
use super::super::table::System;
use super::form::{alternative, filled, pages, say, step};
use super::servers::{Problems, Typed};

/// What the step shows.
#[derive(Debug)]
pub struct SendingStep<'a> {
    /// The address.
    pub address: &'a str,
    /// What the fields hold.
    pub typed: &'a Typed,
    /// The mail system that runs the server, when it is a known one.
    pub system: Option<&'a System>,
    /// Whether an account that exists is being repaired.
    pub repairs: bool,
    /// What is wrong with the fields.
    pub problems: Problems,
    /// Why sending does not work.
    pub notice: Option<Notice>,
}

impl SendingStep<'_> {
    /// The names of its fields, but for the secret one.
    pub const FIELDS: &'static [&'static str] = &["smtp_host", "smtp_port", "smtp_encryption", "smtp_login"];

    /// Draws it.
    pub fn draw(self) -> Step {
        let mut step = step("sending", say("sending.title"), say("submit.again"));
        step.intro = Some(say("sending.intro").with("address", readable(self.address)));
        step.notice = self.notice;
        step.help = self.system.map(pages).unwrap_or_default();
        step.fields =
            self.typed.fields("smtp", say("field.smtp_host"), say("field.smtp_port"), &self.problems);
        let mut login =
            filled("smtp_login", FieldKind::Text, say("field.smtp_login"), self.typed.get("smtp_login"));
        login.autocomplete = Some("username".to_owned());
        login.error = self.problems.get("smtp_login").cloned();
        let mut password = Field::new("smtp_password", FieldKind::Password, say("field.smtp_password"));
        password.required = false;
        password.help = Some(say("sending.password_help"));
        password.autocomplete = Some("current-password".to_owned());
        password.error = self.problems.get("smtp_password").cloned();
        step.fields.extend([login, password]);
        step.alternatives.push(alternative("receive_only", say("way.receive_only")));
        if !self.repairs {
            step.alternatives.push(alternative("address", say("way.address")));
        }
        step
    }
}
