//! The dialect's names for providers. Links, native sign-in and accounts spell some of them differently.

use crate::contract::Group;

struct Tag {
    slug: &'static str,
    /// In `providers` of a link.
    link: &'static str,
    /// Other spellings that people send.
    aliases: &'static [&'static str],
    /// `type` of an account.
    account: &'static str,
    groups: &'static [Group],
}

const MAILING: &[Group] = &[Group::Mailing];
const MAIL_AND_CALENDAR: &[Group] = &[Group::Mailing, Group::Calendar];
const MESSAGING: &[Group] = &[Group::Messaging];

const TAGS: &[Tag] = &[
    Tag { slug: "linkedin", link: "LINKEDIN", aliases: &[], account: "LINKEDIN", groups: MESSAGING },
    Tag { slug: "whatsapp", link: "WHATSAPP", aliases: &[], account: "WHATSAPP", groups: MESSAGING },
    Tag { slug: "instagram", link: "INSTAGRAM", aliases: &[], account: "INSTAGRAM", groups: MESSAGING },
    Tag { slug: "messenger", link: "MESSENGER", aliases: &[], account: "MESSENGER", groups: MESSAGING },
    Tag { slug: "telegram", link: "TELEGRAM", aliases: &[], account: "TELEGRAM", groups: MESSAGING },
    Tag { slug: "twitter", link: "TWITTER", aliases: &[], account: "TWITTER", groups: MESSAGING },
    Tag {
        slug: "google",
        link: "GOOGLE",
        aliases: &["GOOGLE_OAUTH"],
        account: "GOOGLE_OAUTH",
        groups: MAIL_AND_CALENDAR,
    },
    Tag {
        slug: "microsoft",
        link: "OUTLOOK",
        aliases: &["MICROSOFT"],
        account: "OUTLOOK",
        groups: MAIL_AND_CALENDAR,
    },
    Tag { slug: "imap", link: "MAIL", aliases: &["IMAP"], account: "MAIL", groups: MAILING },
];

/// The rule for `providers`, as the end of a sentence.
pub(super) const RULE: &str = "must be \"*\", \"*:MAILING\", \"*:MESSAGING\", \"*:CALENDAR\", or one or more of LINKEDIN, \
    WHATSAPP, INSTAGRAM, MESSENGER, TELEGRAM, GOOGLE, OUTLOOK, TWITTER, MAIL";

/// The slugs that one entry of `providers` stands for, in any letter case; `None` for one that means nothing.
/// The flag says whether it names one provider rather than a group.
pub fn slugs(entry: &str) -> Option<(Vec<&'static str>, bool)> {
    let entry = entry.trim().to_ascii_uppercase();
    let group = match entry.as_str() {
        "*" => return Some((TAGS.iter().map(|tag| tag.slug).collect(), false)),
        "*:MAILING" => Group::Mailing,
        "*:MESSAGING" => Group::Messaging,
        "*:CALENDAR" => Group::Calendar,
        name => {
            let tag = TAGS.iter().find(|tag| tag.link == name || tag.aliases.contains(&name))?;
            return Some((vec![tag.slug], true));
        }
    };
    Some((TAGS.iter().filter(|tag| tag.groups.contains(&group)).map(|tag| tag.slug).collect(), false))
}

/// A provider's name in links.
pub fn link_tag(slug: &str) -> String {
    let known = TAGS.iter().find(|tag| tag.slug == slug);
    known.map_or_else(|| slug.to_ascii_uppercase(), |tag| tag.link.to_owned())
}

/// A provider's name as an account's `type`.
pub fn account_type(slug: &str) -> String {
    let known = TAGS.iter().find(|tag| tag.slug == slug);
    known.map_or_else(|| slug.to_ascii_uppercase(), |tag| tag.account.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_that_people_send_is_understood() {
        for spelling in ["MAIL", "mail", "IMAP", "imap", " Mail "] {
            assert_eq!(slugs(spelling), Some((vec!["imap"], true)), "{spelling}");
        }
        assert_eq!(slugs("Microsoft"), Some((vec!["microsoft"], true)));
        assert_eq!(slugs("*:calendar"), Some((vec!["google", "microsoft"], false)));
        assert_eq!(slugs("*:MAILING"), Some((vec!["google", "microsoft", "imap"], false)));
        assert_eq!(slugs("*").unwrap().0.len(), TAGS.len());
        assert_eq!(slugs("MYSPACE"), None);
        assert_eq!(slugs(""), None);
    }

    #[test]
    fn accounts_of_google_and_of_mail_have_types_of_their_own() {
        assert_eq!(account_type("google"), "GOOGLE_OAUTH");
        assert_eq!(account_type("imap"), "MAIL");
        assert_eq!(link_tag("microsoft"), "OUTLOOK");
    }
}
