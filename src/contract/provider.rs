//! What a provider is: a description and a few functions from sealed state to the next step.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::allowance::Allowance;
use super::conversation::Conversation;
use super::grant::{Checked, Credentials, Finding, NotTaken, Outlook, Renewed, SecurityEvent};
use super::import::{Brought, Imported, Unfit};
use super::returns::Returns;
use super::step::{Answer, Step, Text};
use crate::kernel::clock::Clock;
use crate::kernel::egress::Egress;
use crate::kernel::random::Random;

/// A way to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A password for the account itself or for this use of it.
    Password,
    /// Signing in on the provider's own pages, which give us a grant (RFC 6749).
    Oauth,
    /// Scanning a code with an app that is signed in.
    Qr,
    /// Typing a code that we show into an app that is signed in.
    PairingCode,
    /// Typing a code here that the provider sends to a phone number.
    PhoneCode,
}

/// What an account is good for; wildcards in requests name these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Sends and receives mail.
    Mailing,
    /// Sends and receives chat messages.
    Messaging,
    /// Has a calendar.
    Calendar,
}

/// A provider's description, from the `about.toml` in its folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The provider's one name everywhere: in configuration, tables and dialects.
    pub slug: String,
    /// What its accounts are good for.
    pub groups: Vec<Group>,
    /// How one can sign in, the preferred way first.
    pub methods: Vec<Method>,
    /// By what an address is known to be this provider's.
    #[serde(default)]
    pub detects: Detects,
    /// Whether the provider's pages turn away browsers that are part of another app.
    #[serde(default)]
    pub refuses_web_views: bool,
    /// Its own words by locale, then key; keys are spoken as `<slug>.<key>`. A plural is a table by category.
    pub strings: BTreeMap<String, BTreeMap<String, toml::Value>>,
    /// An SVG, drawn in the colour of the text around it.
    #[serde(skip)]
    pub icon: &'static str,
}

/// By what an address is known to be a provider's: the domain itself, or who takes its mail.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detects {
    /// Domains of addresses, in lower case.
    #[serde(default)]
    pub domains: Vec<String>,
    /// Endings of the names of hosts that take a domain's mail, in lower case and with their leading dot.
    #[serde(default)]
    pub exchanges: Vec<String>,
}

/// Everything a provider may use besides its own configuration.
#[derive(Clone, Debug)]
pub struct Context {
    /// The way out.
    pub egress: Egress,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub random: Random,
    /// How much a person may still have us try. Asked before every connection to a host they chose.
    pub allowance: Allowance,
    /// The ways back from the provider's own pages.
    pub returns: Returns,
}

/// A provider's own small state between two steps, sealed by the engine. Each provider serialises a type of
/// its own into it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct State(pub Value);

impl State {
    /// Writes a step's state.
    ///
    /// # Errors
    /// None that could happen; plain values always become JSON.
    pub fn of(value: &impl Serialize) -> Result<Self, Trouble> {
        serde_json::to_value(value).map(Self).map_err(|_| Trouble::bug("state_unwritable"))
    }

    /// Reads a step's state back.
    ///
    /// # Errors
    /// When it is nothing this build wrote.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, Trouble> {
        serde_json::from_value(self.0).map_err(|_| Trouble::bug("state_unreadable"))
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("State")
    }
}

/// How an attempt begins.
#[derive(Clone, Debug)]
pub struct Begin {
    /// The way to sign in that was chosen.
    pub method: Method,
    /// An address the product believes to be the person's.
    pub email: Option<String>,
    /// The account to repair.
    pub target: Option<Target>,
    /// Whether the provider shall ask for the person's consent even where it was given before.
    pub force_consent: bool,
}

/// The account a reconnect is for.
#[derive(Clone, Debug)]
pub struct Target {
    /// Whose it is.
    pub identity: String,
    /// What is publicly known of it.
    pub profile: Profile,
}

/// The public part of an account, which replies and pages show.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// What a person would call the account: usually its address.
    pub label: String,
    /// The provider's public details, by names it documents (servers, login, phone number).
    #[serde(default)]
    pub details: BTreeMap<String, Value>,
    /// A remark for the person who has just connected it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Text>,
}

impl Profile {
    /// A detail as text; empty when it is absent or something else.
    pub fn text(&self, name: &str) -> &str {
        self.details.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A detail as a whole number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.details.get(name).and_then(Value::as_u64)
    }
}

/// What a completed sign-in gives.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The provider's own stable id of the person.
    pub identity: String,
    /// The public part.
    pub profile: Profile,
    /// What lets us act as the person; serialised by the provider, sealed by the engine at once.
    pub secret: State,
}

/// What comes next.
#[derive(Clone, Debug)]
pub enum Next {
    /// The person must do something; also the same step again, with what was wrong about the answer.
    Step {
        /// What to show.
        step: Box<Step>,
        /// What to remember until the answer.
        state: State,
    },
    /// Signed in.
    Connected(Box<Connected>),
    /// Signed in, but what the person granted will not do: the grant is given back, and this is shown.
    Unfit {
        /// What to show.
        step: Box<Step>,
        /// What to remember until the answer.
        state: State,
        /// What came of the sign-in.
        signed: Box<Connected>,
    },
    /// A step of somebody who has granted something already that only the rest of the sign-in makes an account of: it is
    /// given back if that does not come about. For providers whose grants stand alone.
    Holding {
        /// What to show.
        step: Box<Step>,
        /// What to remember until the answer.
        state: State,
        /// What was granted, as an account's secret would be.
        secret: State,
    },
    /// It ends here, and trying again would not help.
    Failed(Failure),
}

/// Who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The person at the wizard.
    Person,
    /// Whoever administers the person's account (an employer's IT).
    Admin,
    /// Whoever runs this server.
    Operator,
    /// Nobody: it passes, try again later.
    Nobody,
}

/// An outcome for the person: it ends here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A stable code.
    pub code: String,
    /// Who has to act.
    pub actor: Actor,
}

/// Not an outcome: a bug, or nobody's fault. The person sees the same step again and may try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}")]
pub struct Trouble {
    /// A stable code.
    pub code: &'static str,
    /// Who has to act.
    pub actor: Actor,
}

impl Trouble {
    /// Our own mistake: state that cannot be read back, a step that does not exist.
    pub fn bug(code: &'static str) -> Self {
        Self { code, actor: Actor::Operator }
    }
}

/// One provider: how a person signs in. Implementations keep nothing of an attempt between calls; what is everybody's,
/// such as the provider's public keys, they may.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The description.
    fn about(&self) -> &About;

    /// The first step. Called once per attempt; makes no network call that can hang the page.
    async fn begin(&self, cx: &Context, begin: Begin) -> Result<Next, Trouble>;

    /// What follows from an answer. Called at most once per version of a step, under a deadline of a minute;
    /// may be cut off at any await, and is then never repeated by itself.
    async fn answer(&self, cx: &Context, state: State, answer: Answer) -> Result<Next, Trouble>;

    /// The conversation that goes on while a step stands that is `live`, from the state stored with it. Connects to nobody
    /// yet.
    ///
    /// # Errors
    /// `Trouble` when there is no such step.
    fn converse(&self, _cx: &Context, _state: State) -> Result<Box<dyn Conversation>, Trouble> {
        Err(Trouble::bug("nothing_to_say"))
    }

    /// What a secret of this provider gives to a backend.
    ///
    /// # Errors
    /// `Trouble` when the secret cannot be read back.
    fn credentials(&self, secret: &State, profile: &Profile) -> Result<Credentials, Trouble>;

    /// Asks the provider for fresh credentials, for a secret whose own have an end. Called by one caller at a time for
    /// an account; a secret that was used may be spent, so whatever comes back is stored or lost for good.
    ///
    /// # Errors
    /// `Trouble` when there was no definite answer; the secret may be tried again.
    async fn renew(&self, _cx: &Context, _secret: State) -> Result<Renewed, Trouble> {
        Err(Trouble::bug("nothing_to_renew"))
    }

    /// Proves an account that is brought here from elsewhere, under a deadline of a minute: whose it is, by the provider's
    /// own word, and that it works. What will not do is neither kept nor given back, since it may still be in use where it
    /// comes from.
    ///
    /// # Errors
    /// `Trouble` when there was no definite answer.
    async fn import(&self, _cx: &Context, _brought: Brought) -> Result<Imported, Trouble> {
        let rule = "cannot be imported; its person has to sign in through a link".to_owned();
        Ok(Imported::Unfit(vec![Unfit { field: "provider", rule }]))
    }

    /// What a secret says about watching over its account; asks nobody.
    ///
    /// # Errors
    /// `Trouble` when the secret cannot be read back.
    fn outlook(&self, secret: &State) -> Result<Outlook, Trouble>;

    /// Whether the provider lets a session be online once: whoever looks at an account then ends the session of whoever
    /// works with it.
    fn online_once(&self) -> bool {
        false
    }

    /// Tries whether a secret that is not renewed still works. Nothing is used up.
    ///
    /// # Errors
    /// `Trouble` when there was no definite answer.
    async fn check(&self, _cx: &Context, _secret: State) -> Result<Checked, Trouble> {
        Err(Trouble::bug("nothing_to_check"))
    }

    /// Our id at the provider, where grants are given to one.
    fn client(&self) -> Option<&str> {
        None
    }

    /// Judges a security event that was sent here in the provider's name.
    ///
    /// # Errors
    /// Why it is not taken.
    async fn security_event(&self, _cx: &Context, _token: &str) -> Result<SecurityEvent, NotTaken> {
        Err(NotTaken::NotSupported)
    }

    /// Whether [`Provider::revoke`] ends grants at the provider.
    fn revokes(&self) -> bool {
        false
    }

    /// What tells this grant from all others, where every sign-in is one of its own that ends alone, as a linked device does;
    /// the same for as long as the grant lives. `None` where ending one ends all that the person granted to us.
    fn own_grant(&self, _secret: &State) -> Option<String> {
        None
    }

    /// Ends the grant at the provider; one that is gone already is fine.
    ///
    /// # Errors
    /// `Trouble` when there was no definite answer; it is tried again.
    async fn revoke(&self, _cx: &Context, _secret: State) -> Result<(), Trouble> {
        Ok(())
    }

    /// Whether [`Provider::try_settings`] is worth a call at every start: where nothing else tells before the first person.
    fn tries_at_start(&self) -> bool {
        false
    }

    /// Tries the provider's settings against the provider itself, without a person.
    async fn try_settings(&self, _cx: &Context) -> Vec<Finding> {
        Vec::new()
    }
}

/// The providers that exist, in the order they are offered.
pub type Catalogue = Vec<Arc<dyn Provider>>;
