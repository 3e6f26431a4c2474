//! `wigwag publish`: pictures and sound from anywhere to viewers.
//!
//! ```text
//! Source (a pipeline): urisourcebin ! parsebin ! [decode] ! appsink
//!                                                             │ Feed: timestamps, waiting
//! Output (a pipeline): webrtcsink ◄── appsrc: a lane for each ┘
//! ```
//!
//! The output stays for as long as its input is published; sources are thrown away and made anew, at the end of
//! a file that begins again or when a live source is lost. A [`channel`](channel::Channel) has one of each and
//! decides; all [`channels`](channels::Channels) live on one thread, which gets the events of GStreamer's threads.
//! Pictures that are asked for by HTTP ([`snapshots`]) are made of what the feed keeps of its [`latest`] frames.

mod address;
mod arguments;
mod arrival;
mod back_off;
mod bitrate;
mod camera;
mod cameras;
mod channel;
mod channels;
mod description;
mod elements;
mod event;
mod group;
mod input;
mod input_file;
mod jpeg;
mod kind;
mod latest;
mod loss;
mod missing;
mod network;
mod outlet;
mod output;
mod output_settings;
mod progress;
mod run;
mod snapshots;
mod source;
mod source_settings;
mod source_state;
mod status;
mod tcp;
mod test_pattern;
mod track;
mod tracks;
mod viewer_lines;

pub use arguments::PublishArguments;
pub(crate) use run::{PublishError, run};
