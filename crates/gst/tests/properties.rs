//! The properties: as those of the published sink, and each does something.

mod stage;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;
use stage::{AUDIO, Call, Calling, Sender, VIDEO, Viewer, sdp};
use wigwag_receiver::StreamKind;

/// Name, type, default as text, and when it may be set.
type Known = (&'static str, &'static str, &'static str, When);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Ready,
    /// At any time; mostly read at the start.
    Any,
    Never,
}

/// As the published sink has them.
const SINK: &[Known] = &[
    ("video-caps", "GstCaps", "", When::Ready),
    ("audio-caps", "GstCaps", "", When::Ready),
    (
        "stun-server",
        "gchararray",
        "stun://stun.l.google.com:19302",
        When::Any,
    ),
    (
        "congestion-control",
        "WigwagCongestionControl",
        "gcc",
        When::Ready,
    ),
    ("min-bitrate", "guint", "1000", When::Ready),
    ("max-bitrate", "guint", "8192000", When::Ready),
    ("start-bitrate", "guint", "2048000", When::Ready),
    // Without effect yet.
    ("turn-servers", "GstValueArray", "", When::Ready),
    ("do-fec", "gboolean", "false", When::Ready),
    ("do-clock-signalling", "gboolean", "false", When::Ready),
    (
        "enable-data-channel-navigation",
        "gboolean",
        "false",
        When::Ready,
    ),
    (
        "enable-control-data-channel",
        "gboolean",
        "false",
        When::Ready,
    ),
    ("forward-metas", "gchararray", "", When::Any),
    (
        "enable-mitigation-modes",
        "WigwagMitigationMode",
        "Lowered resolution+Lowered framerate",
        When::Any,
    ),
    ("rtx-percentage", "gint", "-1", When::Ready),
    (
        "ice-transport-policy",
        "WigwagIceTransportPolicy",
        "all",
        When::Ready,
    ),
    // Additions of ours.
    ("playout-delay", "gchararray", "auto", When::Ready),
    ("transcode", "WigwagTranscode", "when-needed", When::Ready),
    ("max-consumers", "guint", "200", When::Ready),
    ("stats", "GstStructure", "", When::Never),
    ("do-retransmission", "gboolean", "true", When::Ready),
    ("meta", "GstStructure", "NULL", When::Any),
    // The published one can be replaced by another object.
    ("signaller", "WigwagSignaller", "", When::Never),
    ("run-signalling-server", "gboolean", "false", When::Ready),
    ("signalling-server-host", "gchararray", "0.0.0.0", When::Any),
    ("signalling-server-port", "guint", "8443", When::Any),
    ("signalling-server-cert", "gchararray", "NULL", When::Any),
    ("signalling-server-key", "gchararray", "NULL", When::Any),
    ("run-web-server", "gboolean", "false", When::Ready),
    ("web-server-cert", "gchararray", "NULL", When::Any),
    ("web-server-key", "gchararray", "NULL", When::Any),
    ("web-server-path", "gchararray", "NULL", When::Any),
    (
        "web-server-directory",
        "gchararray",
        "gstwebrtc-api/dist",
        When::Any,
    ),
    (
        "web-server-host-addr",
        "gchararray",
        "http://127.0.0.1:8080/",
        When::Any,
    ),
];

const SIGNALLER: &[Known] = &[
    ("uri", "gchararray", "ws://127.0.0.1:8443/", When::Any),
    ("cafile", "gchararray", "NULL", When::Any),
    ("insecure-tls", "gboolean", "false", When::Any),
    ("headers", "GstStructure", "NULL", When::Any),
    ("client-id", "gchararray", "NULL", When::Never),
];

fn sink() -> gst::Element {
    stage::init();
    gst::ElementFactory::make("webrtcsink")
        .build()
        .expect("it is registered")
}

/// Each own property is known, and each that is known is there.
fn assert_properties(object: &glib::Object, known: &[Known]) {
    let own = object.list_properties();
    let own = own
        .iter()
        .filter(|pspec| pspec.owner_type() == object.type_());
    let mut names: Vec<_> = own.map(|pspec| pspec.name().to_owned()).collect();
    let mut expected: Vec<_> = known.iter().map(|(name, ..)| (*name).to_owned()).collect();
    names.sort();
    expected.sort();
    assert_eq!(names, expected);
    for (name, kind, default, when) in known {
        let pspec = object.find_property(name).expect("it is there");
        assert_eq!(pspec.value_type().name(), *kind, "{name}");
        let flags = pspec.flags();
        let found = if !flags.contains(glib::ParamFlags::WRITABLE) {
            When::Never
        } else if flags.bits() & gst::ffi::GST_PARAM_MUTABLE_READY as u32 != 0 {
            When::Ready
        } else {
            When::Any
        };
        assert_eq!(found, *when, "{name}");
        assert!(!pspec.blurb().unwrap_or_default().is_empty(), "{name}");
        if !default.is_empty() {
            let value = object.property_value(name);
            let text = match value.get::<Option<String>>() {
                Ok(text) => text.unwrap_or_else(|| "NULL".to_owned()),
                Err(_) if *kind == "GstStructure" => {
                    let structure = value.get::<Option<gst::Structure>>().expect("its type");
                    structure.map_or_else(|| "NULL".to_owned(), |it| it.to_string())
                }
                Err(_) => value.serialize().expect("a text").to_string(),
            };
            assert_eq!(text, *default, "{name}");
            if !matches!(*kind, "GstStructure") {
                let said = pspec.default_value();
                assert_eq!(said.serialize().ok(), value.serialize().ok(), "{name}");
            }
        }
    }
}

#[test]
fn properties_are_those_of_the_published_sink() {
    let sink = sink();
    assert_properties(sink.upcast_ref(), SINK);
    for name in ["min-bitrate", "max-bitrate", "start-bitrate"] {
        let pspec = sink.find_property(name).expect("it is there");
        let pspec = pspec.downcast::<glib::ParamSpecUInt>().expect("a number");
        assert_eq!((pspec.minimum(), pspec.maximum()), (1, u32::MAX), "{name}");
    }
    let port = sink
        .find_property("signalling-server-port")
        .expect("it is there");
    let port = port.downcast::<glib::ParamSpecUInt>().expect("a number");
    assert_eq!((port.minimum(), port.maximum()), (1, 65_535));
    let names = |name: &str| {
        let caps = sink.property::<gst::Caps>(name);
        caps.iter()
            .map(|one| one.name().to_string())
            .collect::<Vec<_>>()
    };
    let video = names("video-caps");
    assert_eq!(video[..3], ["video/x-vp8", "video/x-h264", "video/x-vp9"]);
    assert_eq!(names("audio-caps"), ["audio/x-opus"]);
    let control = sink.property_value("congestion-control");
    let (class, value) = glib::EnumValue::from_value(&control).expect("an enumeration");
    assert_eq!((value.nick(), value.value()), ("gcc", 2));
    for (nick, number) in [("disabled", 0), ("homegrown", 1)] {
        let value = class.value_by_nick(nick).expect("it is known");
        assert_eq!(value.value(), number);
    }
}

#[test]
fn properties_of_the_signaller_are_those_of_the_published_one() {
    let signaller = sink().property::<glib::Object>("signaller");
    assert_properties(&signaller, SIGNALLER);
}

#[test]
fn every_property_that_can_be_set_keeps_what_it_is_set_to() {
    let sink = sink();
    let texts = [
        ("video-caps", "video/x-vp9"),
        ("audio-caps", "audio/x-opus"),
        ("stun-server", "stun://127.0.0.1:1"),
        ("congestion-control", "disabled"),
        ("min-bitrate", "2"),
        ("max-bitrate", "3"),
        ("start-bitrate", "4"),
        ("do-retransmission", "false"),
        ("playout-delay", "20..300"),
        ("transcode", "never"),
        ("max-consumers", "6"),
        ("meta", "meta,name=door"),
        ("run-signalling-server", "true"),
        ("signalling-server-host", "::1"),
        ("signalling-server-port", "5"),
        ("signalling-server-cert", "/a"),
        ("signalling-server-key", "/b"),
        ("run-web-server", "true"),
        ("web-server-cert", "/c"),
        ("web-server-key", "/d"),
        ("web-server-path", "e"),
        ("web-server-directory", "/f"),
        ("web-server-host-addr", "https://0.0.0.0:6/"),
        ("turn-servers", "< \"turn://a:b@c:1\" >"),
        ("do-fec", "true"),
        ("do-clock-signalling", "true"),
        ("enable-data-channel-navigation", "true"),
        ("enable-control-data-channel", "true"),
        ("forward-metas", "timecode"),
        ("enable-mitigation-modes", "none"),
        ("rtx-percentage", "7"),
        ("ice-transport-policy", "relay"),
    ];
    for (name, text) in texts {
        sink.set_property_from_str(name, text);
        let pspec = sink.find_property(name).expect("it is there");
        let set = glib::Value::deserialize_with_pspec(text, &pspec).expect("it can be read");
        let kept = sink.property_value(name);
        assert_eq!(kept.serialize().ok(), set.serialize().ok(), "{name}");
    }
    let writable = SINK.iter().filter(|(.., when)| *when != When::Never);
    assert_eq!(writable.count(), texts.len(), "each is tried");
    // As the published sink reads its address back, and passes over what is none.
    sink.set_property("web-server-host-addr", "http://127.0.0.1:7");
    for none in ["nonsense", "ftp://127.0.0.1:8", "http://127.0.0.1:99999"] {
        sink.set_property("web-server-host-addr", none);
        let kept: String = sink.property("web-server-host-addr");
        assert_eq!(kept, "http://127.0.0.1:7/");
    }
    for none in ["nonsense", "3..2", "0..99999"] {
        sink.set_property("playout-delay", none);
        assert_eq!(sink.property::<String>("playout-delay"), "20..300");
    }
    // Back to our page.
    for none in [None, Some("")] {
        sink.set_property("web-server-directory", "/f");
        sink.set_property("web-server-directory", none);
        let directory: String = sink.property("web-server-directory");
        assert_eq!(directory, "gstwebrtc-api/dist");
    }
    // No caps are none of the kind, not a fault.
    sink.set_property("audio-caps", None::<gst::Caps>);
    assert!(sink.property::<gst::Caps>("audio-caps").is_empty());
}

#[test]
fn sink_without_a_name_is_named_as_the_published_one() {
    let names = [(); 2].map(|()| sink().name().to_string());
    for name in &names {
        let number = name.strip_prefix("webrtcsink").expect(name);
        assert!(number.parse::<u32>().is_ok(), "{name}");
    }
    assert_ne!(names[0], names[1]);
    let named = gst::ElementFactory::make("webrtcsink").name("wigwagsink-yard");
    assert_eq!(
        named.build().expect("it is registered").name(),
        "wigwagsink-yard"
    );
}

#[test]
fn sink_without_pads_does_not_wait_for_a_first_buffer() {
    let sink = sink();
    sink.set_property("stun-server", "");
    let changed = sink.set_state(gst::State::Paused);
    assert_eq!(changed, Ok(gst::StateChangeSuccess::NoPreroll));
    sink.set_state(gst::State::Null).expect("it stops");
}

/// A pipeline with a sink of these properties, whose messages can be read.
fn pipeline(properties: &[(&str, &str)]) -> gst::Pipeline {
    let sink = sink();
    sink.set_property("stun-server", "");
    for (name, value) in properties {
        sink.set_property_from_str(name, value);
    }
    let pipeline = gst::Pipeline::new();
    pipeline.add(&sink).expect("it is new");
    pipeline
}

#[test]
fn property_without_effect_yet_is_a_warning_and_no_end() {
    let pipeline = pipeline(&[
        ("do-fec", "true"),
        ("turn-servers", "< \"turn://me:secret@h:1\" >"),
    ]);
    pipeline.set_state(gst::State::Paused).expect("it goes on");
    let bus = pipeline.bus().expect("a pipeline has one");
    let warnings = [gst::MessageType::Warning; 2].map(|kind| {
        let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(20), &[kind]);
        let message = message.expect("a warning");
        match message.view() {
            gst::MessageView::Warning(warning) => warning.error().message().to_owned(),
            _ => unreachable!("it was filtered"),
        }
    });
    assert!(
        warnings.iter().any(|text| text.contains("do-fec")),
        "{warnings:?}"
    );
    assert!(
        warnings.iter().any(|text| text.contains("turn-servers")),
        "{warnings:?}"
    );
    assert!(
        !warnings.iter().any(|text| text.contains("secret")),
        "{warnings:?}"
    );
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn policy_that_would_hide_addresses_is_an_error() {
    let pipeline = pipeline(&[("ice-transport-policy", "relay")]);
    assert!(pipeline.set_state(gst::State::Paused).is_err());
    pipeline.set_state(gst::State::Null).expect("it stops");
}

#[test]
fn the_signaller_and_pads_are_children() {
    let sink = sink();
    let proxy = sink
        .dynamic_cast_ref::<gst::ChildProxy>()
        .expect("it has children");
    proxy.set_child_property("signaller::uri", "ws://127.0.0.1:1/");
    let uri: String = proxy.child_property("signaller::uri");
    assert_eq!(uri, "ws://127.0.0.1:1/");
    let pad = sink.request_pad_simple("video_%u").expect("a pad");
    assert_eq!(pad.name(), "video_0");
    let child = proxy.child_by_name("video_0").expect("a child");
    assert_eq!(child, pad.upcast::<glib::Object>());
    let described = gst::parse::launch("webrtcsink signaller::uri=ws://127.0.0.1:2/ name=s");
    let described = described.expect("it can be read");
    let signaller = described.property::<glib::Object>("signaller");
    assert_eq!(signaller.property::<String>("uri"), "ws://127.0.0.1:2/");
}

#[test]
fn codecs_are_offered_in_the_order_of_the_caps() {
    let order = |properties: &str| {
        let sender = Sender::playing_with(properties, &format!("{VIDEO} {AUDIO}"));
        let offer = sender.viewer().description();
        let maps = sdp::lines(&offer, "a=rtpmap:");
        let codec = |line: &&str| {
            let codec = line.split_once(' ').expect("a codec").1;
            codec.split('/').next().expect("a name").to_owned()
        };
        let codecs = maps.iter().map(codec).filter(|codec| codec != "rtx");
        let mut codecs: Vec<_> = codecs.collect();
        // H.264 stands there for each packetization or profile that viewers may want.
        codecs.dedup();
        codecs
    };
    assert_eq!(
        order("video-caps=\"video/x-h264;video/x-vp8\""),
        ["opus", "H264", "VP8"]
    );
    assert_eq!(order("video-caps=video/x-vp9"), ["opus", "VP9"]);
}

#[test]
fn without_audio_caps_sound_is_an_error() {
    let sender = Sender::new("", AUDIO);
    sender.sink.set_property("audio-caps", None::<gst::Caps>);
    sender.play();
    sender.wait_error("audio_0");
}

#[test]
fn the_meta_is_shown_to_viewers() {
    let sender = Sender::playing_with("meta=\"meta,name=door,number=7\"", VIDEO);
    let (socket, meta) = list_first(&sender.url);
    drop(socket);
    assert_eq!(meta, r#"{"name":"door","number":7}"#);
}

/// Asks the server for its producers until there is one; returns its meta.
fn list_first(url: &str) -> (tungstenite::WebSocket<std::net::TcpStream>, String) {
    use wigwag_protocol::json::{ClientMessage, ServerMessage};

    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    let stream = std::net::TcpStream::connect(address).expect("a server");
    let (mut socket, _) = tungstenite::client(url, stream).expect("a handshake");
    let mut found = None;
    stage::wait("a producer", || {
        let list = ClientMessage::List.to_json();
        socket.send(tungstenite::Message::text(list)).expect("sent");
        let message = socket
            .read()
            .expect("a message")
            .into_text()
            .expect("a text");
        if let ServerMessage::List { producers } =
            ServerMessage::from_json(&message).expect("a message of the server")
        {
            found = producers.into_iter().next();
        }
        found.is_some()
    });
    let meta = found
        .and_then(|producer| producer.meta)
        .expect("it has meta");
    (socket, meta.as_json().to_owned())
}

#[test]
fn headers_go_to_the_server() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("an address"));
    let properties = format!("signaller::uri={url} signaller::headers=\"h,x-token=abc\"");
    let sender = Sender::without_server(&properties, VIDEO, url);
    sender.play();
    let (mut stream, _) = listener.accept().expect("the sink connects");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a socket");
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a request");
        request.push(char::from(byte[0]));
    }
    let request = request.to_ascii_lowercase();
    assert!(request.contains("\r\nx-token: abc\r\n"), "{request}");
    stream
        .write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        .expect("sent");
    sender.wait_error("403");
}

#[test]
fn the_own_server_listens_where_it_is_told() {
    let port = stage::free_port();
    let properties = format!(
        "run-signalling-server=true signalling-server-host=127.0.0.2 signalling-server-port={port}"
    );
    let url = format!("ws://127.0.0.2:{port}/");
    let sender = Sender::without_server(&properties, VIDEO, url);
    sender.play();
    let call = Call {
        calling: Calling::Offers(vec![StreamKind::Video]),
        ..Call::default()
    };
    Viewer::call(&sender.url, call).wait_frames(5);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}
