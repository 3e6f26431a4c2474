//! What a description of ours says, and what is agreed on once the peer's is there, both ways: offers of ours and its answers, its
//! offers and our answers. No connection: [sessions](crate::session) have that.
//!
//! * [`offered`] and [`answering`]: what is sent, of our offers and of the peer's; [`received_section`]: what is received;
//! * [`agreement`]: of one section, what both know;
//! * [`known_formats`]: payload types and header extensions that str0m is made with, and which further descriptions keep to;
//! * [`local_description`]: our descriptions as they are sent; [`str0m_description`]: those that str0m is given instead.

pub(crate) mod agreement;
pub(crate) mod answering;
pub(crate) mod config;
pub(crate) mod header_extensions;
pub(crate) mod known_formats;
pub(crate) mod local_description;
pub(crate) mod offered;
pub(crate) mod received_section;
pub(crate) mod str0m_description;
