//! All tests of this crate that can share a process: one program, so that it is linked once.

mod collected;
mod random_walk;
mod rules;
mod shares;
mod text_collected;
mod text_random_walk;
mod text_rules;
mod text_vectors;
mod vectors;
mod views;
