//! What every page must hold, whatever is put in; also leaves all of them in `target/pages-preview`.

mod moving;
mod samples;
mod texts;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use scraper::{Html, Selector};

use super::page::{Frame, Page, ProblemKind, StepPage, Welcome};
use super::templates::TEMPLATES;
use super::{Brand, LAST_RESORT, LOCALES, Pages};
use crate::contract::Tone;

fn pages() -> Pages {
    Pages::new(vec![samples::words()], Brand::default()).expect("templates and texts are right")
}

fn every(mut see: impl FnMut(&str, &str)) {
    let pages = pages();
    samples::every(|name, product, page| see(name, &pages.render(&samples::frame(product), page)));
}

fn render_step(step: &crate::contract::Step) -> Html {
    let page =
        StepPage { action: "/c/own", version: 3, provider: "sample", step, mark: "0.3.1", now: samples::NOW };
    Html::parse_document(&pages().render(&samples::frame("Acme Mail"), &Page::Step(page)))
}

fn step(name: &str) -> crate::contract::Step {
    samples::steps().into_iter().find(|(known, _)| *known == name).expect("a sample of that name").1
}

fn find<'h>(html: &'h Html, selector: &str) -> Vec<scraper::ElementRef<'h>> {
    html.select(&Selector::parse(selector).expect("a selector")).collect()
}

fn attr(html: &Html, selector: &str, name: &str) -> Option<String> {
    find(html, selector).first()?.value().attr(name).map(str::to_owned)
}

/// The keys a source speaks of as literals.
fn literals(source: &str) -> BTreeSet<String> {
    let looks_like_key = |text: &&str| {
        text.contains('.') && text.chars().all(|c| c.is_ascii_lowercase() || c == '.' || c == '_')
    };
    source.split('"').filter(looks_like_key).map(str::to_owned).collect()
}

fn spoken() -> BTreeSet<String> {
    let mut keys: BTreeSet<String> = TEMPLATES.iter().flat_map(|(_, source)| literals(source)).collect();
    keys.extend(literals(include_str!("../view.rs")));
    keys.retain(|key| [".html", ".css", ".js", ".svg"].iter().all(|file| !key.ends_with(file)));
    for kind in ProblemKind::ALL {
        keys.extend(["title", "what", "next"].map(|part| format!("problem.{}.{part}", kind.as_str())));
    }
    keys
}

#[test]
fn every_page_renders_and_is_left_to_be_looked_at() {
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pages-preview");
    fs::create_dir_all(out.join("assets")).expect("a folder");
    let pages = pages();
    let mut index = String::from("<!doctype html><meta charset=utf-8><title>Pages</title><ul>");
    every(|name, html| {
        assert_ne!(html, LAST_RESORT, "{name} could not be rendered");
        fs::write(out.join(format!("{name}.html")), html).expect("a page is written");
        index.push_str(&format!("<li><a href=\"{name}.html\">{name}</a>"));
    });
    fs::write(out.join("index.html"), index).expect("the index is written");
    for name in pages.assets.names() {
        let asset = pages.asset(name).expect("a named asset exists");
        fs::write(out.join("assets").join(name), &asset.bytes).expect("an asset is written");
    }
}

#[test]
fn no_page_shows_a_key_or_an_empty_placeholder() {
    every(|name, html| {
        let text: String = Html::parse_document(html).root_element().text().collect();
        for key in spoken().iter().filter(|key| key.matches('.').count() > 0) {
            assert!(!text.contains(key.as_str()), "{name} shows the key {key}");
        }
        assert!(name.contains("hostile") || !text.contains('{'), "{name} has an unfilled placeholder");
    });
}

#[test]
fn hostile_values_stay_text_everywhere() {
    every(|name, html| {
        let html = Html::parse_document(html);
        let scripts = find(&html, "script");
        assert_eq!(scripts.len(), 1, "{name} has exactly our script");
        assert!(scripts.iter().all(|s| s.inner_html().is_empty() && s.value().attr("src").is_some()));
        for element in find(&html, "*") {
            for (attribute, value) in element.value().attrs() {
                assert!(!attribute.starts_with("on"), "{name}: {attribute} on {}", element.value().name());
                assert_ne!(attribute, "style", "{name}: the policy forbids inline style");
                assert!(!(attribute == "href" && value.starts_with("javascript")), "{name}");
            }
        }
        assert!(find(&html, "style").is_empty(), "{name}: the policy forbids inline style");
    });
}

#[test]
fn links_that_run_something_are_not_links() {
    let pages = pages();
    for url in
        ["javascript:alert(1)", " JaVaScRiPt:alert(1)", "data:text/html,x", "//elsewhere.example", "x y"]
    {
        let problem = super::Problem {
            kind: ProblemKind::Expired,
            home_url: Some(url),
            retry: Some(url),
            takeover: None,
            hidden: &[],
        };
        let html = Html::parse_document(&pages.render(&samples::frame("Acme"), &Page::Problem(problem)));
        assert!(find(&html, "main a").is_empty(), "{url}");
    }
    let app = super::Problem {
        kind: ProblemKind::Expired,
        home_url: Some("acme://back"),
        retry: None,
        takeover: None,
        hidden: &[],
    };
    let html = Html::parse_document(&pages.render(&samples::frame("Acme"), &Page::Problem(app)));
    assert_eq!(
        attr(&html, "main a", "href").as_deref(),
        Some("acme://back"),
        "an app's own scheme is a way home"
    );
}

#[test]
fn every_page_has_its_language_a_title_and_one_heading() {
    let mut titles = BTreeSet::new();
    every(|name, html| {
        let html = Html::parse_document(html);
        assert_eq!(attr(&html, "html", "lang").as_deref(), Some("en"), "{name}");
        assert_eq!(attr(&html, "html", "dir").as_deref(), Some("ltr"), "{name}");
        assert_eq!(find(&html, "h1").len(), 1, "{name}");
        let title: String = find(&html, "title").iter().flat_map(scraper::ElementRef::text).collect();
        assert!(title.len() > 5 && !title.contains("<bdi>"), "{name}: {title}");
        titles.insert(title);
    });
    assert!(titles.len() > 20, "titles tell pages apart");
}

#[test]
fn every_control_has_a_label_and_every_reference_a_target() {
    every(|name, html| {
        let html = Html::parse_document(html);
        let ids: Vec<String> =
            find(&html, "[id]").iter().filter_map(|e| e.value().attr("id")).map(str::to_owned).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{name}: an id is used twice");
        if name.contains("hostile") {
            return;
        }
        for control in find(&html, "input:not([type=hidden]):not([hidden]), select") {
            let id = control.value().attr("id").expect("a control has an id");
            assert_eq!(find(&html, &format!("label[for=\"{id}\"]")).len(), 1, "{name}: {id}");
        }
        for element in find(&html, "[aria-describedby]") {
            for id in element.value().attr("aria-describedby").unwrap_or_default().split_whitespace() {
                assert!(ids.iter().any(|known| known == id), "{name}: nothing has the id {id}");
            }
        }
        assert!(find(&html, "[autofocus]").len() <= 1, "{name}");
    });
}

#[test]
fn every_form_posts_the_token_and_steps_their_version() {
    every(|name, html| {
        let html = Html::parse_document(html);
        for form in find(&html, "form") {
            assert_eq!(form.value().attr("method"), Some("post"), "{name}");
        }
        let tokens = find(&html, "form > input[type=hidden][name=form][value=f0rm-t0ken]");
        assert_eq!(tokens.len(), find(&html, "form").len(), "{name}");
        let versions = find(&html, "form > input[type=hidden][name=step][value=\"3\"]").len();
        assert_eq!(versions, usize::from(name.starts_with("step-")), "{name}");
        for element in find(&html, "form input:not([type=hidden]):not([hidden]), form select") {
            let field = element.value().attr("name").unwrap_or_default();
            assert!(field.starts_with("f.") || ["takeover", "email"].contains(&field), "{name}: {field}");
        }
    });
}

#[test]
fn a_step_offers_submit_first_then_other_ways_then_cancel() {
    let html = render_step(&step("step-sending"));
    let buttons: Vec<&str> = find(&html, "main button[name=action]")
        .iter()
        .filter_map(|button| button.value().attr("value"))
        .collect();
    assert_eq!(buttons, ["submit", "alternative:receive_only", "alternative:servers", "cancel"]);
    assert_eq!(find(&html, "main button[formnovalidate]").len(), 3, "only submitting demands filled fields");
}

#[test]
fn a_password_is_never_sent_back() {
    let html = render_step(&step("step-password"));
    assert_eq!(attr(&html, "input[type=password]", "value"), None);
    assert_eq!(attr(&html, "input[type=password]", "autocomplete").as_deref(), Some("current-password"));
    // Password managers find whose it is, and keep the pair.
    assert_eq!(attr(&html, "form input[autocomplete=username]", "value").as_deref(), Some("ada@example.org"));
    assert_eq!(attr(&html, "form input[autocomplete=username]", "name"), None, "it is not sent");
    every(|name, html| assert!(!html.contains("must-never-be-shown"), "{name}"));
}

#[test]
fn what_is_wrong_has_the_focus_and_its_field_is_described_by_it() {
    let html = render_step(&step("step-servers-wrong"));
    // Two things are wrong, so what lists them comes first.
    assert_eq!(attr(&html, "[autofocus]", "id").as_deref(), Some("wrong"));
    assert_eq!(find(&html, "#wrong[role=alert][tabindex='-1'] a[href='#f-out_host']").len(), 1);
    assert_eq!(attr(&html, "#f-in_host", "aria-invalid").as_deref(), Some("true"));
    assert_eq!(attr(&html, "#f-in_host", "aria-describedby").as_deref(), Some("f-in_host-error"));
    let html = render_step(&step("step-password-wrong"));
    assert_eq!(attr(&html, "[autofocus]", "id").as_deref(), Some("f-password"));
    assert_eq!(attr(&html, "[autofocus]", "aria-invalid").as_deref(), Some("true"));
    assert_eq!(attr(&html, "[autofocus]", "aria-describedby").as_deref(), Some("f-password-error"));
    assert_eq!(attr(&render_step(&step("step-address")), "[autofocus]", "id").as_deref(), Some("f-email"));
}

#[test]
fn a_refusal_is_announced_and_read_with_the_focused_field() {
    let html = render_step(&step("step-password-denied"));
    assert_eq!(attr(&html, "#notice", "role").as_deref(), Some("alert"));
    assert_eq!(attr(&html, "[autofocus]", "aria-describedby").as_deref(), Some("notice"));
}

#[test]
fn help_opens_https_pages_in_a_new_tab_and_says_so() {
    let mut step = step("step-password");
    let html = render_step(&step);
    assert_eq!(attr(&html, ".note-help a", "rel").as_deref(), Some("noopener noreferrer"));
    assert_eq!(attr(&html, ".note-help a", "target").as_deref(), Some("_blank"));
    let text: String = find(&html, ".note-help a").iter().flat_map(scraper::ElementRef::text).collect();
    assert!(text.contains("new tab"), "{text}");
    for help in &mut step.help {
        help.url = Some("http://example.org/".to_owned());
    }
    assert!(find(&render_step(&step), ".note-help a").is_empty(), "only https pages are linked");
}

#[test]
fn few_tries_left_are_said_in_the_right_number() {
    let mut step = step("step-password");
    for (left, said) in [(1, Some("One try is left.")), (2, Some("2 tries are left.")), (9, None)] {
        step.attempts_left = Some(left);
        let html = render_step(&step);
        let text: Option<String> = find(&html, ".left").first().map(|left| left.text().collect::<String>());
        assert_eq!(text.as_deref().map(str::trim), said);
    }
}

#[test]
fn every_problem_leaves_a_way_on() {
    let pages = pages();
    for kind in ProblemKind::ALL {
        for product in ["Acme Mail", ""] {
            let html = pages.render(&samples::frame(product), &Page::Problem(samples::problem(*kind)));
            let html = Html::parse_document(&html);
            let text: String = html.root_element().text().collect();
            let ways = find(&html, "main a[href], main button").len();
            // Where no button leads on, a sentence does: the link once more, or a new one.
            // An administrator has nothing left to do here.
            let said = ["ask for a new link", "the link you were given", "your link here", "close this page"];
            let said = said.iter().any(|way| text.contains(way));
            assert!(ways > 0 || said, "{kind:?} is a dead end");
            assert!(product.is_empty() || text.contains(product), "{kind:?}");
            let quoted = text.contains("7Q4K-M2XD");
            assert_eq!(quoted, kind.is_failure(), "{kind:?} shows the reference");
        }
    }
}

#[test]
fn continuing_here_needs_a_tick_nobody_set() {
    let page = Page::Problem(samples::problem(ProblemKind::OpenElsewhere));
    let html = Html::parse_document(&pages().render(&samples::frame("Acme"), &page));
    assert_eq!(find(&html, "input[name=takeover][value=yes][required]").len(), 1);
    assert!(find(&html, "input[name=takeover][checked]").is_empty());
}

#[test]
fn every_language_can_be_chosen_on_every_page_and_is_named_in_itself() {
    let pages = pages();
    samples::every(|name, product, page| {
        let html = Html::parse_document(&pages.render(&samples::frame(product), page));
        let ways = find(&html, ".languages li > *");
        let named: Vec<(String, String)> = ways
            .iter()
            .map(|way| (way.value().attr("lang").unwrap_or_default().to_owned(), way.text().collect()))
            .collect();
        assert_eq!(named.len(), LOCALES.len(), "{name}");
        assert!(named.contains(&("ja".to_owned(), "日本語".to_owned())), "{name}: {named:?}");
        assert_eq!(attr(&html, ".languages [lang=ar]", "dir").as_deref(), Some("rtl"), "{name}");
        assert_eq!(find(&html, ".languages [aria-current][lang=en]").len(), 1, "{name}");
        // What was typed goes along where there is something to type.
        let carried =
            find(&html, ".languages button[form=answer][value='language:de'][formnovalidate]").len();
        let typed = matches!(page, Page::Welcome(_) | Page::Step(_));
        assert_eq!(carried, usize::from(typed), "{name}");
        assert_eq!(find(&html, "form#answer").len(), usize::from(typed), "{name}");
        assert_eq!(
            find(&html, ".languages a[href='?lang=de'][hreflang=de]").len(),
            usize::from(!typed),
            "{name}"
        );
    });
}

#[test]
fn no_page_moves_on_by_a_tag_but_where_no_script_runs_and_nobody_types() {
    // A header says when; a tag would besides be read by whoever saves the page.
    every(|name, html| {
        let moves =
            matches!(name, "step-qr" | "step-qr-app" | "step-qr-making" | "step-code" | "step-moving");
        assert_eq!(html.contains("http-equiv"), moves, "{name}");
        assert_eq!(html.contains("<noscript><meta http-equiv=\"refresh\""), moves, "{name}");
    });
}

#[test]
fn the_operator_s_look_is_on_every_page_and_support_where_something_is_in_the_way() {
    let picture = || Some((b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), true));
    let brand = Brand {
        logo: picture(),
        logo_dark: Some((b"\x89PNG".to_vec(), false)),
        support: Some("mailto:help@acme.example".parse().expect("an address")),
        ..Brand::default()
    };
    let pages = Pages::new(vec![samples::words()], brand).expect("templates and texts are right");
    samples::every(|name, product, page| {
        let html = Html::parse_document(&pages.render(&samples::frame(product), page));
        let logo = attr(&html, "header img", "src").expect("a logo");
        let file = pages.asset(logo.strip_prefix("/assets/").expect("below ours")).expect("it is served");
        assert_eq!(file.content_type, "image/svg+xml");
        assert!(attr(&html, "header source", "srcset").is_some_and(|path| path.ends_with(".png")), "{name}");
        let named = attr(&html, "header img", "alt").unwrap_or_default();
        assert!(!named.is_empty(), "{name}: a logo says whose it is");
        let support = attr(&html, ".reference a", "href");
        let failure = match page {
            Page::Problem(problem) => problem.kind.is_failure(),
            Page::Step(page) => page.step.notice.as_ref().is_some_and(|notice| notice.tone == Tone::Refused),
            _ => false,
        };
        assert_eq!(support.is_some(), failure, "{name}");
        if failure {
            assert_eq!(support.as_deref(), Some("mailto:help@acme.example?subject=7Q4K-M2XD"), "{name}");
        }
    });
}

#[test]
fn assets_are_named_by_their_content() {
    let pages = pages();
    for name in pages.assets.names() {
        let hash = name.split('.').nth(1).unwrap_or_default();
        assert!(hash.len() == 8 && hash.chars().all(|c| c.is_ascii_hexdigit()), "{name}");
    }
    assert!(pages.asset("wizard.css").is_none() && pages.asset("../Cargo.toml").is_none());
    every(|name, html| {
        let html = Html::parse_document(html);
        for element in find(&html, "head [href], head [src]") {
            let path = element.value().attr("href").or(element.value().attr("src")).unwrap_or_default();
            let path = path.strip_prefix("/assets/").unwrap_or_default();
            assert!(pages.asset(path).is_some(), "{name} links to {path}");
        }
    });
}

#[test]
fn a_provider_without_words_of_its_own_gets_ours() {
    let pages = Pages::new(Vec::new(), Brand::default()).expect("no providers are needed");
    let frame = Frame { locale: "xx", ..samples::frame("Acme Mail") };
    let welcome = Welcome {
        action: "/",
        hidden: &[],
        email: None,
        user_label: None,
        provider: Some("other"),
        account: None,
    };
    let html = pages.render(&frame, &Page::Welcome(welcome));
    assert!(
        Html::parse_document(&html)
            .root_element()
            .text()
            .collect::<String>()
            .contains("one of your accounts")
    );
}
