//! Random messages for the property tests.
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::Value;
use wigwag_protocol::json::{
    ClientMessage, ListedPeer, Meta, PeerId, PeerMessage, PeerMessageBody, PeerStatus,
    PeerStatusChange, ProtocolVersion, Role, Roles, ServerMessage, SessionDescription, SessionId,
};

pub(crate) fn peer_id() -> impl Strategy<Value = PeerId> {
    ".{0,40}".prop_map(PeerId::from)
}

pub(crate) fn session_id() -> impl Strategy<Value = SessionId> {
    ".{0,40}".prop_map(SessionId::from)
}

pub(crate) fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9f64).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(".{0,8}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

pub(crate) fn meta() -> impl Strategy<Value = Option<Meta>> {
    option::of(json_value()).prop_map(|value| value.and_then(|value| Meta::try_from(&value).ok()))
}

pub(crate) fn roles() -> impl Strategy<Value = Roles> {
    vec(
        prop_oneof![
            Just(Role::Producer),
            Just(Role::Listener),
            Just(Role::Consumer)
        ],
        0..4,
    )
    .prop_map(Roles::from_iter)
}

pub(crate) fn peer_message() -> impl Strategy<Value = PeerMessage> {
    let text = "(.|\r|\n){0,60}";
    let body = prop_oneof![
        text.prop_map(|sdp| PeerMessageBody::Sdp(SessionDescription::Offer { sdp })),
        text.prop_map(|sdp| PeerMessageBody::Sdp(SessionDescription::Answer { sdp })),
        (text, any::<u32>()).prop_map(|(candidate, sdp_m_line_index)| PeerMessageBody::Ice {
            candidate,
            sdp_m_line_index
        }),
    ];
    (session_id(), body).prop_map(|(session_id, body)| PeerMessage { session_id, body })
}

pub(crate) fn client_message_v1_0() -> impl Strategy<Value = ClientMessage> {
    prop_oneof![
        (roles(), meta(), option::of(peer_id())).prop_map(|(roles, meta, peer_id)| {
            ClientMessage::SetPeerStatus(PeerStatus {
                roles,
                meta,
                peer_id,
            })
        }),
        (peer_id(), option::of(".{0,60}"))
            .prop_map(|(peer_id, offer)| ClientMessage::StartSession { peer_id, offer }),
        session_id().prop_map(|session_id| ClientMessage::EndSession { session_id }),
        peer_message().prop_map(ClientMessage::Peer),
        Just(ClientMessage::List),
        Just(ClientMessage::ListConsumers),
    ]
}

pub(crate) fn client_message() -> impl Strategy<Value = ClientMessage> {
    prop_oneof![
        8 => client_message_v1_0(),
        1 => prop_oneof![Just(ProtocolVersion::V1_0), Just(ProtocolVersion::V1_1)]
            .prop_map(|version| ClientMessage::SetProtocolVersion { version }),
        1 => (session_id(), option::of(".{0,40}"))
            .prop_map(|(session_id, error)| ClientMessage::EndSessionV1_1 { session_id, error }),
    ]
}

fn listed() -> impl Strategy<Value = Vec<ListedPeer>> {
    vec((peer_id(), meta()), 0..4).prop_map(|peers| {
        peers
            .into_iter()
            .map(|(id, meta)| ListedPeer { id, meta })
            .collect()
    })
}

pub(crate) fn server_message_v1_0() -> impl Strategy<Value = ServerMessage> {
    prop_oneof![
        peer_id().prop_map(|peer_id| ServerMessage::Welcome { peer_id }),
        (roles(), meta(), peer_id()).prop_map(|(roles, meta, peer_id)| {
            ServerMessage::PeerStatusChanged(PeerStatusChange {
                roles,
                meta,
                peer_id,
            })
        }),
        (peer_id(), session_id(), option::of(".{0,60}")).prop_map(
            |(peer_id, session_id, offer)| ServerMessage::StartSession {
                peer_id,
                session_id,
                offer
            }
        ),
        (peer_id(), session_id()).prop_map(|(peer_id, session_id)| ServerMessage::SessionStarted {
            peer_id,
            session_id
        }),
        session_id().prop_map(|session_id| ServerMessage::EndSession { session_id }),
        peer_message().prop_map(ServerMessage::Peer),
        listed().prop_map(|producers| ServerMessage::List { producers }),
        listed().prop_map(|consumers| ServerMessage::ListConsumers { consumers }),
        ".{0,60}".prop_map(|details| ServerMessage::Error { details }),
    ]
}

pub(crate) fn server_message() -> impl Strategy<Value = ServerMessage> {
    prop_oneof![
        9 => server_message_v1_0(),
        1 => (session_id(), option::of(".{0,40}"))
            .prop_map(|(session_id, error)| ServerMessage::EndSessionV1_1 { session_id, error }),
    ]
}
