//! Rooms, and who is in each in the order of entering.

use std::collections::BTreeMap;
use std::ops::Bound;

use wigwag_protocol::text::{PeerId, RoomName};

use super::connection_id::ConnectionId;
use super::limits::{Full, Policy};
use crate::shares::{Exceeded, Payer, Room as TableRoom, Shares};

/// The rooms that an address may open however many there are.
const ROOMS_FLOOR: usize = 2;

/// A member's place in its room. Never used twice.
pub(super) type Place = u64;

#[derive(Debug, Default)]
pub(super) struct Rooms {
    next_place: Place,
    /// None of them is empty.
    rooms: BTreeMap<RoomName, Room>,
    /// What the payers hold of them.
    shares: Shares,
}

#[derive(Debug)]
struct Room {
    /// Who opened it.
    payer: Payer,
    members: BTreeMap<Place, Member>,
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
        let behind = self.rooms.range::<str, _>((start, Bound::Unbounded));
        behind.map(|(name, room)| (name, &room.members))
    }

    /// With the name as this table has it.
    pub(super) fn find(&self, name: &str) -> Option<(&RoomName, &BTreeMap<Place, Member>)> {
        let (name, room) = self.rooms.get_key_value(name)?;
        Some((name, &room.members))
    }

    /// Everyone in a room, the eldest first.
    pub(super) fn members(&self, room: &RoomName) -> impl Iterator<Item = &Member> {
        let room = self.rooms.get(room);
        room.into_iter().flat_map(|room| room.members.values())
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
        payer: Payer,
        policy: &Policy,
    ) -> Result<Place, Full> {
        match self.rooms.get(room) {
            None => {
                let room = TableRoom {
                    limit: policy.max_rooms,
                    per_address: policy.max_rooms_per_address,
                    floor: ROOMS_FLOOR,
                };
                match self.shares.exceeded(payer, 1, room) {
                    None => self.shares.add(payer, 1),
                    Some(Exceeded::Table) => return Err(Full::Rooms { limit: room.limit }),
                    Some(Exceeded::Share(limit)) => return Err(Full::RoomsOfAddress { limit }),
                }
            }
            Some(room) if room.members.len() >= policy.max_room_members => {
                return Err(Full::Room {
                    limit: policy.max_room_members,
                });
            }
            Some(_) => {}
        }
        let place = self.next_place;
        self.next_place += 1;
        self.rooms
            .entry(room.clone())
            .or_insert_with(|| Room {
                payer,
                members: BTreeMap::new(),
            })
            .members
            .insert(place, member);
        Ok(place)
    }

    pub(super) fn leave(&mut self, room: &RoomName, place: Place) {
        let Some(left) = self.rooms.get_mut(room) else {
            return;
        };
        left.members.remove(&place);
        if left.members.is_empty() {
            self.shares.remove(left.payer, 1);
            self.rooms.remove(room);
        }
    }
}
