//! `wigwag publish --embed`: JPEG pictures of what is published, each made when it is asked for.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use wigwag_end_to_end::publish::{Media, Published, RtspServer};
use wigwag_end_to_end::sources::HttpCamera;

/// How far a channel of a colour may be from that of the source, after H.264 and JPEG.
const TOLERANCE: u8 = 4;

/// Between questions that are asked until the answer is another.
const PAUSE: Duration = Duration::from_millis(200);

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

/// A running publisher and the address of its server.
struct Embedded {
    published: Published,
    address: String,
}

impl Embedded {
    fn start(arguments: &[&str]) -> Result<Self> {
        let embed = ["--embed", "--host", "127.0.0.1", "--port", "0"];
        let mut published = Published::start(&[arguments, &embed].concat())?;
        let line = published.wait_for_line("watch at http://")?;
        let address = line.trim_start_matches("watch at http://");
        let address = address.trim_end_matches('/').to_owned();
        published.wait_for_line(&format!("at http://{address}/snapshot/"))?;
        published.wait_for_line("published as ")?;
        Ok(Self { published, address })
    }

    fn get(&self, path: &str) -> Result<Answer> {
        let mut stream = TcpStream::connect(&self.address)?;
        let host = &self.address;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.context("the answer has no end of its head")?;
        let head = String::from_utf8(answer[..end].to_vec())?;
        let status = head.split(' ').nth(1).context("no status")?.parse()?;
        let body = answer[end + 4..].to_vec();
        Ok(Answer { status, head, body })
    }

    fn picture(&self, path: &str) -> Result<Vec<u8>> {
        let Answer { status, head, body } = self.get(path)?;
        let text = String::from_utf8_lossy(&body);
        ensure!(status == 200, "{status}: {text}");
        ensure!(head.contains("content-type: image/jpeg"), "{head}");
        ensure!(head.contains("cache-control: no-store"), "{head}");
        Ok(body)
    }
}

/// The size of a JPEG picture and its colour in the middle.
fn look_at(folder: &Path, picture: &[u8]) -> Result<(usize, [u8; 3])> {
    let (file, raw) = (folder.join("picture.jpg"), folder.join("picture.raw"));
    fs::write(&file, picture)?;
    let pipeline = format!(
        "filesrc location={} ! jpegdec ! videoconvert ! video/x-raw,format=RGBx ! filesink location={}",
        file.display(),
        raw.display()
    );
    let decoded = Command::new("gst-launch-1.0")
        .arg("-q")
        .args(pipeline.split_whitespace())
        .output()?;
    ensure!(decoded.status.success(), "it is no JPEG picture");
    let bytes = fs::read(&raw)?;
    let (pixels, _) = bytes.as_chunks::<4>();
    let [red, green, blue, _] = pixels[pixels.len() / 2];
    Ok((pixels.len(), [red, green, blue]))
}

fn make(media: &Media, name: &str, pipeline: &str) -> Result<String> {
    let path = media.path(name).to_string_lossy().into_owned();
    let made = Command::new("gst-launch-1.0")
        .args(["-q", "-e"])
        .args(pipeline.split_whitespace())
        .args(["!", "filesink", &format!("location={path}")])
        .status()?;
    ensure!(made.success());
    Ok(path)
}

#[test]
fn snapshot_of_each_kind_of_source_has_its_colours_and_shape() -> Result<()> {
    let media = Media::new()?;
    let folder = TempDir::new()?;
    for (name, source, area) in [
        // Limited range, which JPEG does not have.
        (
            "h264.mp4",
            "video/x-raw,format=I420,width=320,height=240 ! x264enc key-int-max=60 ! mp4mux",
            320 * 240,
        ),
        // Each pixel is 16 by 15.
        (
            "narrow.mkv",
            "video/x-raw,width=300,height=240,pixel-aspect-ratio=16/15 ! vp8enc ! matroskamux",
            320 * 240,
        ),
        (
            "interlaced.mkv",
            "video/x-raw,format=I420,width=320,height=240 ! interlace field-pattern=1:1 ! x264enc \
             interlaced=true ! matroskamux",
            320 * 240,
        ),
        // Full range.
        (
            "motion.mkv",
            "video/x-raw,format=RGB,width=320,height=240 ! jpegenc ! matroskamux",
            320 * 240,
        ),
        (
            "raw.mkv",
            "video/x-raw,format=YUY2,width=320,height=240 ! matroskamux",
            320 * 240,
        ),
    ] {
        let pipeline = format!("videotestsrc num-buffers=90 pattern=red ! {source}");
        let file = make(&media, name, &pipeline)?;
        let published = Embedded::start(&[&file, "--loop"])?;
        let picture = published.picture(&format!("/snapshot/{name}.jpg"))?;
        let (pixels, colour) = look_at(folder.path(), &picture)?;
        ensure!(pixels == area, "{name}: {pixels} pixels");
        let is_right = |(seen, right): (&u8, u8)| seen.abs_diff(right) <= TOLERANCE;
        ensure!(
            colour.iter().zip([255, 0, 0]).all(is_right),
            "{name}: {colour:?}"
        );
    }
    Ok(())
}

#[test]
fn snapshots_asked_for_within_a_second_are_one() -> Result<()> {
    let published = Embedded::start(&["test", "--name", "Back / yard"])?;
    let path = "/snapshot/Back%20%2F%20yard.jpg";
    let first = published.picture(path)?;
    let second = published.picture(path)?;
    ensure!(first == second, "two pictures were made within a second");
    let changed = (0..50).any(|_| {
        thread::sleep(PAUSE);
        published.picture(path).is_ok_and(|next| next != first)
    });
    ensure!(changed, "the picture stays as it was");
    Ok(())
}

#[test]
fn snapshot_calls_a_camera_that_is_called_on_demand() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("cameras.toml");
    let mut gate = RtspServer::start()?;
    let camera = format!(
        "[[camera]]\nname = \"Gate\"\ninput = \"{}\"\non_demand = true\n",
        gate.uri()
    );
    fs::write(&file, camera)?;
    let mut embedded = Embedded::start(&["--config", &file.to_string_lossy()])?;
    gate.wait_until_asked()?;
    let nobody = "nobody watches; it is called when somebody does";
    embedded.published.wait_for_line(nobody)?;
    for _ in 0..2 {
        // One that was not called could not give a picture.
        gate.kill()?;
        gate.start_again()?;
        let picture = embedded.picture("/snapshot/Gate.jpg")?;
        gate.wait_until_asked()?;
        let (pixels, _) = look_at(folder.path(), &picture)?;
        ensure!(pixels == 320 * 240);
        embedded.published.wait_for_new_line(nobody)?;
    }
    Ok(())
}

#[test]
fn camera_of_single_pictures_has_snapshots_and_one_that_is_gone_has_none() -> Result<()> {
    let folder = TempDir::new()?;
    let mut camera = HttpCamera::snapshots()?;
    let published = Embedded::start(&[&camera.uri(), "--name", "Still"])?;
    camera.wait_until_asked()?;
    let picture = published.picture("/snapshot/Still.jpg")?;
    ensure!(look_at(folder.path(), &picture)?.0 == 320 * 240);

    let unknown = published.get("/snapshot/Stil.jpg")?;
    ensure!(unknown.status == 404, "{}", unknown.status);
    let other = published.get("/snapshot/Still.png")?;
    ensure!(other.status == 404, "{}", other.status);

    camera.kill()?;
    // The last picture is shown for some seconds more, and not for ever.
    let gone = (0..100)
        .map(|_| {
            thread::sleep(PAUSE);
            published.get("/snapshot/Still.jpg")
        })
        .find(|answer| answer.as_ref().is_ok_and(|answer| answer.status != 200));
    let gone = gone.context("pictures of a camera that is gone")??;
    let text = String::from_utf8_lossy(&gone.body).into_owned();
    ensure!(gone.status == 504, "{}: {text}", gone.status);
    ensure!(text.contains("no picture came"), "{text}");
    Ok(())
}
