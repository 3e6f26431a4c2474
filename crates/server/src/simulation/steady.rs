//! Peers of the JSON protocol that read, answer pings, and find fault with what they hear.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::conditions::NetworkConditions;
use super::link::Quality;
use super::running::{SOON, Simulation};
use super::wire::{Wire, text};

/// What names of steady peers begin with.
pub(super) const NAME: &str = "steady";

/// Comes, stays a while, goes and comes back until the run is over.
pub(super) async fn live(simulation: Arc<Simulation>, number: usize, mut random: StdRng) {
    while !simulation.is_over() {
        let epoch = simulation.epoch();
        match timeout(SOON, Steady::join(&simulation, number, &mut random)).await {
            Ok(Some(peer)) => peer.stay(&mut random).await,
            Ok(None) => assert_ne!(simulation.epoch(), epoch, "a newcomer was sent away"),
            Err(_) => assert_ne!(simulation.epoch(), epoch, "a newcomer had to wait"),
        }
        let pause = Duration::from_millis(random.random_range(0..3_000));
        simulation.pause(pause).await;
    }
}

/// What a peer knows of another, and of itself.
#[derive(Debug, Default)]
struct View {
    name: String,
    /// The number of its last change.
    change: u64,
    gone: Option<Duration>,
}

#[derive(Debug)]
struct Session {
    partner: String,
    /// When it heard of it.
    since: Duration,
    sent: u64,
    received: u64,
    has_last: bool,
}

struct Steady {
    simulation: Arc<Simulation>,
    wire: Wire,
    id: String,
    name: String,
    /// Which server it is connected to, and since when it hears of changes there.
    epoch: u64,
    since: Duration,
    change: u64,
    views: BTreeMap<String, View>,
    sessions: BTreeMap<String, Session>,
    ended_by_itself: HashSet<String>,
    /// When it asked for a list or called, while that was not answered.
    asked: Option<Duration>,
    called: Option<Duration>,
    /// Whether a list told of those who were there before.
    has_list: bool,
}

impl Steady {
    async fn join(
        simulation: &Arc<Simulation>,
        number: usize,
        random: &mut StdRng,
    ) -> Option<Self> {
        let epoch = simulation.epoch();
        let quality = Quality::good(random);
        let mut wire = Wire::connect(simulation, "/", quality, random).await?;
        let welcome = wire.next_json().await.ok()?;
        assert_eq!(welcome["type"], "welcome");
        let mut peer = Self {
            simulation: Arc::clone(simulation),
            wire,
            id: text(&welcome, "peerId").to_owned(),
            name: format!("{NAME} {number}"),
            epoch,
            since: simulation.now(),
            change: 0,
            views: BTreeMap::new(),
            sessions: BTreeMap::new(),
            ended_by_itself: HashSet::new(),
            asked: None,
            called: None,
            has_list: false,
        };
        peer.announce().await;
        peer.list().await;
        Some(peer)
    }

    async fn stay(mut self, random: &mut StdRng) {
        let leaves = self.simulation.now() + Duration::from_secs(random.random_range(5..80));
        let mut acts = self.next_act(random);
        loop {
            let rest = acts.saturating_sub(self.simulation.now());
            let simulation = Arc::clone(&self.simulation);
            tokio::select! {
                biased;
                heard = self.wire.next_json() => match heard {
                    Ok(message) => self.hear(&message),
                    Err(told) => return self.ended(told.as_ref()),
                },
                () = simulation.pause(rest) => {
                    if self.simulation.is_over() {
                        return self.settle().await;
                    }
                    if self.simulation.now() >= leaves {
                        self.simulation.departed(&self.id, self.epoch, Duration::ZERO);
                        let closed = timeout(SOON, self.wire.close()).await;
                        return closed.expect("a close is answered");
                    }
                    self.act(random).await;
                    acts = self.next_act(random);
                }
            }
        }
    }

    fn next_act(&self, random: &mut StdRng) -> Duration {
        self.simulation.now() + Duration::from_millis(random.random_range(100..4_000))
    }

    fn ended(&self, told: Option<&(u16, String)>) {
        assert_ne!(
            self.simulation.epoch(),
            self.epoch,
            "{} was closed: {told:?}",
            self.name
        );
        if let Some((code, _)) = told {
            assert_eq!(*code, 1001);
        }
    }

    /// All act no more. What was sent arrives, and then all must know the same.
    async fn settle(mut self) {
        let end = self.simulation.now();
        for (id, session) in &mut self.sessions {
            session.sent += 1;
            let candidate = candidate(id, &self.name, session.sent, self.simulation.now(), true);
            self.wire.send(candidate).await;
        }
        for asks in [false, true] {
            if asks {
                self.list().await;
            }
            let until = self.simulation.now() + SOON;
            while let rest = until.saturating_sub(self.simulation.now())
                && !rest.is_zero()
            {
                match timeout(rest, self.wire.next_json()).await {
                    Ok(Ok(message)) => self.hear(&message),
                    Ok(Err(told)) => return self.ended(told.as_ref()),
                    Err(_) => break,
                }
            }
        }
        self.check_waits();
        assert!(self.asked.is_none() && self.called.is_none());
        // Of one that had only begun, the partner did not know.
        let talked = |session: &Session| session.since + SOON < end;
        for (id, session) in self.sessions.iter().filter(|(_, session)| talked(session)) {
            let partner = self.views.get(&session.partner);
            if partner.is_some_and(|partner| partner.name.starts_with(NAME)) {
                assert!(session.has_last, "{}: not all of {id} came", self.name);
            }
        }
        let now = self.simulation.now();
        for departure in self.simulation.departures(self.epoch) {
            let must_know = self.since < departure.at && departure.deadline < now;
            if let Some(view) = self.views.get(&departure.id).filter(|_| must_know) {
                let heard = view.gone.expect("heard that it is gone");
                assert!(heard <= departure.deadline, "heard late that it is gone");
            }
        }
        let closed = timeout(SOON, self.wire.close()).await;
        closed.expect("a close is answered");
    }

    async fn act(&mut self, random: &mut StdRng) {
        self.check_waits();
        match random.random_range(0..10) {
            0..=2 => self.announce().await,
            3..=4 => self.call(random).await,
            5..=7 => self.talk(random).await,
            8 => self.hang_up(random).await,
            _ => self.list().await,
        }
    }

    fn check_waits(&self) {
        let late =
            |since: Option<Duration>| since.is_some_and(|at| self.simulation.now() > at + SOON);
        let moved = self.simulation.epoch() != self.epoch;
        assert!(moved || !late(self.asked), "{}: no list came", self.name);
        assert!(
            moved || !late(self.called),
            "{}: no session came",
            self.name
        );
    }

    async fn announce(&mut self) {
        self.change += 1;
        let at = self.simulation.now().as_millis() as u64;
        let meta = json!({"name": self.name, "change": self.change, "at": at});
        let roles = ["producer", "listener"];
        let status = json!({"type": "setPeerStatus", "roles": roles, "meta": meta});
        self.wire.send(status.to_string()).await;
    }

    async fn list(&mut self) {
        self.asked = Some(self.asked.unwrap_or_else(|| self.simulation.now()));
        self.wire.send(r#"{"type":"list"}"#).await;
    }

    async fn call(&mut self, random: &mut StdRng) {
        if self.called.is_some() || self.sessions.len() > 20 {
            return;
        }
        let others = self
            .views
            .iter()
            .filter(|(id, view)| view.gone.is_none() && **id != self.id);
        let others: Vec<&String> = others.map(|(id, _)| id).collect();
        if others.is_empty() {
            return;
        }
        let other = others[random.random_range(0..others.len())];
        let call = json!({"type": "startSession", "peerId": other});
        self.called = Some(self.simulation.now());
        self.wire.send(call.to_string()).await;
    }

    async fn talk(&mut self, random: &mut StdRng) {
        if self.sessions.is_empty() {
            return;
        }
        let place = random.random_range(0..self.sessions.len());
        let (id, session) = self.sessions.iter_mut().nth(place).expect("a place in it");
        for _ in 0..random.random_range(1..12) {
            session.sent += 1;
            let now = self.simulation.now();
            let message = candidate(id, &self.name, session.sent, now, false);
            self.wire.send(message).await;
        }
    }

    async fn hang_up(&mut self, random: &mut StdRng) {
        if self.sessions.is_empty() {
            return;
        }
        let place = random.random_range(0..self.sessions.len());
        let id = self
            .sessions
            .keys()
            .nth(place)
            .expect("a place in it")
            .clone();
        self.sessions.remove(&id);
        let end = json!({"type": "endSession", "sessionId": id});
        self.wire.send(end.to_string()).await;
        self.ended_by_itself.insert(id);
    }

    fn hear(&mut self, message: &Value) {
        match text(message, "type") {
            "peerStatusChanged" => self.hear_status(message),
            "list" => self.hear_list(message),
            "sessionStarted" => {
                self.called = None;
                self.begin(message);
            }
            "startSession" => self.begin(message),
            "peer" => self.hear_candidate(message),
            "endSession" => {
                let id = text(message, "sessionId");
                let known = self.sessions.remove(id).is_some() || self.ended_by_itself.remove(id);
                assert!(known, "the end of an unknown session");
            }
            "error" => {
                let details = text(message, "details");
                let is_race = details.ends_with("not found") || details.starts_with("Missing");
                assert!(is_race, "{details}");
                self.called = None;
            }
            other => panic!("heard {other}"),
        }
    }

    fn hear_status(&mut self, message: &Value) {
        let id = text(message, "peerId");
        let gone = message["roles"].as_array().is_some_and(Vec::is_empty);
        let meta = &message["meta"];
        let change = meta["change"].as_u64().unwrap_or(0);
        let now = self.simulation.now();
        let known = self.views.contains_key(id);
        let view = self.views.entry(id.to_owned()).or_default();
        assert_eq!(view.gone, None, "heard of a peer after its end");
        if gone {
            view.gone = Some(now);
            let ghost = self.sessions.values().find(|session| session.partner == id);
            assert!(ghost.is_none(), "a session outlived a partner: {ghost:?}");
            return;
        }
        assert!(change > view.change, "changes in a wrong order");
        if self.simulation.conditions == NetworkConditions::Calm && (known || self.has_list) {
            assert_eq!(
                change,
                view.change + 1,
                "{}: a change is missing",
                self.name
            );
        }
        view.change = change;
        view.name = meta["name"].as_str().unwrap_or_default().to_owned();
        if view.name.starts_with(NAME) {
            let at = Duration::from_millis(meta["at"].as_u64().expect("a time"));
            assert!(now - at < SOON, "{}: a change came late", self.name);
        }
    }

    fn hear_list(&mut self, message: &Value) {
        self.asked = None;
        let listed = message["producers"].as_array().expect("a list");
        let mut ids = HashSet::new();
        for producer in listed {
            let id = text(producer, "id");
            let view = self.views.entry(id.to_owned()).or_default();
            assert_eq!(view.gone, None, "listed after its end");
            let change = producer["meta"]["change"].as_u64().unwrap_or(0);
            let is_news = !self.has_list || self.simulation.conditions == NetworkConditions::Wild;
            assert!(change >= view.change, "the list is older than the changes");
            assert!(is_news || change == view.change, "a change is missing");
            view.change = change;
            view.name = producer["meta"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            ids.insert(id);
        }
        for (id, view) in &self.views {
            let listed = ids.contains(id.as_str());
            assert_eq!(listed, view.gone.is_none(), "{id} in {}'s list", self.name);
        }
        self.has_list = true;
    }

    fn begin(&mut self, message: &Value) {
        let session = Session {
            partner: text(message, "peerId").to_owned(),
            since: self.simulation.now(),
            sent: 0,
            received: 0,
            has_last: false,
        };
        let before = self
            .sessions
            .insert(text(message, "sessionId").to_owned(), session);
        assert!(before.is_none(), "a session began twice");
    }

    fn hear_candidate(&mut self, message: &Value) {
        let id = text(message, "sessionId");
        let Some(session) = self.sessions.get_mut(id) else {
            assert!(self.ended_by_itself.contains(id), "of an unknown session");
            return;
        };
        let told: Value = serde_json::from_str(text(&message["ice"], "candidate")).expect("ours");
        let number = told["number"].as_u64().expect("a number");
        assert_eq!(number, session.received + 1, "candidates in a wrong order");
        session.received = number;
        session.has_last |= told["last"] == true;
        let at = Duration::from_millis(told["at"].as_u64().expect("a time"));
        let took = self.simulation.now() - at;
        let from = text(&told, "from");
        let is_steady = from.starts_with(NAME);
        assert!(
            took < SOON || !is_steady,
            "{}: {took:?} from {from}",
            self.name
        );
    }
}

/// A candidate as a text of the protocol, with a number and the time in it.
pub(super) fn candidate(
    session: &str,
    from: &str,
    number: u64,
    now: Duration,
    last: bool,
) -> String {
    let at = now.as_millis() as u64;
    let candidate = json!({"from": from, "number": number, "at": at, "last": last}).to_string();
    let ice = json!({"candidate": candidate, "sdpMLineIndex": 0});
    json!({"type": "peer", "sessionId": session, "ice": ice}).to_string()
}
