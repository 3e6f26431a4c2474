//! Whatever bytes a stranger sends from the first on: the connection ends, others notice nothing, nothing is kept.
#![no_main]

mod stranger;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The last byte says in which pieces they come: then the seeds are plain requests.
    let Some((piece, bytes)) = bytes.split_last() else {
        return;
    };
    stranger::send(bytes, usize::from(*piece) * 8);
});
