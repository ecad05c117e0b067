//! What a page is made from: the frame all pages share, and one type per kind of page.

use std::collections::BTreeMap;

use crate::contract::{Step, Text};
use crate::kernel::clock::Millis;

/// The words and the icon of a provider, handed in by whoever knows the catalogue.
///
/// Besides the keys its own steps speak of, the pages look for these and say something general where they are
/// absent: `name` (what its accounts are called), `welcome.title`, `welcome.access` (what the product may then
/// do; argument `product`), `welcome.encrypted` (how what is given is kept), `welcome.repair`, `busy.title`, `success.title`, `success.repaired`.
#[derive(Clone, Debug)]
pub struct ProviderWords {
    /// The provider's name in keys.
    pub slug: String,
    /// An SVG, drawn in the colour of the text around it. Trusted: it is compiled in.
    pub icon: &'static str,
    /// Texts by locale, then by key without the slug. A plural is a table by category.
    pub strings: BTreeMap<String, BTreeMap<String, toml::Value>>,
}

/// What every page has around it.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// The locale, from [`super::Pages::locale`].
    pub locale: &'a str,
    /// Who is asking; empty where that is not known, as for a link nobody knows.
    pub product: &'a str,
    /// What the hidden field `form` of every form holds.
    pub form_token: &'a str,
    /// This page's address in the language with a tag, for pages without a form that could carry the choice.
    pub here: &'a dyn Fn(&str) -> String,
    /// A short code to quote to support, shown on failure pages.
    pub reference: &'a str,
}

/// A page.
#[derive(Clone, Copy, Debug)]
pub enum Page<'a> {
    /// The first page: who is asking for what.
    Welcome(Welcome<'a>),
    /// A step to answer.
    Step(StepPage<'a>),
    /// An answer is being checked.
    Busy(Busy<'a>),
    /// Connected.
    Success(Success<'a>),
    /// On the way to another site.
    Leaving(Leaving<'a>),
    /// On the way to another browser.
    Handover(Handover<'a>),
    /// Something is in the way.
    Problem(Problem<'a>),
}

/// The first page. Its one form posts `form` and `action=submit`.
#[derive(Clone, Copy, Debug)]
pub struct Welcome<'a> {
    /// Where the button posts to.
    pub action: &'a str,
    /// What the form carries besides: names and values.
    pub hidden: &'a [(&'static str, &'a str)],
    /// The address to begin with, which may be empty, where the page asks for one.
    pub email: Option<&'a str>,
    /// Whom the product believes to be sitting there.
    pub user_label: Option<&'a str>,
    /// The provider's slug, when only one is possible.
    pub provider: Option<&'a str>,
    /// The label of the account to be repaired.
    pub account: Option<&'a str>,
}

/// A step to answer.
#[derive(Clone, Copy, Debug)]
pub struct StepPage<'a> {
    /// Where the form posts to.
    pub action: &'a str,
    /// The step's version, for the hidden field `step`.
    pub version: i64,
    /// The provider's slug.
    pub provider: &'a str,
    /// The step.
    pub step: &'a Step,
    /// What tells this sight of it from others, for steps that move on by themselves.
    pub mark: &'a str,
    /// The time it is drawn at.
    pub now: Millis,
}

/// An answer is being checked; whoever answers with it also sets a `Refresh` header.
#[derive(Clone, Copy, Debug)]
pub struct Busy<'a> {
    /// Its own address.
    pub refresh: &'a str,
    /// The provider's slug.
    pub provider: &'a str,
}

/// Connected.
#[derive(Clone, Copy, Debug)]
pub struct Success<'a> {
    /// What a person would call the account.
    pub label: &'a str,
    /// The provider's slug.
    pub provider: &'a str,
    /// Whether an account that existed works again.
    pub repaired: bool,
    /// Something to know about it.
    pub note: Option<&'a Text>,
    /// Where the person goes home.
    pub continue_url: Option<&'a str>,
}

/// On the way to another site; whoever answers with it also sets a `Refresh` header.
#[derive(Clone, Copy, Debug)]
pub struct Leaving<'a> {
    /// The address.
    pub url: &'a str,
    /// Its host, as shown.
    pub host: &'a str,
}

/// On the way to another browser: the provider turns away those that are part of another app.
#[derive(Clone, Copy, Debug)]
pub struct Handover<'a> {
    /// What to open there.
    pub url: &'a str,
    /// The provider's slug.
    pub provider: &'a str,
    /// The page to come back to here, for whoever holds the session here.
    pub here: Option<&'a str>,
}

/// Something is in the way.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// What.
    pub kind: ProblemKind,
    /// The way back to the product.
    pub home_url: Option<&'a str>,
    /// Where to try again.
    pub retry: Option<&'a str>,
    /// Where to post "continue here". On [`ProblemKind::Cancelling`], where to post `action=cancel`.
    pub takeover: Option<&'a str>,
    /// What the form of `takeover` carries besides.
    pub hidden: &'a [(&'static str, &'a str)],
}

/// Makes the kinds with the words their texts are kept under.
macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// What is in the way.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemKind { $($(#[$doc])* $variant,)* }

        impl ProblemKind {
            /// Every kind there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word its texts are kept under (`problem.<word>.title`).
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

kinds! {
    /// No such link.
    UnknownLink = "unknown_link",
    /// The link's time is over.
    Expired = "expired",
    /// The link has made its account.
    Used = "used",
    /// The person gave up.
    Cancelled = "cancelled",
    /// The product took the link back.
    Revoked = "revoked",
    /// It ended, and trying again would not help.
    Failed = "failed",
    /// Another browser works on it.
    OpenElsewhere = "open_elsewhere",
    /// Another browser works on it, and an answer is being checked there right now.
    OpenElsewhereBusy = "open_elsewhere_busy",
    /// It was here and goes on in another browser.
    MovedOn = "moved_on",
    /// It moved between browsers too often.
    TooManyTakeovers = "too_many_takeovers",
    /// A return from a sign-in that nobody waits for.
    StraySignIn = "stray_sign_in",
    /// Not the browser that started, or one without cookies.
    CookieMissing = "cookie_missing",
    /// This address asks too often.
    TooManyRequests = "too_many_requests",
    /// The form came from another site.
    CrossSite = "cross_site",
    /// No such page.
    NotFound = "not_found",
    /// Asked under a name that is not ours.
    WrongHost = "wrong_host",
    /// Too many tries in a short time.
    TooManyTries = "too_many_tries",
    /// So many mail servers were tried that no more are.
    TooManyConnects = "too_many_connects",
    /// An administrator approved: no problem at all, but nothing is to be done here.
    ApprovalGiven = "approval_given",
    /// An administrator did not approve.
    ApprovalRefused = "approval_refused",
    /// Our own mistake.
    ServerError = "server_error",
    /// Asks whether to stop.
    Cancelling = "cancelling",
}

impl ProblemKind {
    /// Whether something went wrong, so that the page has something to quote to support.
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Cancelling | Self::ApprovalGiven | Self::ApprovalRefused)
    }
}
