//! The step `sending`: reading works, and another server, name or password for sending is tried until it does, or
//! until the person goes on without.

use crate::contract::{Answer, Next};
use crate::kernel::secret::Secret;

use super::super::given::{Given, usable};
use super::super::outcome::Key;
use super::super::place::{At, Place};
use super::super::refusal::{Code, Refusal};
use super::super::servers::Server;
use super::super::steps::{Problems, SendingStep, Typed, sending_notice};
use super::super::table::Rule;
use super::{Asking, Led, Walk, finish};

impl Walk<'_> {
    pub(super) async fn sending_given(
        &self,
        place: Place,
        imap: Server,
        password: Secret,
        answer: &Answer,
    ) -> Led {
        let typed = Typed::from(answer, SendingStep::FIELDS);
        let mut problems = Problems::new();
        let login = typed.login("smtp_login", &mut problems);
        let smtp = typed.server("smtp", &login, &self.config.ports, &mut problems);
        let other = match usable(answer.secret("smtp_password")) {
            Ok(other) => other,
            Err(error) => {
                problems.insert("smtp_password".to_owned(), error);
                None
            }
        };
        let place = Place { at: At::Sending { imap: imap.clone(), password: password.clone() }, ..place };
        let (Some(smtp), true) = (smtp, problems.is_empty()) else {
            return self.ask_sending(place, &typed, Asking { problems, ..Asking::default() });
        };
        let system = self.table.by_host(&smtp.host);
        if system.is_some_and(|system| system.rule == Rule::OauthOnly) {
            return self.sending_refused(place, &typed, &smtp, Code::OauthRequired.into());
        }
        let chosen = Given::at(system, other.unwrap_or_else(|| password.clone()));
        match self.send(&smtp, &chosen.password).await {
            Ok(()) => {
                let smtp = Key { server: smtp, password: chosen.password };
                finish(&place.address, Key { server: imap, password }, Some(smtp))
            }
            Err(refusal) => self.sending_refused(place, &typed, &smtp, chosen.refused(refusal)),
        }
    }

    /// The step with what the server for sending made of the last try.
    pub(super) fn sending_refused(
        &self,
        place: Place,
        typed: &Typed,
        smtp: &Server,
        refusal: Refusal,
    ) -> Led {
        let notice = Some(sending_notice(refusal, smtp));
        self.ask_sending(place, typed, Asking { notice, ..Asking::default() })
    }

    fn ask_sending(&self, place: Place, typed: &Typed, asking: Asking) -> Led {
        let Asking { problems, notice, guessed: _, tried: _ } = asking;
        let (address, repairs) = (place.address.as_str(), place.repairs);
        let system = self.table.by_host(typed.get("smtp_host"));
        let step = SendingStep { address, typed, system, repairs, problems, notice }.draw();
        Ok(Next::Step { step: Box::new(step), state: place.store()? })
    }
}
