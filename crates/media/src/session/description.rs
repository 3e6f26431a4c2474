//! Session descriptions as text, where the library's are not what viewers want.

/// Names the media stream of every section `name`, so that they are played in step, and gives each
/// section's track an id of its own: `name-0`, `name-1`, … Chromium refuses a description in which two
/// sections have the same (`a=msid`, RFC 8830).
pub(super) fn with_track_ids(sdp: &str, name: &str) -> String {
    let mut sections = 0;
    let mut named = String::with_capacity(sdp.len() + 16 * name.len());
    for line in sdp.lines() {
        if line.starts_with("m=") {
            sections += 1;
        }
        // In `a=ssrc:…` lines older viewers find the same.
        let before = match line.split_once("msid:") {
            Some((before @ "a=", _)) => Some(before),
            Some((before, _)) if before.starts_with("a=ssrc:") => Some(before),
            _ => None,
        };
        match before {
            Some(before) if sections > 0 => {
                let track = sections - 1;
                named += &format!("{before}msid:{name} {name}-{track}");
            }
            _ => named += line,
        }
        named += "\r\n";
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_section_gets_a_track_of_its_own_in_one_stream() {
        let sdp = "v=0\r\na=msid-semantic: WMS x\r\nm=video 9 X 96\r\na=msid:x y\r\n\
            a=ssrc:1 cname:y\r\na=ssrc:1 msid:x y\r\nm=audio 9 X 111\r\na=msid:z z\r\n\
            m=application 9 X webrtc-datachannel\r\na=mid:2\r\n";
        let named = "v=0\r\na=msid-semantic: WMS x\r\nm=video 9 X 96\r\na=msid:cam cam-0\r\n\
            a=ssrc:1 cname:y\r\na=ssrc:1 msid:cam cam-0\r\nm=audio 9 X 111\r\na=msid:cam cam-1\r\n\
            m=application 9 X webrtc-datachannel\r\na=mid:2\r\n";
        assert_eq!(with_track_ids(sdp, "cam"), named);
    }

    #[test]
    fn what_is_not_about_tracks_stays() {
        let sdp = "v=0\r\ns=msid:\r\nm=video 9 X 96\r\na=x-msid:1\r\n";
        assert_eq!(with_track_ids(sdp, "cam"), sdp);
    }
}
