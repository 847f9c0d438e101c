//! Guests written by hand: the body of a core module, lifted to a component by the canonical ABI.
//!
//! The core module sees the host's functions as `$get`, `$set`, `$delete`, `$range`, `$count`, `$context`, `$declare`
//! and `$log`, lowered, and a guest that asks for the outside `$now`, `$random`, `$send` and `$secret`; `$null`
//! answers `null` and `$answer` a text of its memory. Addresses below 256 hold the texts that stand in [`FIELDS`],
//! those from 1024 what is answered; the page from 4096 on is the guest's own.

use interlink_model::manifest::MANIFEST_SECTION;
use serde_json::{Value, json};

/// The problem record of the world.
const PROBLEM: &str = r#"(field "code" string) (field "detail" string)
    (field "pointer" (option string)) (field "data" (option string))"#;

/// Memory, and an allocator that never frees.
const LIBC: &str = r#"
  (core module $Libc
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 32768))
    (func (export "realloc") (param i32 i32 i32) (param $bytes i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get $bytes)))
      (block $fits
        (loop $more
          (br_if $fits (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
          (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
          (br $more)))
      (local.get $at)))
  (core instance $libc (instantiate $Libc))"#;

/// What the core module imports.
const MAIN: &str = r#"
    (import "libc" "memory" (memory 1))
    (import "libc" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
    (import "host" "get" (func $get (param i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32)))
    (import "host" "delete" (func $delete (param i32 i32)))
    (import "host" "range" (func $range (param i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "count" (func $count (param i32 i32) (result i64)))
    (import "host" "context" (func $context (param i32)))
    (import "host" "declare" (func $declare (param i32 i32)))
    (import "host" "log" (func $log (param i32 i32 i32 i32)))"#;

/// What a component imports to ask for the outside.
const OUTSIDE: &str = r#"
  (import "interlink:interlinker/clock@0.1.1" (instance $clock
    (export "now" (func (result s64)))))
  (import "interlink:interlinker/random@0.1.1" (instance $random
    (export "bytes" (func (param "count" u32) (result (list u8))))))
  (import "interlink:interlinker/http@0.1.1" (instance $http
    (alias outer 1 $problem (type $why))
    (export "problem" (type $told (eq $why)))
    (export "send" (func (param "request" string) (param "body" (list u8))
      (result (result (tuple string (list u8)) (error $told)))))))
  (import "interlink:interlinker/secrets@0.1.1" (instance $secrets
    (export "get" (func (param "name" string) (result (option string))))))"#;

/// What the core module of such a component imports besides.
const OUTSIDE_MAIN: &str = r#"
    (import "host" "now" (func $now (result i64)))
    (import "host" "random" (func $random (param i32 i32)))
    (import "host" "send" (func $send (param i32 i32 i32 i32 i32)))
    (import "host" "secret" (func $secret (param i32 i32 i32)))"#;

/// What it has of its own.
const FIELDS: &str = r#"
    (data (i32.const 16) "null")
    (data (i32.const 32) "key")
    (data (i32.const 48) "error")
    (func $answer (param $at i32) (param $bytes i32) (result i32)
      (i32.store8 (i32.const 1024) (i32.const 0))
      (i32.store (i32.const 1028) (local.get $at))
      (i32.store (i32.const 1032) (local.get $bytes))
      (i32.const 1024))
    (func $null (result i32) (call $answer (i32.const 16) (i32.const 4)))"#;

/// A guest in the making: everything it does by default is answer `null`.
pub struct Guest {
    version: &'static str,
    outside: bool,
    imports: String,
    state: String,
    record: String,
    owned: Vec<&'static str>,
    fields: String,
    instantiate: String,
    call: String,
    view: String,
    manifest: Option<Vec<u8>>,
}

/// A manifest that is taken.
pub fn manifest() -> Value {
    json!({
        "manifest": 1,
        "name": "guest",
        "version": "1.0.0",
        "world": interlink_host::WORLD,
        "instantiate": {},
        "actions": [{"name": "go"}],
    })
}

impl Guest {
    pub fn new() -> Self {
        let null = || String::from("(call $null)");
        Self {
            version: "0.1.0",
            outside: false,
            imports: String::new(),
            state: String::new(),
            record: PROBLEM.into(),
            owned: Vec::new(),
            fields: String::new(),
            instantiate: null(),
            call: null(),
            view: null(),
            manifest: Some(manifest().to_string().into()),
        }
    }

    /// Whose action does this: locals and instructions that leave the address of an answer.
    pub fn calling(body: &str) -> Self {
        Self { call: body.into(), ..Self::new() }
    }

    /// Whose assets are made like this.
    pub fn instantiating(body: &str) -> Self {
        Self { instantiate: body.into(), ..Self::new() }
    }

    /// Whose view does this.
    pub fn viewing(body: &str) -> Self {
        Self { view: body.into(), ..Self::new() }
    }

    /// Whose view does this, too.
    pub fn showing(self, body: &str) -> Self {
        Self { view: body.into(), ..self }
    }

    /// Whose action does this again and again, without end.
    pub fn repeating(body: &str) -> Self {
        Self::calling(&format!("(loop $again {body} (br $again)) unreachable"))
    }

    /// Whose action does this so often.
    pub fn times(times: u32, body: &str) -> Self {
        Self::calling(&format!(
            "(local $i i32)
            (loop $again
              {body}
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $again (i32.lt_u (local.get $i) (i32.const {times}))))
            (call $null)"
        ))
    }

    /// With fields of the core module besides.
    pub fn with(self, fields: &str) -> Self {
        Self { fields: fields.into(), ..self }
    }

    /// With memories and tables besides, numbered after its own ones: each in a core module of its own, of which the
    /// pool takes no more than one.
    pub fn owning(self, things: &[&'static str]) -> Self {
        Self { owned: things.to_vec(), ..self }
    }

    /// Built for the newest world, and asking for the outside.
    pub fn asking_outside(self) -> Self {
        Self { version: "0.1.1", outside: true, ..self }
    }

    /// With imports of the component besides.
    pub fn importing(self, imports: &str) -> Self {
        Self { imports: imports.into(), ..self }
    }

    /// With functions besides in the interface of state that it imports.
    pub fn importing_of_state(self, exports: &str) -> Self {
        Self { state: exports.into(), ..self }
    }

    /// Built for another version of the world.
    pub fn of_version(self, version: &'static str) -> Self {
        Self { version, ..self }
    }

    /// With a problem record that has a field more.
    pub fn with_wider_problem(self) -> Self {
        Self { record: format!("{PROBLEM} (field \"blame\" string)"), ..self }
    }

    /// With another manifest, or none.
    pub fn with_manifest(self, manifest: Option<&[u8]>) -> Self {
        Self { manifest: manifest.map(<[u8]>::to_vec), ..self }
    }

    /// The component's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let component = wat::parse_str(self.text()).expect("the text is a component");
        match &self.manifest {
            Some(manifest) => with_section(component, MANIFEST_SECTION, manifest),
            None => component,
        }
    }

    fn text(&self) -> String {
        let Self { version, imports, state, record, owned, fields, instantiate, call, view, .. } = self;
        let mut lowered = vec![
            ("get", "state", "get"),
            ("set", "state", "set"),
            ("delete", "state", "delete"),
            ("range", "state", "range"),
            ("count", "state", "count"),
            ("context", "context", "get"),
            ("declare", "outcome", "declare"),
            ("log", "log", "write"),
        ];
        if self.outside {
            lowered.extend([("now", "clock", "now"), ("random", "random", "bytes")]);
            lowered.extend([("send", "http", "send"), ("secret", "secrets", "get")]);
        }
        let (outside, outside_main) = if self.outside { (OUTSIDE, OUTSIDE_MAIN) } else { ("", "") };
        let options = r#"(memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))"#;
        let lower = |(name, interface, function): (&str, &str, &str)| {
            format!("(core func ${name} (canon lower (func ${interface} \"{function}\") {options}))\n")
        };
        let given: String = lowered.iter().map(|(name, ..)| format!("(export \"{name}\" (func ${name}))\n")).collect();
        let lowered: String = lowered.into_iter().map(lower).collect();
        let lift = |(name, params): (&str, &str)| {
            let kind = format!("{params} (result (result string (error $problem)))");
            format!("(func ${name} {kind} (canon lift (core func $main \"{name}\") {options}))\n")
        };
        let lifted = [
            ("instantiate", "(param \"input\" string)"),
            ("call", "(param \"action\" string) (param \"input\" string)"),
            ("view", "(param \"query\" string)"),
        ];
        let lifted: String = lifted.into_iter().map(lift).collect();
        let owners = owned.iter().enumerate().map(|(number, thing)| {
            let kind = thing.split(' ').next().unwrap_or_default();
            let module = format!("(core module $Own{number} ({thing}) (export \"it\" ({kind} 0)))");
            format!("{module} (core instance $own{number} (instantiate $Own{number}))\n")
        });
        let owners: String = owners.collect();
        let own = |(number, thing): (usize, &&str)| format!("(import \"own{number}\" \"it\" ({thing}))\n");
        let own: String = owned.iter().enumerate().map(own).collect();
        let owning = (0..owned.len()).map(|number| format!("(with \"own{number}\" (instance $own{number}))\n"));
        let owning: String = owning.collect();
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
  {outside}
  {LIBC}
  {lowered}
  {owners}
  (core module $Main {MAIN} {outside_main}
    {own}
    {FIELDS}
    {fields}
    (func (export "instantiate") (param i32 i32) (result i32) {instantiate})
    (func (export "call") (param i32 i32 i32 i32) (result i32) {call})
    (func (export "view") (param i32 i32) (result i32) {view}))
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
  (export "interlink:interlinker/asset@{version}" (instance $asset)))"#
        )
    }
}

/// Appends a custom section.
pub fn with_section(mut component: Vec<u8>, name: &str, data: &[u8]) -> Vec<u8> {
    let mut section = leb128(name.len());
    section.extend(name.as_bytes());
    section.extend(data);
    component.push(0);
    component.extend(leb128(section.len()));
    component.extend(section);
    component
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
