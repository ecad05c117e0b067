//! From a page to what its template is given: the title, the words to use, and which ways on there are.

use std::collections::BTreeMap;

use minijinja::{Value, context};

use super::catalog::Catalog;
use super::page::{Busy, Frame, Handover, Leaving, Page, Problem, ProblemKind, StepPage, Success, Welcome};
use super::{fields, live};
use crate::contract::{StepKind, Text, Tone};

/// Below this many tries left the person is told.
const FEW_TRIES: u32 = 3;

/// A page ready to be rendered: first its body, then the layout around it.
pub(super) struct View<'a> {
    catalog: &'a Catalog,
    frame: Frame<'a>,
    pub(super) template: &'static str,
    pub(super) body: Value,
    title: String,
    /// Whether the reference is of use here.
    failure: bool,
    /// Whether the page has a form that carries what was typed into the page in another language.
    carries: bool,
    /// After how many seconds it is loaded again where no script runs.
    reloads: Option<u64>,
}

impl<'a> View<'a> {
    pub(super) fn new(catalog: &'a Catalog, frame: &Frame<'a>, page: &Page<'a>) -> Self {
        let mut view = Self {
            catalog,
            frame: *frame,
            template: "",
            body: Value::UNDEFINED,
            title: String::new(),
            failure: false,
            carries: false,
            reloads: None,
        };
        match page {
            Page::Welcome(welcome) => view.welcome(welcome),
            Page::Step(step) => view.step(step),
            Page::Busy(busy) => view.busy(busy),
            Page::Success(success) => view.success(success),
            Page::Leaving(leaving) => view.leaving(leaving),
            Page::Handover(handover) => view.handover(handover),
            Page::Problem(problem) => view.problem(problem),
        }
        view
    }

    /// The code to quote, where something is in the way.
    pub(super) fn reference(&self) -> Option<&str> {
        self.failure.then_some(self.frame.reference)
    }

    /// What the layout is given, with the rendered body.
    pub(super) fn layout(&self, body: String) -> Value {
        let locale = self.catalog.locale(self.frame.locale);
        context! {
            locale => locale.map_or("en", |l| l.tag.as_str()),
            dir => locale.map_or("ltr", |l| l.dir),
            product => self.frame.product,
            initial => initial(self.frame.product),
            title => self.title.as_str(),
            reference => self.reference(),
            carries => self.carries,
            reloads => self.reloads,
            languages => self.languages(),
            body => Value::from_safe_string(body),
        }
    }

    /// Every language, named in itself, with what chooses it.
    fn languages(&self) -> Vec<Value> {
        let one = |tag: &str| {
            let locale = self.catalog.locale(tag)?;
            Some(context! {
                tag,
                dir => locale.dir,
                name => self.catalog.plain(tag, "frame.own_name", &BTreeMap::new()),
                url => (self.frame.here)(tag),
                current => self.catalog.locale(self.frame.locale).is_some_and(|own| own.tag == locale.tag),
            })
        };
        self.catalog.tags().filter_map(one).collect()
    }

    fn welcome(&mut self, page: &Welcome<'a>) {
        self.carries = true;
        let (own, key) = match page.account {
            Some(_) => ("welcome.repair", "welcome.repair"),
            None => ("welcome.title", "welcome.title"),
        };
        let heading = self.word(page.provider, own, key);
        let access = self.word(page.provider, "welcome.access", "welcome.access");
        let encrypted = self.word(page.provider, "welcome.encrypted", "welcome.encrypted");
        self.title(
            &heading,
            &[("product", self.frame.product), ("account", page.account.unwrap_or_default())],
        );
        self.set(
            "welcome.html",
            context! {
                action => page.action,
                hidden => carried(page.hidden),
                email => page.email,
                user_label => filled(page.user_label),
                provider => page.provider,
                account => filled(page.account),
                initial => initial(self.frame.product),
                heading,
                access,
                encrypted,
            },
        );
    }

    fn step(&mut self, page: &StepPage<'a>) {
        self.carries = true;
        let step = page.step;
        self.reloads = live::reloads(step, page.now);
        let wrong: Vec<Value> = step
            .fields
            .iter()
            .filter(|field| field.error.is_some())
            .map(|field| context! { id => fields::id(field), label => self.say(&field.label) })
            .collect();
        let refused = step.notice.as_ref().is_some_and(|notice| notice.tone == Tone::Refused);
        self.failure = refused;
        let heading = self.catalog.plain(self.frame.locale, &step.title.key, &step.title.args);
        let key = if refused || !wrong.is_empty() { "frame.title_error" } else { "frame.title" };
        self.title(key, &[("page", &heading), ("product", self.frame.product)]);
        let notice = step.notice.as_ref().map(|notice| {
            context! { text => self.say(&notice.text), advice => notice.advice.as_ref().map(|advice| self.say(advice)) }
        });
        let facts = step
            .facts
            .iter()
            .map(|fact| context! { label => self.say(&fact.label), value => fact.value.as_str() });
        let tried = step
            .tried
            .iter()
            .map(|one| context! { place => self.say(&one.place), outcome => self.say(&one.outcome) });
        let help = step.help.iter().map(|help| {
            context! { device => help.device.as_deref(), text => self.say(&help.text), url => help.url.as_deref().filter(|url| https(url)) }
        });
        // Where one is chosen, the ways on are what the step is about.
        let choosing = step.kind == StepKind::Choose;
        let ways = step.alternatives.iter().map(|way| {
            let slug = way.name.rsplit(':').next();
            context! { name => way.name.as_str(), label => self.say(&way.label), slug => slug.filter(|_| choosing) }
        });
        let body = context! {
            action => page.action,
            version => page.version,
            provider => page.provider,
            provider_name => self.name(page.provider),
            title => self.say(&step.title),
            phone_title => step.phone_title.as_ref().map(|title| self.say(title)),
            intro => step.intro.as_ref().map(|intro| self.say(intro)),
            notice,
            refused,
            facts => facts.collect::<Vec<_>>(),
            tried => tried.collect::<Vec<_>>(),
            help => help.collect::<Vec<_>>(),
            wrong_count => wrong.len(),
            fields => fields::draw(step, !refused && wrong.len() > 1, &|text| self.say(text), &|text| self.plain(text)),
            wrong,
            username => step.username.as_deref(),
            few_left => step.attempts_left.filter(|left| *left <= FEW_TRIES),
            submit => self.say(&step.submit),
            live => live::draw(step, page.mark, page.now),
            choosing,
            pass_on => step.url.as_deref().filter(|url| step.kind == StepKind::Wait && https(url)),
            leaves => step.kind == StepKind::Redirect,
            ways => ways.collect::<Vec<_>>(),
        };
        self.set("step.html", body);
    }

    fn busy(&mut self, page: &Busy<'a>) {
        let heading = self.word(Some(page.provider), "busy.title", "busy.title");
        self.titled(&heading);
        self.set("busy.html", context! { refresh => page.refresh, provider => page.provider, heading });
    }

    fn success(&mut self, page: &Success<'a>) {
        let key = if page.repaired { "success.repaired" } else { "success.title" };
        let heading = self.word(Some(page.provider), key, key);
        self.titled(&heading);
        self.set(
            "success.html",
            context! {
                heading,
                label => page.label,
                provider => page.provider,
                provider_name => self.name(page.provider),
                note => page.note.map(|note| self.say(note)),
                url => page.continue_url.filter(|url| harmless(url)),
            },
        );
    }

    fn leaving(&mut self, page: &Leaving<'a>) {
        self.titled("leaving.title");
        let url = Some(page.url).filter(|url| harmless(url));
        self.set("leaving.html", context! { url, host => page.host });
    }

    fn handover(&mut self, page: &Handover<'a>) {
        self.titled("handover.title");
        let provider = self.name(page.provider);
        let provider = provider.map(|key| self.catalog.plain(self.frame.locale, &key, &BTreeMap::new()));
        let body = context! {
            url => page.url,
            provider => provider.unwrap_or_default(),
            here => page.here,
        };
        self.set("handover.html", body);
    }

    fn problem(&mut self, page: &Problem<'a>) {
        let word = page.kind.as_str();
        let heading = format!("problem.{word}.title");
        self.failure = page.kind.is_failure();
        self.titled(&heading);
        let home = page.home_url.filter(|url| harmless(url));
        let cancelling = page.kind == ProblemKind::Cancelling;
        let renews = renews(page.kind);
        let lost = home.is_none() && page.retry.is_none() && page.takeover.is_none();
        self.set(
            "problem.html",
            context! {
                heading,
                what => format!("problem.{word}.what"),
                next => format!("problem.{word}.next"),
                drawing => drawing(page.kind),
                tone => tone(page.kind),
                home,
                retry => page.retry.filter(|url| harmless(url)),
                retry_label => if cancelling { "problem.keep_going" } else { "problem.retry" },
                takeover => page.takeover.filter(|_| !cancelling),
                hidden => carried(page.hidden),
                cancel => page.takeover.filter(|_| cancelling),
                // Where no button leads on, one sentence says where a new link comes from.
                lost => lost && (renews || page.kind == ProblemKind::UnknownLink),
                renews,
            },
        );
    }

    /// The template and its context, with what every template may use.
    fn set(&mut self, template: &'static str, own: Value) {
        let shared = context! {
            locale => self.frame.locale,
            product => self.frame.product,
            form_token => self.frame.form_token,
        };
        self.template = template;
        self.body = context! { ..own, ..shared };
    }

    fn titled(&mut self, heading: &str) {
        let heading = self.catalog.plain(self.frame.locale, heading, &BTreeMap::new());
        self.title("frame.title", &[("page", &heading), ("product", self.frame.product)]);
    }

    fn title(&mut self, key: &str, args: &[(&str, &str)]) {
        let args = args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let whole = self.catalog.plain(self.frame.locale, key, &args);
        self.title = whole.trim_end_matches([' ', '·']).to_owned();
    }

    /// Somebody else's text as HTML.
    fn say(&self, text: &Text) -> Value {
        Value::from_safe_string(self.catalog.html(self.frame.locale, &text.key, &text.args))
    }

    /// Somebody else's text for places that hold no markup.
    fn plain(&self, text: &Text) -> Value {
        Value::from(self.catalog.plain(self.frame.locale, &text.key, &text.args))
    }

    /// The provider's own word for something, or ours.
    fn word(&self, provider: Option<&str>, own: &str, ours: &str) -> String {
        provider
            .map(|slug| format!("{slug}.{own}"))
            .filter(|key| self.catalog.has(self.frame.locale, key))
            .unwrap_or_else(|| ours.to_owned())
    }

    fn name(&self, provider: &str) -> Option<String> {
        let key = format!("{provider}.name");
        self.catalog.has(self.frame.locale, &key).then_some(key)
    }
}

/// What a form carries besides what the person fills in.
fn carried(pairs: &[(&'static str, &str)]) -> Vec<Value> {
    pairs.iter().map(|(name, value)| context! { name => *name, value => *value }).collect()
}

/// The letter on the product's tile.
fn initial(product: &str) -> Option<String> {
    product.chars().find(|letter| letter.is_alphanumeric()).map(|letter| letter.to_uppercase().collect())
}

fn filled(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

/// The drawing that goes with a problem.
fn drawing(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::Expired
        | ProblemKind::TooManyTries
        | ProblemKind::TooManyConnects
        | ProblemKind::TooManyRequests => "clock",
        ProblemKind::OpenElsewhere
        | ProblemKind::OpenElsewhereBusy
        | ProblemKind::MovedOn
        | ProblemKind::TooManyTakeovers
        | ProblemKind::StraySignIn
        | ProblemKind::CookieMissing => "window",
        ProblemKind::Used | ProblemKind::ApprovalGiven => "check",
        ProblemKind::Failed | ProblemKind::CrossSite | ProblemKind::ServerError => "alert",
        ProblemKind::UnknownLink
        | ProblemKind::Cancelled
        | ProblemKind::Revoked
        | ProblemKind::NotFound
        | ProblemKind::WrongHost
        | ProblemKind::ApprovalRefused
        | ProblemKind::Cancelling => "info",
    }
}

/// Whether a new link is all that helps.
fn renews(kind: ProblemKind) -> bool {
    matches!(
        kind,
        ProblemKind::Expired
            | ProblemKind::Cancelled
            | ProblemKind::Revoked
            | ProblemKind::Failed
            | ProblemKind::TooManyTries
            | ProblemKind::TooManyConnects
    )
}

/// Whether it is drawn as an error or as a plain fact.
fn tone(kind: ProblemKind) -> &'static str {
    if drawing(kind) == "alert" { "bad" } else { "calm" }
}

fn https(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| url.scheme() == "https")
}

/// Whether an address somebody else chose may be a link: apps' own schemes may, those that run something not.
fn harmless(url: &str) -> bool {
    match url::Url::parse(url) {
        Ok(url) => !["javascript", "data", "vbscript", "blob", "file"].contains(&url.scheme()),
        Err(url::ParseError::RelativeUrlWithoutBase) => url.starts_with('/') && !url.starts_with("//"),
        Err(_) => false,
    }
}
