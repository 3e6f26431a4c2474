//! What another program asks of the link, in lines of JSON.

use std::io::{BufRead, Read, Write};

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use wigwag_link::{Conditions, Direction, LinkPair, Side};

/// The longest request, in bytes.
const MAX_LINE: usize = 16_384;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    Set(Box<Changes>),
    Counters,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    a_to_b: Option<Conditions>,
    b_to_a: Option<Conditions>,
}

/// Says where the hosts are, then answers requests until the input ends.
pub(crate) fn serve(
    link: &LinkPair,
    mut input: impl BufRead,
    mut output: impl Write,
) -> Result<()> {
    answer(&mut output, &hosts(link))?;
    let mut line = String::new();
    loop {
        line.clear();
        let length = input
            .by_ref()
            .take(MAX_LINE as u64 + 1)
            .read_line(&mut line)?;
        if length == 0 {
            return Ok(());
        }
        if length > MAX_LINE {
            bail!("a request exceeds the limit of {MAX_LINE} bytes");
        }
        if line.trim().is_empty() {
            continue;
        }
        let reply =
            handle(link, &line).unwrap_or_else(|error| json!({ "error": format!("{error:#}") }));
        answer(&mut output, &reply)?;
    }
}

fn answer(output: &mut impl Write, reply: &Value) -> Result<()> {
    writeln!(output, "{reply}")?;
    Ok(output.flush()?)
}

fn hosts(link: &LinkPair) -> Value {
    let host = |side: Side| {
        json!({
            "enter": link.namespace(side).prefix(),
            "ipv4": side.ipv4(),
            "ipv6": side.ipv6(),
        })
    };
    json!({ "hosts": { "a": host(Side::A), "b": host(Side::B) } })
}

fn handle(link: &LinkPair, line: &str) -> Result<Value> {
    match serde_json::from_str(line)? {
        Request::Set(changes) => {
            let changes = [
                (Direction::AToB, changes.a_to_b),
                (Direction::BToA, changes.b_to_a),
            ];
            // Both or none.
            for conditions in changes
                .iter()
                .filter_map(|(_, conditions)| conditions.as_ref())
            {
                conditions.validate()?;
            }
            for (direction, conditions) in changes {
                if let Some(conditions) = conditions {
                    link.set(direction, conditions)?;
                }
            }
            Ok(json!({ "conditions": {
                "a_to_b": link.conditions(Direction::AToB)?,
                "b_to_a": link.conditions(Direction::BToA)?,
            } }))
        }
        Request::Counters => Ok(json!({ "counters": {
            "a_to_b": link.counters(Direction::AToB)?,
            "b_to_a": link.counters(Direction::BToA)?,
        } })),
    }
}
