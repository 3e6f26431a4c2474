//! What a peer says of itself, without the types of any protocol.

use std::collections::BTreeMap;

/// What a peer says of itself: a tree of values. By custom a map with a `name`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum MetaValue {
    /// Nothing.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A whole number that may be beyond [`i64`].
    Unsigned(u64),
    /// A number; only a finite one can be sent.
    Double(f64),
    /// A text.
    Text(String),
    /// Values in an order.
    List(Vec<Self>),
    /// Values by name.
    Map(BTreeMap<String, Self>),
}

impl MetaValue {
    /// A map of these members; of two with one name the later counts.
    pub fn map<N: Into<String>, V: Into<Self>>(members: impl IntoIterator<Item = (N, V)>) -> Self {
        Self::Map(
            members
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),* $(,)?) => {
        $(impl From<$type> for MetaValue {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

from! {
    bool => Bool,
    i32 => Integer,
    i64 => Integer,
    u32 => Unsigned,
    u64 => Unsigned,
    f64 => Double,
    &str => Text,
    String => Text,
    Vec<MetaValue> => List,
    BTreeMap<String, MetaValue> => Map,
}
