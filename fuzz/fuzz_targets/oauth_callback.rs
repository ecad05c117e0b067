//! What a person brings back from a provider’s pages: the query as a whole, then what its provider reads of it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|query: &str| {
    if let Some(brought) = vestibule::web::fuzzing::callback(query) {
        vestibule::providers::fuzzing::callback(brought);
    }
});
