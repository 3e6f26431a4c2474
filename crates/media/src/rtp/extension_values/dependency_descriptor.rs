//! The dependency descriptor (RTP Payload Format For AV1, appendix A): which layers and frames a frame needs.
//!
//! It is kept as it came: who passes a stream on passes it on too. str0m does not know the extension.

use std::sync::Arc;

use str0m::rtp::{ExtensionSerializer, ExtensionValues};

/// The extension as descriptions name it.
pub(crate) const URI: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

/// The bytes of a packet's descriptor, at most 255 of them (RFC 8285, section 4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DependencyDescriptor(pub(crate) Arc<[u8]>);

/// Takes the descriptor from packets that come.
#[derive(Debug)]
pub(crate) struct DependencyDescriptorHeader;

impl ExtensionSerializer for DependencyDescriptorHeader {
    fn write_to(&self, _: &mut [u8], _: &ExtensionValues) -> usize {
        // It is not offered for what is sent.
        0
    }

    fn parse_value(&self, bytes: &[u8], values: &mut ExtensionValues) -> bool {
        values.user_values.set(DependencyDescriptor(bytes.into()));
        true
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptor_is_kept_as_it_came() {
        for bytes in [&[0x80, 0, 1][..], &[7; 255]] {
            let mut values = ExtensionValues::default();
            assert!(DependencyDescriptorHeader.parse_value(bytes, &mut values));
            let kept = values.user_values.get::<DependencyDescriptor>();
            assert_eq!(kept.map(|it| &*it.0), Some(bytes));
        }
    }
}
