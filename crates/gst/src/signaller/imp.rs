//! Properties of the signaller.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;
use wigwag_client::{NativeConfig, Role};

use crate::structure;

const DEFAULT_URI: &str = "ws://127.0.0.1:8443/";

#[derive(Default)]
#[allow(unnameable_types, reason = "the public type is the wrapper")]
pub struct Signaller {
    settings: Mutex<Settings>,
}

struct Settings {
    uri: String,
    cafile: Option<String>,
    insecure_tls: bool,
    headers: Option<gst::Structure>,
    client_id: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            uri: DEFAULT_URI.to_owned(),
            cafile: None,
            insecure_tls: false,
            headers: None,
            client_id: None,
        }
    }
}

pub(super) fn config(signaller: &super::Signaller, role: Role) -> NativeConfig {
    let settings = signaller.imp().settings();
    let mut config = NativeConfig::new(settings.uri.clone(), role);
    config.cafile = settings.cafile.as_ref().map(Into::into);
    config.insecure_tls = settings.insecure_tls;
    if let Some(headers) = &settings.headers {
        config.headers = structure::headers(headers);
    }
    config
}

pub(super) fn set_client_id(signaller: &super::Signaller, id: Option<&str>) {
    signaller.imp().settings().client_id = id.map(str::to_owned);
    signaller.notify("client-id");
}

impl Signaller {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[glib::object_subclass]
impl ObjectSubclass for Signaller {
    const NAME: &'static str = "WigwagSignaller";
    type Type = super::Signaller;
}

impl ObjectImpl for Signaller {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            vec![
                glib::ParamSpecString::builder("uri")
                    .nick("Address")
                    .blurb("Address of the signalling server (ws or wss); read when the element starts")
                    .default_value(Some(DEFAULT_URI))
                    .build(),
                glib::ParamSpecString::builder("cafile")
                    .nick("Authorities")
                    .blurb("File (PEM) with the authorities to trust instead of the system's")
                    .build(),
                glib::ParamSpecBoolean::builder("insecure-tls")
                    .nick("Insecure TLS")
                    .blurb("Accepts whatever certificate the server shows")
                    .build(),
                glib::ParamSpecBoxed::builder::<gst::Structure>("headers")
                    .nick("HTTP headers")
                    .blurb("Headers of the HTTP request that opens the connection")
                    .build(),
                glib::ParamSpecString::builder("client-id")
                    .nick("Client id")
                    .blurb("The id that the server gave this element")
                    .read_only()
                    .build(),
            ]
        });
        PROPERTIES.as_ref()
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let mut settings = self.settings();
        match pspec.name() {
            "uri" => {
                let uri = value.get::<Option<String>>().expect("checked by GObject");
                settings.uri = uri.unwrap_or_else(|| DEFAULT_URI.to_owned());
            }
            "cafile" => settings.cafile = value.get().expect("checked by GObject"),
            "insecure-tls" => settings.insecure_tls = value.get().expect("checked by GObject"),
            "headers" => settings.headers = value.get().expect("checked by GObject"),
            _ => {}
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = self.settings();
        match pspec.name() {
            "uri" => settings.uri.to_value(),
            "cafile" => settings.cafile.to_value(),
            "insecure-tls" => settings.insecure_tls.to_value(),
            "headers" => settings.headers.to_value(),
            _ => settings.client_id.to_value(),
        }
    }
}
