//! The wizard, walked by persons.

mod happy;
