//! All tests of this crate: one program, so that it is linked once.

#[path = "../../../media/tests/all/engine_stage/mod.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "a module of other tests, which use the rest"
)]
mod engine_stage;
mod headers;
