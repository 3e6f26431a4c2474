//! Every `gst-launch-1.0` line of README.md and of the pages in docs is run as a shell would run it, and the
//! published `webrtcsrc` plays what it sends. A page that such a line serves is opened at the address that it prints.
//!
//! Only what this machine cannot have is replaced, by the rules of [`made_local`].

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use wigwag_end_to_end::gst_plugin_webrtc::{Endpoint, consume, listen};
use wigwag_end_to_end::{Authority, DEADLINE, SignallingServer};

/// Where the lines are, from the top of the project.
const PAGES: &[&str] = &[
    "README.md",
    "docs/admin-api.md",
    "docs/benchmarks-signalling.md",
    "docs/benchmarks.md",
    "docs/congestion-control.md",
    "docs/how-it-works.md",
    "docs/limits-and-metrics.md",
    "docs/operating.md",
    "docs/publish.md",
    "docs/server.md",
    "docs/statistics.md",
    "docs/threads-and-locks.md",
    "docs/tls.md",
    "docs/webrtcsink.md",
];

/// So many different lines are there at least: a search that finds none tests none.
const EXAMPLES: usize = 10;

/// Decoded frames that make a moving picture.
const ENOUGH: u64 = 30;

/// A listener that connects at the wrong moment hears nothing, and the next does.
const LISTENER_PATIENCE: Duration = Duration::from_secs(5);

#[test]
fn every_pipeline_of_the_documents_plays() -> Result<()> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // A line that several pages show is run once.
    let mut found: BTreeMap<String, &str> = BTreeMap::new();
    for page in PAGES {
        let text = fs::read_to_string(project.join(page)).with_context(|| (*page).to_owned())?;
        found.extend(examples(&text).map(|line| (line.to_owned(), *page)));
    }
    ensure!(found.len() >= EXAMPLES, "only {found:#?}");
    let stage = Stage::new()?;
    for (example, page) in found {
        stage
            .play(&example)
            .with_context(|| format!("{page} says: {example}"))?;
    }
    Ok(())
}

#[test]
fn every_document_is_read() -> Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for entry in fs::read_dir(docs)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let is_read = PAGES.contains(&format!("docs/{name}").as_str());
        ensure!(
            is_read || !name.ends_with(".md"),
            "docs/{name} is not in PAGES"
        );
    }
    Ok(())
}

/// The lines between fences that start a pipeline.
fn examples(page: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    page.lines().filter(move |line| {
        fenced ^= line.starts_with("```");
        fenced && line.starts_with("gst-launch-1.0 ")
    })
}

/// What stands in the place of the world outside.
struct Local<'a> {
    server: &'a str,
    secure_server: &'a str,
    authority: &'a Path,
    film: &'a Path,
    free_port: u16,
    page_port: u16,
}

/// The rules:
///
/// * Signalling servers, the authority that signed their certificates, and ports are those of the test;
///   a sink that names no server gets one. Servers inside the sink listen on the loopback interface.
/// * No STUN server.
/// * `v4l2src` and `autoaudiosrc`, with their properties, are a test picture and a tone.
/// * `rtspsrc`, with its properties, is a test picture in the RTP packets that a camera would send.
/// * The file is one that the test made.
fn made_local(example: &str, local: &Local<'_>) -> String {
    let has_server = example.contains("signaller::uri=") || has_own_server(example);
    let mut made: Vec<String> = Vec::new();
    let mut words = example.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let device = match word {
            "v4l2src" => Some("videotestsrc is-live=true"),
            "autoaudiosrc" => Some("audiotestsrc is-live=true"),
            "rtspsrc" => Some(
                "videotestsrc is-live=true ! x264enc tune=zerolatency key-int-max=30 ! rtph264pay",
            ),
            _ => None,
        };
        if let Some(device) = device {
            while words.next_if(|word| word.contains('=')).is_some() {}
            made.push(device.to_owned());
            continue;
        }
        let property = word.split_once('=').map(|(name, _)| name);
        made.push(match property {
            Some("signaller::uri") if word.contains("wss://") => {
                format!("signaller::uri={}", local.secure_server)
            }
            Some("signaller::uri") => format!("signaller::uri={}", local.server),
            Some("signaller::cafile") => {
                format!("signaller::cafile={}", local.authority.display())
            }
            Some("run-signalling-server") => format!(
                "{word} signalling-server-host=127.0.0.1 signalling-server-port={}",
                local.free_port
            ),
            Some("signalling-server-port") => continue,
            Some("run-web-server") => {
                format!(
                    "{word} web-server-host-addr=http://127.0.0.1:{}",
                    local.page_port
                )
            }
            Some("location") => format!("location={}", local.film.display()),
            _ => word.to_owned(),
        });
        if word == "webrtcsink" {
            made.push("'stun-server=\"\"'".to_owned());
            if !has_server {
                made.push(format!("signaller::uri={}", local.server));
            }
        }
    }
    made.join(" ")
}

fn has_own_server(example: &str) -> bool {
    example.contains("run-signalling-server=true")
}

fn has_own_page(example: &str) -> bool {
    example.contains("run-web-server=true")
}

/// Different ports that nobody listens on.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut ports = [0; N];
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// What all examples share.
struct Stage {
    authority: Authority,
    folder: TempDir,
    plugin: String,
}

impl Stage {
    fn new() -> Result<Self> {
        let plugin = std::env::var("WIGWAG_PLUGIN");
        let stage = Self {
            authority: Authority::new()?,
            folder: TempDir::new()?,
            plugin: plugin.context("WIGWAG_PLUGIN is not set; run `cargo xtask test`")?,
        };
        stage.make_film()?;
        Ok(stage)
    }

    /// Runs a line until a viewer has played it.
    fn play(&self, example: &str) -> Result<()> {
        let server = SignallingServer::start()?;
        let secure_server = SignallingServer::start_secure(&self.authority.certify_server()?)?;
        let [free_port, page_port] = free_ports()?;
        let made = made_local(
            example,
            &Local {
                server: &server.uri(),
                secure_server: &secure_server.uri(),
                authority: &self.authority.file(),
                film: &self.film(),
                free_port,
                page_port,
            },
        );
        let uri = if has_own_server(example) {
            format!("ws://127.0.0.1:{free_port}")
        } else if example.contains("wss://") {
            secure_server.uri()
        } else {
            server.uri()
        };
        let endpoint = Endpoint::trusting(uri, &self.authority.file());
        let mut pipeline = self.run(&made)?;
        let played = listed(&endpoint, &mut pipeline).and_then(|producer| {
            let mut viewer = consume(&endpoint, &producer, ENOUGH)?;
            viewer.wait_for("frames")?;
            if has_own_page(example) {
                open_printed_page(&pipeline, page_port)?;
            }
            Ok(())
        });
        played.with_context(|| format!("ran: {made}\n{}", pipeline.output()))
    }

    fn run(&self, line: &str) -> Result<Pipeline> {
        let output = self.folder.path().join("output");
        let file = File::create(&output)?;
        let child = Command::new("sh")
            .args(["-c", &format!("exec {line}")])
            .env("GST_PLUGIN_PATH", &self.plugin)
            // One of its own neither disturbs the user's, nor trusts what that remembers.
            .env("GST_REGISTRY", self.folder.path().join("registry"))
            .env("GST_DEBUG", "webrtcsink:4")
            .env("GST_DEBUG_NO_COLOR", "1")
            .env("WIGWAG_ADDRESSES", "127.0.0.1")
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        Ok(Pipeline { child, output })
    }

    fn film(&self) -> PathBuf {
        self.folder.path().join("film.mkv")
    }

    /// Twenty seconds of picture and sound.
    fn make_film(&self) -> Result<()> {
        let line = format!(
            "gst-launch-1.0 -q matroskamux name=film ! filesink location={} \
             videotestsrc num-buffers=600 ! video/x-raw,width=320,height=240,framerate=30/1 \
             ! vp8enc deadline=1 cpu-used=8 ! queue ! film. \
             audiotestsrc num-buffers=1000 samplesperbuffer=960 ! audio/x-raw,rate=48000 ! opusenc ! queue ! film.",
            self.film().display()
        );
        let mut pipeline = self.run(&line)?;
        let status = pipeline.child.wait()?;
        ensure!(status.success(), "no film: {}", pipeline.output());
        Ok(())
    }
}

/// A pipeline that ends with this.
struct Pipeline {
    child: Child,
    output: PathBuf,
}

impl Pipeline {
    fn output(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the server lists the sink; returns its id.
fn listed(endpoint: &Endpoint, pipeline: &mut Pipeline) -> Result<String> {
    let give_up = Instant::now() + DEADLINE;
    while Instant::now() < give_up {
        let mut listener = listen(endpoint)?;
        let next = Instant::now() + LISTENER_PATIENCE;
        while Instant::now() < next {
            if let Some(added) = listener.take_past("producer-added").pop() {
                let id = added["peer"].as_str().context("an id")?;
                return Ok(id.to_owned());
            }
            if let Some(status) = pipeline.child.try_wait()? {
                bail!("the pipeline ended with {status}");
            }
            sleep(Duration::from_millis(50));
        }
    }
    bail!("the sink was not listed in time")
}

/// The line that a user would follow, and what a browser would get there.
fn open_printed_page(pipeline: &Pipeline, port: u16) -> Result<()> {
    let printed = format!("Watch at http://127.0.0.1:{port}/");
    let give_up = Instant::now() + DEADLINE;
    while !pipeline.output().contains(&printed) {
        ensure!(Instant::now() < give_up, "\"{printed}\" was not printed");
        sleep(Duration::from_millis(50));
    }
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    connection.set_read_timeout(Some(DEADLINE))?;
    connection.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let is_page = answer.starts_with("HTTP/1.1 200 ") && answer.contains("<title>Wigwag</title>");
    ensure!(is_page, "at the printed address: {answer}");
    Ok(())
}
