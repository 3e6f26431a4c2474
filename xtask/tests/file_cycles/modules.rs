//! The modules of a crate, and the files that they are in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Item, ItemMod, Lit, Meta, Token};

/// A module by the names that lead to it from the crate's root.
pub(crate) type ModulePath = Vec<String>;

/// A file of a crate.
pub(crate) struct SourceFile {
    /// Its name below the folder of the sources.
    pub(crate) name: String,
    pub(crate) module: ModulePath,
    pub(crate) syntax: syn::File,
}

/// All modules of a crate but those for tests alone.
pub(crate) struct Modules {
    pub(crate) files: Vec<SourceFile>,
    /// The names of the files that a module may be in: one for each configuration.
    by_path: BTreeMap<ModulePath, BTreeSet<String>>,
}

/// Gives the text of a file below the folder of the sources, if there is one.
type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

impl Modules {
    /// Reads a crate from its root, `lib.rs`, on.
    ///
    /// # Panics
    ///
    /// A file is missing or malformed.
    pub(crate) fn read(read: Read<'_>) -> Self {
        let mut modules = Self {
            files: Vec::new(),
            by_path: BTreeMap::new(),
        };
        modules.read_file(read, Path::new("lib.rs"), Path::new(""), Vec::new());
        modules
    }

    /// The names of the files that a module may be in; none if there is no such module.
    pub(crate) fn files_of(&self, module: &[String]) -> Option<&BTreeSet<String>> {
        self.by_path.get(module)
    }

    /// Reads a file, whose modules are in `folder` unless they say otherwise.
    fn read_file(&mut self, read: Read<'_>, file: &Path, folder: &Path, module: ModulePath) {
        let name = file.to_string_lossy().into_owned();
        let text = read(file).unwrap_or_else(|| panic!("there is no {name}"));
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        if is_for_tests(&syntax.attrs) {
            return;
        }
        self.add(&module, &name);
        self.read_items(
            read,
            &syntax.items,
            &name,
            (folder_of(file), folder),
            &module,
        );
        self.files.push(SourceFile {
            name,
            module,
            syntax,
        });
    }

    /// Reads the modules among items of a file. A `#[path]` is relative to the first folder, a name to the second.
    fn read_items(
        &mut self,
        read: Read<'_>,
        items: &[Item],
        file: &str,
        (for_paths, for_names): (&Path, &Path),
        module: &ModulePath,
    ) {
        for item in items {
            let Item::Mod(item) = item else {
                continue;
            };
            if is_for_tests(&item.attrs) {
                continue;
            }
            let name = item.ident.to_string();
            let mut child = module.clone();
            child.push(name.clone());
            let folder = for_names.join(&name);
            if let Some((_, items)) = &item.content {
                self.add(&child, file);
                self.read_items(read, items, file, (&folder, &folder), &child);
            } else if let Some(path) = path_attribute(item) {
                let path = for_paths.join(path);
                self.read_file(read, &path, folder_of(&path), child);
            } else {
                let beside = for_names.join(format!("{name}.rs"));
                let within = folder.join("mod.rs");
                let file = if read(&beside).is_some() {
                    beside
                } else {
                    within
                };
                self.read_file(read, &file, &folder, child);
            }
        }
    }

    fn add(&mut self, module: &ModulePath, file: &str) {
        let files = self.by_path.entry(module.clone()).or_default();
        files.insert(file.to_owned());
    }
}

/// Whether what has these attributes is for tests: `#[cfg(test)]`, or `any` or `all` with `test` among others.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    let mut conditions = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .filter_map(|attribute| attribute.parse_args::<Meta>().ok());
    conditions.any(|condition| names_test(&condition))
}

fn names_test(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("any") || list.path.is_ident("all") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|conditions| conditions.iter().any(names_test)),
        Meta::List(_) | Meta::NameValue(_) => false,
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(file)
}

fn path_attribute(item: &ItemMod) -> Option<String> {
    item.attrs.iter().find_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else {
            return None;
        };
        match &pair.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(path),
                ..
            }) if pair.path.is_ident("path") => Some(path.value()),
            _ => None,
        }
    })
}
