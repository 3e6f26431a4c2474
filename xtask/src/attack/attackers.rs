//! The process of the attackers. It ends by itself, and prints what they did.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use super::Attackers;
use super::client::{Crowd, Done};
use super::kinds::run_kind;
use crate::bench::process::ProcessorTime;

pub(crate) fn run(attackers: &Attackers) -> Result<ExitCode> {
    rlimit::increase_nofile_limit(rlimit::INFINITY)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        let crowd = Crowd::new(
            attackers.server,
            attackers.addresses.parse()?,
            attackers.producers.clone(),
            Duration::from_secs(attackers.seconds.into()),
        );
        run_kind(attackers.kind, &crowd).await;
        anyhow::Ok(crowd.done())
    })?;
    let done = Done {
        processor_seconds: ProcessorTime::of(std::process::id())?.total.as_secs_f64(),
        ..done
    };
    println!("{}", serde_json::to_string(&done)?);
    Ok(ExitCode::SUCCESS)
}
