//! A guest as the text of a component.

use std::fmt::Write;

use super::world::{FIELDS, FIRST, LIBC, Lowered, NEWEST, OUTSIDE, SAME, SHOW, newest, outside};
use super::{Asks, Guest};

/// Where names of actions stand.
const NAMES: usize = 3_072;

impl Guest {
    /// What it imports of the host.
    fn lowered(&self) -> Vec<Lowered> {
        let mut lowered = FIRST.to_vec();
        if self.asks >= Asks::Outside {
            lowered.extend(OUTSIDE);
        }
        if self.asks == Asks::All {
            lowered.extend(NEWEST);
        }
        lowered
    }

    /// The core module.
    fn main(&self) -> String {
        let Self { owned, fields, instantiate, call, view, .. } = self;
        let given = self.lowered().into_iter().map(|(name, .., kind)| {
            let function = format!("(func ${name} {kind})");
            format!("(import \"host\" \"{name}\" {function})\n")
        });
        let given: String = given.collect();
        let own = |(number, thing): (usize, &&str)| format!("(import \"own{number}\" \"it\" ({thing}))\n");
        let own: String = owned.iter().enumerate().map(own).collect();
        let (show, actions) = (if self.shows_state { SHOW } else { "" }, self.dispatched());
        let call = match &self.actions[..] {
            [] => call.clone(),
            _ => "(call $dispatch (local.get 0) (local.get 1) (local.get 2) (local.get 3))".into(),
        };
        let export = |name: &str, params: &str, body: &Option<String>| match body {
            Some(body) => format!("(func (export \"{name}\") (param {params}) (result i32) {body})"),
            None => String::new(),
        };
        let (ring, migrate) =
            (export("ring", "i32 i32 i32 i32", &self.ring), export("migrate", "i32 i32", &self.migrate));
        format!(
            r#"(core module $Main
    (import "libc" "memory" (memory 1))
    (import "libc" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
    {given}
    {own}
    {FIELDS}
    {show}
    {actions}
    {fields}
    (func (export "instantiate") (param i32 i32) (result i32) {instantiate})
    (func (export "call") (param i32 i32 i32 i32) (result i32) {call})
    (func (export "view") (param i32 i32) (result i32) {view})
    {ring}
    {migrate})"#
        )
    }

    /// Functions for actions by their names; what bears no such name is the guest's one action.
    fn dispatched(&self) -> String {
        if self.actions.is_empty() {
            return String::new();
        }
        let (mut text, mut next, mut turns) = (SAME.to_owned(), NAMES, String::new());
        let mut add = |line: String| writeln!(text, "{line}").expect("a text takes text");
        for (number, (name, body)) in self.actions.iter().enumerate() {
            add(format!("(data (i32.const {next}) \"{name}\")"));
            add(format!("(func $action{number} (param i32 i32) (result i32) {body})"));
            let named = format!("(local.get 0) (local.get 1) (i32.const {next}) (i32.const {})", name.len());
            turns += &format!(
                "(if (call $same {named}) (then (return (call $action{number} (local.get 2) (local.get 3)))))\n"
            );
            next += name.len();
        }
        let params = "(param i32 i32 i32 i32) (result i32)";
        add(format!("(func $otherwise {params} {})", self.call));
        add(format!(
            "(func $dispatch {params} {turns}
              (call $otherwise (local.get 0) (local.get 1) (local.get 2) (local.get 3)))"
        ));
        text
    }

    /// The whole component.
    pub(super) fn text(&self) -> String {
        let Self { version, imports, state, record, owned, .. } = self;
        let outside_imports = if self.asks >= Asks::Outside { outside(version) } else { String::new() };
        let newest_imports = if self.asks == Asks::All { newest(version) } else { String::new() };
        let options = r#"(memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))"#;
        let lower = |(name, interface, function, _): Lowered| {
            format!("(core func ${name} (canon lower (func ${interface} \"{function}\") {options}))\n")
        };
        let given: String =
            self.lowered().iter().map(|(name, ..)| format!("(export \"{name}\" (func ${name}))\n")).collect();
        let lowered: String = self.lowered().into_iter().map(lower).collect();
        let lift = |name: &str, params: &str| {
            let kind = format!("{params} (result (result string (error $problem)))");
            format!("(func ${name} {kind} (canon lift (core func $main \"{name}\") {options}))\n")
        };
        let lifted: String = [
            ("instantiate", "(param \"input\" string)"),
            ("call", "(param \"action\" string) (param \"input\" string)"),
            ("view", "(param \"query\" string)"),
        ]
        .into_iter()
        .map(|(name, params)| lift(name, params))
        .collect();
        let also = |interface: &str, name: &str, params: &str| {
            let lifted = lift(name, params);
            let instance = format!(
                "(instance ${interface} (export \"problem\" (type $problem)) (export \"{name}\" (func ${name})))"
            );
            format!(
                "{lifted} {instance} (export \"interlink:interlinker/{interface}@{version}\" (instance ${interface}))\n"
            )
        };
        let rings =
            self.ring.as_ref().map(|_| also("alarms", "ring", "(param \"name\" string) (param \"input\" string)"));
        let migrates = self.migrate.as_ref().map(|_| also("migration", "migrate", "(param \"version\" string)"));
        let (rings, migrates) = (rings.unwrap_or_default(), migrates.unwrap_or_default());
        let owners = owned.iter().enumerate().map(|(number, thing)| {
            let kind = thing.split(' ').next().unwrap_or_default();
            let module = format!("(core module $Own{number} ({thing}) (export \"it\" ({kind} 0)))");
            format!("{module} (core instance $own{number} (instantiate $Own{number}))\n")
        });
        let owners: String = owners.collect();
        let owning = (0..owned.len()).map(|number| format!("(with \"own{number}\" (instance $own{number}))\n"));
        let (owning, main): (String, String) = (owning.collect(), self.main());
        format!(
            r#"(component
  {imports}
  (import "interlink:interlinker/types@{version}" (instance $types
    (type $record (record {record}))
    (export "problem" (type (eq $record)))))
  (alias export $types "problem" (type $problem))
  (import "interlink:interlinker/state@{version}" (instance $state
    (export "get" (func (param "key" string) (result (option (list u8)))))
    (export "set" (func (param "key" string) (param "value" (list u8))))
    (export "delete" (func (param "key" string)))
    (export "range" (func (param "prefix" string) (param "after" (option string)) (param "limit" u32)
      (result (list (tuple string (list u8))))))
    (export "count" (func (param "prefix" string) (result u64)))
    {state}))
  (import "interlink:interlinker/context@{version}" (instance $context
    (export "get" (func (result string)))))
  (import "interlink:interlinker/outcome@{version}" (instance $outcome
    (export "declare" (func (param "outcome" string)))))
  (import "interlink:interlinker/log@{version}" (instance $log
    (export "write" (func (param "level" string) (param "message" string)))))
  {outside_imports}
  {newest_imports}
  {LIBC}
  {lowered}
  {owners}
  {main}
  (core instance $main (instantiate $Main
    (with "libc" (instance $libc))
    {owning}
    (with "host" (instance {given}))))
  {lifted}
  (instance $asset
    (export "problem" (type $problem))
    (export "instantiate" (func $instantiate))
    (export "call" (func $call))
    (export "view" (func $view)))
  (export "interlink:interlinker/asset@{version}" (instance $asset))
  {rings}
  {migrates})"#
        )
    }
}
