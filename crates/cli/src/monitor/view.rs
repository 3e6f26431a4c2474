//! The screen: a pure function of the state.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table, TableState};

use super::state::{Connection, Removal, State, Tab};
use super::text;
use crate::printable::{columns, printable};
use crate::table::{Column, fitted};

const HEAD: u16 = 5;
/// Between columns.
const SPACE: u16 = 2;
const KEYS: &str = "q end   tab 1 2 3 lists   arrows move   s order   k remove";

pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let parts = [
        Constraint::Length(HEAD),
        Constraint::Min(0),
        Constraint::Length(1),
    ];
    let [head, list, foot] = Layout::vertical(parts).areas(frame.area());
    frame.render_widget(Paragraph::new(top(state, usize::from(head.width))), head);
    let snapshot = &state.snapshot;
    match state.tab {
        Tab::Peers => table(
            frame,
            list,
            state,
            &text::PEERS,
            snapshot.peers.iter().map(text::peer),
        ),
        Tab::Sessions => {
            let rows = snapshot.sessions.iter().map(text::session);
            table(frame, list, state, &text::SESSIONS, rows);
        }
        Tab::Rooms => table(
            frame,
            list,
            state,
            &text::ROOMS,
            snapshot.rooms.iter().map(text::room),
        ),
    }
    frame.render_widget(bottom(state, usize::from(foot.width)), foot);
}

fn top(state: &State, width: usize) -> Vec<Line<'static>> {
    let snapshot = &state.snapshot;
    let first = match &state.connection {
        Connection::Beginning => {
            Line::from(printable(&format!("connecting to {}", state.admin), width))
        }
        Connection::Up => {
            Line::from(printable(&text::server(&state.admin, snapshot), width)).bold()
        }
        Connection::Lost(reason) => {
            let text = format!("no connection, trying again: {reason}");
            Line::from(printable(&text, width)).fg(Color::Red).bold()
        }
    };
    let [json, plain] = text::counts(snapshot);
    let rest = [json, plain, text::traffic(snapshot, state.rates)];
    let mut lines = vec![first];
    lines.extend(rest.map(|line| Line::from(printable(&line, width))));
    lines.push(tabs(state));
    lines
}

fn tabs(state: &State) -> Line<'static> {
    let snapshot = &state.snapshot;
    let (json, plain) = (&snapshot.status.json, &snapshot.status.text);
    let titles = [
        ("Peers", snapshot.peers.len(), json.peers + plain.peers),
        (
            "Sessions",
            snapshot.sessions.len(),
            json.sessions + plain.sessions,
        ),
        ("Rooms", snapshot.rooms.len(), plain.rooms),
    ];
    let mut spans = Vec::new();
    for (tab, (title, shown, all)) in Tab::ALL.into_iter().zip(titles) {
        let title = Span::from(format!(" {title} {} ", text::part(shown, all)));
        spans.push(if tab == state.tab {
            title.reversed()
        } else {
            title
        });
        spans.push(Span::from(" "));
    }
    if state.tab == Tab::Peers {
        spans.push(Span::from(state.order.name()).dim());
    }
    Line::from(spans)
}

fn table<const N: usize>(
    frame: &mut Frame<'_>,
    area: Rect,
    state: &State,
    titles: &[Column; N],
    rows: impl ExactSizeIterator<Item = [String; N]>,
) {
    // Without the line of titles.
    let height = usize::from(area.height.saturating_sub(1));
    let length = rows.len();
    let marked = state.marked();
    // The mark is in the middle of a list that is longer than the screen.
    let first = marked
        .saturating_sub(height / 2)
        .min(length.saturating_sub(height));
    // Only what is seen is made fit to be seen.
    let shown: Vec<[String; N]> = rows
        .skip(first)
        .take(height)
        .map(|row| fitted(titles, row))
        .collect();
    // The first columns say most; the last one that has room is cut, and those behind it are left out.
    let mut room = usize::from(area.width);
    let mut widths = Vec::new();
    for (place, (title, _)) in titles.iter().enumerate() {
        let cells = shown.iter().map(|row| columns(&row[place]));
        let width = cells.max().unwrap_or(0).max(title.len()).min(room);
        if width > 0 {
            widths.push(Constraint::Length(u16::try_from(width).unwrap_or(u16::MAX)));
        }
        room = room.saturating_sub(width + usize::from(SPACE));
    }
    let fit = widths.len();
    let style = match state.connection {
        // What was seen before.
        Connection::Lost(_) => Style::new().dim(),
        _ => Style::new(),
    };
    let titles = titles.iter().take(fit);
    let head = Row::new(titles.map(|(title, _)| Cell::from(*title))).underlined();
    let rows = shown
        .into_iter()
        .map(|row| Row::new(row.into_iter().take(fit)));
    let table = Table::new(rows, widths)
        .header(head)
        .style(style)
        .column_spacing(SPACE)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut mark = TableState::new().with_selected((length > 0).then(|| marked - first));
    frame.render_stateful_widget(table, area, &mut mark);
}

fn bottom(state: &State, width: usize) -> Line<'static> {
    let question = state.question.as_ref().map(|removal| match removal {
        Removal::Peer(id) => format!("remove peer {id}? y removes it, any other key does not"),
        Removal::Session(id) => format!("end session {id}? y ends it, any other key does not"),
    });
    match (question, &state.notice) {
        (Some(question), _) => Line::from(printable(&question, width))
            .fg(Color::Yellow)
            .bold(),
        (None, Some(notice)) => Line::from(printable(notice, width)).bold(),
        (None, None) => Line::from(printable(KEYS, width)).dim(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crossterm::event::{KeyCode, KeyEvent};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::snapshot::{JsonCounts, Peer, Session, Snapshot, Status};
    use super::*;

    fn peer(number: usize, name: &str) -> Peer {
        Peer {
            id: format!("id-{number}"),
            protocol: "json".to_owned(),
            name: Some(name.to_owned()),
            roles: vec!["producer".to_owned()],
            address: Some("127.0.0.1:5".to_owned()),
            connected_at: format!("2026-11-21T20:00:{:02}Z", number % 60),
            ..Peer::default()
        }
    }

    fn state(peers: Vec<Peer>) -> State {
        let mut state = State::new("http://127.0.0.1:8445/".to_owned());
        let status = Status {
            version: "0.1.0".to_owned(),
            uptime_seconds: 93_784.0,
            json: JsonCounts {
                peers: peers.len(),
                producers: peers.len(),
                sessions: 1,
                ..JsonCounts::default()
            },
            ..Status::default()
        };
        let session = Session {
            id: "s-1".to_owned(),
            protocol: "json".to_owned(),
            caller: "id-1".to_owned(),
            callee: "id-0".to_owned(),
            producer: Some("id-0".to_owned()),
        };
        let mut snapshot = Snapshot {
            status,
            peers,
            sessions: vec![session],
            ..Snapshot::default()
        };
        let start = Instant::now();
        state.seen(snapshot.clone(), start);
        snapshot.status.messages_received = 25;
        snapshot.status.messages_sent = 50;
        state.seen(snapshot, start + Duration::from_secs(10));
        state
    }

    fn screen(state: &State, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal.draw(|frame| draw(frame, state)).expect("drawn");
        let buffer = terminal.backend().buffer();
        let lines = buffer.content().chunks(usize::from(width).max(1));
        lines
            .map(|cells| {
                let line: String = cells.iter().map(|cell| cell.symbol()).collect();
                line.trim_end().to_owned()
            })
            .collect()
    }

    #[test]
    fn the_screen_shows_the_server_and_its_peers() {
        let shown = screen(&state(vec![peer(0, "yard"), peer(1, "gate")]), 132, 10);
        let expected = [
            "wigwag 0.1.0 at http://127.0.0.1:8445/, up 1 day 02:03:04",
            "JSON protocol: 2 peers (2 producers, 0 consumers, 0 listeners), 1 session",
            "text protocol: 0 peers, 0 sessions, 0 rooms",
            "messages: 25 received (2.5 a second), 50 sent (5.0 a second)",
            " Peers 2   Sessions 1   Rooms 0  eldest first",
            "ID    NAME  DOES      SESSIONS  QUEUE  ADDRESS      SINCE                 PROTOCOL  META",
            "id-0  yard  producer  0         0      127.0.0.1:5  2026-11-21T20:00:00Z  json",
            "id-1  gate  producer  0         0      127.0.0.1:5  2026-11-21T20:00:01Z  json",
            "",
            KEYS,
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn other_lists_and_questions_are_shown() {
        let mut state = state(vec![peer(0, "yard")]);
        state.press(KeyEvent::from(KeyCode::Char('2')));
        state.press(KeyEvent::from(KeyCode::Char('k')));
        let shown = screen(&state, 80, 9);
        assert_eq!(shown[5], "ID   CALLER  CALLEE  SENDS   PROTOCOL");
        assert_eq!(shown[6], "s-1  id-1    id-0    callee  json");
        assert_eq!(
            shown[8],
            "end session s-1? y ends it, any other key does not"
        );
        state.lost("cannot connect".to_owned());
        let shown = screen(&state, 80, 9);
        assert_eq!(shown[0], "no connection, trying again: cannot connect");
        assert_eq!(
            shown[6], "s-1  id-1    id-0    callee  json",
            "it stays in sight"
        );
    }

    #[test]
    fn the_marked_line_is_always_in_sight() {
        let mut state = state((0..500).map(|number| peer(number, "x")).collect());
        for (key, seen) in [
            (KeyCode::End, "id-"),
            (KeyCode::Home, "id-"),
            (KeyCode::PageDown, "id-"),
        ] {
            state.press(KeyEvent::from(key));
            let marked = state.snapshot.peers[state.marked()].id.clone();
            for height in [8, 9, 20] {
                let shown = screen(&state, 80, height);
                let cell = format!("{marked} ");
                assert!(
                    shown.iter().any(|line| line.starts_with(&cell)),
                    "{seen} {shown:#?}"
                );
            }
        }
    }

    #[test]
    fn any_size_of_a_terminal_can_be_drawn_on() {
        let mut state = state(vec![peer(0, "yard")]);
        for width in [0, 1, 2, 7, 40] {
            for height in [0, 1, 4, 6] {
                screen(&state, width, height);
            }
        }
        state.lost("gone".to_owned());
        screen(&state, 3, 3);
    }

    #[test]
    fn hostile_names_are_only_text() {
        let hostile = "\x1b]0;owned\x07\u{202e}\u{9b}2J\n".to_owned() + &"前".repeat(99);
        let mut other = peer(0, &hostile);
        other.id = hostile.clone();
        other.address = Some(hostile.clone());
        other.roles = vec![hostile.clone()];
        other.meta = Some(serde_json::json!({"x": hostile}));
        let mut state = state(vec![other]);
        state.press(KeyEvent::from(KeyCode::Char('k')));
        for line in screen(&state, 200, 9) {
            assert!(
                !line.contains(['\x1b', '\x07', '\u{202e}', '\u{9b}', '\n']),
                "{line:?}"
            );
        }
        state.press(KeyEvent::from(KeyCode::Char('n')));
        state.removed(Err(hostile));
        let shown = screen(&state, 60, 9);
        assert!(shown[8].starts_with("\\u{1b}]0;owned"), "{shown:#?}");
    }
}
