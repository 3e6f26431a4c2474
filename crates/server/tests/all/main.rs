//! All tests of this crate that can share a process: one program, so that it is linked once.

mod address_limits;
mod admin;
mod admin_socket;
mod check;
mod http;
mod ids;
mod limits;
mod metrics;
mod origins;
mod readiness;
mod reload;
mod routes;
mod running;
mod text;
mod tls;
mod tls_clients;
mod tls_reload;
mod tls_stage;
mod vectors;
mod web;
mod web_connections;
mod web_stage;
