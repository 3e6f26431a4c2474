//! Cycles of files that import each other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::imports::Imports;

/// Each set of files that all lead to each other by imports: a shortest way round, and below it every import inside.
pub(crate) fn cycles(imports: &Imports) -> Vec<String> {
    let mut known = BTreeSet::new();
    let mut cycles = Vec::new();
    for file in imports.keys() {
        if known.contains(file.as_str()) {
            continue;
        }
        let members = members(imports, file);
        let ways = members.iter().filter_map(|file| way_round(imports, file));
        if let Some(way) = ways.min_by_key(Vec::len) {
            let way = way.join(" > ");
            cycles.push(format!("  {way}\n{}", imports_among(imports, &members)));
        }
        known.extend(members);
    }
    cycles
}

/// The files that lead to a file and to which it leads.
fn members<'a>(imports: &'a Imports, file: &str) -> BTreeSet<&'a str> {
    let leads_back = |other: &&str| steps_from(imports, other).contains_key(file);
    let behind = steps_from(imports, file).into_keys();
    behind.filter(leads_back).collect()
}

/// A shortest way from a file back to it.
fn way_round<'a>(imports: &'a Imports, file: &'a str) -> Option<Vec<&'a str>> {
    let steps = steps_from(imports, file);
    let mut way = vec![file];
    let mut at = *steps.get(file)?;
    while at != file {
        way.push(at);
        at = *steps.get(at)?;
    }
    way.push(file);
    way.reverse();
    Some(way)
}

/// The files to which one leads by imports, each with the one before it on a shortest way; itself only in a cycle.
fn steps_from<'a>(imports: &'a Imports, file: &str) -> BTreeMap<&'a str, &'a str> {
    let mut steps = BTreeMap::new();
    let mut waiting = VecDeque::from([file]);
    while let Some(file) = waiting.pop_front() {
        let Some((file, targets)) = imports.get_key_value(file) else {
            continue;
        };
        for target in targets.keys() {
            if !steps.contains_key(target.as_str()) {
                steps.insert(target.as_str(), file.as_str());
                waiting.push_back(target);
            }
        }
    }
    steps
}

fn imports_among(imports: &Imports, members: &BTreeSet<&str>) -> String {
    let mut lines = String::new();
    for (from, targets) in imports {
        for (to, paths) in targets {
            if members.contains(from.as_str()) && members.contains(to.as_str()) {
                let paths: Vec<_> = paths.iter().map(String::as_str).collect();
                lines += &format!("    {from} imports {to}: {}\n", paths.join(", "));
            }
        }
    }
    lines
}
