//! One module of the instances of several.
//!
//! Every instance's functions, tables, memories and globals stand one after the other, in the order in which the instances are
//! made, and what one imported of another is the other's. Segments are written in that order, too. Where they go is worked out
//! here, as far as it depends on globals that never change: only what is a constant can a runtime put in place beforehand.

use std::collections::HashMap;

use wasm_encoder::reencode::{self, Reencode, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, EntityType, ExportKind, ExportSection,
    Function as Code, FunctionSection, GlobalSection, ImportSection, Instruction, MemorySection, Module, StartSection,
    TableSection, TypeSection,
};
use wasmparser::{ExternalKind, Operator, Parser, Payload, TypeRef};

use super::unfold::{Core, Export, Function, Instance, Lifted, Options, Unfolded};
use super::{Linked, Unlinked};

/// Under which names `wit-component` finds what it needs.
const MEMORY: &str = "memory";
const REALLOC: &str = "cabi_realloc";

impl From<reencode::Error<Unlinked>> for Unlinked {
    fn from(error: reencode::Error<Unlinked>) -> Self {
        match error {
            reencode::Error::UserError(unlinked) => unlinked,
            other => Self::new(format!("{other:?}")),
        }
    }
}

/// The spaces of a module in which something has an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Space {
    Functions,
    Tables,
    Memories,
    Globals,
}

/// A core module, as far as linking it asks.
#[derive(Default)]
struct Parsed<'a> {
    types: Option<wasmparser::TypeSectionReader<'a>>,
    type_count: u32,
    function_types: Vec<u32>,
    tables: Vec<wasmparser::Table<'a>>,
    memories: Vec<wasmparser::MemoryType>,
    globals: Vec<wasmparser::Global<'a>>,
    exports: HashMap<&'a str, (ExternalKind, u32)>,
    start: Option<u32>,
    elements: Option<wasmparser::ElementSectionReader<'a>>,
    data: Option<wasmparser::DataSectionReader<'a>>,
    bodies: Vec<wasmparser::FunctionBody<'a>>,
}

impl<'a> Parsed<'a> {
    fn read(module: &'a [u8]) -> Linked<Self> {
        let mut read = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(section) => {
                    for group in section.clone() {
                        read.type_count += group?.types().len() as u32;
                    }
                    read.types = Some(section);
                }
                Payload::FunctionSection(section) => {
                    read.function_types = section.into_iter().collect::<Result<_, _>>()?
                }
                Payload::TableSection(section) => read.tables = section.into_iter().collect::<Result<_, _>>()?,
                Payload::MemorySection(section) => read.memories = section.into_iter().collect::<Result<_, _>>()?,
                Payload::GlobalSection(section) => read.globals = section.into_iter().collect::<Result<_, _>>()?,
                Payload::TagSection(_) => return Err(Unlinked::new("it has tags of exceptions")),
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        read.exports.insert(export.name, (export.kind, export.index));
                    }
                }
                Payload::StartSection { func, .. } => read.start = Some(func),
                Payload::ElementSection(section) => read.elements = Some(section),
                Payload::DataSection(section) => read.data = Some(section),
                Payload::CodeSectionEntry(body) => read.bodies.push(body),
                _ => {}
            }
        }
        Ok(read)
    }

    /// Whether making an instance changes what it imports.
    fn does_something(&self) -> bool {
        let segments = |count: Option<u32>| count.is_some_and(|count| count > 0);
        self.start.is_some()
            || segments(self.elements.as_ref().map(wasmparser::SectionLimited::count))
            || segments(self.data.as_ref().map(wasmparser::SectionLimited::count))
    }

    /// Whether all that a function does is to stop the call.
    fn only_traps(&self, imported_functions: u32, function: u32) -> Linked<bool> {
        let Some(body) = function.checked_sub(imported_functions).and_then(|at| self.bodies.get(at as usize)) else {
            return Ok(false);
        };
        let mut operators = body.get_operators_reader()?;
        Ok(matches!(operators.read()?, Operator::Unreachable))
    }
}

fn space_of(kind: ExternalKind) -> Linked<Space> {
    Ok(match kind {
        ExternalKind::Func | ExternalKind::FuncExact => Space::Functions,
        ExternalKind::Table => Space::Tables,
        ExternalKind::Memory => Space::Memories,
        ExternalKind::Global => Space::Globals,
        ExternalKind::Tag => return Err(Unlinked::new("it has tags of exceptions")),
    })
}

fn space_of_import(import: &TypeRef) -> Linked<Space> {
    Ok(match import {
        TypeRef::Func(_) | TypeRef::FuncExact(_) => Space::Functions,
        TypeRef::Table(_) => Space::Tables,
        TypeRef::Memory(_) => Space::Memories,
        TypeRef::Global(_) => Space::Globals,
        TypeRef::Tag(_) => return Err(Unlinked::new("it has tags of exceptions")),
    })
}

fn function_type(import: &TypeRef) -> Linked<u32> {
    match import {
        TypeRef::Func(index) | TypeRef::FuncExact(index) => Ok(*index),
        other => Err(Unlinked::new(format!("{other:?} is no function"))),
    }
}

/// What is imported of something that is no instance's.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Foreign {
    Hosts {
        interface: String,
        name: String,
    },
    /// A function that stops the call.
    Trap,
}

/// The instances, read, and which of them are part of the module.
struct Parts<'u, 'a> {
    instances: &'u [Instance<'a>],
    parsed: Vec<Parsed<'a>>,
    needed: Vec<bool>,
}

impl<'u, 'a> Parts<'u, 'a> {
    fn read(unfolded: &'u Unfolded<'a>) -> Linked<Self> {
        let instances = &unfolded.instances[..];
        let parsed = instances.iter().map(|instance| Parsed::read(instance.module)).collect::<Linked<Vec<_>>>()?;
        let mut parts = Self { instances, parsed, needed: vec![false; instances.len()] };
        for export in &unfolded.exports {
            let Lifted { core, with } = &*export.lifted;
            for core in [Some(core), with.memory.as_ref(), with.realloc.as_ref(), with.post_return.as_ref()] {
                core.into_iter().for_each(|core| parts.need(core));
            }
        }
        // Whatever changes what is needed is needed.
        loop {
            let mut found = None;
            for (number, instance) in instances.iter().enumerate() {
                let mut gives_to_needed = instance.given.iter().filter_map(|(_, core)| match core {
                    Core::Of { instance, .. } => Some(parts.needed[*instance]),
                    _ => None,
                });
                if !parts.needed[number]
                    && parts.parsed[number].does_something()
                    && gives_to_needed.any(|needed| needed)
                {
                    found = Some(number);
                }
            }
            let Some(number) = found else { break };
            parts.need_instance(number);
        }
        Ok(parts)
    }

    fn need(&mut self, core: &Core<'a>) {
        match core {
            Core::Of { instance, .. } => self.need_instance(*instance),
            Core::Lowered { function: Function::Hosts { .. }, with } => {
                let Options { memory, realloc, .. } = &**with;
                memory.iter().chain(realloc).for_each(|core| self.need(core));
            }
            _ => {}
        }
    }

    fn need_instance(&mut self, number: usize) {
        if !std::mem::replace(&mut self.needed[number], true) {
            let instances = self.instances;
            instances[number].given.iter().for_each(|(_, core)| self.need(core));
        }
    }

    /// What an instance exports under a name.
    fn export(&self, instance: usize, name: &str) -> Linked<(ExternalKind, u32)> {
        let found = self.parsed[instance].exports.get(name).copied();
        found.ok_or_else(|| Unlinked::new(format!("no instance has `{name}`")))
    }

    /// What something is that is no instance's; nothing where it is.
    fn foreign(&self, core: &Core<'a>) -> Linked<Option<Foreign>> {
        match core {
            Core::Of { .. } => Ok(None),
            Core::Lowered { function: Function::Hosts { interface, name }, .. } => {
                Ok(Some(Foreign::Hosts { interface: interface.clone(), name: name.clone() }))
            }
            Core::Lowered { function: Function::Lifted(lifted), .. } => {
                let Core::Of { instance, name } = &lifted.core else {
                    return Err(Unlinked::new("a component hands on what another does"));
                };
                let imported = self.instances[*instance].given.iter();
                let imported = imported.filter(|(import, _)| function_type(import).is_ok()).count() as u32;
                let (_, function) = self.export(*instance, name)?;
                match self.parsed[*instance].only_traps(imported, function)? {
                    true => Ok(Some(Foreign::Trap)),
                    false => Err(Unlinked::new(format!("`{name}` is another component's, and does something"))),
                }
            }
            // A resource is had of a function that stops the call: there is none to be dropped.
            Core::DropsResource => Ok(Some(Foreign::Trap)),
            Core::Unknown(what) => Err(Unlinked::new(format!("it uses {what}"))),
        }
    }
}

/// One instance as a part of the module.
struct Part<'u, 'a> {
    parsed: &'u Parsed<'a>,
    /// Where all that is in its spaces is in those of the module.
    places: [Vec<u32>; 4],
    first_type: u32,
    first_element: u32,
    first_data: u32,
}

impl Part<'_, '_> {
    fn place(&self, space: Space, index: u32) -> Linked<u32> {
        let found = self.places[space as usize].get(index as usize).copied();
        found.ok_or_else(|| Unlinked::new(format!("there is no {index}th of {space:?}")))
    }
}

/// Makes one module of the instances that a component needs.
pub fn merge(unfolded: &Unfolded<'_>) -> Linked<Vec<u8>> {
    let parts = Parts::read(unfolded)?;
    Merged::new(&parts)?.write(&parts, &unfolded.exports)
}

/// The module that is made.
struct Merged<'u, 'a> {
    parts: Vec<Option<Part<'u, 'a>>>,
    /// Functions of the host, each with its type, in order.
    hosts: Vec<(String, String, u32)>,
    /// Types of functions that stop the call; they come behind those of the host.
    traps: Vec<u32>,
    /// What each global is, where it never changes and is a number.
    constants: Vec<Option<i32>>,
    tables: Tables,
}

/// The one table of the module: a host may offer no more. All others stand in it behind the largest.
#[derive(Default)]
struct Tables {
    /// Nothing where there is no table.
    of_type: Option<wasmparser::TableType>,
    /// Where each of those that were there begins.
    bases: Vec<u32>,
}

impl Tables {
    fn of(parts: &[Option<Part<'_, '_>>]) -> Linked<Self> {
        let all: Vec<_> = parts.iter().flatten().flat_map(|part| &part.parsed.tables).collect();
        let Some(largest) = (0..all.len()).max_by_key(|number| all[*number].ty.initial) else {
            return Ok(Self::default());
        };
        let mut of_type = all[largest].ty;
        let mut bases = Vec::new();
        for (number, table) in all.iter().enumerate() {
            if number == largest {
                bases.push(0);
                continue;
            }
            let is_fixed = table.ty.maximum == Some(table.ty.initial) && table.ty.element_type == of_type.element_type;
            if !is_fixed || !matches!(table.init, wasmparser::TableInit::RefNull) || table.ty.table64 || of_type.table64
            {
                return Err(Unlinked::new("its tables cannot be one"));
            }
            bases.push(u32::try_from(of_type.initial).map_err(|_| Unlinked::new("its tables are too large"))?);
            of_type.initial += table.ty.initial;
            of_type.maximum = of_type.maximum.map(|maximum| maximum + table.ty.initial);
        }
        Ok(Self { of_type: Some(of_type), bases })
    }
}

impl<'u, 'a> Merged<'u, 'a> {
    fn new(parts: &'u Parts<'u, 'a>) -> Linked<Self> {
        let mut merged = Self {
            parts: Vec::new(),
            hosts: Vec::new(),
            traps: Vec::new(),
            constants: Vec::new(),
            tables: Tables::default(),
        };
        let foreign = merged.find_foreign(parts)?;
        let first_own = (merged.hosts.len() + merged.traps.len()) as u32;
        let mut next = [first_own, 0, 0, 0];
        let (mut first_type, mut first_element, mut first_data) = (0, 0, 0);
        for (number, parsed) in parts.parsed.iter().enumerate() {
            if !parts.needed[number] {
                merged.parts.push(None);
                continue;
            }
            let mut places: [Vec<u32>; 4] = Default::default();
            for (at, (import, core)) in parts.instances[number].given.iter().enumerate() {
                let place = match (foreign.get(&(number, at)), core) {
                    (Some(Place::Host(host)), _) => *host as u32,
                    (Some(Place::Trap(trap)), _) => (merged.hosts.len() + trap) as u32,
                    (None, core) => merged.find(parts, core)?.1,
                };
                places[space_of_import(import)? as usize].push(place);
            }
            let own = [parsed.function_types.len(), parsed.tables.len(), parsed.memories.len(), parsed.globals.len()];
            for ((places, next), own) in places.iter_mut().zip(&mut next).zip(own) {
                places.extend(*next..*next + own as u32);
                *next += own as u32;
            }
            let part = Part { parsed, places, first_type, first_element, first_data };
            for global in &parsed.globals {
                let value = constant(&global.init_expr, &part, &merged.constants)?;
                merged.constants.push(value.filter(|_| !global.ty.mutable));
            }
            first_type += parsed.type_count;
            first_element += parsed.elements.as_ref().map_or(0, wasmparser::SectionLimited::count);
            first_data += parsed.data.as_ref().map_or(0, wasmparser::SectionLimited::count);
            merged.parts.push(Some(part));
        }
        merged.tables = Tables::of(&merged.parts)?;
        Ok(merged)
    }

    /// Finds what the instances import that is no instance's: by instance and import, where it is.
    fn find_foreign(&mut self, parts: &Parts<'u, 'a>) -> Linked<HashMap<(usize, usize), Place>> {
        let (mut found, mut places) = (HashMap::new(), HashMap::new());
        let mut first_type = 0;
        for (number, instance) in parts.instances.iter().enumerate().filter(|(number, _)| parts.needed[*number]) {
            for (at, (import, core)) in instance.given.iter().enumerate() {
                let Some(foreign) = parts.foreign(core)? else { continue };
                let of_type = first_type + function_type(import)?;
                let key = match &foreign {
                    Foreign::Hosts { .. } => (foreign.clone(), 0),
                    Foreign::Trap => (Foreign::Trap, of_type),
                };
                let place = *places.entry(key).or_insert_with(|| match foreign {
                    Foreign::Hosts { interface, name } => {
                        self.hosts.push((interface, name, of_type));
                        Place::Host(self.hosts.len() - 1)
                    }
                    Foreign::Trap => {
                        self.traps.push(of_type);
                        Place::Trap(self.traps.len() - 1)
                    }
                });
                found.insert((number, at), place);
            }
            first_type += parts.parsed[number].type_count;
        }
        Ok(found)
    }

    /// Where something is that an instance exports.
    fn find(&self, parts: &Parts<'u, 'a>, core: &Core<'a>) -> Linked<(Space, u32)> {
        let Core::Of { instance, name } = core else {
            return Err(Unlinked::new("a component hands on what another does"));
        };
        let (kind, index) = parts.export(*instance, name)?;
        let part = self.parts.get(*instance).and_then(Option::as_ref);
        let part = part.ok_or_else(|| Unlinked::new(format!("`{name}` is of an instance that is made later")))?;
        let space = space_of(kind)?;
        Ok((space, part.place(space, index)?))
    }

    fn write(&self, parts: &Parts<'u, 'a>, exports: &[Export<'a>]) -> Linked<Vec<u8>> {
        let (mut types, mut imports, mut functions) =
            (TypeSection::new(), ImportSection::new(), FunctionSection::new());
        let (mut tables, mut memories, mut globals) = (TableSection::new(), MemorySection::new(), GlobalSection::new());
        let (mut elements, mut code, mut data) = (ElementSection::new(), CodeSection::new(), DataSection::new());
        let mut start = None;
        if let Some(of_type) = self.tables.of_type {
            tables.table(
                reencode::RoundtripReencoder.table_type(of_type).map_err(|error| Unlinked::new(error.to_string()))?,
            );
        }
        for (interface, name, of_type) in &self.hosts {
            imports.import(interface, name, EntityType::Function(*of_type));
        }
        for of_type in &self.traps {
            functions.function(*of_type);
            let mut stops = Code::new([]);
            stops.instruction(&Instruction::Unreachable).instruction(&Instruction::End);
            code.function(&stops);
        }
        for part in self.parts.iter().flatten() {
            let parsed = part.parsed;
            let mut renumber = Renumber { part, merged: self };
            if let Some(section) = parsed.types.clone() {
                utils::parse_type_section(&mut renumber, &mut types, section)?;
            }
            for of_type in &parsed.function_types {
                functions.function(part.first_type + of_type);
            }
            for memory in &parsed.memories {
                memories.memory(renumber.memory_type(*memory)?);
            }
            for global in &parsed.globals {
                utils::parse_global(&mut renumber, &mut globals, global.clone())?;
            }
            // Segments are written before anything is run: none may be there that another's start was to be run before.
            if start.is_some() && parsed.does_something() {
                return Err(Unlinked::new("something is put in place after a start"));
            }
            if let Some(function) = parsed.start {
                start = Some(part.place(Space::Functions, function)?);
            }
            if let Some(section) = parsed.elements.clone() {
                renumber.parse_element_section(&mut elements, section)?;
            }
            if let Some(section) = parsed.data.clone() {
                utils::parse_data_section(&mut renumber, &mut data, section)?;
            }
            for body in &parsed.bodies {
                renumber.parse_function_body(&mut code, body.clone())?;
            }
        }
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions).section(&tables).section(&memories);
        module.section(&globals).section(&self.exports(parts, exports)?);
        if let Some(function_index) = start {
            module.section(&StartSection { function_index });
        }
        module.section(&elements).section(&DataCountSection { count: data.len() }).section(&code).section(&data);
        Ok(module.finish())
    }

    /// What `wit-component` looks for: the functions of the world, and with which memory values are passed.
    fn exports(&self, parts: &Parts<'u, 'a>, exports: &[Export<'a>]) -> Linked<ExportSection> {
        let mut section = ExportSection::new();
        let mut passing: [Option<u32>; 2] = [None; 2];
        let mut pass = |at: usize, core: &Option<Core<'a>>| {
            let Some(core) = core else { return Ok(()) };
            let (_, place) = self.find(parts, core)?;
            match passing[at].replace(place) {
                Some(other) if other != place => Err(Unlinked::new("values are passed through more than one memory")),
                _ => Ok(()),
            }
        };
        for export in exports {
            let (Lifted { core, with }, name) = (&*export.lifted, format!("{}#{}", export.interface, export.name));
            section.export(&name, ExportKind::Func, self.find(parts, core)?.1);
            if let Some(core) = &with.post_return {
                section.export(&format!("cabi_post_{name}"), ExportKind::Func, self.find(parts, core)?.1);
            }
            pass(0, &with.memory)?;
            pass(1, &with.realloc)?;
        }
        let needed = parts.instances.iter().zip(&parts.needed).filter(|(_, needed)| **needed);
        for (_, core) in needed.flat_map(|(instance, _)| &instance.given) {
            if let Core::Lowered { function: Function::Hosts { .. }, with } = core {
                pass(0, &with.memory)?;
                pass(1, &with.realloc)?;
            }
        }
        let [memory, realloc] = passing;
        if let Some(memory) = memory {
            section.export(MEMORY, ExportKind::Memory, memory);
        }
        if let Some(realloc) = realloc {
            section.export(REALLOC, ExportKind::Func, realloc);
        }
        Ok(section)
    }
}

/// Where something is in the module that is no instance's.
#[derive(Clone, Copy)]
enum Place {
    Host(usize),
    Trap(usize),
}

/// The number that an expression comes to, where it is one, whatever happens before.
fn constant(
    expression: &wasmparser::ConstExpr<'_>,
    part: &Part<'_, '_>,
    constants: &[Option<i32>],
) -> Linked<Option<i32>> {
    let mut stack = Vec::new();
    for operator in expression.get_operators_reader() {
        let two = |stack: &mut Vec<i32>| stack.pop().zip(stack.pop()).map(|(second, first)| (first, second));
        let value = match operator? {
            Operator::I32Const { value } => Some(value),
            Operator::GlobalGet { global_index } => {
                let place = part.place(Space::Globals, global_index)?;
                constants.get(place as usize).copied().flatten()
            }
            Operator::I32Add => two(&mut stack).map(|(first, second)| first.wrapping_add(second)),
            Operator::I32Sub => two(&mut stack).map(|(first, second)| first.wrapping_sub(second)),
            Operator::I32Mul => two(&mut stack).map(|(first, second)| first.wrapping_mul(second)),
            Operator::End => break,
            _ => None,
        };
        let Some(value) = value else { return Ok(None) };
        stack.push(value);
    }
    Ok(stack.pop().filter(|_| stack.is_empty()))
}

/// Gives what is in a part its place in the module.
struct Renumber<'p, 'u, 'a> {
    part: &'p Part<'u, 'a>,
    merged: &'p Merged<'u, 'a>,
}

type Renumbered<T> = Result<T, reencode::Error<Unlinked>>;

impl Renumber<'_, '_, '_> {
    fn place(&self, space: Space, index: u32) -> Renumbered<u32> {
        self.part.place(space, index).map_err(reencode::Error::UserError)
    }

    /// Where a table of the part begins in the one of the module.
    fn base(&self, table: u32) -> Renumbered<u32> {
        Ok(self.merged.tables.bases[self.place(Space::Tables, table)? as usize])
    }
}

/// The table that an instruction uses otherwise than to call what is in it.
fn table_of(operator: &Operator<'_>) -> Option<u32> {
    match *operator {
        Operator::TableGet { table }
        | Operator::TableSet { table }
        | Operator::TableSize { table }
        | Operator::TableGrow { table }
        | Operator::TableFill { table }
        | Operator::TableInit { table, .. }
        | Operator::ReturnCallIndirect { table_index: table, .. } => Some(table),
        _ => None,
    }
}

impl Reencode for Renumber<'_, '_, '_> {
    type Error = Unlinked;

    fn type_index(&mut self, index: u32) -> Renumbered<u32> {
        Ok(self.part.first_type + index)
    }

    fn function_index(&mut self, index: u32) -> Renumbered<u32> {
        self.place(Space::Functions, index)
    }

    fn table_index(&mut self, index: u32) -> Renumbered<u32> {
        self.place(Space::Tables, index).map(|_| 0)
    }

    fn memory_index(&mut self, index: u32) -> Renumbered<u32> {
        self.place(Space::Memories, index)
    }

    fn global_index(&mut self, index: u32) -> Renumbered<u32> {
        self.place(Space::Globals, index)
    }

    fn element_index(&mut self, index: u32) -> Renumbered<u32> {
        Ok(self.part.first_element + index)
    }

    fn data_index(&mut self, index: u32) -> Renumbered<u32> {
        Ok(self.part.first_data + index)
    }

    fn const_expr(&mut self, expression: wasmparser::ConstExpr<'_>) -> Renumbered<ConstExpr> {
        let constants = &self.merged.constants;
        match constant(&expression, self.part, constants).map_err(reencode::Error::UserError)? {
            Some(value) => Ok(ConstExpr::i32_const(value)),
            None => utils::const_expr(self, expression),
        }
    }

    fn parse_element(&mut self, elements: &mut ElementSection, element: wasmparser::Element<'_>) -> Renumbered<()> {
        let wasmparser::ElementKind::Active { table_index, offset_expr } = &element.kind else {
            return utils::parse_element(self, elements, element);
        };
        let base = self.base(table_index.unwrap_or(0))?;
        if base == 0 {
            return utils::parse_element(self, elements, element);
        }
        let offset = constant(offset_expr, self.part, &self.merged.constants).map_err(reencode::Error::UserError)?;
        let unknown = || reencode::Error::UserError(Unlinked::new("it is not known where elements of a table go"));
        let offset = ConstExpr::i32_const(offset.ok_or_else(unknown)?.wrapping_add(base as i32));
        let items = self.element_items(element.items)?;
        elements.active(None, &offset, items);
        Ok(())
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: wasmparser::FunctionBody<'_>) -> Renumbered<()> {
        let mut function = self.new_function_with_parsed_locals(&body)?;
        for operator in body.get_operators_reader()? {
            let operator = operator?;
            if let Some(table) = table_of(&operator)
                && self.base(table)? > 0
            {
                return Err(reencode::Error::UserError(Unlinked::new("it works on a table that is not its largest")));
            }
            if let Operator::TableCopy { dst_table, src_table } = operator
                && self.base(dst_table)? + self.base(src_table)? > 0
            {
                return Err(reencode::Error::UserError(Unlinked::new("it copies from one table to another")));
            }
            if let Operator::CallIndirect { table_index, .. } = operator
                && let base @ 1.. = self.base(table_index)?
            {
                function.instruction(&Instruction::I32Const(base as i32)).instruction(&Instruction::I32Add);
            }
            let instruction = self.instruction(operator)?;
            function.instruction(&instruction);
        }
        code.function(&function);
        Ok(())
    }
}
