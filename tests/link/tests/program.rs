//! `wigwag-link`, as another program uses it. It takes root.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// A running `wigwag-link`, killed when dropped.
struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wigwag-link"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let output = BufReader::new(child.stdout.take().expect("an output"));
        Self { child, output }
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).expect("JSON")
    }

    fn ask(&mut self, request: &str) -> Value {
        let input = self.child.stdin.as_mut().expect("an input");
        writeln!(input, "{request}").expect("written");
        self.read()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn program_makes_hosts_answers_requests_and_ends_with_its_input() {
    let mut program = Program::start(&["--a-to-b", r#"{"delay_ms": 5}"#]);
    let hosts = program.read();
    let b = &hosts["hosts"]["b"];
    assert_eq!(b["ipv4"], "10.0.2.1");
    assert_eq!(b["ipv6"], "fd00:0:0:2::1");
    let prefix: Vec<_> = b["enter"].as_array().expect("words").iter().collect();
    let prefix: Vec<_> = prefix.iter().filter_map(|word| word.as_str()).collect();
    let mut ip = Command::new(prefix[0]);
    ip.args(&prefix[1..]).args(["ip", "address"]);
    let addresses = ip.output().expect("output").stdout;
    assert!(String::from_utf8_lossy(&addresses).contains("10.0.2.1/24"));

    let reply = program.ask(r#"{"set": {"b_to_a": {"rate_bits_per_second": 800000}}}"#);
    let conditions = &reply["conditions"];
    assert_eq!(conditions["a_to_b"]["delay_ms"], json!(5.0));
    assert_eq!(conditions["b_to_a"]["rate_bits_per_second"], json!(800_000));

    let reply = program.ask(r#""counters""#);
    assert_eq!(reply["counters"]["a_to_b"]["passed"]["packets"], json!(0));

    for wrong in [
        "no JSON",
        r#"{"set": {"c": {}}}"#,
        r#"{"set": {"a_to_b": {"delay_ms": 1}, "b_to_a": {"rate_bits_per_second": 1}}}"#,
    ] {
        let reply = program.ask(wrong);
        assert!(reply["error"].is_string(), "{wrong}: {reply}");
    }
    // The last of these changed neither direction.
    let reply = program.ask(r#"{"set": {}}"#);
    assert_eq!(reply["conditions"]["a_to_b"]["delay_ms"], json!(5.0));

    drop(program.child.stdin.take());
    assert!(program.child.wait().expect("ended").success());
}

#[test]
fn request_above_the_limit_ends_the_program_with_a_reason() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wigwag-link"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut input = child.stdin.take().expect("an input");
    // It may be gone before all is written.
    let _ = input.write_all(&vec![b' '; 100_000]);
    let output = child.wait_with_output().expect("ended");
    assert!(!output.status.success());
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("exceeds the limit"), "{complaint}");
}

#[test]
fn wrong_conditions_on_the_command_line_are_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_wigwag-link"))
        .args(["--a-to-b", r#"{"dela_ms": 5}"#])
        .output()
        .expect("ended");
    assert!(!output.status.success());
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("dela_ms"), "{complaint}");
}
