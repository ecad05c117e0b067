//! Every status of the pages, as browsers meet them.

use super::book::{Ask, Book};
use super::statuses::{NOBODY, session};
use crate::app::App;
use crate::app::http::Reply;
use crate::parts::postgres::Schema;

/// The cookies that a reply sets, as a browser sends them.
pub fn cookies(reply: &Reply) -> String {
    let set = reply.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    set.filter_map(|cookie| cookie.split(';').next()).collect::<Vec<_>>().join("; ")
}

pub async fn walk(book: &mut Book, app: &App, schema: &Schema) {
    let origin = app.url("");
    link(book, app, &origin).await;
    pair(book, app, &origin).await;
    back(book, app, schema).await;
    let ours = [("origin", origin.as_str())];
    let token = format!("{NOBODY}.1.9999999999999.forged");
    let handover = Ask { values: &[&token], headers: &ours, ..Ask::default() };
    book.ask(app, "openHandover", 404, handover.clone()).await;
    book.ask(app, "claimHandover", 404, handover.clone()).await;
    book.ask(app, "claimHandover", 403, Ask { headers: &[], ..handover }).await;
}

/// Returns from a provider's pages.
async fn back(book: &mut Book, app: &App, schema: &Schema) {
    let page = [("accept", "text/html")];
    let back = Ask { values: &["gmail"], headers: &page, ..Ask::default() };
    for query in ["?state=x", "?state=x&state=x&code=y"] {
        book.ask(app, "providerCallback", 400, Ask { query, ..back.clone() }).await;
    }
    book.ask(app, "providerCallback", 404, Ask { query: "?state=x&code=y", ..back.clone() }).await;
    book.ask(app, "providerCallback", 404, Ask { values: &["none"], ..back.clone() }).await;
    for query in ["", "?state=x&admin_consent=True"] {
        book.ask(app, "adminConsent", 404, Ask { values: &["microsoft"], query, ..back.clone() }).await;
    }
    // A way back as a step leaves it that sends its person away: the callback knows it by the hash of its `state`.
    let session = app.link(serde_json::json!({})).await.id;
    assert_eq!(app.api("POST", &format!("/v1/steps/{session}/start"), None).await.status, 201);
    let state = vestibule::kernel::random::hash("state-of-a-way-back");
    schema.psql(&format!(
        "INSERT INTO returns (id, attempt_id, attempt_version) \
         SELECT '{state}', id, version FROM attempts WHERE session_id = '{session}'"
    ));
    let query = "?state=state-of-a-way-back&code=y";
    let landed = book.ask(app, "providerCallback", 303, Ask { values: &["imap"], query, ..back }).await;
    let on = app.url(&format!("/wizard/{session}/return?handle="));
    assert!(landed.header("location").starts_with(&on), "{}", landed.header("location"));
}

/// A link of postpress, from its first page over the move to another browser to its end.
async fn link(book: &mut Book, app: &App, origin: &str) {
    let link = app.link(serde_json::json!({})).await;
    let secret = link.url.rsplit_once('/').expect("a secret").1;
    let ours = [("origin", origin)];
    let door = Ask { values: &[secret], headers: &ours, ..Ask::default() };
    book.ask(app, "openLink", 200, door.clone()).await;
    book.ask(app, "openLink", 404, Ask { values: &["none"], ..door.clone() }).await;
    book.ask(app, "claimLink", 403, Ask { headers: &[], ..door.clone() }).await;
    book.ask(app, "claimLink", 404, Ask { values: &["none"], ..door.clone() }).await;
    book.ask(app, "claimLink", 200, Ask { body: "action=language:de", ..door.clone() }).await;
    let first = cookies(&book.ask(app, "claimLink", 303, door.clone()).await);
    let first = [("origin", origin), ("cookie", first.as_str())];
    book.ask(app, "openLink", 303, Ask { headers: &first, ..door.clone() }).await;
    book.ask(app, "openLink", 409, door.clone()).await;
    book.ask(app, "claimLink", 409, door.clone()).await;

    let stranger = Ask { values: &[&link.id], headers: &ours, ..Ask::default() };
    let mine = Ask { headers: &first, ..stranger.clone() };
    book.ask(app, "showWizard", 200, mine.clone()).await;
    book.ask(app, "showWizard", 403, stranger.clone()).await;
    book.ask(app, "answerWizard", 200, Ask { body: "action=language:de", ..mine.clone() }).await;
    book.ask(app, "answerWizard", 303, Ask { body: "action=cancel", ..mine.clone() }).await;
    book.ask(app, "askCancel", 200, mine.clone()).await;
    book.ask(app, "askCancel", 303, stranger.clone()).await;
    for id in ["leaveWizard", "resumeWizard"] {
        book.ask(app, id, 303, mine.clone()).await;
        book.ask(app, id, 303, stranger.clone()).await;
        book.ask(app, id, 404, Ask { values: &[NOBODY], ..mine.clone() }).await;
    }
    for id in ["answerWizard", "cancelWizard"] {
        book.ask(app, id, 403, Ask { headers: &first[1..], ..mine.clone() }).await;
    }
    for id in ["showWizard", "answerWizard", "askCancel", "cancelWizard"] {
        book.ask(app, id, 404, Ask { values: &[NOBODY], ..mine.clone() }).await;
    }

    let second =
        cookies(&book.ask(app, "claimLink", 303, Ask { body: "takeover=yes", ..door.clone() }).await);
    let second = [("origin", origin), ("cookie", second.as_str())];
    book.ask(app, "showWizard", 409, mine.clone()).await;
    book.ask(app, "answerWizard", 409, Ask { body: "action=language:de", ..mine.clone() }).await;
    book.ask(app, "cancelWizard", 303, Ask { headers: &second, ..mine }).await;
    book.ask(app, "openLink", 410, door.clone()).await;
    book.ask(app, "claimLink", 410, door).await;
    book.ask(app, "showWizard", 410, stranger.clone()).await;
    book.ask(app, "answerWizard", 410, Ask { body: "action=language:de", ..stranger }).await;
}

/// A link of Riposte.
async fn pair(book: &mut Book, app: &App, origin: &str) {
    let (code, state) = session(app).await;
    let form = format!("session={code}&state={state}");
    let (query, speak) = (format!("?{form}"), format!("{form}&action=language:de"));
    let ours = [("origin", origin), ("content-type", "application/x-www-form-urlencoded")];
    let open = Ask { query: &query, headers: &ours, ..Ask::default() };
    let claim = Ask { body: &form, headers: &ours, ..Ask::default() };
    book.ask(app, "openSession", 200, open.clone()).await;
    // Of a parameter that comes twice the first one counts.
    let twice = format!("{query}&state=other");
    book.ask(app, "openSession", 200, Ask { query: &twice, ..open.clone() }).await;
    book.ask(app, "openSession", 404, Ask { query: "?session=none", ..open.clone() }).await;
    book.ask(app, "claimSession", 403, Ask { headers: &ours[1..], ..claim.clone() }).await;
    book.ask(app, "claimSession", 404, Ask { body: "session=none", ..claim.clone() }).await;
    book.ask(app, "claimSession", 200, Ask { body: &speak, ..claim.clone() }).await;
    let held = cookies(&book.ask(app, "claimSession", 303, claim.clone()).await);
    let mine = [("origin", origin), ("cookie", held.as_str())];
    book.ask(app, "openSession", 303, Ask { headers: &mine, ..open.clone() }).await;
    book.ask(app, "openSession", 409, open.clone()).await;
    book.ask(app, "claimSession", 409, claim.clone()).await;
    let ended = app.api("DELETE", &format!("/auth/sessions/{code}"), None).await;
    assert_eq!(ended.status, 200, "{}", ended.text());
    book.ask(app, "openSession", 410, open).await;
    book.ask(app, "claimSession", 410, claim).await;
}
