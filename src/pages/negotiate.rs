//! Which of our locales a browser would rather read (RFC 9110 12.5.4, look-up of RFC 4647 3.4).

/// Ranges beyond these are not looked at; browsers send a handful.
const MOST_RANGES: usize = 24;

/// The best of `tags` for an `Accept-Language` header; `None` when nothing in it fits.
pub(super) fn best<'t>(header: &str, tags: &[&'t str]) -> Option<&'t str> {
    let mut ranges: Vec<(&str, u16)> = header.split(',').take(MOST_RANGES).filter_map(range).collect();
    ranges.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    ranges.iter().find_map(|(range, _)| look_up(range, tags))
}

/// A range and its weight in thousandths; nothing for one that is not wanted or cannot be read.
fn range(item: &str) -> Option<(&str, u16)> {
    let mut parts = item.split(';').map(str::trim);
    let tag = parts.next().filter(|tag| !tag.is_empty() && *tag != "*")?;
    let weight = match parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="))) {
        Some(q) => q.trim().parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q))?,
        None => 1.0,
    };
    let thousandths = (weight * 1000.0) as u16;
    (thousandths > 0).then_some((tag, thousandths))
}

/// Cuts the range from its end until a tag fits; at last any tag of the same language does.
pub(super) fn look_up<'t>(range: &str, tags: &[&'t str]) -> Option<&'t str> {
    let mut wanted = range;
    loop {
        if let Some(tag) = tags.iter().find(|tag| tag.eq_ignore_ascii_case(wanted)) {
            return Some(tag);
        }
        match wanted.rsplit_once('-') {
            Some((shorter, _)) => wanted = shorter,
            None => break,
        }
    }
    tags.iter().copied().find(|tag| tag.split('-').next().is_some_and(|own| own.eq_ignore_ascii_case(wanted)))
}
