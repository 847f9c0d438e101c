//! What instantiating a component comes to.
//!
//! A component is a program that makes instances: of core modules, and of components in it. It has no loops and no conditions, so
//! that it can be run here, with names in place of functions. What it exports is then a function of an instance, and what an
//! instance imports is one of another, or of the host.

use std::collections::HashMap;
use std::rc::Rc;

use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentTypeRef, ExternalKind, Instance as CoreInstance, Parser, Payload, TypeRef,
};

use super::{Linked, Unlinked};

/// The instances of core modules that a component makes, in this order, and what it exports of them.
pub struct Unfolded<'a> {
    pub instances: Vec<Instance<'a>>,
    pub exports: Vec<Export<'a>>,
}

/// An instance of a core module.
pub struct Instance<'a> {
    /// The module's bytes.
    pub module: &'a [u8],
    /// What it is given, in the order of its imports.
    pub given: Vec<(TypeRef, Core<'a>)>,
}

/// A function that the component exports.
pub struct Export<'a> {
    pub interface: String,
    pub name: String,
    pub lifted: Rc<Lifted<'a>>,
}

/// Something in a core module's space: a function, a table, a memory, a global.
#[derive(Clone)]
pub enum Core<'a> {
    /// What an instance exports under a name.
    Of { instance: usize, name: &'a str },
    /// A function that calls a component's.
    Lowered { function: Function<'a>, with: Rc<Options<'a>> },
    /// What drops a resource.
    DropsResource,
    /// A function of the component model that is not known here.
    Unknown(String),
}

/// A function of a component.
#[derive(Clone)]
pub enum Function<'a> {
    /// The host's.
    Hosts { interface: String, name: String },
    /// One of a core instance.
    Lifted(Rc<Lifted<'a>>),
}

/// A core function as a component's.
pub struct Lifted<'a> {
    pub core: Core<'a>,
    pub with: Options<'a>,
}

/// How values come from one memory to another.
#[derive(Default)]
pub struct Options<'a> {
    pub memory: Option<Core<'a>>,
    pub realloc: Option<Core<'a>>,
    pub post_return: Option<Core<'a>>,
}

/// Something in a component's space.
#[derive(Clone)]
enum Item<'a> {
    Function(Function<'a>),
    Instance(Rc<HashMap<String, Item<'a>>>),
    /// An interface of the host.
    Hosts(String),
    Component(Rc<Nested<'a>>),
    Module(&'a [u8]),
    Type,
}

/// A component in another, and what was known there.
struct Nested<'a> {
    bytes: &'a [u8],
    outer: Rc<Scope<'a>>,
}

/// A core instance: one that was made, or exports of others under other names.
#[derive(Clone)]
enum Given<'a> {
    Made(usize),
    Gathered(Rc<HashMap<&'a str, Core<'a>>>),
}

impl<'a> Given<'a> {
    fn get(&self, name: &'a str) -> Linked<Core<'a>> {
        match self {
            Self::Made(instance) => Ok(Core::Of { instance: *instance, name }),
            Self::Gathered(exports) => {
                exports.get(name).cloned().ok_or_else(|| Unlinked::new(format!("no instance has `{name}`")))
            }
        }
    }
}

/// What is known in a component so far, by index.
#[derive(Default, Clone)]
struct Scope<'a> {
    outer: Option<Rc<Scope<'a>>>,
    modules: Vec<&'a [u8]>,
    core_instances: Vec<Given<'a>>,
    core_functions: Vec<Core<'a>>,
    tables: Vec<Core<'a>>,
    memories: Vec<Core<'a>>,
    globals: Vec<Core<'a>>,
    functions: Vec<Function<'a>>,
    instances: Vec<Item<'a>>,
    components: Vec<Rc<Nested<'a>>>,
}

fn at<T: Clone>(known: &[T], index: u32) -> Linked<T> {
    known.get(index as usize).cloned().ok_or_else(|| Unlinked::new(format!("there is no {index}th of {}", known.len())))
}

/// Runs the outermost component: it imports instances of the host, and exports instances.
pub fn unfold(component: &[u8]) -> Linked<Unfolded<'_>> {
    let mut made = Vec::new();
    let exports = run(component, Scope::default(), None, &mut made)?;
    let mut functions = Vec::new();
    for (interface, item) in exports {
        let Item::Instance(of) = item else { continue };
        for (name, item) in &*of {
            match item {
                Item::Function(Function::Lifted(lifted)) => {
                    functions.push(Export {
                        interface: interface.clone(),
                        name: name.clone(),
                        lifted: Rc::clone(lifted),
                    });
                }
                Item::Function(Function::Hosts { .. }) => return Err(Unlinked::new("it hands on what it imports")),
                _ => {}
            }
        }
    }
    functions.sort_by(|one, other| (&one.interface, &one.name).cmp(&(&other.interface, &other.name)));
    Ok(Unfolded { instances: made, exports: functions })
}

/// Runs a component with what it is given; without, it is the outermost, and is given what it imports by the host.
fn run<'a>(
    bytes: &'a [u8],
    mut scope: Scope<'a>,
    given: Option<&HashMap<String, Item<'a>>>,
    made: &mut Vec<Instance<'a>>,
) -> Linked<Vec<(String, Item<'a>)>> {
    let mut exports = Vec::new();
    let mut inside = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        // What is nested is read when it is made.
        let nested = match &payload {
            Payload::ModuleSection { unchecked_range, .. } => Some((true, unchecked_range)),
            Payload::ComponentSection { unchecked_range, .. } => Some((false, unchecked_range)),
            _ => None,
        };
        if inside > 0 {
            inside = match payload {
                Payload::End(_) => inside - 1,
                _ if nested.is_some() => inside + 1,
                _ => inside,
            };
            continue;
        }
        if let Some((is_module, range)) = nested {
            let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
            let nested = range.and_then(|(start, end)| bytes.get(start..end));
            let nested = nested.ok_or_else(|| Unlinked::new("a section ends too late"))?;
            match is_module {
                true => scope.modules.push(nested),
                false => {
                    let outer = Rc::new(scope.clone());
                    scope.components.push(Rc::new(Nested { bytes: nested, outer }));
                }
            }
            inside = 1;
            continue;
        }
        match payload {
            Payload::InstanceSection(section) => {
                for instance in section {
                    let instance = core_instance(&scope, instance?, made)?;
                    scope.core_instances.push(instance);
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section {
                    let instance = instance_of(&scope, instance?, made)?;
                    scope.instances.push(instance);
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    scope.alias(&alias?)?;
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for canonical in section {
                    scope.canonical(canonical?)?;
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import?;
                    let name = import.name.name;
                    let item = match (given, import.ty) {
                        (_, ComponentTypeRef::Type(_)) => Item::Type,
                        (Some(given), _) => given
                            .get(name)
                            .cloned()
                            .ok_or_else(|| Unlinked::new(format!("nothing is given for `{name}`")))?,
                        (None, ComponentTypeRef::Instance(_)) => Item::Hosts(name.to_owned()),
                        (None, _) => return Err(Unlinked::new(format!("it imports `{name}`, which is no interface"))),
                    };
                    scope.push(item);
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export?;
                    let item = scope.item(export.kind, export.index)?;
                    exports.push((export.name.name.to_owned(), item.clone()));
                    scope.push(item);
                }
            }
            Payload::ComponentStartSection { .. } => return Err(Unlinked::new("it has a start of its own")),
            _ => {}
        }
    }
    Ok(exports)
}

fn core_instance<'a>(scope: &Scope<'a>, instance: CoreInstance<'a>, made: &mut Vec<Instance<'a>>) -> Linked<Given<'a>> {
    match instance {
        CoreInstance::Instantiate { module_index, args } => {
            let module = at(&scope.modules, module_index)?;
            let mut by_name = HashMap::new();
            for arg in &args {
                by_name.insert(arg.name, at(&scope.core_instances, arg.index)?);
            }
            let mut given = Vec::new();
            for payload in Parser::new(0).parse_all(module) {
                let Payload::ImportSection(section) = payload? else { continue };
                for import in section.into_imports() {
                    let import = import?;
                    let from = by_name.get(import.module);
                    let from =
                        from.ok_or_else(|| Unlinked::new(format!("nothing is given for `{}`", import.module)))?;
                    given.push((import.ty, from.get(import.name)?));
                }
            }
            made.push(Instance { module, given });
            Ok(Given::Made(made.len() - 1))
        }
        CoreInstance::FromExports(exports) => {
            let mut gathered = HashMap::new();
            for export in &exports {
                let known = match export.kind {
                    ExternalKind::Func | ExternalKind::FuncExact => &scope.core_functions,
                    ExternalKind::Table => &scope.tables,
                    ExternalKind::Memory => &scope.memories,
                    ExternalKind::Global => &scope.globals,
                    ExternalKind::Tag => return Err(Unlinked::new("it has tags of exceptions")),
                };
                gathered.insert(export.name, at(known, export.index)?);
            }
            Ok(Given::Gathered(Rc::new(gathered)))
        }
    }
}

fn instance_of<'a>(
    scope: &Scope<'a>,
    instance: ComponentInstance<'a>,
    made: &mut Vec<Instance<'a>>,
) -> Linked<Item<'a>> {
    let exports = match instance {
        ComponentInstance::Instantiate { component_index, args } => {
            let component = at(&scope.components, component_index)?;
            let mut given = HashMap::new();
            for arg in &args {
                given.insert(arg.name.to_owned(), scope.item(arg.kind, arg.index)?);
            }
            let inner = Scope { outer: Some(Rc::clone(&component.outer)), ..Scope::default() };
            run(component.bytes, inner, Some(&given), made)?
        }
        ComponentInstance::FromExports(exports) => {
            let item = |export: &wasmparser::ComponentExport<'a>| {
                Ok((export.name.name.to_owned(), scope.item(export.kind, export.index)?))
            };
            exports.iter().map(item).collect::<Linked<_>>()?
        }
    };
    Ok(Item::Instance(Rc::new(exports.into_iter().collect())))
}

impl<'a> Scope<'a> {
    fn push(&mut self, item: Item<'a>) {
        match item {
            Item::Function(function) => self.functions.push(function),
            Item::Instance(_) | Item::Hosts(_) => self.instances.push(item),
            Item::Component(component) => self.components.push(component),
            Item::Module(module) => self.modules.push(module),
            Item::Type => {}
        }
    }

    fn item(&self, kind: ComponentExternalKind, index: u32) -> Linked<Item<'a>> {
        Ok(match kind {
            ComponentExternalKind::Func => Item::Function(at(&self.functions, index)?),
            ComponentExternalKind::Instance => at(&self.instances, index)?,
            ComponentExternalKind::Component => Item::Component(at(&self.components, index)?),
            ComponentExternalKind::Module => Item::Module(at(&self.modules, index)?),
            ComponentExternalKind::Type => Item::Type,
            ComponentExternalKind::Value => return Err(Unlinked::new("it has values of its own")),
        })
    }

    fn alias(&mut self, alias: &ComponentAlias<'a>) -> Linked<()> {
        match *alias {
            ComponentAlias::InstanceExport { kind, instance_index, name } => {
                let item = match (at(&self.instances, instance_index)?, kind) {
                    (_, ComponentExternalKind::Type) => Item::Type,
                    (Item::Hosts(interface), ComponentExternalKind::Func) => {
                        Item::Function(Function::Hosts { interface, name: name.to_owned() })
                    }
                    (Item::Instance(exports), _) => {
                        exports.get(name).cloned().ok_or_else(|| Unlinked::new(format!("no instance has `{name}`")))?
                    }
                    _ => return Err(Unlinked::new(format!("`{name}` is taken of what is no instance"))),
                };
                self.push(item);
            }
            ComponentAlias::CoreInstanceExport { kind, instance_index, name } => {
                let core = at(&self.core_instances, instance_index)?.get(name)?;
                match kind {
                    ExternalKind::Func | ExternalKind::FuncExact => self.core_functions.push(core),
                    ExternalKind::Table => self.tables.push(core),
                    ExternalKind::Memory => self.memories.push(core),
                    ExternalKind::Global => self.globals.push(core),
                    ExternalKind::Tag => return Err(Unlinked::new("it has tags of exceptions")),
                }
            }
            ComponentAlias::Outer { kind, count, index } => {
                let mut outer = None;
                for _ in 0..count {
                    outer = match outer {
                        None => self.outer.clone(),
                        Some(scope) => Rc::clone(&scope).outer.clone(),
                    };
                }
                let of = outer.as_deref().unwrap_or(self);
                match kind {
                    ComponentOuterAliasKind::CoreModule => {
                        let module = at(&of.modules, index)?;
                        self.modules.push(module);
                    }
                    ComponentOuterAliasKind::Component => {
                        let component = at(&of.components, index)?;
                        self.components.push(component);
                    }
                    ComponentOuterAliasKind::Type | ComponentOuterAliasKind::CoreType => {}
                }
            }
        }
        Ok(())
    }

    fn canonical(&mut self, canonical: CanonicalFunction) -> Linked<()> {
        match canonical {
            CanonicalFunction::Lift { core_func_index, options, .. } => {
                let (core, with) = (at(&self.core_functions, core_func_index)?, self.options(&options)?);
                self.functions.push(Function::Lifted(Rc::new(Lifted { core, with })));
            }
            CanonicalFunction::Lower { func_index, options } => {
                let (function, with) = (at(&self.functions, func_index)?, Rc::new(self.options(&options)?));
                self.core_functions.push(Core::Lowered { function, with });
            }
            CanonicalFunction::ResourceDrop { .. } => self.core_functions.push(Core::DropsResource),
            other => self.core_functions.push(Core::Unknown(format!("{other:?}"))),
        }
        Ok(())
    }

    fn options(&self, options: &[CanonicalOption]) -> Linked<Options<'a>> {
        let mut read = Options::default();
        for option in options {
            match *option {
                CanonicalOption::UTF8 => {}
                CanonicalOption::Memory(index) => read.memory = Some(at(&self.memories, index)?),
                CanonicalOption::Realloc(index) => read.realloc = Some(at(&self.core_functions, index)?),
                CanonicalOption::PostReturn(index) => read.post_return = Some(at(&self.core_functions, index)?),
                ref other => return Err(Unlinked::new(format!("it passes values as {other:?}"))),
            }
        }
        Ok(read)
    }
}
