//! `wigwag-link`: two hosts with a link between them, for programs that are not written in Rust.

mod requests;

use std::io;

use anyhow::{Context, Result};
use clap::Parser;
use wigwag_link::{Conditions, LinkPair};

/// Two hosts of their own inside the kernel, with a link between them that has a rate, a queue, delay, jitter and loss
///
/// Prints a line of JSON that says how to run programs on each host and which addresses they have, then reads requests from
/// its input, a line of JSON each, and answers each with a line of JSON. The hosts are gone at the end of its input. It takes
/// root.
///
/// Requests:
///
///   {"set": {"a_to_b": CONDITIONS, "b_to_a": CONDITIONS}}   changes one direction or both
///
///   "counters"                                              asks what became of packets so far
///
/// CONDITIONS is an object with any of these; what is missing has its default:
///
///   {"rate_bits_per_second": 800000, "queue": {"ms": 200} or {"bytes": 30000},
///   "delay_ms": 20, "jitter_ms": 5, "reorder": false, "mtu": 1500, "seed": 1,
///   "loss": "none" or {"independent": 0.05} or {"gilbert_elliott": {"good_to_bad": 0.01,
///   "bad_to_good": 0.25, "loss_in_good": 0.0, "loss_in_bad": 1.0}}}
#[derive(Debug, Parser)]
#[command(version, verbatim_doc_comment)]
struct Arguments {
    /// The first conditions from host A to host B
    #[arg(long, value_name = "CONDITIONS", default_value = "{}", value_parser = conditions)]
    a_to_b: Conditions,
    /// The first conditions from host B to host A
    #[arg(long, value_name = "CONDITIONS", default_value = "{}", value_parser = conditions)]
    b_to_a: Conditions,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let link = LinkPair::new(arguments.a_to_b, arguments.b_to_a).context("cannot make a link")?;
    requests::serve(&link, io::stdin().lock(), io::stdout().lock())
}

fn conditions(text: &str) -> Result<Conditions> {
    Ok(serde_json::from_str(text)?)
}
