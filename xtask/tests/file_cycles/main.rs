//! The rule of ARCHITECTURE.md that files of a crate do not import each other in cycles.
//!
//! An import is a `use` or any other path, also in a macro or an attribute, that leads into another file: that of the
//! innermost module on the path, which is a parent's where the parent re-exports. The declaration of a module imports
//! nothing. The root of a crate and what is for tests alone are not looked at.

mod cycles;
mod imports;
mod modules;

use std::fs;
use std::path::Path;

use cycles::cycles;
use imports::{Imports, imports};
use modules::Modules;

/// The crates that keep the rule, by their folders.
const CRATES: [&str; 5] = ["server", "hub", "cli", "client", "receiver"];

#[test]
fn files_of_a_crate_do_not_import_each_other_in_cycles() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut found = String::new();
    for name in CRATES {
        let sources = crates.join(name).join("src");
        let modules = Modules::read(&|file| fs::read_to_string(sources.join(file)).ok());
        for cycle in cycles(&imports(&modules)) {
            found += &format!("crates/{name}/src:\n{cycle}");
        }
    }
    assert!(
        found.is_empty(),
        "files import each other in cycles\n{found}"
    );
}

/// The imports between files of a crate that has these, by name and text.
fn imports_of(files: &[(&str, &str)]) -> Imports {
    let modules = Modules::read(&|wanted| {
        let (_, text) = files.iter().find(|(name, _)| Path::new(name) == wanted)?;
        Some((*text).to_owned())
    });
    imports(&modules)
}

/// Every import as "from > to".
fn pairs(files: &[(&str, &str)]) -> Vec<String> {
    let imports = imports_of(files);
    let pairs = imports.iter().flat_map(|(from, targets)| {
        let pair = |to: &String| format!("{from} > {to}");
        targets.keys().map(pair).collect::<Vec<_>>()
    });
    pairs.collect()
}

#[test]
fn files_that_import_each_other_are_reported_with_their_imports() {
    let found = cycles(&imports_of(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::{self, B}; struct A;"),
        ("b.rs", "struct B(super::c::C, super::d::D);"),
        ("c.rs", "fn c() { crate::a::A::new(super::d::D) }"),
        ("d.rs", "struct D;"),
    ]));
    let expected = "  a.rs > b.rs > c.rs > a.rs
    a.rs imports b.rs: crate::b, crate::b::B
    b.rs imports c.rs: super::c::C
    c.rs imports a.rs: crate::a::A::new
";
    assert_eq!(found, [expected]);
}

#[test]
fn several_cycles_of_the_same_files_are_one_report_and_others_are_more() {
    let found = cycles(&imports_of(&[
        ("lib.rs", "mod a; mod b; mod c; mod d; mod e;"),
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "use crate::c::C;"),
        ("c.rs", "use crate::{a::A, b::B, d::D};"),
        ("d.rs", "use crate::e::E;"),
        ("e.rs", "use crate::d::D;"),
    ]));
    let ways: Vec<_> = found
        .iter()
        .filter_map(|cycle| cycle.lines().next())
        .collect();
    assert_eq!(ways, ["  b.rs > c.rs > b.rs", "  d.rs > e.rs > d.rs"]);
}

#[test]
fn module_that_is_only_declared_is_not_imported() {
    let child = ("a/b.rs", "use super::A;");
    let declared = [
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod b; struct A;"),
        child,
    ];
    assert_eq!(pairs(&declared), ["a/b.rs > a/mod.rs"]);
    assert!(cycles(&imports_of(&declared)).is_empty());
}

#[test]
fn module_that_is_re_exported_is_imported() {
    let child = ("a/b.rs", "use super::A;");
    for imports_child in ["pub use b::B;", "pub use self::b::*;", "type C = b::B;"] {
        let parent = format!("mod b; struct A; {imports_child}");
        let files = [("lib.rs", "mod a;"), ("a/mod.rs", parent.as_str()), child];
        assert_eq!(cycles(&imports_of(&files)).len(), 1, "{imports_child}");
    }
}

#[test]
fn item_that_a_parent_re_exports_is_imported_from_the_parent() {
    let files = [
        ("lib.rs", "mod a;"),
        ("a.rs", "mod b; mod c; pub use b::B;"),
        ("a/b.rs", "struct B;"),
        ("a/c.rs", "use super::B;"),
    ];
    assert_eq!(pairs(&files), ["a.rs > a/b.rs", "a/c.rs > a.rs"]);
}

#[test]
fn crate_root_is_not_looked_at() {
    let files = [
        ("lib.rs", "mod a; pub use a::A;"),
        ("a.rs", "use crate::A; use super::B;"),
    ];
    assert!(cycles(&imports_of(&files)).is_empty());
}

#[test]
fn code_for_tests_is_not_looked_at() {
    let files = [
        ("lib.rs", "mod a; mod b; #[cfg(test)] mod absent;"),
        (
            "a.rs",
            "#[cfg(test)] use super::b::B;
             #[cfg(any(test, fuzzing))] fn a() { super::b::b() }
             #[cfg(test)] mod tests { use crate::b::B; }
             impl A { #[cfg(all(test, unix))] fn a() { super::b::b() } }",
        ),
        ("b.rs", "#[cfg(not(test))] use super::a::A;"),
    ];
    assert_eq!(pairs(&files), ["b.rs > a.rs"]);
}

#[test]
fn path_in_a_macro_or_an_attribute_is_an_import() {
    for uses_b in [
        "fn a() { println!(\"{}\", one::two(super::b::B)) }",
        "fn a() { select! { _ = async { crate::b::b().await } => {} } }",
        "macro_rules! a { () => { $crate::b::B }; }",
        "struct A { #[arg(value_parser = super::b::b)] a: u8 }",
    ] {
        let files = [("lib.rs", "mod a; mod b;"), ("a.rs", uses_b), ("b.rs", "")];
        assert_eq!(pairs(&files), ["a.rs > b.rs"], "{uses_b}");
    }
}

#[test]
fn path_of_another_crate_or_of_a_visibility_is_no_import() {
    let files = [
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod b; mod c;"),
        (
            "a/b.rs",
            "pub(in super::super) fn c() { c::d(); ::c::d(); x!(::c::d, self.c) }",
        ),
        ("a/c.rs", "use b::B; x!(pub(in crate::a) struct C;);"),
    ];
    assert!(pairs(&files).is_empty());
}

#[test]
fn module_inside_a_file_belongs_to_that_file() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "mod inner { use super::A; mod c; } use inner::c::C; struct A;",
        ),
        ("a/inner/c.rs", ""),
        ("b.rs", "use crate::a::inner::D;"),
    ];
    assert_eq!(pairs(&files), ["a.rs > a/inner/c.rs", "b.rs > a.rs"]);
}

#[test]
fn module_with_a_path_is_read_from_there() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a/mod.rs",
            "#[cfg(unix)] mod c; #[cfg(not(unix))] #[path = \"other/d.rs\"] mod c;",
        ),
        ("a/c.rs", ""),
        ("a/other/d.rs", "mod e;"),
        ("a/other/e.rs", ""),
        ("b.rs", "use crate::a::c::C; use crate::a::c::e::E;"),
    ];
    let expected = [
        "b.rs > a/c.rs",
        "b.rs > a/other/d.rs",
        "b.rs > a/other/e.rs",
    ];
    assert_eq!(pairs(&files), expected);
}
