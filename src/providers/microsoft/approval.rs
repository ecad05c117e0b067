//! The branch in which an administrator has to approve before anybody of an organisation can connect: the step `approval`
//! with the address to pass on, and what follows when an administrator comes back from it. Their coming back proves
//! nothing but that one may try again.

use crate::contract::{Context, Fact, Next, Notice, Step, StepKind, Tone, Trouble};

use super::super::oauth::refusal::Refusal;
use super::super::oauth::sign_in;
use super::super::oauth::trip::Place;
use super::scopes;
use super::tenant::{PERSONAL, Tenant, is_domain, is_guid};
use super::{Microsoft, VOICE};

/// The step's name, and the name of the way there.
pub const NAME: &str = "approval";

/// Domains of mailboxes that belong to no organisation, though a Microsoft account may be named by one.
const PUBLIC: &[&str] = &[
    "gmail.com",
    "googlemail.com",
    "yahoo.com",
    "icloud.com",
    "me.com",
    "aol.com",
    "gmx.de",
    "gmx.net",
    "web.de",
    "proton.me",
    "protonmail.com",
];

impl Microsoft {
    /// Whether an organisation may have to approve; nobody administers personal accounts.
    pub(super) fn may_need_approval(&self) -> bool {
        self.tenant != Tenant::Consumers
    }

    /// Shows what to pass on to an administrator.
    pub(super) fn approval(
        &self,
        cx: &Context,
        mut place: Place,
        notice: Option<Notice>,
    ) -> Result<Next, Trouble> {
        let state = cx.returns.approval_state.as_ref().ok_or(Trouble::bug("no_way_back"))?;
        let tenant = self.tenant_to_approve(&place);
        let url = self.base.join(&format!("/{tenant}/v2.0/adminconsent"));
        let mut url = url.map_err(|_| Trouble::bug("approval_address"))?;
        // All that the person is asked for, or they are sent here again for what is left.
        let scope = scopes::asking(self.wanted.names());
        url.query_pairs_mut().extend_pairs([
            ("client_id", &*self.party.client_id),
            ("scope", &scope),
            ("redirect_uri", &cx.returns.approval_callback),
            ("state", state.reveal()),
        ]);
        let title = VOICE.say("approval.title");
        let mut step = Step::new(StepKind::Wait, NAME, title, VOICE.say("submit.approved"));
        step.intro = Some(VOICE.say("approval.intro"));
        step.notice = notice;
        // Administrators know an app by its ID, and look it up by that.
        step.facts = vec![Fact { label: VOICE.say("approval.app"), value: self.party.client_id.clone() }];
        step.url = Some(url.into());
        place.trip = None;
        Ok(Next::Step { step: Box::new(step), state: place.write()? })
    }

    /// The same because Microsoft said that it is needed.
    pub(super) fn approval_required(
        &self,
        cx: &Context,
        place: Place,
        refusal: Refusal,
    ) -> Result<Next, Trouble> {
        // The page says what is needed; the notice says where that leaves the person.
        let text = VOICE.say("notice.approval_needed");
        let notice = Notice { code: refusal.code.to_owned(), tone: Tone::Refused, text, advice: None };
        self.approval(cx, place, Some(notice))
    }

    /// Goes on when an administrator came back.
    pub(super) fn decided(&self, cx: &Context, place: Place, granted: bool) -> Result<Next, Trouble> {
        let code = if granted { "approval_granted" } else { "approval_declined" };
        let (text, advice) = match granted {
            true => (VOICE.say("notice.approval_granted"), VOICE.say("advice.approval_granted")),
            false => (VOICE.say("notice.approval_declined"), VOICE.say("advice.approval_declined")),
        };
        let tone = if granted { Tone::Info } else { Tone::Refused };
        let notice = Notice { code: code.to_owned(), tone, text, advice: Some(advice) };
        if granted {
            sign_in::leave(self, cx, place, Some(notice))
        } else {
            self.approval(cx, place, Some(notice))
        }
    }

    /// Whose administrators are asked: never `common`, which Microsoft does not take here.
    fn tenant_to_approve(&self, place: &Place) -> String {
        if self.tenant.is_one() {
            return self.tenant.as_str().to_owned();
        }
        let known = place.tenant.as_deref().filter(|id| is_guid(id) && *id != PERSONAL);
        let domain =
            place.hint.as_deref().and_then(|hint| hint.rsplit('@').next()).map(str::to_ascii_lowercase);
        let personal = |domain: &String| {
            PUBLIC.contains(&&**domain) || self.about.detects.domains.iter().any(|known| known == domain)
        };
        let domain = domain.filter(|domain| is_domain(domain) && !personal(domain));
        known.map(str::to_owned).or(domain).unwrap_or_else(|| "organizations".to_owned())
    }
}
