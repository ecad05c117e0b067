//! Every page of a problem there can be, also those that a walk meets only when much goes wrong: rendered as the server
//! renders them, with the server's own files, in light and dark, wide and narrow, from left and from right.

use vestibule::pages::{Brand, Frame, Leaving, Page, Pages, Problem, ProblemKind};

use super::{Walk, desktop, phone};
use crate::app::App;
use crate::parts::browser::Look;
use crate::parts::sink::{Answer, Sink};

/// A problem with the ways on that it may have.
fn problem(kind: ProblemKind) -> Problem<'static> {
    let takes = matches!(kind, ProblemKind::OpenElsewhere | ProblemKind::Cancelling);
    let waits =
        matches!(kind, ProblemKind::OpenElsewhereBusy | ProblemKind::ServerError | ProblemKind::Cancelling);
    let lost = matches!(kind, ProblemKind::UnknownLink | ProblemKind::NotFound | ProblemKind::WrongHost);
    Problem {
        kind,
        home_url: (!lost).then_some("https://app.example.com/settings"),
        retry: waits.then_some("/wizard/x"),
        takeover: takes.then_some("/wizard/x"),
        hidden: &[],
    }
}

async fn every_problem(look: Look, name: &str) {
    let support = "https://help.acme.example/mail".parse().ok();
    let pages = Pages::new(Vec::new(), Brand { support, ..Brand::default() }).expect("the pages");
    let app = App::start();
    let sink = Sink::start();
    let walk = Walk::start(look, name).await;
    for locale in ["en", "ar"] {
        let frame = Frame {
            locale,
            product: "Acme CRM",
            form_token: "token",
            here: &|tag| format!("/wizard/x?lang={tag}"),
            reference: "7Q4K-M2XD",
        };
        let leaving = Leaving { url: "https://login.example/authorize", host: "login.example" };
        let problems = ProblemKind::ALL.iter().map(|kind| (kind.as_str(), Page::Problem(problem(*kind))));
        for (word, page) in problems.chain([("leaving", Page::Leaving(leaving))]) {
            let html =
                pages.render(&frame, &page).replace("\"/assets/", &format!("\"{}", app.url("/assets/")));
            sink.answer(Answer::page(&html));
            walk.browser.goto(&sink.url("/")).await;
            assert_eq!(walk.attribute("html", "lang").await, locale);
            walk.see(&format!("problem-{word}-{locale}")).await;
        }
    }
}

#[tokio::test]
async fn every_problem_can_be_read_at_a_desk() {
    every_problem(desktop(), "desktop-light").await;
}

#[tokio::test]
async fn every_problem_can_be_read_on_a_phone_in_the_dark() {
    every_problem(phone(), "phone-dark").await;
}
