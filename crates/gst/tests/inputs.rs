//! What pads get: pictures in pieces.

mod stage;

use stage::Sender;

#[test]
fn a_picture_in_slices_with_parameter_sets_before_each_is_one_frame() {
    // As `rtph264pay` of GStreamer 1.22 sends it, and as a parser then cuts it; every tenth is a key frame.
    let piece = |wanted: &str| {
        format!(
            "videotestsrc is-live=true pattern=smpte \
             ! video/x-raw,format=I420,width=640,height=480,framerate=30/1 \
             ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 threads=4 \
             ! video/x-h264,profile=constrained-baseline \
             ! rtph264pay config-interval=-1 ! rtph264depay ! {wanted} ! queue ! s."
        )
    };
    for wanted in [
        "video/x-h264,stream-format=byte-stream,alignment=au ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au",
        "video/x-h264,stream-format=byte-stream,alignment=au ! h264parse ! video/x-h264,stream-format=avc,alignment=au",
        "video/x-h264,stream-format=byte-stream,alignment=au",
        "video/x-h264,stream-format=byte-stream,alignment=nal",
        "video/x-h264,stream-format=avc,alignment=au",
    ] {
        let sender = Sender::playing(&piece(wanted));
        let viewer = sender.persistent_viewer();
        viewer.wait_frames(70);
        let report = viewer.report();
        let (frames, key_frames) = (viewer.frames(), viewer.key_frames());
        // It may begin and end with a key frame.
        assert!(
            key_frames > 0 && (key_frames - 1) * 9 <= frames,
            "{key_frames} of {frames} pictures are key frames, of {wanted}: {report:?}"
        );
        assert!(sender.errors().is_empty(), "{:?}", sender.posted());
    }
}
