//! Where pictures and sound come from, in a pipeline that can be thrown away.
//!
//! # Contract
//!
//! * [`Source::start`] returns at once. What happens is told by events; after
//!   [`Ended`](super::event::SourceEvent::Ended) or [`Failed`](super::event::SourceEvent::Failed) it is of no more use.
//! * The first track of each kind is published, others are ignored with a line each.
//! * [`Source::stop`] waits for nothing.

use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Instant;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use super::address::Address;
use super::elements::{broken, make};
use super::event::{Failure, SourceReporter};
use super::input::Input;
use super::kind::Kind;
use super::loss::Losses;
use super::missing;
use super::network::NetworkSettings;
use super::outlet::{Feed, SharedClock, Silence};
use super::source_state::{Before, SourceState};
use super::tcp::Listener;
use super::test_pattern;
use super::tracks::{attach, parse};

/// How much of RTSP is kept to put packets in order, in ms.
const RTSP_LATENCY: u32 = 200;

/// How long is waited for the first packet over UDP before TCP is tried, in us.
const UDP_TIMEOUT: u64 = 3_000_000;

/// A source that runs.
pub(crate) struct Source {
    pipeline: gst::Pipeline,
    shared: Arc<SourceState>,
    losses: OnceLock<Arc<Losses>>,
    /// Where senders call over TCP.
    listener: OnceLock<Listener>,
    sender: Arc<Sender>,
}

/// Who called over TCP.
#[derive(Default)]
struct Sender {
    at: OnceLock<Instant>,
    /// Open for as long as it is read.
    stream: OnceLock<TcpStream>,
}

impl Source {
    /// Starts a source.
    pub(crate) fn start(
        input: &Input,
        network: &NetworkSettings,
        clock: &SharedClock,
        feed: Feed,
        before: Before,
        reporter: SourceReporter,
    ) -> Result<Self, Failure> {
        let pipeline = gst::Pipeline::new();
        clock.apply(&pipeline);
        let shared = SourceState::watch(&pipeline, feed, before, reporter);
        let source = Self {
            pipeline,
            shared,
            losses: OnceLock::new(),
            listener: OnceLock::new(),
            sender: Arc::default(),
        };
        source.build(input, network)?;
        source.pipeline.call_async(|pipeline| {
            // A failure is also posted as a message, which says more.
            let _ = pipeline.set_state(gst::State::Playing);
        });
        Ok(source)
    }

    /// Whether it gives what happens now, which need not wait for a clock.
    pub(crate) fn is_live(&self) -> bool {
        self.shared.feed.is_live()
    }

    /// For how long nothing came.
    pub(crate) fn silence(&self) -> Silence {
        self.shared.feed.silence()
    }

    /// The share of packets that were lost lately, if it is too large.
    pub(crate) fn loss(&self) -> Option<f64> {
        self.losses.get()?.too_large()
    }

    /// When a sender called over TCP; none if none did.
    pub(crate) fn sender_at(&self) -> Option<Instant> {
        self.sender.at.get().copied()
    }

    /// Whether it delivers without an end: what it delivers has no length.
    pub(crate) fn is_endless(&self) -> bool {
        self.shared.is_endless()
    }

    /// Whether it was one JPEG picture and no more, as cameras give when asked for a snapshot.
    pub(crate) fn is_single_picture(&self) -> bool {
        self.shared.is_single_picture()
    }

    /// What was done with its tracks, for the source after it.
    pub(crate) fn before(&self) -> Before {
        self.shared.done()
    }

    /// Stops it. The sender is dropped when that is done.
    pub(crate) fn stop(self, stopped: Option<mpsc::Sender<()>>) {
        self.shared.feed.stop();
        if let Some(bus) = self.pipeline.bus() {
            bus.unset_sync_handler();
        }
        let Self {
            pipeline,
            sender,
            listener,
            ..
        } = self;
        // A network source may wait for a server that is gone.
        pipeline.call_async(move |pipeline| {
            let _ = pipeline.set_state(gst::State::Null);
            drop((listener, sender, stopped));
        });
    }

    fn build(&self, input: &Input, network: &NetworkSettings) -> Result<(), Failure> {
        match input {
            Input::Test => self.test(),
            Input::Camera(device) => self.camera(&device.to_string_lossy()),
            Input::Rtsp(address) => {
                let source = make("rtspsrc")?;
                source.set_property("location", address.uri());
                source.set_property("latency", RTSP_LATENCY);
                source.set_property("drop-on-latency", true);
                source.set_property("timeout", UDP_TIMEOUT);
                network.apply(&source, address, self.shared.certificate_refused())?;
                self.losses.get_or_init(|| Losses::watch(&source));
                self.network(&source)
            }
            Input::Uri(address) if address.scheme() == "tcp" => {
                self.tcp(address, input.is_listener())
            }
            Input::Uri(address) => self.uri(address, network),
            Input::File(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                let uri = glib::filename_to_uri(path, None).map_err(|error| Failure {
                    text: error.message().to_owned(),
                    lasting: true,
                })?;
                self.uri_source(&uri)
                    .and_then(|source| self.network(&source))
            }
        }
    }

    fn uri(&self, address: &Address, network: &NetworkSettings) -> Result<(), Failure> {
        let is_http = matches!(address.scheme(), "http" | "https");
        // Elements of HTTP take credentials as properties.
        let source = match is_http {
            true => self.uri_source(address.uri()),
            false => self.uri_source(&address.uri_with_credentials()),
        }?;
        let (shared, address, network) =
            (Arc::clone(&self.shared), address.clone(), network.clone());
        source.connect("source-setup", false, move |values| {
            let element = values.get(1)?.get::<gst::Element>().ok()?;
            if let Err(failure) = network.apply(&element, &address, shared.certificate_refused()) {
                shared.fail(failure);
            }
            if is_http {
                shared.set_origin(&element);
            }
            None
        });
        self.network(&source)
    }

    /// GStreamer reads no such address by itself.
    fn tcp(&self, address: &Address, is_listener: bool) -> Result<(), Failure> {
        let port = address.port().unwrap_or_default();
        let host = address.host().map(|host| host.trim_matches(['[', ']']));
        if is_listener {
            return self.tcp_listener(host, port);
        }
        let source = make("tcpclientsrc")?;
        source.set_property("host", host.unwrap_or_default());
        source.set_property("port", i32::from(port));
        self.bytes(&source)
    }

    fn tcp_listener(&self, host: Option<&str>, port: u16) -> Result<(), Failure> {
        let pipeline = self.pipeline.downgrade();
        let (shared, sender) = (Arc::clone(&self.shared), Arc::clone(&self.sender));
        let listener = Listener::start(host, port, move |stream| {
            let _ = sender.at.set(Instant::now());
            let Some(pipeline) = pipeline.upgrade() else {
                return;
            };
            let read = make("fdsrc").and_then(|source| {
                source.set_property("fd", stream.as_raw_fd());
                let _ = sender.stream.set(stream);
                bytes(&pipeline, &shared, &source)
            });
            if let Err(failure) = read {
                shared.fail(failure);
            }
        });
        let listener = listener.map_err(|error| Failure {
            text: format!("cannot listen on port {port}: {error}"),
            lasting: true,
        })?;
        let _ = self.listener.set(listener);
        Ok(())
    }

    fn bytes(&self, source: &gst::Element) -> Result<(), Failure> {
        bytes(&self.pipeline, &self.shared, source)
    }

    fn uri_source(&self, uri: &str) -> Result<gst::Element, Failure> {
        let source = make("urisourcebin")?;
        source.set_property("uri", uri);
        // It does not say reliably when it has shown all its pads; parsers do.
        self.shared.all_pads_are_there();
        Ok(source)
    }

    /// A source whose pads come later, each with something to take apart.
    fn network(&self, source: &gst::Element) -> Result<(), Failure> {
        let shared = Arc::clone(&self.shared);
        source.connect_pad_added(move |_, pad| {
            if let Err(failure) = parse(&shared, pad) {
                shared.fail(failure);
            }
        });
        let shared = Arc::clone(&self.shared);
        source.connect_no_more_pads(move |_| {
            shared.all_pads_are_there();
        });
        self.pipeline.add(source).map_err(|_| broken())
    }

    fn test(&self) -> Result<(), Failure> {
        let has_clock = test_pattern::has_clock();
        let tracks = [
            (Kind::Video, test_pattern::picture(has_clock)),
            (Kind::Audio, test_pattern::SOUND.to_owned()),
        ];
        for (kind, description) in tracks {
            let made = gst::parse::bin_from_description(&description, true);
            let bin = made.map_err(|error| Failure {
                text: format!(
                    "{}; install {}",
                    error.message(),
                    missing::element_package("videotestsrc")
                ),
                lasting: true,
            })?;
            self.pipeline.add(&bin).map_err(|_| broken())?;
            let pad = bin.static_pad("src").ok_or_else(broken)?;
            attach(&self.shared, kind, &pad);
        }
        if !has_clock {
            self.shared.lacks(format!(
                "no clock in the picture; install {} for one",
                missing::element_package("clockoverlay")
            ));
        }
        self.shared.all_pads_are_there();
        Ok(())
    }

    /// Cameras give raw pictures or motion JPEG; fluent ones are taken before large ones.
    fn camera(&self, device: &str) -> Result<(), Failure> {
        let source = make("v4l2src")?;
        source.set_property("device", device);
        let filter = make("capsfilter")?;
        filter.set_property_from_str(
            "caps",
            "video/x-raw, width=(int)[1,1280], height=(int)[1,720], framerate=(fraction)[24/1,60/1]; \
             image/jpeg, width=(int)[1,1920], height=(int)[1,1080], framerate=(fraction)[24/1,60/1]; \
             video/x-raw; image/jpeg",
        );
        let decoder = make("decodebin")?;
        let shared = Arc::clone(&self.shared);
        decoder.connect_pad_added(move |_, pad| {
            attach(&shared, Kind::Video, pad);
            shared.all_pads_are_there();
        });
        let chain = [source, filter, decoder];
        self.pipeline
            .add_many(&chain)
            .and_then(|()| gst::Element::link_many(&chain))
            .map_err(|_| broken())
    }
}

/// Reads what an element gives as it comes, whatever it is.
fn bytes(
    pipeline: &gst::Pipeline,
    shared: &Arc<SourceState>,
    source: &gst::Element,
) -> Result<(), Failure> {
    source.set_property("do-timestamp", true);
    pipeline.add(source).map_err(|_| broken())?;
    let pad = source.static_pad("src").ok_or_else(broken)?;
    parse(shared, &pad)?;
    shared.all_pads_are_there();
    source.sync_state_with_parent().map_err(|_| broken())
}
