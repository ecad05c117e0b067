//! Mail addresses as people type them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|typed: &str| vestibule::providers::fuzzing::address(typed));
