//! Which file of a crate imports from which: by `use`, or by a path in code, also inside macros and attributes.

use std::collections::{BTreeMap, BTreeSet};

use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};
use syn::{ItemMod, ItemUse, Macro, MetaList, Path, UseTree, VisRestricted};

use crate::modules::{ModulePath, Modules, SourceFile, is_for_tests};

/// For each file the files that it imports from, and the paths by which it does.
pub(crate) type Imports = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The imports between the files of a crate, without those from its root.
pub(crate) fn imports(modules: &Modules) -> Imports {
    let mut imports = Imports::new();
    for file in &modules.files {
        let mut gatherer = Gatherer {
            modules,
            file,
            module: file.module.clone(),
            imports: &mut imports,
        };
        gatherer.visit_file(&file.syntax);
    }
    imports
}

/// Gathers the imports of one file.
struct Gatherer<'a> {
    modules: &'a Modules,
    file: &'a SourceFile,
    /// The module that is looked at: the file's own, or one inside.
    module: ModulePath,
    imports: &'a mut Imports,
}

impl Gatherer<'_> {
    /// Takes a path of this crate down as an import; any other is ignored.
    fn add(&mut self, path: &[String]) {
        let Some(module) = self.resolve(path) else {
            return;
        };
        if module.is_empty() {
            return;
        }
        for target in self.modules.files_of(&module).into_iter().flatten() {
            if *target != self.file.name {
                let targets = self.imports.entry(self.file.name.clone()).or_default();
                let paths = targets.entry(target.clone()).or_default();
                paths.insert(path.join("::"));
            }
        }
    }

    /// The innermost module on a path, if that begins with a module of this crate.
    fn resolve(&self, path: &[String]) -> Option<ModulePath> {
        let mut names = path.iter().map(String::as_str).peekable();
        let mut module = self.module.clone();
        match names.peek() {
            Some(&"crate") => {
                names.next();
                module.clear();
            }
            Some(&("self" | "super")) => {}
            Some(name) => {
                let child = [self.module.as_slice(), &[(*name).to_owned()]].concat();
                self.modules.files_of(&child)?;
            }
            None => return None,
        }
        while let Some(name) = names.next_if(|name| matches!(*name, "self" | "super")) {
            if name == "super" {
                module.pop();
            }
        }
        for name in names {
            module.push(name.to_owned());
            if self.modules.files_of(&module).is_none() {
                module.pop();
                break;
            }
        }
        Some(module)
    }

    fn add_use(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &dyn ToString| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.add_use(&with(&path.ident), &path.tree),
            UseTree::Name(name) if name.ident == "self" => self.add(before),
            UseTree::Name(name) => self.add(&with(&name.ident)),
            UseTree::Rename(rename) => self.add(&with(&rename.ident)),
            UseTree::Glob(_) => self.add(&with(&"*")),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_use(before, tree);
                }
            }
        }
    }

    /// Takes down what looks like a path among tokens that are not Rust before they are expanded.
    fn add_tokens(&mut self, mut cursor: Cursor<'_>) {
        let mut path: Vec<String> = Vec::new();
        // How many stand behind the last name.
        let mut colons = 0;
        while !cursor.eof() {
            if let Some((name, rest)) = cursor.ident() {
                let goes_on = colons == 2 && !path.is_empty();
                if !goes_on {
                    self.add_token_path(&path, colons);
                    path.clear();
                    // A path that begins with colons is of another crate.
                    path.extend((colons >= 2).then(String::new));
                }
                path.push(name.to_string());
                (cursor, colons) = (rest, 0);
                // `pub(in super)` says who may import, and imports nothing.
                if name == "pub"
                    && let Some((inside, _, _, rest)) = cursor.any_group()
                    && inside.ident().is_some_and(|(word, _)| word == "in")
                {
                    cursor = rest;
                }
                continue;
            }
            if let Some((mark, rest)) = cursor.punct()
                && mark.as_char() == ':'
            {
                (cursor, colons) = (rest, colons + 1);
                continue;
            }
            self.add_token_path(&path, colons);
            path.clear();
            colons = 0;
            if let Some((inside, _, _, rest)) = cursor.any_group() {
                self.add_tokens(inside);
                cursor = rest;
            } else if let Some((_, rest)) = cursor.token_tree() {
                cursor = rest;
            }
        }
        self.add_token_path(&path, colons);
    }

    /// A name alone is no path, but `super::` before a brace or an asterisk is one.
    fn add_token_path(&mut self, path: &[String], colons: usize) {
        if path.len() > 1 || colons == 2 {
            self.add(path);
        }
    }
}

/// Passes over what is for tests.
macro_rules! unless_for_tests {
    ($($visit:ident: $node:ident),* $(,)?) => {
        $(fn $visit(&mut self, node: &'ast syn::$node) {
            if !is_for_tests(&node.attrs) {
                visit::$visit(self, node);
            }
        })*
    };
}

impl<'ast> Visit<'ast> for Gatherer<'_> {
    unless_for_tests! {
        visit_arm: Arm,
        visit_expr_block: ExprBlock,
        visit_field: Field,
        visit_field_value: FieldValue,
        visit_impl_item_const: ImplItemConst,
        visit_impl_item_fn: ImplItemFn,
        visit_impl_item_macro: ImplItemMacro,
        visit_impl_item_type: ImplItemType,
        visit_item_const: ItemConst,
        visit_item_enum: ItemEnum,
        visit_item_fn: ItemFn,
        visit_item_foreign_mod: ItemForeignMod,
        visit_item_impl: ItemImpl,
        visit_item_macro: ItemMacro,
        visit_item_static: ItemStatic,
        visit_item_struct: ItemStruct,
        visit_item_trait: ItemTrait,
        visit_item_type: ItemType,
        visit_item_union: ItemUnion,
        visit_local: Local,
        visit_stmt_macro: StmtMacro,
        visit_trait_item_const: TraitItemConst,
        visit_trait_item_fn: TraitItemFn,
        visit_trait_item_macro: TraitItemMacro,
        visit_trait_item_type: TraitItemType,
        visit_variant: Variant,
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if is_for_tests(&item.attrs) {
            return;
        }
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_for_tests(&item.attrs) && item.leading_colon.is_none() {
            self.add_use(&[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            let names = path
                .segments
                .iter()
                .map(|segment| segment.ident.to_string());
            self.add(&names.collect::<Vec<_>>());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, node: &'ast Macro) {
        visit::visit_macro(self, node);
        self.add_tokens(TokenBuffer::new2(node.tokens.clone()).begin());
    }

    fn visit_meta_list(&mut self, list: &'ast MetaList) {
        self.add_tokens(TokenBuffer::new2(list.tokens.clone()).begin());
    }

    /// Says who may import, and imports nothing.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}
}
