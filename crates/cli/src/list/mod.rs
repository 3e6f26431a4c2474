//! `wigwag list`: who sends at a server.

mod arguments;
mod table;

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;
use tokio::runtime::Builder;
use tokio::time::timeout;
use wigwag_protocol::json::{ClientMessage, ListedPeer, ServerMessage};

use crate::client::{Connection, Way};
use crate::printable::printable_json;
pub use arguments::ListArguments;

/// For connecting, and again for the answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Our server keeps 8 MiB of metas unless it is configured otherwise.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Listed {
    Producers(Vec<ListedPeer>),
    Consumers(Vec<ListedPeer>),
}

/// Asks a server, and prints what it says.
pub(crate) fn run(arguments: &ListArguments) -> Result<(), String> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let listed = runtime.block_on(ask(arguments))?;
    let text = if arguments.json {
        let json = serde_json::to_string(&listed).expect("what was read can be written");
        printable_json(&json) + "\n"
    } else {
        let (Listed::Producers(peers) | Listed::Consumers(peers)) = &listed;
        if peers.is_empty() {
            let does = if arguments.consumers {
                "waits to be called"
            } else {
                "sends"
            };
            eprintln!("nobody {does} at {}", arguments.target());
        }
        table::table(peers)
    };
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever read a part had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| error.to_string()),
    }
}

async fn ask(arguments: &ListArguments) -> Result<Listed, String> {
    let target = arguments.target();
    let way = Way::new(&target, &arguments.trust())?;
    let address = target.to_string();
    let silent = |_| format!("{address} is silent; is it a server of this protocol?");
    let opened = timeout(TIMEOUT, Connection::open(&way, &address, MAX_MESSAGE)).await;
    let mut connection = opened.map_err(silent)??;
    let question = if arguments.consumers {
        ClientMessage::ListConsumers
    } else {
        ClientMessage::List
    };
    connection.send(&question).await?;
    let listed = timeout(TIMEOUT, answer(&mut connection)).await;
    // A server that does not know a question says nothing.
    let unanswered =
        |_| "the server does not answer; it may be too old for the question".to_owned();
    let listed = listed.map_err(unanswered)??;
    connection.close().await;
    Ok(listed)
}

async fn answer(connection: &mut Connection) -> Result<Listed, String> {
    loop {
        match connection.next().await? {
            ServerMessage::List { producers } => return Ok(Listed::Producers(producers)),
            ServerMessage::ListConsumers { consumers } => return Ok(Listed::Consumers(consumers)),
            ServerMessage::Error { details } => {
                return Err(format!("the server refused: {details}"));
            }
            _ => {}
        }
    }
}
