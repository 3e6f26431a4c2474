//! What a peer says of itself.

use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// How deep objects and arrays may be nested in a [`Meta`].
///
/// Readers give up at a nesting of 128 (`serde_json`, which GStreamer clients use), and a list wraps
/// each meta in three more levels: without a limit of its own, one peer's meta could make a list
/// unreadable to all others.
pub const MAX_META_DEPTH: usize = 64;

/// What a peer says of itself: any JSON value but `null`, which stands for no meta at all.
///
/// By custom it is an object with a member `name`. Kept as compact JSON text that was read in full
/// before, so that passing it on costs a copy and never yields something a client cannot read. A
/// clone shares the text. Two are equal if their members are, in whatever order they were sent.
#[derive(Clone)]
pub struct Meta(Arc<RawValue>);

/// A value that cannot be a [`Meta`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMeta {
    /// `null` is the absence of meta.
    #[error("null is no meta")]
    Null,
    /// Nested deeper than [`MAX_META_DEPTH`].
    #[error("nested deeper than {MAX_META_DEPTH} levels")]
    TooDeep,
}

impl Meta {
    /// The value as compact JSON, members sorted by name.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    /// The value itself.
    pub fn to_value(&self) -> Value {
        // Text that `try_from` made from a value can be read back; null only stands in for the
        // impossible.
        serde_json::from_str(self.0.get()).unwrap_or(Value::Null)
    }
}

impl TryFrom<&Value> for Meta {
    type Error = InvalidMeta;

    fn try_from(value: &Value) -> Result<Self, InvalidMeta> {
        if value.is_null() {
            return Err(InvalidMeta::Null);
        }
        if depth_exceeds(value, MAX_META_DEPTH) {
            return Err(InvalidMeta::TooDeep);
        }
        let text = serde_json::value::to_raw_value(value).map_err(|_| InvalidMeta::TooDeep)?;
        Ok(Self(text.into()))
    }
}

impl PartialEq for Meta {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for Meta {}

impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_json())
    }
}

impl Serialize for Meta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Meta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::try_from(&value).map_err(D::Error::custom)
    }
}

fn depth_exceeds(value: &Value, limit: usize) -> bool {
    match value {
        Value::Array(items) => {
            limit == 0 || items.iter().any(|item| depth_exceeds(item, limit - 1))
        }
        Value::Object(members) => {
            limit == 0 || members.values().any(|item| depth_exceeds(item, limit - 1))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(depth: usize) -> Value {
        (0..depth).fold(json!(1), |inner, _| json!([inner]))
    }

    #[test]
    fn order_of_members_and_white_space_do_not_matter() {
        let one: Meta = serde_json::from_str(r#"{"b": 2, "a": [1, null]}"#).expect("valid");
        let two: Meta = serde_json::from_str(r#"{"a":[1,null],"b":2}"#).expect("valid");
        assert_eq!(one, two);
        assert_eq!(one.as_json(), r#"{"a":[1,null],"b":2}"#);
    }

    #[test]
    fn depth_is_bounded() {
        assert!(Meta::try_from(&nested(MAX_META_DEPTH)).is_ok());
        assert_eq!(
            Meta::try_from(&nested(MAX_META_DEPTH + 1)),
            Err(InvalidMeta::TooDeep)
        );
    }

    #[test]
    fn null_is_no_meta() {
        assert_eq!(Meta::try_from(&Value::Null), Err(InvalidMeta::Null));
    }

    #[test]
    fn text_that_other_readers_refuse_is_refused() {
        for text in [r#"{"n":1e999}"#, r#"["\ud800"]"#] {
            assert!(serde_json::from_str::<Meta>(text).is_err(), "{text}");
        }
    }
}
