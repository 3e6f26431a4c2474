//! All tests of this crate that can share a process: one program, so that it is linked once.

mod list;
mod load;
mod monitor;
mod operation;
mod running;
mod serve;
mod served;
mod service_manager;
mod settings;
