//! Goes through a parsed file and notes what each of its modules imports, defines and mentions.

use proc_macro2::{Spacing, TokenStream, TokenTree};
use syn::{
    Arm, Attribute, ExprPath, Field, ImplItem, Item, ItemUse, Lit, LitStr, Macro, Meta, Path, QSelf, Stmt, TraitItem,
    Type, TypePath, UseTree, Variant, VisRestricted,
    visit::{self, Visit},
};

use super::{
    item::{attributes, is_for_tests, is_of_tests, name},
    source::{Kind, Mention, Module, Written},
};

pub struct Reader {
    pub modules: Vec<Module>,
    current: usize,
    /// The modules in files of their own.
    pub declared: Vec<Written>,
}

impl Reader {
    pub fn new(module: Module) -> Self {
        Self { modules: vec![module], current: 0, declared: Vec::new() }
    }

    fn module(&mut self) -> &mut Module {
        &mut self.modules[self.current]
    }

    fn mention(&mut self, line: usize, path: Written, kind: Kind) {
        self.module().mentions.push(Mention { line, path, kind });
    }

    fn import(&mut self, item: &ItemUse) {
        let before = if item.leading_colon.is_some() { vec!["::".to_owned()] } else { Vec::new() };
        self.import_tree(&item.tree, &before);
    }

    fn import_tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: &syn::Ident| {
            let named = [before, &[name.to_string()]].concat();
            // `use a::{self}` imports a.
            if named.len() > 1 && name == "self" { before.to_vec() } else { named }
        };
        match tree {
            UseTree::Path(path) => self.import_tree(&path.tree, &with(&path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import_tree(tree, before)),
            UseTree::Name(name) => {
                let written = with(&name.ident);
                let alias = written.last().cloned().unwrap_or_default();
                self.alias(alias, written.clone());
                self.mention(name.ident.span().start().line, written, Kind::Import);
            }
            UseTree::Rename(name) => {
                let written = with(&name.ident);
                self.alias(name.rename.to_string(), written.clone());
                self.mention(name.ident.span().start().line, written, Kind::Import);
            }
            UseTree::Glob(glob) => {
                self.module().globs.push(before.to_vec());
                self.mention(glob.star_token.span.start().line, before.to_vec(), Kind::Glob);
            }
        }
    }

    fn alias(&mut self, alias: String, written: Written) {
        self.module().aliases.entry(alias).or_default().push(written);
    }

    fn path(&mut self, qself: Option<&QSelf>, path: &Path, kind: Kind) {
        let mut segments = written(path);
        // `<T>::f` is a path through T, and `<T as A>::f` one through A.
        if let Some(QSelf { ty, position: 0, .. }) = qself
            && let Type::Path(of) = ty.as_ref()
        {
            segments.retain(|segment| segment != "::");
            segments = [written(&of.path), segments].concat();
        }
        let line = path.segments.first().map_or(0, |first| first.ident.span().start().line);
        self.mention(line, segments, kind);
    }

    /// The paths, imports and texts that the tokens of a macro or an attribute show.
    fn tokens(&mut self, tokens: TokenStream, kind: Kind) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream(), kind),
                TokenTree::Literal(literal) => {
                    if let Lit::Str(text) = Lit::new(literal.clone()) {
                        self.text(&text, kind);
                    }
                }
                TokenTree::Ident(ident) if ident == "use" => {
                    let end = tokens[at..].iter().position(|token| is_punct(token, ';')).map(|end| at + end + 1);
                    let statement = end.map(|end| tokens[at..end].iter().cloned().collect());
                    if let Some(Ok(item)) = statement.map(syn::parse2::<ItemUse>) {
                        self.import(&item);
                        at = end.unwrap_or(at);
                        continue;
                    }
                }
                TokenTree::Ident(ident) => {
                    let line = ident.span().start().line;
                    let is_rooted = at >= 2 && is_colons(&tokens[at - 2..]);
                    let is_member =
                        at >= 1 && is_punct(&tokens[at - 1], '.') && (at < 2 || !is_punct(&tokens[at - 2], '.'));
                    let mut path = if is_rooted { vec!["::".to_owned()] } else { Vec::new() };
                    path.push(ident.to_string());
                    while let [_, first, second, TokenTree::Ident(next), ..] = &tokens[at..]
                        && is_colons(&[first.clone(), second.clone()])
                    {
                        path.push(next.to_string());
                        at += 3;
                    }
                    let is_macro = matches!(&tokens[at + 1..], [bang, TokenTree::Group(_), ..] if is_punct(bang, '!'));
                    if !is_member {
                        self.mention(line, path, if is_macro { Kind::Macro } else { kind });
                    }
                }
                TokenTree::Punct(_) => {}
            }
            at += 1;
        }
    }

    /// In an attribute a text may be a path, as `#[serde(with = "…")]` has it.
    fn text(&mut self, text: &LitStr, kind: Kind) {
        let line = text.span().start().line;
        if kind == Kind::Attribute
            && let Ok(path) = text.parse::<Path>()
        {
            self.mention(line, written(&path), kind);
        }
        self.module().texts.push((line, text.value()));
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_of_tests(attributes(item)) {
            return;
        }
        if let Some(name) = name(item) {
            self.module().items.insert(name);
        }
        match item {
            Item::Use(item) => self.import(item),
            Item::ExternCrate(item) => {
                let (line, name) = (item.ident.span().start().line, item.ident.to_string());
                let written = if name == "self" { vec!["crate".to_owned()] } else { vec!["::".to_owned(), name] };
                let alias = item.rename.as_ref().map_or_else(|| item.ident.to_string(), |(_, name)| name.to_string());
                self.alias(alias, written.clone());
                self.mention(line, written, Kind::Import);
            }
            Item::Mod(item) => {
                let attributes = &item.attrs;
                assert!(
                    !attributes.iter().any(|it| it.path().is_ident("path")),
                    "mod {} has a file elsewhere",
                    item.ident
                );
                let name = item.ident.to_string();
                let path = [self.module().path.clone(), vec![name.clone()]].concat();
                self.module().children.insert(name);
                let Some((_, items)) = &item.content else { return self.declared.push(path) };
                let module = Module { path, file: self.module().file.clone(), ..Module::default() };
                self.modules.push(module);
                let outer = std::mem::replace(&mut self.current, self.modules.len() - 1);
                for item in items {
                    self.visit_item(item);
                }
                self.current = outer;
            }
            Item::Type(alias) => {
                if let Type::Path(TypePath { qself: None, path, .. }) = alias.ty.as_ref() {
                    self.alias(alias.ident.to_string(), written(path));
                }
                visit::visit_item(self, item);
            }
            item => visit::visit_item(self, item),
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => &Vec::new(),
        };
        if !is_of_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let attributes = match item {
            TraitItem::Const(item) => &item.attrs,
            TraitItem::Fn(item) => &item.attrs,
            TraitItem::Type(item) => &item.attrs,
            TraitItem::Macro(item) => &item.attrs,
            _ => &Vec::new(),
        };
        if !is_of_tests(attributes) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        let attributes = match statement {
            Stmt::Local(local) => &local.attrs,
            Stmt::Macro(statement) => &statement.attrs,
            _ => &Vec::new(),
        };
        if !is_of_tests(attributes) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if !is_of_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast Variant) {
        if !is_of_tests(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        if !is_of_tests(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    /// Says who may see something, and imports nothing.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let path = attribute.path();
        if ["doc", "cfg"].iter().any(|name| path.is_ident(name)) || is_for_tests(attribute, "cfg_attr") {
            return;
        }
        self.path(None, path, Kind::Attribute);
        match &attribute.meta {
            Meta::List(list) => self.tokens(list.tokens.clone(), Kind::Attribute),
            Meta::NameValue(pair) => self.visit_expr(&pair.value),
            Meta::Path(_) => {}
        }
    }

    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        if let Some(qself) = &path.qself {
            self.path(Some(qself), &path.path, Kind::Path);
        }
        visit::visit_expr_path(self, path);
    }

    fn visit_type_path(&mut self, path: &'ast TypePath) {
        if let Some(qself) = &path.qself {
            self.path(Some(qself), &path.path, Kind::Path);
        }
        visit::visit_type_path(self, path);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        self.path(None, path, Kind::Path);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        self.path(None, &called.path, Kind::Macro);
        self.tokens(called.tokens.clone(), Kind::Path);
    }

    fn visit_lit_str(&mut self, text: &'ast LitStr) {
        self.text(text, Kind::Path);
    }
}

fn written(path: &Path) -> Written {
    let rooted = path.leading_colon.as_ref().map(|_| "::".to_owned());
    rooted.into_iter().chain(path.segments.iter().map(|segment| segment.ident.to_string())).collect()
}

pub fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// Whether these tokens begin with `::`.
fn is_colons(tokens: &[TokenTree]) -> bool {
    let is_joint = matches!(tokens.first(), Some(TokenTree::Punct(punct)) if punct.spacing() == Spacing::Joint);
    is_joint && tokens.len() > 1 && tokens[..2].iter().all(|token| is_punct(token, ':'))
}
