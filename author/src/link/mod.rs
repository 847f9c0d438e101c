//! Links the core modules of a component into one.
//!
//! What makes components of JavaScript and Python links them of many modules, which share a memory and a table of functions by
//! importing them. A host makes each of them anew for every call, and cannot leave a table that is imported empty until it is
//! used: it fills in thousands of functions that no call asks for. In one module, memory and table are its own, and both are
//! there as soon as it is.
//!
//! [`unfold`] says what instantiating the component comes to: which instances of which modules are made, and what each is given.
//! [`merge`] makes one module of them, and `wit-component` a component of that. Whatever this does not know, it leaves alone: the
//! component is then kept as it was made.

mod merge;
mod unfold;

use std::fmt;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::{Resolve, TypeDefKind};

use crate::world::WORLD;

/// Why a component is left as it is.
#[derive(Debug)]
struct Unlinked(String);

impl Unlinked {
    fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Unlinked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<wasmparser::BinaryReaderError> for Unlinked {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self(error.to_string())
    }
}

type Linked<T> = Result<T, Unlinked>;

/// The component with one module of its own, or as it was made, where that cannot be done: it does the same, in more time.
pub(crate) fn linked(component: Vec<u8>, wit: &Path, tell: &mut dyn FnMut(&str)) -> Vec<u8> {
    match link(&component, wit, WORLD) {
        Ok(linked) => linked,
        Err(why) => {
            tell(&format!("its modules are not linked into one, so that calls take longer: {why}"));
            component
        }
    }
}

/// The component with one module of its own, for a world in a folder of WIT.
fn link(component: &[u8], wit: &Path, world: &str) -> Linked<Vec<u8>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit).map_err(failed)?;
    // One of the host's would have to be dropped there.
    if resolve.types.iter().any(|(_, of_type)| of_type.kind == TypeDefKind::Resource) {
        return Err(Unlinked::new("its world has resources"));
    }
    let mut module = merge::merge(&unfold::unfold(component)?)?;
    let world = resolve.select_world(&[package], Some(world)).map_err(failed)?;
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
        .map_err(failed)?;
    let encoded = ComponentEncoder::default().validate(true).module(&module).and_then(|encoder| encoder.encode());
    encoded.map_err(failed)
}

fn failed(error: impl fmt::Display) -> Unlinked {
    Unlinked(format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use wasmparser::{ElementKind, Operator, Parser, Payload};

    use super::*;

    const WIT: &str = "package test:small;
        interface host { now: func() -> u32; }
        interface counter { run: func() -> u32; }
        world made { import host; export counter; }";

    /// A component of several modules: one has memory and table, one fills the table and calls through it and through a table of
    /// fixed size, and one is a component's whose function has this body.
    fn component(stub: &str) -> Vec<u8> {
        let text = format!(
            r#"(component
                (import "test:small/host" (instance $host (export "now" (func (result u32)))))
                (core module $shared (memory (export "memory") 1) (table (export "table") 2 funcref)
                    (global (export "base") i32 (i32.const 1)))
                (core module $calling
                    (type $number (func (result i32)))
                    (import "shared" "memory" (memory 1))
                    (import "shared" "table" (table 2 funcref))
                    (import "shared" "base" (global $base i32))
                    (import "host" "now" (func $now (result i32)))
                    (import "stub" "stops" (func $stops))
                    (table $fixed 1 1 funcref)
                    (elem (table 0) (global.get $base) func $own)
                    (elem (table $fixed) (i32.const 0) func $now)
                    (func $own (result i32) (call_indirect $fixed (type $number) (i32.const 0)))
                    (func (export "run") (result i32) (call_indirect 0 (type $number) (i32.const 1))))
                (component $stub
                    (core module $stops (func (export "stops") {stub}))
                    (core instance $stops (instantiate $stops))
                    (func (export "stops") (canon lift (core func $stops "stops"))))
                (instance $stub (instantiate $stub))
                (core instance $shared (instantiate $shared))
                (core func $now (canon lower (func $host "now")))
                (core func $stops (canon lower (func $stub "stops")))
                (core instance $calling (instantiate $calling
                    (with "shared" (instance $shared))
                    (with "host" (instance (export "now" (func $now))))
                    (with "stub" (instance (export "stops" (func $stops))))))
                (func $run (result u32) (canon lift (core func $calling "run")))
                (instance $counter (export "run" (func $run)))
                (export "test:small/counter" (instance $counter)))"#
        );
        wat::parse_str(text).expect("a component")
    }

    fn linked(component: &[u8]) -> Linked<Vec<u8>> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("small.wit"), WIT).expect("written");
        link(component, folder.path(), WORLD)
    }

    #[test]
    fn what_several_modules_share_is_one_modules_own_and_its_table_is_filled_at_places_that_are_known() {
        let linked = linked(&component("unreachable")).expect("linked");
        let (mut tables, mut memories, mut offsets) = (Vec::new(), 0, Vec::new());
        for payload in Parser::new(0).parse_all(&linked) {
            match payload.expect("sound") {
                Payload::TableSection(section) => {
                    tables.extend(section.into_iter().map(|table| table.expect("a table").ty.initial));
                }
                Payload::MemorySection(section) => memories += section.count(),
                Payload::ElementSection(section) => {
                    for element in section {
                        let ElementKind::Active { offset_expr, .. } = element.expect("a segment").kind else {
                            continue;
                        };
                        offsets.push(offset_expr.get_operators_reader().read().expect("an offset"));
                    }
                }
                _ => {}
            }
        }
        assert_eq!((tables, memories), (vec![3], 1), "the fixed table stands behind the other");
        assert_eq!(offsets, [Operator::I32Const { value: 1 }, Operator::I32Const { value: 2 }]);
    }

    #[test]
    fn what_another_component_does_is_not_left_out() {
        let why = linked(&component("nop")).expect_err("it does something").to_string();
        assert_eq!(why, "`stops` is another component's, and does something");
    }

    #[test]
    fn a_component_that_cannot_be_linked_is_kept_as_it_was_made_and_its_author_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut told = Vec::new();
        let component = component("nop");
        let kept = super::linked(component.clone(), folder.path(), &mut |said| told.push(said.to_owned()));
        assert_eq!(kept, component);
        assert!(told[0].starts_with("its modules are not linked into one"), "{told:?}");
    }
}
