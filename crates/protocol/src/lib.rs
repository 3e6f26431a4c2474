//! The signalling protocols that `webrtcsink`, `webrtcsrc`, `gstwebrtc-api` and `gst-signalling`
//! speak, as types.
//!
//! This crate turns text into messages and messages into text. It does no I/O, reads no clock and
//! keeps no state: who may send what, and when, is the business of `wigwag-hub`.
//!
//! [`json`] is the protocol of GStreamer's `gst-webrtc-signalling-server`, versions 1.0 and 1.1; [`text`]
//! is that of the server among GStreamer's WebRTC examples.

pub mod json;
pub mod text;
