//! A live test picture with the time in it, for programs to read, and clicks that go with flashes.
//!
//! * The top 24 lines hold 32 cells side by side, dark for 0 and bright for 1, the most significant first: 28 bits of the
//!   system's clock in steps of 0.1 ms, when the picture left its source, and 4 bits of check.
//! * The next 24 lines are bright in the first picture of each second, in which the click is that the sound has.
//!
//! The program around the published `webrtcsink` includes this file too, so that both send the same.

use std::time::{SystemTime, UNIX_EPOCH};

use gst::glib;
use gst::prelude::*;

/// The lines of each of the two bands.
const BAND: usize = 24;
const CELLS: usize = 32;
const CHECK_BITS: u32 = 4;
const DARK: u8 = 16;
const BRIGHT: u8 = 235;

const SOUND: &str = "audiotestsrc is-live=true wave=ticks freq=2000 volume=1 samplesperbuffer=480 \
    ! audio/x-raw,rate=48000,channels=2 ! queue name=exit";

/// What the source gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// A multiple of 32.
    pub(crate) width: i32,
    pub(crate) height: i32,
    /// Whether there is sound.
    pub(crate) sound: bool,
    /// The latency that is reported, as by a camera.
    pub(crate) latency: Option<gst::ClockTime>,
}

/// Adds the source and links it with the sink.
pub(crate) fn add(
    pipeline: &gst::Pipeline,
    options: Options,
    sink: &gst::Element,
) -> Result<(), glib::Error> {
    let Options { width, height, .. } = options;
    let picture = format!(
        "videotestsrc is-live=true \
         ! video/x-raw,format=I420,width={width},height={height},framerate=30/1 ! queue name=exit"
    );
    let sources = [(picture.as_str(), "video_%u"), (SOUND, "audio_%u")];
    let wanted = sources.iter().take(if options.sound { 2 } else { 1 });
    for (description, template) in wanted {
        let source = gst::parse::bin_from_description(description, true)?;
        let pad = source.static_pad("src").expect("a bin with an open end");
        if *template == "video_%u" {
            let width = usize::try_from(width).unwrap_or_default();
            // Before the queue: behind it a picture would be drawn when the sink has let the last one go.
            let exit = source.by_name("exit");
            let exit = exit.and_then(|queue| queue.static_pad("sink"));
            let exit = exit.expect("a queue with a pad");
            exit.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                if let Some(buffer) = info.buffer_mut() {
                    draw(buffer.make_mut(), width);
                }
                gst::PadProbeReturn::Ok
            });
        }
        if let Some(latency) = options.latency {
            report_latency(&pad, latency);
        }
        let failed = |what: &str| glib::Error::new(gst::CoreError::Failed, what);
        pipeline
            .add(&source)
            .map_err(|_| failed("the source cannot be added"))?;
        let entry = sink.request_pad_simple(template);
        let entry = entry.ok_or_else(|| failed("the sink gives no pad"))?;
        pad.link(&entry)
            .map_err(|_| failed("the sink cannot be linked"))?;
    }
    Ok(())
}

fn draw(buffer: &mut gst::BufferRef, width: usize) {
    // Live test sources begin at the running time 0, and so do their ticks.
    let second = gst::ClockTime::SECOND;
    let pts = buffer.pts().unwrap_or_default();
    let flashes = pts.nseconds() % second.nseconds() < 1_000_000_000 / 30;
    let Ok(mut map) = buffer.map_writable() else {
        return;
    };
    let Some((clock, rest)) = map.split_at_mut_checked(width * BAND) else {
        return;
    };
    let flash = rest.get_mut(..width * BAND).unwrap_or_default();
    flash.fill(if flashes { BRIGHT } else { DARK });
    let value = cells(now());
    for line in clock.chunks_mut(width) {
        for (cell, place) in line.chunks_mut(width / CELLS).enumerate() {
            let bit = value.checked_shr((CELLS - 1 - cell.min(CELLS - 1)) as u32);
            place.fill(match bit.unwrap_or_default() & 1 {
                0 => DARK,
                _ => BRIGHT,
            });
        }
    }
}

/// In steps of 0.1 ms.
fn now() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_micros() / 100
}

/// The lower bits and behind them their check: the exclusive or of each four, and of ones so that black is no time.
fn cells(steps: u128) -> u32 {
    let time = (steps as u32) << CHECK_BITS;
    let nibbles = (1..8).map(|place| time >> (4 * place) & 0xf);
    time | nibbles.fold(0xf, |check, nibble| check ^ nibble)
}

/// Answers in the place of the elements before, which know no latency until they are negotiated.
fn report_latency(pad: &gst::Pad, latency: gst::ClockTime) {
    let asked = gst::PadProbeType::QUERY_UPSTREAM | gst::PadProbeType::PUSH;
    pad.add_probe(asked, move |_, info| {
        if let Some(query) = info.query_mut()
            && let gst::QueryViewMut::Latency(asked) = query.view_mut()
        {
            asked.set(true, latency, gst::ClockTime::NONE);
            return gst::PadProbeReturn::Handled;
        }
        gst::PadProbeReturn::Ok
    });
}
