//! All tests of this crate that can share a process: one program, so that it is linked once.

mod reference_oracle;
mod strategies;
mod text_format;
mod wire_format;
