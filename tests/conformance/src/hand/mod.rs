//! Guests written by hand: the body of a core module, lifted to a component by the canonical ABI.
//!
//! The core module sees the host's functions as `$get`, `$set`, `$delete`, `$range`, `$count`, `$context`, `$declare`
//! and `$log`, lowered; a guest that asks for the outside has `$now`, `$random`, `$send` and `$secret` too, and one
//! that asks for all that there is `$settings`, `$put_blob`, `$blob_size`, `$blob`, `$people`, `$notify`, `$set_alarm`,
//! `$cancel_alarm`, `$note`, `$act`, `$get_text`, `$set_text` and `$range_texts`. `$null` answers `null`, `$answer` a
//! text of its memory, `$refuse` a problem with such a code, and `$show` the whole state. Addresses below 256 hold the
//! texts that every guest has, those from 1024 what is answered, those from 3072 the names of its actions; the page from
//! 4096 on is the guest's own.

pub mod asking;
mod binary;
mod text;
mod world;

use interlink_model::manifest::MANIFEST_SECTION;
use serde_json::{Value, json};
use world::{FIRST, NEWEST, OUTSIDE, PROBLEM};

pub(crate) use binary::leb128;
pub use binary::{boxed, with_section};

/// Whether a guest asks for more than the first world had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Asks {
    Nothing,
    Outside,
    All,
}

/// What a component says of itself.
#[derive(Debug, Clone)]
enum Says {
    Nothing,
    Bytes(Vec<u8>),
    Manifest(Value),
}

/// A guest in the making: everything it does by default is answer `null`.
#[derive(Debug, Clone)]
pub struct Guest {
    version: &'static str,
    asks: Asks,
    imports: String,
    state: String,
    record: String,
    owned: Vec<&'static str>,
    fields: String,
    instantiate: String,
    call: String,
    actions: Vec<(&'static str, String)>,
    view: String,
    ring: Option<String>,
    migrate: Option<String>,
    shows_state: bool,
    is_later: bool,
    says: Says,
}

/// Functions that a guest of the newest world calls, each with its interface.
pub fn functions() -> Vec<(&'static str, &'static str)> {
    let all = FIRST.iter().chain(&OUTSIDE).chain(&NEWEST);
    all.map(|(name, interface, ..)| (*name, *interface)).collect()
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

impl Default for Guest {
    fn default() -> Self {
        Self::new()
    }
}

impl Guest {
    /// One of the first world.
    pub fn new() -> Self {
        let null = || String::from("(call $null)");
        Self {
            version: "0.1.0",
            asks: Asks::Nothing,
            imports: String::new(),
            state: String::new(),
            record: PROBLEM.into(),
            owned: Vec::new(),
            fields: String::new(),
            instantiate: null(),
            call: null(),
            actions: Vec::new(),
            view: null(),
            ring: None,
            migrate: None,
            shows_state: false,
            is_later: false,
            says: Says::Manifest(manifest()),
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
        Self { fields: self.fields + fields, ..self }
    }

    /// With memories and tables besides, numbered after its own ones: each in a core module of its own, of which the
    /// pool takes no more than one.
    pub fn owning(self, things: &[&'static str]) -> Self {
        Self { owned: things.to_vec(), ..self }
    }

    /// Built for the world 0.1.1, and asking for the outside.
    pub fn asking_outside(self) -> Self {
        Self { version: "0.1.1", asks: Asks::Outside, ..self }
    }

    /// Built for the world 1.1.0, and asking for all that it has.
    pub fn asking_for_all(self) -> Self {
        Self { version: "1.1.0", asks: Asks::All, ..self }
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
        let says = manifest.map_or(Says::Nothing, |manifest| Says::Bytes(manifest.to_vec()));
        Self { says, ..self }
    }

    /// Whose manifest says this, unless it is none at all.
    pub fn saying(mut self, field: &str, value: Value) -> Self {
        if let Says::Manifest(manifest) = &mut self.says {
            manifest[field] = value;
        }
        self
    }

    /// Whose view shows all of its state: a list of `[key, size, beginning of the value]` in hex digits.
    pub fn showing(self) -> Self {
        Self { view: "(call $show)".into(), shows_state: true, ..self }
    }

    /// Whether its view shows its state.
    pub fn shows_state(&self) -> bool {
        self.shows_state
    }

    /// Whose view does this, whatever else it does.
    pub fn whose_view(self, body: &str) -> Self {
        Self { view: body.into(), shows_state: false, ..self }
    }

    /// Which is made like this, whatever else it does.
    pub fn made_by(self, body: &str) -> Self {
        Self { instantiate: body.into(), ..self }
    }

    /// Under another name, where it says one at all.
    pub fn named(self, name: &str) -> Self {
        self.saying("name", json!(name))
    }

    /// In a later version of the first guest of its case.
    pub fn later(self, version: &str) -> Self {
        Self { is_later: true, ..self.saying("version", json!(version)) }
    }

    /// Whether it is a later version.
    pub fn is_later(&self) -> bool {
        self.is_later
    }

    /// With an action besides, whose input stands at its first two parameters.
    pub fn acting(mut self, name: &'static str, body: &str) -> Self {
        if let Says::Manifest(manifest) = &mut self.says
            && let Some(actions) = manifest["actions"].as_array_mut()
        {
            actions.push(json!({ "name": name }));
        }
        self.actions.push((name, body.into()));
        self
    }

    /// Which exports `alarms`: an alarm's name and input stand at the four parameters.
    pub fn ringing(self, body: &str) -> Self {
        Self { ring: Some(body.into()), ..self }
    }

    /// Which exports `migration`: the version stands at the two parameters.
    pub fn migrating(self, body: &str) -> Self {
        Self { migrate: Some(body.into()), ..self }
    }

    /// The text of what it does itself: not what every guest has.
    pub fn own(&self) -> String {
        let actions = self.actions.iter().map(|(_, body)| body.as_str());
        let exports = [&self.ring, &self.migrate].into_iter().flatten().map(String::as_str);
        let own = [&self.fields, &self.instantiate, &self.call, &self.view].into_iter().map(String::as_str);
        own.chain(actions).chain(exports).collect::<Vec<_>>().join(" ")
    }

    /// The component's bytes.
    ///
    /// # Panics
    ///
    /// When its text is no component.
    pub fn bytes(&self) -> Vec<u8> {
        let text = self.text();
        let component = wat::parse_str(&text).unwrap_or_else(|error| panic!("the text is no component: {error}"));
        match &self.says {
            Says::Nothing => component,
            Says::Bytes(manifest) => with_section(component, MANIFEST_SECTION, manifest),
            Says::Manifest(manifest) => with_section(component, MANIFEST_SECTION, manifest.to_string().as_bytes()),
        }
    }
}
