//! What is on the screen, and what keys do to it. No I/O; time comes in.

use std::time::Instant;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::snapshot::{Peer, Snapshot};

/// The state of the monitor. It is drawn as it is, by `view`.
#[derive(Debug)]
pub(super) struct State {
    pub(super) admin: String,
    pub(super) connection: Connection,
    pub(super) snapshot: Snapshot,
    pub(super) rates: Option<Rates>,
    pub(super) tab: Tab,
    pub(super) order: Order,
    /// The line that is marked, of each tab.
    marked: [usize; Tab::ALL.len()],
    pub(super) question: Option<Removal>,
    pub(super) notice: Option<String>,
    counted: Option<(Instant, u64, u64)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    Beginning,
    Up,
    /// Why there is none. What was seen before is still shown.
    Lost(String),
}

/// Messages a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rates {
    pub(super) received: f64,
    pub(super) sent: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Peers,
    Sessions,
    Rooms,
}

impl Tab {
    pub(super) const ALL: [Self; 3] = [Self::Peers, Self::Sessions, Self::Rooms];
}

/// In which order peers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Connected,
    Newest,
    Name,
    Sessions,
    Queue,
}

impl Order {
    const ALL: [Self; 5] = [
        Self::Connected,
        Self::Newest,
        Self::Name,
        Self::Sessions,
        Self::Queue,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Connected => "eldest first",
            Self::Newest => "newest first",
            Self::Name => "by name",
            Self::Sessions => "most sessions first",
            Self::Queue => "longest queue first",
        }
    }

    fn sort(self, peers: &mut [Peer]) {
        match self {
            Self::Connected => peers.sort_by(|a, b| a.connected_at.cmp(&b.connected_at)),
            Self::Newest => peers.sort_by(|a, b| b.connected_at.cmp(&a.connected_at)),
            Self::Name => peers.sort_by(|a, b| {
                // Those without a name come last.
                let key = |peer: &Peer| (peer.called().is_empty(), peer.called().to_lowercase());
                key(a).cmp(&key(b))
            }),
            Self::Sessions => peers.sort_by_key(|peer| std::cmp::Reverse(peer.sessions)),
            Self::Queue => peers
                .sort_by_key(|peer| std::cmp::Reverse((peer.queued_bytes, peer.queued_messages))),
        }
    }
}

/// What is to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    Peer(String),
    Session(String),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    End,
    Remove(Removal),
}

/// How far the page keys go.
const PAGE: isize = 10;

impl State {
    pub(super) fn new(admin: String) -> Self {
        Self {
            admin,
            connection: Connection::Beginning,
            snapshot: Snapshot::default(),
            rates: None,
            tab: Tab::Peers,
            order: Order::Connected,
            marked: [0; Tab::ALL.len()],
            question: None,
            notice: None,
            counted: None,
        }
    }

    /// Takes what was seen now.
    pub(super) fn seen(&mut self, mut snapshot: Snapshot, now: Instant) {
        let status = &snapshot.status;
        let counts = (status.messages_received, status.messages_sent);
        self.rates = self.counted.and_then(|(then, received, sent)| {
            let seconds = now.saturating_duration_since(then).as_secs_f64();
            // A server that was started again counts from the beginning.
            let received = counts.0.checked_sub(received)?;
            let sent = counts.1.checked_sub(sent)?;
            (seconds > 0.0).then(|| Rates {
                received: received as f64 / seconds,
                sent: sent as f64 / seconds,
            })
        });
        self.counted = Some((now, counts.0, counts.1));
        self.connection = Connection::Up;
        let marked = self.marked_id(self.tab).map(str::to_owned);
        self.order.sort(&mut snapshot.peers);
        self.snapshot = snapshot;
        self.mark_again(marked.as_deref());
    }

    /// Takes that nothing could be seen.
    pub(super) fn lost(&mut self, reason: String) {
        self.connection = Connection::Lost(reason);
        self.rates = None;
        self.counted = None;
    }

    /// Takes how a removal went.
    pub(super) fn removed(&mut self, result: Result<Removal, String>) {
        self.notice = Some(match result {
            Ok(Removal::Peer(id)) => format!("removed peer {id}"),
            Ok(Removal::Session(id)) => format!("ended session {id}"),
            Err(reason) => reason,
        });
    }

    pub(super) fn marked(&self) -> usize {
        self.marked[self.tab as usize]
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Wish> {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return (key.code == KeyCode::Char('c')).then_some(Wish::End);
        }
        self.notice = None;
        if let Some(removal) = self.question.take() {
            let is_sure = matches!(key.code, KeyCode::Char('y' | 'Y'));
            return is_sure.then_some(Wish::Remove(removal));
        }
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Some(Wish::End),
            KeyCode::Tab | KeyCode::Right => self.turn(1),
            KeyCode::BackTab | KeyCode::Left => self.turn(Tab::ALL.len() - 1),
            KeyCode::Char(digit @ '1'..='3') => {
                self.tab = Tab::ALL[digit as usize - '1' as usize];
            }
            KeyCode::Up => self.step(-1),
            KeyCode::Down => self.step(1),
            KeyCode::PageUp => self.step(-PAGE),
            KeyCode::PageDown => self.step(PAGE),
            KeyCode::Home => self.step(isize::MIN),
            KeyCode::End => self.step(isize::MAX),
            KeyCode::Char('s') if self.tab == Tab::Peers => self.next_order(),
            KeyCode::Char('k') => self.ask(),
            _ => {}
        }
        None
    }

    fn turn(&mut self, by: usize) {
        self.tab = Tab::ALL[(self.tab as usize + by) % Tab::ALL.len()];
    }

    fn step(&mut self, by: isize) {
        let last = self.lines(self.tab).saturating_sub(1);
        let marked = &mut self.marked[self.tab as usize];
        *marked = marked.saturating_add_signed(by).min(last);
    }

    fn next_order(&mut self) {
        let next = (self.order as usize + 1) % Order::ALL.len();
        self.order = Order::ALL[next];
        let marked = self.marked_id(Tab::Peers).map(str::to_owned);
        self.order.sort(&mut self.snapshot.peers);
        self.mark_again(marked.as_deref());
    }

    fn ask(&mut self) {
        let id = self.marked_id(self.tab).map(str::to_owned);
        self.question = match (self.tab, id) {
            (Tab::Peers, Some(id)) => Some(Removal::Peer(id)),
            (Tab::Sessions, Some(id)) => Some(Removal::Session(id)),
            _ => None,
        };
    }

    fn lines(&self, tab: Tab) -> usize {
        match tab {
            Tab::Peers => self.snapshot.peers.len(),
            Tab::Sessions => self.snapshot.sessions.len(),
            Tab::Rooms => self.snapshot.rooms.len(),
        }
    }

    fn id(&self, tab: Tab, line: usize) -> Option<&str> {
        Some(match tab {
            Tab::Peers => &self.snapshot.peers.get(line)?.id,
            Tab::Sessions => &self.snapshot.sessions.get(line)?.id,
            Tab::Rooms => &self.snapshot.rooms.get(line)?.name,
        })
    }

    fn marked_id(&self, tab: Tab) -> Option<&str> {
        self.id(tab, self.marked[tab as usize])
    }

    /// Marks in the tab that is shown what was marked before, wherever it went: nobody shall remove another peer because
    /// one came or left in between.
    fn mark_again(&mut self, id: Option<&str>) {
        let tab = self.tab;
        let found = (0..self.lines(tab)).find(|line| id.is_some() && self.id(tab, *line) == id);
        if let Some(line) = found {
            self.marked[tab as usize] = line;
        }
        for tab in Tab::ALL {
            let last = self.lines(tab).saturating_sub(1);
            let marked = &mut self.marked[tab as usize];
            *marked = (*marked).min(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn snapshot(ids: &[&str]) -> Snapshot {
        let peers = ids.iter().enumerate().map(|(number, id)| Peer {
            id: (*id).to_owned(),
            name: Some((*id).to_owned()),
            connected_at: format!("{number:04}"),
            sessions: number % 2,
            ..Peer::default()
        });
        Snapshot {
            peers: peers.collect(),
            ..Snapshot::default()
        }
    }

    fn state(ids: &[&str]) -> State {
        let mut state = State::new("http://x".to_owned());
        state.seen(snapshot(ids), Instant::now());
        state
    }

    fn press(state: &mut State, code: KeyCode) -> Option<Wish> {
        state.press(KeyEvent::from(code))
    }

    #[test]
    fn the_mark_stays_with_its_peer() {
        let mut state = state(&["b", "c"]);
        press(&mut state, KeyCode::Down);
        state.seen(snapshot(&["a", "b", "c"]), Instant::now());
        press(&mut state, KeyCode::Char('k'));
        assert_eq!(state.question, Some(Removal::Peer("c".to_owned())));
        press(&mut state, KeyCode::Esc);
        state.seen(snapshot(&["a"]), Instant::now());
        assert_eq!(state.marked(), 0);
    }

    #[test]
    fn a_removal_is_asked_twice() {
        let mut state = state(&["a"]);
        let removal = Removal::Peer("a".to_owned());
        assert_eq!(press(&mut state, KeyCode::Char('k')), None);
        assert_eq!(press(&mut state, KeyCode::Char('n')), None);
        assert_eq!(state.question, None);
        press(&mut state, KeyCode::Char('k'));
        // Whatever comes and goes meanwhile, the question is about the same peer.
        state.seen(snapshot(&["z"]), Instant::now());
        assert_eq!(
            press(&mut state, KeyCode::Char('y')),
            Some(Wish::Remove(removal))
        );
        assert_eq!(press(&mut state, KeyCode::Char('y')), None, "only once");
        press(&mut state, KeyCode::Char('3'));
        assert_eq!(press(&mut state, KeyCode::Char('k')), None);
        assert_eq!(state.question, None, "rooms are not removed");
    }

    #[test]
    fn keys_stay_within_the_list() {
        let mut state = state(&["a", "b", "c"]);
        press(&mut state, KeyCode::Up);
        assert_eq!(state.marked(), 0);
        press(&mut state, KeyCode::PageDown);
        assert_eq!(state.marked(), 2);
        press(&mut state, KeyCode::Home);
        assert_eq!(state.marked(), 0);
        press(&mut state, KeyCode::End);
        assert_eq!(state.marked(), 2);
        press(&mut state, KeyCode::BackTab);
        assert_eq!((state.tab, state.marked()), (Tab::Rooms, 0));
        press(&mut state, KeyCode::Down);
        assert_eq!(state.marked(), 0);
        press(&mut state, KeyCode::Tab);
        assert_eq!(state.tab, Tab::Peers);
        let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(state.press(control), Some(Wish::End));
    }

    #[test]
    fn peers_are_put_in_order() {
        let mut state = state(&["b", "c", "a"]);
        let order = |state: &State| {
            let ids = state.snapshot.peers.iter();
            ids.map(|peer| peer.id.clone()).collect::<String>()
        };
        assert_eq!(order(&state), "bca");
        for expected in ["acb", "abc", "cab", "cab", "bca"] {
            press(&mut state, KeyCode::Char('s'));
            assert_eq!(order(&state), expected, "{}", state.order.name());
        }
    }

    #[test]
    fn rates_are_of_the_time_between_two_looks() {
        let mut state = state(&[]);
        let (start, mut snapshot) = (Instant::now(), Snapshot::default());
        state.seen(snapshot.clone(), start);
        snapshot.status.messages_received = 30;
        snapshot.status.messages_sent = 60;
        state.seen(snapshot.clone(), start + Duration::from_secs(2));
        assert_eq!(
            state.rates,
            Some(Rates {
                received: 15.0,
                sent: 30.0
            })
        );
        state.lost("gone".to_owned());
        assert_eq!(state.rates, None);
        state.seen(snapshot, start + Duration::from_secs(9));
        assert_eq!(state.rates, None, "of a time that nobody saw");
    }
}
