//! What we tell the server of ourselves, from a [`Role`].

use serde_json::{Map, Number, Value};
use wigwag_protocol::json::{self, MAX_META_DEPTH, Meta, PeerStatus, Roles};

use super::config::Role;
use crate::error::SignallerError;
use crate::meta::MetaValue;

/// The status that registers a peer of this role.
///
/// # Errors
///
/// The meta is nested too deep, or holds a number that is not finite.
pub(crate) fn status(role: &Role) -> Result<PeerStatus, SignallerError> {
    match role {
        Role::Producer { meta } => Ok(PeerStatus {
            roles: Roles::from([json::Role::Producer]),
            meta: to_meta(meta)?,
            peer_id: None,
        }),
    }
}

fn to_meta(value: &MetaValue) -> Result<Option<Meta>, SignallerError> {
    if *value == MetaValue::Null {
        return Ok(None);
    }
    let value = to_json(value, MAX_META_DEPTH)?;
    Meta::try_from(&value)
        .map(Some)
        .map_err(|error| invalid(error.to_string()))
}

fn to_json(value: &MetaValue, depth: usize) -> Result<Value, SignallerError> {
    let inside = || {
        depth
            .checked_sub(1)
            .ok_or_else(|| invalid(format!("nested deeper than {MAX_META_DEPTH} levels")))
    };
    Ok(match value {
        MetaValue::Null => Value::Null,
        MetaValue::Bool(value) => (*value).into(),
        MetaValue::Integer(value) => (*value).into(),
        MetaValue::Unsigned(value) => (*value).into(),
        MetaValue::Double(value) => Number::from_f64(*value)
            .ok_or_else(|| invalid(format!("the number {value} is not finite")))?
            .into(),
        MetaValue::Text(value) => value.as_str().into(),
        MetaValue::List(items) => {
            let depth = inside()?;
            let items = items.iter().map(|item| to_json(item, depth));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        MetaValue::Map(members) => {
            let depth = inside()?;
            let members = members
                .iter()
                .map(|(name, member)| Ok((name.clone(), to_json(member, depth)?)));
            Value::Object(members.collect::<Result<Map<_, _>, _>>()?)
        }
    })
}

fn invalid(reason: String) -> SignallerError {
    SignallerError::InvalidMeta { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json_of(meta: MetaValue) -> Result<Option<String>, SignallerError> {
        let status = status(&Role::Producer { meta })?;
        Ok(status.meta.map(|meta| meta.as_json().to_owned()))
    }

    #[test]
    fn every_kind_of_value_arrives() {
        let meta = MetaValue::map([
            ("list", MetaValue::from(vec![1.into(), 0.25.into()])),
            ("map", MetaValue::map([("yes", true)])),
            ("most", u64::MAX.into()),
            ("least", i64::MIN.into()),
            ("name", "Tür".into()),
            ("nothing", MetaValue::Null),
        ]);
        assert_eq!(
            json_of(meta).expect("valid").expect("a meta"),
            concat!(
                r#"{"least":-9223372036854775808,"list":[1,0.25],"map":{"yes":true},"#,
                r#""most":18446744073709551615,"name":"Tür","nothing":null}"#
            )
        );
    }

    #[test]
    fn nothing_is_no_meta() {
        assert_eq!(json_of(MetaValue::Null).expect("valid"), None);
    }

    #[test]
    fn what_json_cannot_say_is_refused() {
        for number in [f64::NAN, f64::INFINITY] {
            let error = json_of(number.into()).expect_err("not finite");
            assert!(error.to_string().contains("not finite"), "{error}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| {
            (0..depth).fold(MetaValue::from(1), |inner, _| MetaValue::from(vec![inner]))
        };
        assert!(json_of(nested(MAX_META_DEPTH)).is_ok());
        let error = json_of(nested(MAX_META_DEPTH + 1)).expect_err("too deep");
        assert!(error.to_string().contains("64 levels"), "{error}");
    }
}
