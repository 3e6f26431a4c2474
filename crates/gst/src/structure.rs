//! Structures of applications, as signalling takes them.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;
use wigwag_client::MetaValue;

/// How deep a meta may be nested; deeper parts are left out.
const MAX_DEPTH: usize = 32;

/// A producer's meta. Values that have no counterpart are sent as GStreamer writes them.
pub(crate) fn meta(structure: &gst::StructureRef) -> MetaValue {
    map(structure, 0)
}

/// HTTP headers: every field whose value is a text, or can be made one.
pub(crate) fn headers(structure: &gst::StructureRef) -> Vec<(String, String)> {
    let header = |(name, value): (&glib::GStr, &glib::SendValue)| {
        let text = value
            .transform::<String>()
            .ok()?
            .get::<Option<String>>()
            .ok()??;
        Some((name.to_string(), text))
    };
    structure
        .iter()
        .filter_map(|(name, value)| header((name, value)))
        .collect()
}

fn map(structure: &gst::StructureRef, depth: usize) -> MetaValue {
    let entry = |(name, value): (&glib::GStr, &glib::SendValue)| {
        (name.to_string(), convert(value, depth + 1))
    };
    MetaValue::Map(structure.iter().map(entry).collect())
}

fn convert(value: &glib::Value, depth: usize) -> MetaValue {
    if depth > MAX_DEPTH {
        return MetaValue::Null;
    }
    if let Ok(text) = value.get::<Option<String>>() {
        return text.map_or(MetaValue::Null, MetaValue::Text);
    }
    if let Ok(value) = value.get::<bool>() {
        return MetaValue::Bool(value);
    }
    if let Some(whole) = whole(value) {
        return MetaValue::Integer(whole);
    }
    if let Ok(value) = value.get::<f64>() {
        return MetaValue::Double(value);
    }
    if let Ok(value) = value.get::<f32>() {
        return MetaValue::Double(value.into());
    }
    if let Ok(structure) = value.get::<gst::Structure>() {
        return map(&structure, depth);
    }
    if let Ok(array) = value.get::<gst::ArrayRef<'_>>() {
        return list(array.as_slice(), depth);
    }
    if let Ok(array) = value.get::<gst::ListRef<'_>>() {
        return list(array.as_slice(), depth);
    }
    value
        .serialize()
        .map_or(MetaValue::Null, |text| MetaValue::Text(text.to_string()))
}

fn whole(value: &glib::Value) -> Option<i64> {
    let small = value.get::<i32>().map(i64::from);
    let small = small.or_else(|_| value.get::<u32>().map(i64::from));
    let wide = small.or_else(|_| value.get::<i64>()).ok();
    wide.or_else(|| i64::try_from(value.get::<u64>().ok()?).ok())
}

fn list(values: &[glib::SendValue], depth: usize) -> MetaValue {
    MetaValue::List(
        values
            .iter()
            .map(|value| convert(value, depth + 1))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meta_is_read_in_full() {
        gst::init().expect("GStreamer starts");
        let text = "meta, name=(string)cam, id=5, rate=1.5, on=true, tags=<a, b>, at=(structure)\"place\\,\\ x\\=\\(int\\)1\\;\"";
        let structure: gst::Structure = text.parse().expect("a structure");
        let MetaValue::Map(meta) = meta(&structure) else {
            panic!("a map");
        };
        let get = |wanted: &str| {
            let found = meta.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| value.clone()).expect("it is there")
        };
        assert_eq!(get("name"), MetaValue::Text("cam".to_owned()));
        assert_eq!(get("id"), MetaValue::Integer(5));
        assert_eq!(get("rate"), MetaValue::Double(1.5));
        assert_eq!(get("on"), MetaValue::Bool(true));
        let tags = ["a", "b"].map(|tag| MetaValue::Text(tag.to_owned()));
        assert_eq!(get("tags"), MetaValue::List(tags.to_vec()));
        assert!(matches!(get("at"), MetaValue::Map(_)));
    }

    #[test]
    fn headers_are_texts() {
        gst::init().expect("GStreamer starts");
        let structure: gst::Structure = "h, authorization=(string)\"Bearer x\", x-number=5"
            .parse()
            .expect("a structure");
        let expected = [("authorization", "Bearer x"), ("x-number", "5")];
        assert_eq!(
            headers(&structure),
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }
}
