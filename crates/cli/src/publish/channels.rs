//! All channels of the command: which there are, and what becomes of one that ends.

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Instant;

use super::camera::Camera;
use super::channel::{Channel, Fate};
use super::event::Event;
use super::outlet::SharedClock;
use super::output::STOP_TIMEOUT;
use super::output_settings::OutputSettings;
use super::snapshots::Snapshots;
use super::status::Status;

/// Channels by their number, which events name and no other channel gets.
pub(super) struct Channels {
    all: BTreeMap<usize, (Camera, Channel)>,
    next: usize,
    settings: OutputSettings,
    /// Where pictures can be asked for; none if nowhere.
    snapshots: Option<Snapshots>,
    clock: SharedClock,
    events: Sender<Event>,
    /// Whether the others go on when one fails, and the command does without any.
    outlives: bool,
}

impl Channels {
    pub(super) fn new(
        settings: OutputSettings,
        snapshots: Option<Snapshots>,
        clock: SharedClock,
        events: Sender<Event>,
        outlives: bool,
    ) -> Self {
        Self {
            all: BTreeMap::new(),
            next: 0,
            settings,
            snapshots,
            clock,
            events,
            outlives,
        }
    }

    /// Makes these the channels that there are. Those that are as they were go on; the text of an error is for the user.
    pub(super) fn set(&mut self, cameras: Vec<Camera>, status: &Status) -> Result<(), String> {
        let gone = |(camera, _): &(Camera, Channel)| !cameras.contains(camera);
        let ended = self.all.extract_if(.., |_, place| gone(place));
        let ended: Vec<_> = ended.map(|(_, (_, channel))| channel).collect();
        stop(ended);
        for camera in cameras {
            let is_there = self.all.values().any(|(other, _)| *other == camera);
            if !is_there {
                self.add(camera, status)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, camera: Camera, status: &Status) -> Result<(), String> {
        let settings = OutputSettings {
            latency: camera.latency,
            transcode: camera.transcode,
            max_bitrate: camera.max_bitrate,
            max_viewers: camera.max_viewers,
            ..self.settings.clone()
        };
        let number = self.next;
        self.next += 1;
        let snapshots = self.snapshots.as_ref();
        let made = Channel::new(
            number,
            camera.named.clone(),
            &camera.sources,
            &settings,
            snapshots.map(|snapshots| snapshots.register(number, &camera.named.name)),
            &self.clock,
            &self.events,
        );
        self.all.insert(number, (camera, made?));
        self.notify(number, status, |channel| channel.start(status))
    }

    /// Whether there is anything to wait for.
    pub(super) fn goes_on(&self) -> bool {
        self.outlives || !self.all.is_empty()
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let channels = self.all.values();
        channels.filter_map(|(_, channel)| channel.deadline()).min()
    }

    /// Does what is due.
    pub(super) fn on_time(&mut self, status: &Status) -> Result<(), String> {
        let numbers: Vec<_> = self.all.keys().copied().collect();
        numbers
            .into_iter()
            .try_for_each(|number| self.notify(number, status, |channel| channel.on_time(status)))
    }

    /// Passes something to a channel; one that ended is stopped. The text of an error is for the user.
    pub(super) fn notify(
        &mut self,
        number: usize,
        status: &Status,
        what: impl FnOnce(&mut Channel) -> Fate,
    ) -> Result<(), String> {
        let Some((camera, channel)) = self.all.get_mut(&number) else {
            return Ok(());
        };
        match what(channel) {
            Fate::GoesOn => return Ok(()),
            Fate::Ended => {}
            Fate::Failed(reason) if self.outlives => {
                status.say(&format!("{}: {reason}; it is given up", camera.named.name));
            }
            Fate::Failed(reason) => return Err(reason),
        }
        stop(self.all.remove(&number).map(|(_, channel)| channel));
        Ok(())
    }

    /// How all go, for the line on the terminal.
    pub(super) fn describe(&mut self) -> String {
        let channels = self.all.values_mut();
        let lines: Vec<_> = channels.map(|(_, channel)| channel.describe()).collect();
        lines.join(" | ")
    }

    /// Ends all.
    pub(super) fn stop(self) {
        stop(self.all.into_values().map(|(_, channel)| channel));
    }
}

/// Ends channels side by side, and waits for that a little.
fn stop(channels: impl IntoIterator<Item = Channel>) {
    let (stopping, stopped) = channel();
    let mut are_any = false;
    for mut channel in channels {
        are_any = true;
        let stopping = stopping.clone();
        thread::spawn(move || channel.stop(stopping));
    }
    drop(stopping);
    if are_any {
        // Nothing is sent: it is over when nobody can send any more.
        let _ = stopped.recv_timeout(STOP_TIMEOUT * 2);
    }
}
