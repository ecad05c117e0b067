//! The wizard, walked by persons.

mod chromium;
mod happy;
mod returns;
