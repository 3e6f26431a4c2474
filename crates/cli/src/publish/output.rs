//! A `webrtcsink` in a pipeline of its own, which lives as long as its input is published.

use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;
use gstreamer_app as gst_app;
use gstwigwag::WebRtcSink;

use super::event::{OutputEvent, OutputReporter};
use super::kind::Kind;
use super::outlet::{Outlet, SharedClock};
use super::output_settings::{Latency, OutputSettings, Transcode};

/// How much may be on its way: enough for a file to begin again meanwhile.
const MAX_WAITING_TIME: gst::ClockTime = gst::ClockTime::from_mseconds(700);
const MAX_WAITING_BYTES: u64 = 96 << 20;

/// A sink and its pipeline.
pub(crate) struct Output {
    pipeline: gst::Pipeline,
    sink: WebRtcSink,
}

impl Output {
    /// Makes it; it does not run yet.
    pub(crate) fn new(
        name: &str,
        settings: &OutputSettings,
        clock: &SharedClock,
        reporter: &OutputReporter,
    ) -> Result<Self, glib::BoolError> {
        let pipeline = gst::Pipeline::new();
        clock.apply(&pipeline);
        // By type, not by name: another webrtcsink may be installed.
        let sink: WebRtcSink = glib::Object::new();
        configure(&sink, name, settings);
        connect(&sink, reporter);
        pipeline.add(&sink)?;
        watch(&pipeline, reporter);
        Ok(Self { pipeline, sink })
    }

    /// Adds a lane for pictures or sound. What is not live is sent at the pace of the clock.
    pub(crate) fn add_lane(
        &self,
        kind: Kind,
        live: bool,
        outlet: &Outlet,
    ) -> Result<(), glib::BoolError> {
        let template = match kind {
            Kind::Video => "video_%u",
            Kind::Audio => "audio_%u",
        };
        let lane = gst_app::AppSrc::builder()
            .format(gst::Format::Time)
            .is_live(live)
            .do_timestamp(false)
            .block(true)
            .max_bytes(MAX_WAITING_BYTES)
            .max_time(MAX_WAITING_TIME)
            .build();
        self.pipeline.add(&lane)?;
        let pad = self.sink.request_pad_simple(template);
        let pad = pad.ok_or_else(|| glib::bool_error!("the sink gives no pad"))?;
        let exit = lane.static_pad("src").expect("an appsrc has a pad");
        let linked = exit.link(&pad);
        linked.map_err(|_| glib::bool_error!("the sink cannot be linked"))?;
        lane.sync_state_with_parent()?;
        outlet.set_lane(kind, lane);
        Ok(())
    }

    /// Registers, and invites viewers.
    pub(crate) fn play(&self) {
        // A failure is also posted as a message, which says more.
        let _ = self.pipeline.set_state(gst::State::Playing);
    }

    /// Gives up for a while.
    pub(crate) fn pause(&self) {
        let _ = self.pipeline.set_state(gst::State::Ready);
    }

    /// Tells the viewers, and ends.
    pub(crate) fn stop(&self) {
        if let Some(bus) = self.pipeline.bus() {
            bus.unset_sync_handler();
        }
        let _ = self.pipeline.set_state(gst::State::Null);
    }

    /// How many bytes were sent in the sessions that there are; waits for that a little.
    pub(crate) fn bytes_sent(&self) -> u64 {
        let statistics: Option<gst::Structure> = self.sink.property("stats");
        let sessions = statistics.iter().flat_map(|all| all.iter());
        sessions
            .filter_map(|(_, session)| {
                let session = session.get::<gst::Structure>().ok()?;
                let sent = session.get::<gst::Structure>("wigwag-session-stats").ok()?;
                sent.get::<u64>("bytes-sent").ok()
            })
            .sum()
    }
}

/// How long [`Output::stop`] may take.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_millis(500);

fn configure(sink: &WebRtcSink, name: &str, settings: &OutputSettings) {
    // Without a server nobody outside is contacted.
    sink.set_property("stun-server", settings.stun_server.as_deref().unwrap_or(""));
    if let Some(rate) = settings.max_bitrate {
        sink.set_property("max-bitrate", rate);
        let start: u32 = sink.property("start-bitrate");
        sink.set_property("start-bitrate", start.min(rate));
    }
    if let Some(viewers) = settings.max_viewers {
        sink.set_property("max-consumers", viewers);
    }
    let playout_delay = match settings.latency {
        Latency::Low => "auto",
        Latency::Smooth => "none",
    };
    sink.set_property("playout-delay", playout_delay);
    let transcode = match settings.transcode {
        Transcode::WhenNeeded => "when-needed",
        Transcode::Never => "never",
    };
    sink.set_property_from_str("transcode", transcode);
    let meta = gst::Structure::builder("meta").field("name", name).build();
    sink.set_property("meta", meta);
    let signaller: glib::Object = sink.property("signaller");
    signaller.set_property("uri", &settings.server);
    if !settings.headers.is_empty() {
        let mut headers = gst::Structure::new_empty("headers");
        for (name, value) in &settings.headers {
            headers.set(name.as_str(), value);
        }
        signaller.set_property("headers", headers);
    }
    signaller.set_property("insecure-tls", settings.insecure_tls);
    let cafile = settings.cafile.as_ref().map(|path| path.to_string_lossy());
    signaller.set_property("cafile", cafile.as_deref());
}

fn connect(sink: &WebRtcSink, reporter: &OutputReporter) {
    let viewers = reporter.clone();
    sink.connect("consumer-added", false, move |_| {
        viewers.report(OutputEvent::ViewerAdded);
        None
    });
    let viewers = reporter.clone();
    sink.connect("consumer-removed", false, move |_| {
        viewers.report(OutputEvent::ViewerRemoved);
        None
    });
    let encoders = reporter.clone();
    sink.connect("encoder-setup", false, move |values| {
        let encoder = values
            .get(3)
            .and_then(|value| value.get::<gst::Element>().ok());
        if let Some(factory) = encoder.and_then(|encoder| encoder.factory()) {
            encoders.report(OutputEvent::Encoder(factory.name().to_string()));
        }
        // The sink sets it up.
        Some(false.to_value())
    });
    let registrations = reporter.clone();
    let signaller: glib::Object = sink.property("signaller");
    signaller.connect_notify(Some("client-id"), move |signaller, _| {
        let id: Option<String> = signaller.property("client-id");
        registrations.report(OutputEvent::Registered(id.is_some()));
    });
}

fn watch(pipeline: &gst::Pipeline, reporter: &OutputReporter) {
    let Some(bus) = pipeline.bus() else {
        return;
    };
    let reporter = reporter.clone();
    bus.set_sync_handler(move |_, message| {
        match message.view() {
            gst::MessageView::Error(error) => {
                let error = error.error();
                let text = error.message().to_owned();
                reporter.report(if error.matches(gst::ResourceError::OpenReadWrite) {
                    OutputEvent::NoSignalling(text)
                } else {
                    OutputEvent::Failed(text)
                });
            }
            gst::MessageView::Warning(warning) => {
                reporter.report(OutputEvent::Warning(warning.error().message().to_owned()));
            }
            gst::MessageView::Element(element) => {
                let text = element.structure().and_then(handling);
                if let Some(text) = text {
                    reporter.report(OutputEvent::Handled(text));
                }
            }
            gst::MessageView::Eos(_) => reporter.report(OutputEvent::Ended),
            _ => {}
        }
        gst::BusSyncReply::Drop
    });
}

/// What the sink says that it does with what comes encoded, for the user.
fn handling(message: &gst::StructureRef) -> Option<String> {
    if message.name() != "wigwag-stream" {
        return None;
    }
    let codec: &str = message.get("codec").ok()?;
    if message.get("passed-through") == Ok(true) {
        return Some(format!("{codec} is passed through as it is"));
    }
    let reason: &str = message.get("reason").ok()?;
    Some(format!("{codec} is transcoded: {reason}"))
}
