//! IMAP responses, as far as signing in needs them: status responses with their code, continuations, and
//! data of which only capabilities matter. Everything else is read past, literals included.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::kernel::egress::ConnectError;

use super::line::{ANSWER_LIMIT, Lines};

/// What a status response says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Done.
    Ok,
    /// Refused.
    No,
    /// Not understood.
    Bad,
    /// Hanging up.
    Bye,
    /// Signed in already.
    Preauth,
}

/// A status response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The tag of the command it answers; `None` when it answers none.
    pub tag: Option<String>,
    /// What it says.
    pub word: Word,
    /// The response code's name, in upper case.
    pub code: Option<String>,
    /// What stands behind the name in the brackets.
    pub argument: String,
    /// The rest.
    pub text: String,
}

/// One response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// The server waits for more.
    Continue,
    /// A status response.
    Status(Status),
    /// What the server is able to do.
    Capability(Vec<String>),
    /// Anything else.
    Other,
}

/// Reads the next response, with its literals.
///
/// # Errors
/// [`ConnectError::Protocol`] when it is no IMAP or too long, [`ConnectError::Broken`] when it ends early.
pub async fn next<S>(lines: &mut Lines<S>) -> Result<Response, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut line = lines.next(ANSWER_LIMIT).await?;
    let response = parse(&String::from_utf8_lossy(&line)).ok_or(ConnectError::Protocol)?;
    // Only data can hold literals; a greeting that happens to end in braces promises nothing.
    if response != Response::Other {
        return Ok(response);
    }
    let mut used = line.len();
    while let Some(length) = announced(&line) {
        used = used.saturating_add(length);
        let room = ANSWER_LIMIT.checked_sub(used).ok_or(ConnectError::Protocol)?;
        lines.exactly(length).await?;
        line = lines.next(room).await?;
        used += line.len();
    }
    Ok(response)
}

/// The length of the literal that follows a line ending like this: `{12}` or `{12+}`.
fn announced(line: &[u8]) -> Option<usize> {
    let open = line.strip_suffix(b"}")?;
    let digits = &open[open.iter().rposition(|byte| *byte == b'{')? + 1..];
    std::str::from_utf8(digits.strip_suffix(b"+").unwrap_or(digits)).ok()?.parse().ok()
}

fn parse(line: &str) -> Option<Response> {
    if line == "+" || line.starts_with("+ ") {
        return Some(Response::Continue);
    }
    let (tag, rest) = line.split_once(' ')?;
    let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let tag = (tag != "*").then(|| tag.to_owned());
    let word = match word.to_ascii_uppercase().as_str() {
        "OK" => Word::Ok,
        "NO" => Word::No,
        "BAD" => Word::Bad,
        "BYE" => Word::Bye,
        "PREAUTH" => Word::Preauth,
        "CAPABILITY" if tag.is_none() => return Some(Response::Capability(capabilities(rest))),
        _ => return tag.is_none().then_some(Response::Other),
    };
    let (code, argument, text) = match rest.strip_prefix('[').and_then(|open| open.split_once(']')) {
        Some((inside, text)) => {
            let (name, argument) = inside.split_once(' ').unwrap_or((inside, ""));
            (Some(name.to_ascii_uppercase()), argument, text.trim_start())
        }
        None => (None, "", rest),
    };
    Some(Response::Status(Status { tag, word, code, argument: argument.to_owned(), text: text.to_owned() }))
}

/// The words of a capability list, in upper case.
pub fn capabilities(list: &str) -> Vec<String> {
    list.split_ascii_whitespace().map(str::to_ascii_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(line: &str) -> Status {
        match parse(line) {
            Some(Response::Status(status)) => status,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_status_response_gives_its_tag_code_and_text() {
        let refused = status("V1 NO [AUTHENTICATIONFAILED] Authentication failed.");
        assert_eq!((refused.tag.as_deref(), refused.word), (Some("V1"), Word::No));
        assert_eq!(refused.code.as_deref(), Some("AUTHENTICATIONFAILED"));
        assert_eq!(refused.text, "Authentication failed.");
        let greeting = status("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready");
        assert_eq!((greeting.tag, greeting.code.as_deref()), (None, Some("CAPABILITY")));
        assert_eq!(greeting.argument, "IMAP4rev1 AUTH=PLAIN");
        assert_eq!(status("* BYE").word, Word::Bye);
        assert_eq!(status("* ok [half").text, "[half");
    }

    #[test]
    fn what_is_no_imap_is_not_taken_for_any() {
        for line in
            ["", "HTTP/1.1 400 Bad Request", "220 mail.example.org ESMTP", "\u{fffd}", "V1 CAPABILITY X"]
        {
            assert_eq!(parse(line), None, "{line}");
        }
        assert_eq!(parse("* LIST () \"/\" INBOX"), Some(Response::Other));
        assert_eq!(parse("+"), Some(Response::Continue));
        assert_eq!(
            parse("* CAPABILITY imap4rev1 Id"),
            Some(Response::Capability(vec!["IMAP4REV1".into(), "ID".into()]))
        );
    }

    #[test]
    fn literals_are_announced_at_the_end_of_a_line_only() {
        assert_eq!(announced(b"* LIST () \"/\" {5}"), Some(5));
        assert_eq!(announced(b"* X {12+}"), Some(12));
        for line in [&b"* X {5} y"[..], b"* X {}", b"* X 5}", b"* X {-1}", b"* X {99999999999999999999999}"] {
            assert_eq!(announced(line), None);
        }
    }
}
