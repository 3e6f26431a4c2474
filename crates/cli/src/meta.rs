//! What peers say of themselves (their meta), in the words of lists.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// The member that holds a peer's name, by custom.
const NAME: &str = "name";

/// What a peer is called. A name that is no text stands as it is in JSON; without one this is empty.
pub(crate) fn name(meta: Option<&Value>) -> Cow<'_, str> {
    match meta.and_then(|meta| meta.get(NAME)) {
        Some(Value::String(name)) => Cow::Borrowed(name),
        Some(other) => Cow::Owned(other.to_string()),
        None => Cow::Borrowed(""),
    }
}

/// What else it says, as compact JSON; empty if that is nothing.
pub(crate) fn besides_name(meta: Option<&Value>) -> String {
    match meta {
        None => String::new(),
        Some(Value::Object(members)) => {
            let rest = members.iter().filter(|(name, _)| *name != NAME);
            let rest: Map<_, _> = rest
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            if rest.is_empty() {
                String::new()
            } else {
                Value::Object(rest).to_string()
            }
        }
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_is_told_apart_from_the_rest() {
        for (meta, called, rest) in [
            (json!({"name": "yard", "floor": 1}), "yard", "{\"floor\":1}"),
            (json!({"name": 7}), "7", ""),
            (json!({"floor": 1}), "", "{\"floor\":1}"),
            (json!({}), "", ""),
            (json!("just text"), "", "\"just text\""),
            (json!([1]), "", "[1]"),
        ] {
            let told = (name(Some(&meta)), besides_name(Some(&meta)));
            assert_eq!(told, (called.into(), rest.to_owned()), "{meta}");
        }
        assert_eq!((name(None), besides_name(None)), ("".into(), String::new()));
    }
}
