//! `$A` and `$S1` in recorded messages.

use std::collections::BTreeMap;

use serde_json::Value;

/// What the placeholders of a conversation stand for in this run.
#[derive(Debug, Default)]
pub struct Placeholders {
    values: BTreeMap<String, String>,
}

impl Placeholders {
    /// The message with every placeholder replaced that is known.
    pub fn fill(&self, message: &Value) -> Value {
        let mut filled = message.clone();
        self.fill_in_place(&mut filled);
        filled
    }

    /// Whether `received` is `recorded`, where an unknown placeholder takes the text that it meets
    /// first.
    pub fn matches(&mut self, recorded: &Value, received: &Value) -> bool {
        match (recorded, received) {
            (Value::String(recorded), Value::String(received)) => {
                let mut known = self.fill_text(recorded);
                if known.starts_with('$') && !known.contains(' ') {
                    self.values.insert(known, received.clone());
                    known = received.clone();
                }
                known == *received
            }
            (Value::Array(recorded), Value::Array(received)) => {
                recorded.len() == received.len()
                    && recorded
                        .iter()
                        .zip(received)
                        .all(|(recorded, received)| self.matches(recorded, received))
            }
            (Value::Object(recorded), Value::Object(received)) => {
                recorded.len() == received.len()
                    && recorded.iter().all(|(name, recorded)| {
                        received
                            .get(name)
                            .is_some_and(|received| self.matches(recorded, received))
                    })
            }
            _ => recorded == received,
        }
    }

    fn fill_in_place(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.fill_text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.fill_in_place(item)),
            Value::Object(members) => members
                .values_mut()
                .for_each(|item| self.fill_in_place(item)),
            _ => {}
        }
    }

    fn fill_text(&self, text: &str) -> String {
        // The longest name first, so that `$S1` does not fill a part of `$S12`.
        let mut names: Vec<_> = self.values.iter().collect();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        names
            .into_iter()
            .fold(text.to_owned(), |text, (name, value)| {
                text.replace(name, value)
            })
    }
}
