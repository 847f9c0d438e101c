//! The world that a component is made for: what every Interlinker has, and the exports that its class has besides.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::project::ExamplePlaces;
use crate::{AuthorError, Outcome};

/// The name of that world in the WIT.
pub(crate) const WORLD: &str = "made";
/// Its file, beside the SDK's own.
const FILE: &str = "made.wit";
/// The package that it belongs to. Only the SDK's own file may have a comment on it.
const PACKAGE: &str = "package interlink:interlinker@1.1.0;";

/// What a class says of itself, as the SDK's own program reads it.
#[derive(Debug)]
pub(crate) struct Described {
    manifest: Value,
    /// Whether it brings state of earlier versions to what it reads.
    migrates: bool,
    /// Where its examples stand, as far as that is known.
    pub(crate) places: ExamplePlaces,
}

impl Described {
    /// What the SDK's program wrote.
    ///
    /// # Errors
    ///
    /// Where it wrote something else, as code does that prints while it is read.
    pub fn read(written: &str) -> Outcome<Self> {
        let read: Value = serde_json::from_str(written).map_err(|error| {
            let what = "its description is no JSON: code that prints while it is loaded is in the way";
            AuthorError::Asked(format!("{what} ({error})"))
        })?;
        let places = serde_json::from_value(read["places"].clone()).unwrap_or_default();
        Ok(Self { manifest: read["manifest"].clone(), migrates: read["migrates"] == true, places })
    }

    /// Its manifest, as JSON.
    pub fn manifest(&self) -> String {
        self.manifest.to_string()
    }

    fn rings(&self) -> bool {
        self.manifest["alarms"].as_array().is_some_and(|alarms| !alarms.is_empty())
    }

    /// The interfaces that its component exports besides, each with what the SDK has for it.
    pub fn extras(&self) -> impl Iterator<Item = &'static str> {
        [(self.migrates, "migration"), (self.rings(), "alarms")]
            .into_iter()
            .filter_map(|(has, interface)| has.then_some(interface))
    }

    /// Writes its world into the folder of the SDK's WIT.
    ///
    /// # Errors
    ///
    /// A folder that cannot be written to.
    pub fn write(&self, wit: &Path) -> Outcome<()> {
        let path = wit.join(FILE);
        let included: String = self.extras().map(|interface| format!("    include with-{interface};\n")).collect();
        let world = format!("{PACKAGE}\n\nworld {WORLD} {{\n    include interlinker;\n{included}}}\n");
        fs::write(&path, world).map_err(AuthorError::writing(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extras(described: &str) -> Vec<&'static str> {
        Described::read(described).expect("it is described").extras().collect()
    }

    #[test]
    fn a_component_exports_what_its_class_has_and_no_more() {
        assert_eq!(extras(r#"{"manifest": {}, "migrates": false}"#), [""; 0]);
        assert_eq!(extras(r#"{"manifest": {"alarms": []}, "migrates": true}"#), ["migration"]);
        assert_eq!(extras(r#"{"manifest": {"alarms": ["remind"]}, "migrates": true}"#), ["migration", "alarms"]);
    }

    #[test]
    fn its_world_is_of_the_package_that_the_sdk_is_written_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let described =
            Described::read(r#"{"manifest": {"alarms": ["remind"]}, "migrates": false}"#).expect("described");
        described.write(folder.path()).expect("written");
        let made = fs::read_to_string(folder.path().join(FILE)).expect("it is there");
        assert!(made.contains("include with-alarms;") && !made.contains("with-migration"), "{made}");
        assert!(made.starts_with(PACKAGE), "{made}");
        assert!(include_str!("../../sdk/wit/interlinker.wit").contains(PACKAGE));
    }

    #[test]
    fn what_prints_while_it_is_read_is_told() {
        let told = Described::read("hello\n{}").expect_err("no JSON").to_string();
        assert!(told.contains("code that prints"), "{told}");
    }
}
