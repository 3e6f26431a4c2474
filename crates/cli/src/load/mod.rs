//! `wigwag load`: viewers that count and show nothing.
//!
//! The first process finds the producer and starts the others (`processes`), each of which runs its share of the
//! viewers (`worker`): the signalling of each is a task (`json_protocol`, `whep`), the media of all a thread
//! (`wigwag_receiver`). What they got comes back as records, and is put together in `summary`.

mod arguments;
mod json_protocol;
mod output;
mod processes;
mod processor;
mod record;
mod summary;
mod viewer;
mod whep;
mod worker;

use std::io::{self, Write};

use tokio::runtime::Builder;

use crate::client::{Protocol, Way};
use crate::printable::printable_json;
pub use arguments::LoadArguments;
use output::Bar;
use summary::Summary;

/// Runs the viewers; whether all of them watched to the end.
pub(crate) fn run(arguments: &LoadArguments) -> Result<bool, String> {
    // Every viewer is a socket or two.
    rlimit::increase_nofile_limit(rlimit::INFINITY).map_err(|error| error.to_string())?;
    if let Some(number) = arguments.worker {
        return processes::run_as_worker(arguments, number).map(|()| true);
    }
    let mut arguments = arguments.clone();
    arguments.processes = arguments.processes.min(arguments.viewers);
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(find(&mut arguments))?;
    drop(runtime);
    let bar = Bar::new(&arguments);
    let told = processes::run(&arguments, |progress| bar.show(progress));
    bar.clear();
    let told = told?;
    let summary = Summary::new(&told.viewers, &told.processes);
    let text = if arguments.json {
        printable_json(&output::json(&arguments, &summary, &told)) + "\n"
    } else {
        output::table(&summary)
    };
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| error.to_string())?;
    if let Some(warning) = output::warning(&summary) {
        eprintln!("{warning}");
    }
    Ok(summary.is_good() && summary.viewers == arguments.viewers)
}

/// What all viewers need to know, and what would be wrong for all of them.
async fn find(arguments: &mut LoadArguments) -> Result<(), String> {
    let way = Way::new(&arguments.target, &arguments.trust())?.with_headers(&arguments.headers());
    match arguments.target.protocol {
        Protocol::Json => {
            let address = arguments.target.to_string();
            let wanted = &arguments.producers;
            arguments.producers = json_protocol::find_producers(&way, &address, wanted).await?;
            Ok(())
        }
        Protocol::Whep => whep::reach(&way).await,
    }
}
