//! The world in the text form of components: what each of its versions has, and how the core module sees it.

/// The problem record of the world.
pub(super) const PROBLEM: &str = r#"(field "code" string) (field "detail" string)
    (field "pointer" (option string)) (field "data" (option string))"#;

/// Memory, and an allocator that never frees.
pub(super) const LIBC: &str = r#"
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

/// What the core module has of its own.
pub(super) const FIELDS: &str = r#"
    (data (i32.const 16) "null")
    (data (i32.const 32) "key")
    (data (i32.const 48) "error")
    (func $answer (param $at i32) (param $bytes i32) (result i32)
      (i32.store8 (i32.const 1024) (i32.const 0))
      (i32.store (i32.const 1028) (local.get $at))
      (i32.store (i32.const 1032) (local.get $bytes))
      (i32.const 1024))
    (func $refuse (param $at i32) (param $bytes i32) (result i32)
      (memory.fill (i32.const 1024) (i32.const 0) (i32.const 64))
      (i32.store8 (i32.const 1024) (i32.const 1))
      (i32.store (i32.const 1028) (local.get $at))
      (i32.store (i32.const 1032) (local.get $bytes))
      (i32.store (i32.const 1036) (local.get $at))
      (i32.store (i32.const 1040) (local.get $bytes))
      (i32.const 1024))
    (func $null (result i32) (call $answer (i32.const 16) (i32.const 4)))"#;

/// Shows the whole state: a list of `[key, size, beginning of the value]`, all of them in hex digits.
pub(super) const SHOW: &str = r#"
    (global $out (mut i32) (i32.const 0))
    (func $put (param $byte i32)
      (i32.store8 (global.get $out) (local.get $byte))
      (global.set $out (i32.add (global.get $out) (i32.const 1))))
    (func $digit (param $digit i32)
      (call $put (i32.add (local.get $digit)
        (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $digit) (i32.const 10))))))
    (func $hex (param $at i32) (param $bytes i32)
      (call $put (i32.const 34))
      (block $end (loop $next
        (br_if $end (i32.eqz (local.get $bytes)))
        (call $digit (i32.shr_u (i32.load8_u (local.get $at)) (i32.const 4)))
        (call $digit (i32.and (i32.load8_u (local.get $at)) (i32.const 15)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $bytes (i32.sub (local.get $bytes) (i32.const 1)))
        (br $next)))
      (call $put (i32.const 34)))
    (func $size (param $size i32)
      (local $shift i32)
      (local.set $shift (i32.const 28))
      (call $put (i32.const 34))
      (loop $next
        (call $digit (i32.and (i32.shr_u (local.get $size) (local.get $shift)) (i32.const 15)))
        (local.set $shift (i32.sub (local.get $shift) (i32.const 4)))
        (br_if $next (i32.ge_s (local.get $shift) (i32.const 0))))
      (call $put (i32.const 34)))
    (func $show (result i32)
      (local $entry i32) (local $left i32) (local $start i32) (local $size i32)
      (call $range (i32.const 16) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1)
        (i32.const 2048))
      (local.set $entry (i32.load (i32.const 2048)))
      (local.set $left (i32.load (i32.const 2052)))
      (local.set $start (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 524288)))
      (global.set $out (local.get $start))
      (call $put (i32.const 91))
      (block $end (loop $next
        (br_if $end (i32.eqz (local.get $left)))
        (call $put (i32.const 91))
        (call $hex (i32.load (local.get $entry)) (i32.load offset=4 (local.get $entry)))
        (call $put (i32.const 44))
        (local.set $size (i32.load offset=12 (local.get $entry)))
        (call $size (local.get $size))
        (call $put (i32.const 44))
        (call $hex (i32.load offset=8 (local.get $entry))
          (select (local.get $size) (i32.const 512) (i32.lt_u (local.get $size) (i32.const 512))))
        (call $put (i32.const 93))
        (local.set $entry (i32.add (local.get $entry) (i32.const 16)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (if (local.get $left) (then (call $put (i32.const 44))))
        (br $next)))
      (call $put (i32.const 93))
      (call $answer (local.get $start) (i32.sub (global.get $out) (local.get $start))))"#;

/// Tells an action's name from another.
pub(super) const SAME: &str = r#"
    (func $same (param $one i32) (param $bytes i32) (param $other i32) (param $others i32) (result i32)
      (if (i32.ne (local.get $bytes) (local.get $others)) (then (return (i32.const 0))))
      (block $end (loop $next
        (br_if $end (i32.eqz (local.get $bytes)))
        (if (i32.ne (i32.load8_u (local.get $one)) (i32.load8_u (local.get $other))) (then (return (i32.const 0))))
        (local.set $one (i32.add (local.get $one) (i32.const 1)))
        (local.set $other (i32.add (local.get $other) (i32.const 1)))
        (local.set $bytes (i32.sub (local.get $bytes) (i32.const 1)))
        (br $next)))
      (i32.const 1))"#;

/// A function of the host: its name in the core module, its interface and its name there, its core type.
pub(super) type Lowered = (&'static str, &'static str, &'static str, &'static str);

/// What each version of the world has.
pub(super) const FIRST: [Lowered; 8] = [
    ("get", "state", "get", "(param i32 i32 i32)"),
    ("set", "state", "set", "(param i32 i32 i32 i32)"),
    ("delete", "state", "delete", "(param i32 i32)"),
    ("range", "state", "range", "(param i32 i32 i32 i32 i32 i32 i32)"),
    ("count", "state", "count", "(param i32 i32) (result i64)"),
    ("context", "context", "get", "(param i32)"),
    ("declare", "outcome", "declare", "(param i32 i32)"),
    ("log", "log", "write", "(param i32 i32 i32 i32)"),
];

/// What 0.1.1 added.
pub(super) const OUTSIDE: [Lowered; 4] = [
    ("now", "clock", "now", "(result i64)"),
    ("random", "random", "bytes", "(param i32 i32)"),
    ("send", "http", "send", "(param i32 i32 i32 i32 i32)"),
    ("secret", "secrets", "get", "(param i32 i32 i32)"),
];

/// What 1.0.0 and 1.1.0 added.
pub(super) const NEWEST: [Lowered; 13] = [
    ("settings", "settings", "get", "(param i32)"),
    ("put_blob", "blobs", "put", "(param i32 i32 i32 i32 i32)"),
    ("blob_size", "blobs", "size", "(param i32 i32 i32)"),
    ("blob", "blobs", "get", "(param i32 i32 i64 i32 i32)"),
    ("people", "people", "all", "(param i32)"),
    ("notify", "notify", "send", "(param i32 i32 i32)"),
    ("set_alarm", "schedule", "set", "(param i32 i32 i64 i32 i32 i32)"),
    ("cancel_alarm", "schedule", "cancel", "(param i32 i32) (result i32)"),
    ("note", "usage", "note", "(param i32 i32 i64 i32)"),
    ("act", "assets", "call", "(param i32 i32 i32 i32 i32 i32 i32)"),
    ("get_text", "texts", "get", "(param i32 i32 i32)"),
    ("set_text", "texts", "set", "(param i32 i32 i32 i32)"),
    ("range_texts", "texts", "range", "(param i32 i32 i32 i32 i32 i32 i32)"),
];

/// An interface with a problem of its own, as the world has it.
fn with_problem(interface: &str, functions: &str, version: &str) -> String {
    format!(
        r#"
  (import "interlink:interlinker/{interface}@{version}" (instance ${interface}
    (alias outer 1 $problem (type $why))
    (export "problem" (type $told (eq $why)))
    {functions}))"#
    )
}

/// The same for an interface without one.
fn plain(interface: &str, functions: &str, version: &str) -> String {
    format!("\n  (import \"interlink:interlinker/{interface}@{version}\" (instance ${interface} {functions}))")
}

/// What a component imports that asks for the outside.
pub(super) fn outside(version: &str) -> String {
    let send = r#"(export "send" (func (param "request" string) (param "body" (list u8))
      (result (result (tuple string (list u8)) (error $told)))))"#;
    plain("clock", r#"(export "now" (func (result s64)))"#, version)
        + &plain("random", r#"(export "bytes" (func (param "count" u32) (result (list u8))))"#, version)
        + &with_problem("http", send, version)
        + &plain("secrets", r#"(export "get" (func (param "name" string) (result (option string))))"#, version)
}

/// What a component imports that asks for all that 1.0.0 and 1.1.0 added.
pub(super) fn newest(version: &str) -> String {
    let nothing_or_problem = "(result (result (error $told)))";
    let text_or_problem = "(result (result string (error $told)))";
    let blobs = format!(
        r#"(export "put" (func (param "media-type" string) (param "content" (list u8)) {text_or_problem}))
    (export "size" (func (param "digest" string) (result (option u64))))
    (export "get" (func (param "digest" string) (param "offset" u64) (param "limit" u32)
      (result (option (list u8)))))"#
    );
    let schedule = format!(
        r#"(export "set" (func (param "name" string) (param "at" s64) (param "input" string) {nothing_or_problem}))
    (export "cancel" (func (param "name" string) (result bool)))"#
    );
    let people = format!(r#"(export "all" (func {text_or_problem}))"#);
    let notify = format!(r#"(export "send" (func (param "message" string) {nothing_or_problem}))"#);
    let usage = format!(r#"(export "note" (func (param "word" string) (param "amount" s64) {nothing_or_problem}))"#);
    let assets = format!(
        r#"(export "call" (func (param "asset" string) (param "action" string) (param "input" string)
      {text_or_problem}))"#
    );
    let texts = r#"(export "get" (func (param "key" string) (result (option string))))
    (export "set" (func (param "key" string) (param "value" string)))
    (export "range" (func (param "prefix" string) (param "after" (option string)) (param "limit" u32)
      (result (list (tuple string string)))))"#;
    let mut all = plain("settings", r#"(export "get" (func (result string)))"#, version);
    all += &plain("texts", texts, version);
    for (interface, functions) in [
        ("blobs", &blobs),
        ("people", &people),
        ("notify", &notify),
        ("schedule", &schedule),
        ("usage", &usage),
        ("assets", &assets),
    ] {
        all += &with_problem(interface, functions, version);
    }
    all
}
