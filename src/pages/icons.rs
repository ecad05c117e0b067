//! The drawings the templates may use, by name; all in the colour of the text around them.

/// Every drawing's name and SVG.
pub(super) const ICONS: [(&str, &str); 11] = [
    ("account", include_str!("../../templates/icons/account.svg")),
    ("alert", include_str!("../../templates/icons/alert.svg")),
    ("check", include_str!("../../templates/icons/check.svg")),
    ("clock", include_str!("../../templates/icons/clock.svg")),
    ("external", include_str!("../../templates/icons/external.svg")),
    ("globe", include_str!("../../templates/icons/globe.svg")),
    ("info", include_str!("../../templates/icons/info.svg")),
    ("key", include_str!("../../templates/icons/key.svg")),
    ("lock", include_str!("../../templates/icons/lock.svg")),
    ("stop", include_str!("../../templates/icons/stop.svg")),
    ("window", include_str!("../../templates/icons/window.svg")),
];
