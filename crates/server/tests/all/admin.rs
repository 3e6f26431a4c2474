//! The admin API: what an operator sees and does, and who is kept out.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};
use wigwag_server::{AdminConfig, Config, Limits, Secret, Server, StartError};

use crate::running;
use crate::running::{DEADLINE, Running};

const TOKEN: &str = "correct-horse-battery";

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("JSON: {:?}", self.body))
    }

    /// Checks that it is a problem document of this status.
    fn is_problem(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}", self.body);
        assert!(
            self.head
                .contains("content-type: application/problem+json\r\n"),
            "{}",
            self.head
        );
        assert_eq!(self.json()["status"], status);
        assert_eq!(self.json()["type"], "about:blank");
        self
    }
}

fn with_admin(token: Option<&str>, limits: Limits) -> Running {
    Running::start(Config {
        admin: Some(AdminConfig {
            port: 0,
            token: token.map(|token| Secret::new(token).expect("a good one")),
            ..AdminConfig::default()
        }),
        text_port: Some(0),
        limits,
        ..Config::default()
    })
}

fn start() -> Running {
    with_admin(None, Limits::default())
}

/// Sends a request as it is, and reads to the end of the connection.
fn send(server: &Running, request: &[u8]) -> Answer {
    let address = server.admin_address.expect("it has such a port");
    let mut stream = TcpStream::connect(address).expect("accepted");
    stream
        .set_read_timeout(Some(DEADLINE))
        .expect("a socket option");
    stream.write_all(request).expect("taken");
    let mut answer = Vec::new();
    // A refused body may still be on its way, which resets the connection.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    let status = head.split(' ').nth(1).expect("a status");
    Answer {
        status: status.parse().expect("a number"),
        head: format!("{}\r\n", head.to_ascii_lowercase()),
        body: body.to_owned(),
    }
}

fn ask(server: &Running, method: &str, path: &str) -> Answer {
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    send(server, request.as_bytes())
}

fn get(server: &Running, path: &str) -> Value {
    let answer = ask(server, "GET", path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    assert!(
        answer.head.contains("content-type: application/json\r\n"),
        "{}",
        answer.head
    );
    assert!(
        answer.head.contains("cache-control: no-store\r\n"),
        "{}",
        answer.head
    );
    answer.json()
}

fn delete(server: &Running, path: &str, body: &str) -> Answer {
    let length = body.len();
    let head = format!(
        "DELETE {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    );
    send(server, (head + body).as_bytes())
}

fn producer(server: &Running, meta: &str) -> running::Peer {
    let mut peer = server.peer();
    peer.send(format!(
        r#"{{"type":"setPeerStatus","roles":["producer"],"meta":{meta}}}"#
    ));
    peer.sync();
    peer
}

fn call(from: &mut running::Peer, to: &running::Peer) -> String {
    from.send(format!(r#"{{"type":"startSession","peerId":"{}"}}"#, to.id));
    let started = from.receive();
    assert_eq!(started["type"], "sessionStarted");
    started["sessionId"].as_str().expect("an id").to_owned()
}

/// Asks again until it is so.
fn eventually(server: &Running, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        let answer = get(server, path);
        if is_so(&answer) {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "{path} stays {answer}");
        thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn peers_of_both_protocols_are_seen_with_what_they_do() {
    let server = start();
    let camera = producer(&server, r#"{"name":"front door","n":1.50}"#);
    let mut viewer = server.peer();
    viewer.send(r#"{"type":"setProtocolVersion","version":"v1_1"}"#);
    call(&mut viewer, &camera);
    let mut alice = server.text_peer("alice/ä");
    assert_eq!(alice.ask("ROOM yard"), "ROOM_OK ");
    let _silent = server.text_connection();

    let page = eventually(&server, "/api/v1/peers", |page| {
        page["peers"]
            .as_array()
            .is_some_and(|peers| peers.len() == 4)
    });
    assert_eq!(page["next"], Value::Null);
    let [first, second, third, fourth] = [0, 1, 2, 3].map(|place| &page["peers"][place]);
    assert_eq!(first["id"], camera.id.as_str());
    assert_eq!(first["protocol"], "json");
    assert_eq!(first["protocol_version"], "1.0");
    assert_eq!(first["roles"], json!(["producer"]));
    assert_eq!(first["meta"], json!({"name": "front door", "n": 1.5}));
    assert_eq!(first["meta_bytes"], 29);
    assert_eq!(first["sessions"], 1);
    assert_eq!(first["address"], "127.0.0.1");
    let since = first["connected_at"].as_str().expect("a text");
    assert!(
        since.starts_with("20") && since.ends_with('Z') && since.len() == 20,
        "{since}"
    );
    assert_eq!(second["protocol_version"], "1.1");
    assert_eq!(third["id"], "text-0");
    assert_eq!(third["name"], "alice/ä");
    assert_eq!(
        (&third["room"], &third["sessions"]),
        (&json!("yard"), &json!(0))
    );
    assert_eq!(
        (&fourth["id"], &fourth["name"]),
        (&json!("text-1"), &Value::Null)
    );
    assert_eq!(
        &get(&server, &format!("/api/v1/peers/{}", camera.id)),
        first
    );
    assert_eq!(&get(&server, "/api/v1/peers/text-0"), third);

    let status = get(&server, "/api/v1/status");
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        status["json"],
        json!({"peers": 2, "producers": 1, "consumers": 0, "listeners": 0, "sessions": 1})
    );
    assert_eq!(
        status["text"],
        json!({"peers": 2, "sessions": 0, "rooms": 1})
    );
    // The producer's status and its question, the viewer's version and its call, HELLO and ROOM.
    let received = |status: &Value| status["messages_received"] == 2 + 2 + 2;
    let sent = |status: &Value| status["messages_sent"] == 3 + 2 + 2;
    eventually(&server, "/api/v1/status", |status| {
        received(status) && sent(status)
    });
}

#[test]
fn a_removed_peer_hears_why_and_is_gone_at_once() {
    let server = start();
    let mut listener = server.peer();
    listener.send(r#"{"type":"setPeerStatus","roles":["listener"]}"#);
    listener.sync();
    let mut camera = producer(&server, "null");
    let mut viewer = server.peer();
    let session = call(&mut viewer, &camera);
    let path = format!("/api/v1/peers/{}", camera.id);
    let answer = delete(&server, &path, r#"{"reason":"too loud"}"#);
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    ask(&server, "GET", &path).is_problem(404);
    delete(&server, &path, "").is_problem(404);
    assert_eq!(get(&server, "/api/v1/sessions")["sessions"], json!([]));
    assert_eq!(camera.closed(), (1008, "too loud".to_owned()));
    let ended = viewer.receive();
    assert_eq!(
        (&ended["type"], &ended["sessionId"]),
        (&json!("endSession"), &json!(session))
    );
    while listener.receive()["roles"] != json!([]) {}
    // Others are not concerned, and no reason is one, too.
    viewer.sync();
    let path = format!("/api/v1/peers/{}", viewer.id);
    assert_eq!(delete(&server, &path, "").status, 204);
    assert_eq!(
        viewer.closed(),
        (1008, "removed by the operator".to_owned())
    );
}

#[test]
fn a_long_reason_is_cut_to_what_a_close_frame_holds() {
    let server = start();
    let mut peer = server.peer();
    let path = format!("/api/v1/peers/{}", peer.id);
    let reason = "ü".repeat(120);
    assert_eq!(
        delete(&server, &path, &json!({"reason": reason}).to_string()).status,
        204
    );
    assert_eq!(peer.closed(), (1008, "ü".repeat(61)));
}

#[test]
fn an_ended_session_is_over_for_both_and_they_stay() {
    let server = start();
    let mut camera = producer(&server, "null");
    let mut viewer = server.peer();
    viewer.send(r#"{"type":"setProtocolVersion","version":"v1_1"}"#);
    let id = call(&mut viewer, &camera);
    let session = json!({
        "id": id, "protocol": "json", "caller": viewer.id, "callee": camera.id, "producer": camera.id
    });
    assert_eq!(
        get(&server, "/api/v1/sessions"),
        json!({"sessions": [session], "next": null})
    );
    let path = format!("/api/v1/sessions/{id}");
    assert_eq!(get(&server, &path), session);
    assert_eq!(delete(&server, &path, r#"{"reason":"lunch"}"#).status, 204);
    delete(&server, &path, "").is_problem(404);
    let told = viewer.receive();
    assert_eq!(
        (&told["type"], &told["error"]),
        (&json!("endSessionV1_1"), &json!("lunch"))
    );
    assert_eq!(camera.receive()["type"], "startSession");
    assert_eq!(
        camera.receive(),
        json!({"type": "endSession", "sessionId": id})
    );
    viewer.sync();
    camera.sync();
}

#[test]
fn sessions_and_peers_of_the_text_protocol_end_as_there() {
    let server = start();
    let mut peers = ["a", "b", "c", "d"].map(|id| server.text_peer(id));
    let [a, b, c, d] = &mut peers;
    assert_eq!(a.ask("SESSION b"), "SESSION_OK");
    assert_eq!(d.ask("SESSION c"), "SESSION_OK");
    let of = |caller: &str, callee: &str| {
        json!({
            "id": caller, "protocol": "text", "caller": caller, "callee": callee, "producer": null
        })
    };
    let all = json!({"sessions": [of("text-0", "text-1"), of("text-3", "text-2")], "next": null});
    assert_eq!(get(&server, "/api/v1/sessions"), all);
    assert_eq!(get(&server, "/api/v1/status")["text"]["sessions"], 2);
    // A session has one name, that of its caller.
    delete(&server, "/api/v1/sessions/text-1", "").is_problem(404);
    assert_eq!(delete(&server, "/api/v1/sessions/text-0", "").status, 204);
    assert_eq!([a.closed().0, b.closed().0], [1000, 1000]);
    assert_eq!(
        delete(&server, "/api/v1/peers/text-2", r#"{"reason":"x"}"#).status,
        204
    );
    assert_eq!(c.closed(), (1008, "x".to_owned()));
    assert_eq!(d.closed().0, 1000);
    assert_eq!(get(&server, "/api/v1/sessions")["sessions"], json!([]));
    assert_eq!(
        get(&server, "/api/v1/status")["text"],
        json!({"peers": 0, "sessions": 0, "rooms": 0})
    );
}

#[test]
fn rooms_are_seen_with_their_members() {
    let server = start();
    let mut members: Vec<_> = (0..20)
        .map(|id| server.text_peer(&format!("p{id}")))
        .collect();
    for member in &mut members[..18] {
        assert!(member.ask("ROOM yard").starts_with("ROOM_OK"));
    }
    members[18].ask("ROOM a/b");
    let rooms = get(&server, "/api/v1/rooms");
    assert_eq!(
        rooms["rooms"][0],
        json!({"name": "a/b", "member_count": 1, "members": ["text-18"]})
    );
    assert_eq!(rooms["rooms"][1]["member_count"], 18);
    assert_eq!(
        rooms["rooms"][1]["members"].as_array().map(Vec::len),
        Some(16)
    );
    let first = get(&server, "/api/v1/rooms?limit=1");
    assert_eq!(first["next"], "a/b");
    let second = get(&server, "/api/v1/rooms?limit=1&after=a%2Fb");
    assert_eq!(
        (&second["rooms"][0]["name"], &second["next"]),
        (&json!("yard"), &Value::Null)
    );
    let room = get(&server, "/api/v1/rooms/yard");
    assert_eq!(room["members"].as_array().map(Vec::len), Some(18));
    assert_eq!(get(&server, "/api/v1/rooms/a%2Fb")["name"], "a/b");
    ask(&server, "GET", "/api/v1/rooms/nowhere").is_problem(404);
    ask(&server, "GET", "/api/v1/rooms/%FF").is_problem(404);
}

#[test]
fn pages_are_bounded_however_many_peers_there_are() {
    let server = start();
    let _text = server.text_peer("last");
    let large = "m".repeat(5000);
    let peers: Vec<_> = (0..40)
        .map(|number| {
            producer(
                &server,
                &if number == 7 {
                    format!("\"{large}\"")
                } else {
                    "1".to_owned()
                },
            )
        })
        .collect();
    let mut seen = Vec::new();
    let mut path = "/api/v1/peers?limit=16".to_owned();
    loop {
        let page = get(&server, &path);
        let on_page = page["peers"].as_array().expect("a list");
        assert!(on_page.len() <= 16);
        seen.extend(on_page.clone());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/api/v1/peers?limit=16&after={next}");
    }
    let ids: Vec<_> = seen.iter().filter_map(|peer| peer["id"].as_str()).collect();
    let mut expected: Vec<_> = peers.iter().map(|peer| peer.id.as_str()).collect();
    expected.push("text-0");
    assert_eq!(ids, expected);
    // What is too large for a list is with its peer.
    assert_eq!(
        (&seen[7]["meta"], &seen[7]["meta_bytes"]),
        (&Value::Null, &json!(5002))
    );
    let alone = get(&server, &format!("/api/v1/peers/{}", peers[7].id));
    assert_eq!(alone["meta"], large);
    for (query, status) in [
        ("limit=0", 422),
        ("limit=501", 422),
        ("limit=x", 400),
        ("after=nothing", 422),
        ("size=1", 400),
    ] {
        ask(&server, "GET", &format!("/api/v1/peers?{query}")).is_problem(status);
    }
}

#[test]
fn what_waits_for_a_peer_that_does_not_read_is_seen() {
    let server = start();
    let mut stuck = server.peer();
    stuck.send(r#"{"type":"setPeerStatus","roles":["listener"]}"#);
    stuck.sync();
    let meta = format!("\"{}\"", "m".repeat(200_000));
    let path = format!("/api/v1/peers/{}", stuck.id);
    let mut others = Vec::new();
    let start = Instant::now();
    // Some more than the system takes. What waits is of one moment: the system may take some more in the next.
    let peer = loop {
        let peer = get(&server, &path);
        if peer["queued_bytes"].as_u64() >= Some(200_000) {
            break peer;
        }
        assert!(start.elapsed() < DEADLINE, "the system takes it all");
        others.push(producer(&server, &meta));
    };
    assert!(peer["queued_messages"].as_u64() > Some(0), "{peer}");
}

#[test]
fn an_operator_gets_in_where_the_server_is_full() {
    let server = with_admin(
        None,
        Limits {
            max_connections: 2,
            ..Limits::default()
        },
    );
    let mut peers = [server.peer(), server.peer()];
    assert_eq!(get(&server, "/api/v1/status")["json"]["peers"], 2);
    assert_eq!(
        delete(&server, &format!("/api/v1/peers/{}", peers[0].id), "").status,
        204
    );
    assert_eq!(peers[0].closed().0, 1008);
    drop(peers);
    // One that comes before the places are free is refused.
    server.wait_for_room();
    drop(server.peer());
}

#[test]
fn request_without_access_counted_in_the_metrics_of_the_server() {
    let server = with_admin(Some(TOKEN), Limits::default());
    ask(&server, "GET", "/api/v1/status").is_problem(401);
    ask(&server, "DELETE", "/api/v1/peers/x").is_problem(401);
    server.wait_for_metric(r#"wigwag_refused_total{reason="admin_access"}"#, 2);
}

#[test]
fn a_token_is_asked_for_before_anything_is_told() {
    let server = with_admin(Some(TOKEN), Limits::default());
    for path in ["/api/v1/status", "/api/v1/openapi.json", "/nowhere"] {
        let answer = ask(&server, "GET", path);
        answer.is_problem(401);
        assert!(
            answer
                .head
                .contains("www-authenticate: bearer realm=\"admin\"\r\n"),
            "{}",
            answer.head
        );
    }
    let with = |token: &str| {
        let head = "GET /api/v1/status HTTP/1.1\r\nhost: ops.example\r\nconnection: close\r\n";
        send(
            &server,
            format!("{head}authorization: Bearer {token}\r\n\r\n").as_bytes(),
        )
    };
    let wrong = with("correct-horse-batterz");
    wrong.is_problem(401);
    assert!(
        wrong.head.contains("error=\"invalid_token\""),
        "{}",
        wrong.head
    );
    assert_eq!(with(TOKEN).status, 200);
}

#[test]
fn who_may_not_ask_loses_the_connection() {
    // None of these says that it wants to be closed.
    let server = with_admin(Some(TOKEN), Limits::default());
    let request = b"GET /api/v1/status HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let answer = send(&server, request);
    answer.is_problem(401);
    assert!(answer.head.contains("connection: close\r\n"));
    let server = start();
    let request = b"GET /api/v1/status HTTP/1.1\r\nhost: rebound.example\r\n\r\n";
    let answer = send(&server, request);
    answer.is_problem(421);
    assert!(answer.head.contains("connection: close\r\n"));
}

#[test]
fn who_says_nothing_does_not_keep_the_operator_out() {
    let server = with_admin(
        None,
        Limits {
            handshake_timeout: DEADLINE * 3,
            ..Limits::default()
        },
    );
    let address = server.admin_address.expect("it has such a port");
    let silent = [(); 64].map(|()| TcpStream::connect(address).expect("accepted"));
    let start = Instant::now();
    get(&server, "/api/v1/status");
    // Those that are silent have 3 s; the rest is for a machine that is busy.
    let waited = start.elapsed();
    assert!(waited < std::time::Duration::from_secs(8), "{waited:?}");
    drop(silent);
}

#[test]
fn looking_at_the_metrics_does_not_change_them() {
    let server = start();
    for _ in 0..5 {
        get(&server, "/api/v1/status");
    }
    server.wait_for_metric("wigwag_connections_accepted_total", 0);
    drop(server.peer());
    server.wait_for_metric("wigwag_connections_accepted_total", 1);
}

#[test]
fn without_a_token_a_page_of_another_name_is_refused() {
    let server = start();
    let asked_as = |host: &str| {
        let request =
            format!("GET /api/v1/status HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        send(&server, request.as_bytes())
    };
    asked_as("rebound.example:8445").is_problem(421);
    let port = server.admin_address.expect("a port").port();
    assert_eq!(asked_as(&format!("127.0.0.1:{port}")).status, 200);
    let request =
        b"OPTIONS /api/v1/peers/x HTTP/1.1\r\nhost: localhost\r\norigin: https://a.example\r\n\
        access-control-request-method: DELETE\r\nconnection: close\r\n\r\n";
    let preflight = send(&server, request);
    preflight.is_problem(405);
    assert!(
        !preflight.head.contains("access-control"),
        "{}",
        preflight.head
    );
}

#[test]
fn what_makes_no_sense_is_refused_and_harms_nobody() {
    let server = start();
    let mut peer = server.peer();
    let path = format!("/api/v1/peers/{}", peer.id);
    ask(&server, "GET", "/").is_problem(404);
    ask(&server, "GET", "/api/v1/peers/text-99").is_problem(404);
    let metrics = ask(&server, "POST", "/metrics");
    metrics.is_problem(405);
    assert!(
        metrics.head.contains("allow: get,head\r\n"),
        "{}",
        metrics.head
    );
    let refused = ask(&server, "POST", &path);
    refused.is_problem(405);
    assert!(
        refused.head.contains("allow: get,head,delete\r\n"),
        "{}",
        refused.head
    );
    for (body, status) in [
        ("{", 400),
        ("x", 400),
        ("[]", 422),
        (r#"{"reason":null}"#, 422),
        (r#"{"reason":""}"#, 422),
        (r#"{"reason":"a\nb"}"#, 422),
        (r#"{"reasons":"a"}"#, 422),
        (r#"{"reason":"a","reason":"b"}"#, 422),
    ] {
        delete(&server, &path, body).is_problem(status);
    }
    let long = format!(r#"{{"reason":"{}"}}"#, "a".repeat(121));
    delete(&server, &path, &long).is_problem(422);
    delete(&server, &path, &" ".repeat(5000)).is_problem(413);
    let form = format!(
        "DELETE {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    send(&server, form.as_bytes()).is_problem(415);
    // Nobody was removed by any of these.
    peer.sync();
}

#[test]
fn the_description_names_everything_that_is_answered() {
    let server = start();
    let description = get(&server, "/api/v1/openapi.json");
    assert_eq!(description["openapi"], "3.1.0");
    let paths = description["paths"].as_object().expect("paths");
    assert_eq!(paths.len(), 8);
    for path in paths.keys().filter(|path| !path.contains('{')) {
        get(&server, path);
    }
}

#[test]
fn without_a_token_it_is_on_the_loopback_interface_only() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let bind = |host: &str, token: Option<&str>| {
        let admin = AdminConfig {
            host: host.to_owned(),
            port: 0,
            token: token.map(|token| Secret::new(token).expect("a good one")),
            allow_plaintext: true,
        };
        runtime.block_on(Server::bind(Config {
            host: "127.0.0.1".to_owned(),
            port: 0,
            admin: Some(admin),
            ..Config::default()
        }))
    };
    match bind("0.0.0.0", None).map(|_| ()) {
        Err(StartError::AdminWithoutToken { host }) => assert_eq!(host, "0.0.0.0"),
        other => panic!("{other:?}"),
    }
    assert!(bind("127.0.0.1", None).is_ok());
    let server = bind("0.0.0.0", Some(TOKEN)).map_err(|error| error.to_string());
    let url = server.map(|server| server.admin_url()).expect("it starts");
    assert!(url.expect("a port").starts_with("http://127.0.0.1:"));
}
