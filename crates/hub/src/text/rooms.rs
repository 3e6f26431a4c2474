//! Rooms, and who is in each in the order of entering.

use std::collections::BTreeMap;
use std::ops::Bound;

use wigwag_protocol::text::{PeerId, RoomName};

use super::connection_id::ConnectionId;
use super::limits::{Full, Policy};

/// A member's place in its room. Never used twice.
pub(super) type Place = u64;

#[derive(Debug, Default)]
pub(super) struct Rooms {
    next_place: Place,
    /// None of them is empty.
    rooms: BTreeMap<RoomName, BTreeMap<Place, Member>>,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) connection: ConnectionId,
    pub(super) id: PeerId,
}

impl Rooms {
    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }

    /// The names that come after a text in the order of their bytes; all of them after none.
    pub(super) fn after(
        &self,
        name: Option<&str>,
    ) -> impl Iterator<Item = (&RoomName, &BTreeMap<Place, Member>)> {
        let start = name.map_or(Bound::Unbounded, Bound::Excluded);
        self.rooms.range::<str, _>((start, Bound::Unbounded))
    }

    /// With the name as this table has it.
    pub(super) fn find(&self, name: &str) -> Option<(&RoomName, &BTreeMap<Place, Member>)> {
        self.rooms.get_key_value(name)
    }

    /// Everyone in a room, the eldest first.
    pub(super) fn members(&self, room: &RoomName) -> impl Iterator<Item = &Member> {
        self.rooms.get(room).into_iter().flat_map(BTreeMap::values)
    }

    /// The members of a room but one.
    pub(super) fn others(
        &self,
        room: &RoomName,
        but: ConnectionId,
    ) -> impl Iterator<Item = &Member> {
        self.members(room)
            .filter(move |member| member.connection != but)
    }

    pub(super) fn enter(
        &mut self,
        room: &RoomName,
        member: Member,
        policy: &Policy,
    ) -> Result<Place, Full> {
        match self.rooms.get(room) {
            None if self.rooms.len() >= policy.max_rooms => {
                return Err(Full::Rooms {
                    limit: policy.max_rooms,
                });
            }
            Some(members) if members.len() >= policy.max_room_members => {
                return Err(Full::Room {
                    limit: policy.max_room_members,
                });
            }
            _ => {}
        }
        let place = self.next_place;
        self.next_place += 1;
        self.rooms
            .entry(room.clone())
            .or_default()
            .insert(place, member);
        Ok(place)
    }

    pub(super) fn leave(&mut self, room: &RoomName, place: Place) {
        let Some(members) = self.rooms.get_mut(room) else {
            return;
        };
        members.remove(&place);
        if members.is_empty() {
            self.rooms.remove(room);
        }
    }
}
