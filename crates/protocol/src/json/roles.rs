//! The roles that a peer takes.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A role that a peer takes. A peer without any is normal: it calls producers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Has media to send; is in `list` and may be called.
    Producer,
    /// Is told of every change of every peer's status.
    Listener,
    /// Waits to be called by a producer ("passive consumer"); is in `listConsumers`.
    Consumer,
}

impl Role {
    const COUNT: usize = 3;
}

/// The roles of one peer, each at most once, in the order in which the peer named them.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Roles {
    named: [Option<Role>; Role::COUNT],
}

impl Roles {
    /// No role.
    pub const NONE: Self = Self {
        named: [None; Role::COUNT],
    };

    /// Whether `role` is among them.
    pub fn contains(&self, role: Role) -> bool {
        self.iter().any(|named| named == role)
    }

    /// The roles in the order in which the peer named them.
    pub fn iter(&self) -> impl Iterator<Item = Role> + '_ {
        self.named.iter().copied().flatten()
    }

    fn insert(&mut self, role: Role) {
        if self.contains(role) {
            return;
        }
        if let Some(free) = self.named.iter_mut().find(|named| named.is_none()) {
            *free = Some(role);
        }
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        let mut all = Self::NONE;
        for role in roles {
            all.insert(role);
        }
        all
    }
}

impl<const N: usize> From<[Role; N]> for Roles {
    fn from(roles: [Role; N]) -> Self {
        roles.into_iter().collect()
    }
}

/// `[Producer, Listener]`, the form in which the reference's error texts show roles.
impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Roles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Roles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RolesVisitor;

        impl<'de> Visitor<'de> for RolesVisitor {
            type Value = Roles;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of roles")
            }

            // Read one by one, so that a long array of one role never stands in memory as a whole.
            fn visit_seq<A: SeqAccess<'de>>(self, mut roles: A) -> Result<Roles, A::Error> {
                let mut all = Roles::NONE;
                while let Some(role) = roles.next_element()? {
                    all.insert(role);
                }
                Ok(all)
            }
        }

        deserializer.deserialize_seq(RolesVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_doubles_are_dropped() {
        let roles: Roles =
            serde_json::from_str(r#"["listener","producer","listener"]"#).expect("valid");
        assert_eq!(roles, Roles::from([Role::Listener, Role::Producer]));
        assert_ne!(roles, Roles::from([Role::Producer, Role::Listener]));
        assert_eq!(
            serde_json::to_string(&roles).expect("writable"),
            r#"["listener","producer"]"#
        );
        assert_eq!(format!("{roles:?}"), "[Listener, Producer]");
    }
}
