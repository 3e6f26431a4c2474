//! Profiles of H.264 as descriptions name them (RFC 6184, section 8.1, table 5).

/// What a decoder must be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    ConstrainedBaseline,
    Baseline,
    Extended,
    Main,
    ConstrainedHigh,
    High,
    /// `profile_idc` and constraints of any other.
    Other(u8, u8),
}

/// Baseline at level 1: what a description without `profile-level-id` means.
pub(crate) const DEFAULT: u32 = 0x42_00_0a;

/// Whether who takes `received` can decode `sent`, levels aside: same profile, or one that includes it.
pub(crate) fn takes(received: u32, sent: u32) -> bool {
    let (received, sent) = (profile(received), profile(sent));
    received == sent
        || matches!(
            (received, sent),
            (Profile::Baseline, Profile::ConstrainedBaseline)
                | (Profile::High, Profile::ConstrainedHigh)
        )
}

/// Under which names Chromium, Firefox, Safari and aiortc list decoders, every one of which takes 4:2:0 with 8 bits up to High,
/// whatever it is called: constrained baseline first, which every viewer of H.264 has.
const LISTED: &[u32] = &[
    CONSTRAINED_BASELINE,
    0x42_00_1f,
    0x4d_00_1f,
    0x64_0c_1f,
    0x64_00_1f,
    0xf4_00_1f,
];

/// What every viewer of H.264 takes (RFC 7742, section 6.2), at level 3.1.
pub(crate) const CONSTRAINED_BASELINE: u32 = 0x42_e0_1f;

/// Other names under which `sent` is offered: those of [`LISTED`] under which viewers decode it.
pub(crate) fn also_known_as(sent: u32) -> impl Iterator<Item = u32> {
    let names: &[u32] = match profile(sent) {
        // Every viewer of H.264 lists one of the two.
        Profile::ConstrainedBaseline | Profile::Baseline => &LISTED[..2],
        Profile::Main | Profile::ConstrainedHigh | Profile::High => LISTED,
        // What is only in these, and more bits or other chroma: not every decoder has them.
        Profile::Extended | Profile::Other(..) => &[],
    };
    let names = names.iter().copied();
    names.filter(move |name| name >> 8 != sent >> 8)
}

/// What to answer to an offer of `received` when `sent` is sent: the profile is the viewer's word; the
/// level is ours if it may differ from the viewer's, and else the lower one.
pub(crate) fn answered(received: u32, sent: u32, level_asymmetry: bool) -> u32 {
    let (received_level, sent_level) = (received & 0xff, sent & 0xff);
    let level = if level_asymmetry {
        sent_level
    } else {
        sent_level.min(received_level)
    };
    received & 0xff_ff_00 | level
}

fn profile(profile_level_id: u32) -> Profile {
    let [_, idc, constraints, _] = profile_level_id.to_be_bytes();
    let set = |bit: u8| constraints & (0x80 >> bit) != 0;
    match idc {
        0x42 if set(1) => Profile::ConstrainedBaseline,
        0x42 => Profile::Baseline,
        0x4d if set(0) => Profile::ConstrainedBaseline,
        0x4d => Profile::Main,
        0x58 if set(0) && set(1) => Profile::ConstrainedBaseline,
        0x58 if set(0) => Profile::Baseline,
        0x58 => Profile::Extended,
        0x64 if set(4) && set(5) => Profile::ConstrainedHigh,
        0x64 => Profile::High,
        _ => Profile::Other(idc, constraints),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constrained_baseline_is_for_all_who_take_baseline() {
        for received in [0x42e01f, 0x42e016, 0x42c00d, 0x42001f, DEFAULT, 0x58e01f] {
            assert!(takes(received, 0x42e01f), "{received:06x}");
        }
        for received in [0x4d001f, 0x64001f, 0x58001f, 0xf4001f] {
            assert!(!takes(received, 0x42e01f), "{received:06x}");
        }
        assert!(
            !takes(0x42e01f, 0x42001f),
            "baseline has more than constrained baseline"
        );
        assert!(takes(0x640028, 0x640c1f) && !takes(0x640c1f, 0x64001f));
    }

    fn names(sent: u32) -> Vec<u32> {
        also_known_as(sent).collect()
    }

    #[test]
    fn names_up_to_high_are_those_that_browsers_list() {
        assert_eq!(names(CONSTRAINED_BASELINE), [0x42001f]);
        assert_eq!(names(0x42c016), [0x42e01f, 0x42001f]);
        assert_eq!(names(0x42a01e), [0x42e01f, 0x42001f]);
        assert_eq!(names(0x4de01f), [0x42e01f, 0x42001f]);
        assert_eq!(
            names(0x4d4028),
            [0x42e01f, 0x42001f, 0x4d001f, 0x640c1f, 0x64001f, 0xf4001f]
        );
        assert_eq!(
            names(0x640028),
            [0x42e01f, 0x42001f, 0x4d001f, 0x640c1f, 0xf4001f]
        );
    }

    #[test]
    fn names_of_more_bits_or_other_chroma_are_its_own_alone() {
        for sent in [0x58001f, 0x6e0028, 0x7a0028, 0xf4001f, 0x2c0028] {
            assert_eq!(names(sent), [], "{sent:06x}");
        }
    }

    #[test]
    fn the_level_is_ours_only_if_it_may_be() {
        assert_eq!(answered(0x42e016, 0x42e01f, true), 0x42e01f);
        assert_eq!(answered(0x42e016, 0x42e01f, false), 0x42e016);
        assert_eq!(answered(0x420033, 0x42e01f, false), 0x42001f);
    }
}
