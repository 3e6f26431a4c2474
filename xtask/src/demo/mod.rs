//! `cargo xtask demo`: a test picture and a tone through our `webrtcsink`, our signalling server, and a
//! page that shows them.

mod page;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::FileTypeExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::oneshot;
use tokio::time::{interval, sleep};

use crate::commands::{command, say, shown};
use crate::{install, peers};

/// The clock in the picture; it comes with one of GStreamer's packages that not everybody has.
const CLOCK: &str = "timeoverlay";

/// How often to look whether the pipeline still runs.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, clap::Args)]
pub(crate) struct Demo {
    /// Ends by itself after so many seconds
    #[arg(long)]
    seconds: Option<u64>,
}

pub(crate) fn run(demo: Demo) -> Result<ExitCode> {
    install::debian_packages()?;
    let plugin = peers::our_plugin()?;
    let program = peers::our_server()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        say("Running the signalling server, and a pipeline that produces");
        let mut server = command(
            &program.to_string_lossy(),
            &["serve", "--host", "127.0.0.1", "--port", "0"],
        );
        println!("$ {}", shown(&server));
        let server = server.env("WIGWAG_LOG", "warn").stdout(Stdio::piped());
        let mut server = Running::start(server)?;
        let signalling = server.signalling_address()?;
        println!("It is at {signalling}; port 0 let the system choose.");
        let mut producer = producer(&signalling);
        println!("$ {}", shown(&producer));
        let mut producer = Running::start(producer.env("GST_PLUGIN_PATH", plugin))?;

        let page = page::serve(&signalling).await?;
        say(&format!("Open {page} in a browser, in several if you like"));
        println!("Ctrl-C ends the demo.");
        tokio::select! {
            ended = producer.ended() => bail!("the pipeline ended: {}", ended?),
            ended = server.ended() => bail!("the signalling server ended: {}", ended?),
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            () = end_of_input() => {}
            () = after(demo.seconds) => {}
        }
        println!("\nThe demo is over.");
        Ok(ExitCode::SUCCESS)
    })
}

fn producer(signalling: &str) -> Command {
    let mut pipeline = command("gst-launch-1.0", &["-q", "webrtcsink", "name=sink"]);
    pipeline
        // The default names a public server, which nobody on this machine needs.
        .args(["stun-server=\"\"", "meta=meta,name=demo"])
        .arg(format!("signaller::uri={signalling}"))
        .args(["videotestsrc", "is-live=true", "pattern=ball"])
        .args([
            "foreground-color=0xffffc857",
            "background-color=0xff1f4e79",
            "!",
        ])
        .args(["video/x-raw,width=640,height=360,framerate=30/1", "!"]);
    if has_element(CLOCK) {
        pipeline.args([CLOCK, "font-desc=Sans,24", "!"]);
    }
    pipeline
        .args(["queue", "!", "sink.video_0"])
        .args(["audiotestsrc", "is-live=true", "volume=0.05", "!"])
        .args(["queue", "!", "sink.audio_0"]);
    pipeline
}

fn has_element(name: &str) -> bool {
    let mut inspect = command("gst-inspect-1.0", &["--exists", name]);
    inspect.status().is_ok_and(|status| status.success())
}

/// A child process that ends with this.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).spawn();
        let program = command.get_program().display();
        Ok(Self(
            child.with_context(|| format!("cannot start {program}"))?,
        ))
    }

    /// The signalling server says where it is in its first line.
    fn signalling_address(&mut self) -> Result<String> {
        let stdout = self.0.stdout.take().context("no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().strip_prefix("signalling at ");
        Ok(address.context("the server did not start")?.to_owned())
    }

    async fn ended(&mut self) -> Result<std::process::ExitStatus> {
        let mut looks = interval(LOOK_INTERVAL);
        loop {
            looks.tick().await;
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing is left to be done about a child that cannot be ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ends with the standard input if that is a pipe: whoever holds its other end is gone, or wants an end.
async fn end_of_input() {
    let input = std::fs::metadata("/dev/stdin");
    if !input.is_ok_and(|input| input.file_type().is_fifo()) {
        return std::future::pending().await;
    }
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        let mut ignored = [0; 64];
        while matches!(std::io::stdin().read(&mut ignored), Ok(1..)) {}
        // Nobody waits any more if the demo ended for another reason.
        let _ = ended.send(());
    });
    let _ = end.await;
}

async fn after(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
}
