//! Interlinkers in JavaScript: the manifest from JSDoc types, the component from QuickJS.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::component::with_manifest;
use crate::link::linked;
use crate::project::{Made, Runner};
use crate::tools::{Npm, below, built_with_js, told};
use crate::world::{Described, WORLD};
use crate::{AuthorError, Language, Outcome, provenance, sdk};

/// Builds the project in a folder.
pub(crate) fn build(folder: &Path, tell: &mut dyn FnMut(&str)) -> Outcome<Made> {
    let kept = folder.join(sdk::FOLDER);
    sdk::write_js(&kept)?;
    let main = main_of(folder)?;
    let npm = Npm::find(tell)?;
    tell("reading its types");
    let described = describe(folder, &main, &npm)?;
    let manifest = provenance::added(&described.manifest(), folder, Language::JavaScript, &built_with_js())?;
    tell("making a component of it");
    described.write(&kept.join("wit"))?;
    let exported = ["asset"].into_iter().chain(described.extras()).collect::<Vec<_>>().join(", ");
    let entry = format!(
        "import Kind from {:?};\nimport {{ serve }} from \"./{}/js/guest.js\";\n\nexport const {{ {exported} }} = serve(Kind);\n",
        below(&main),
        sdk::FOLDER
    );
    // Beside the author's files: QuickJS finds what they import from there.
    let entry_path = folder.join(".interlink-entry.js");
    fs::write(&entry_path, entry).map_err(AuthorError::writing(&entry_path))?;
    let out = kept.join("component.wasm");
    let mut componentize = npm.componentize();
    componentize.args(["--sync", "--stub-wasi", "--world", WORLD, "--module-root", "."]);
    componentize.arg("--js").arg(".interlink-entry.js").arg("--wit").arg(kept.join("wit")).arg("-o").arg(&out);
    let made = told(componentize.current_dir(folder), "no component can be made of it");
    // It is made anew each time.
    let _ = fs::remove_file(&entry_path);
    made?;
    let component = linked(fs::read(&out).map_err(AuthorError::reading(&out))?, &kept.join("wit"), tell);
    Ok(Made { component: with_manifest(component, &manifest)?, manifest, example_places: described.places })
}

/// Runs the tests of the project in a folder: with the class itself, then with its component.
pub(crate) fn test(folder: &Path, runner: &Runner, tell: &mut dyn FnMut(&str)) -> Outcome<()> {
    let kept = folder.join(sdk::FOLDER);
    sdk::write_js(&kept)?;
    let npm = Npm::find(tell)?;
    let main = main_of(folder)?;
    let manifest = describe(folder, &main, &npm)?.manifest();
    let manifest_path = kept.join("manifest.json");
    fs::write(&manifest_path, manifest).map_err(AuthorError::writing(&manifest_path))?;
    let tests = || {
        let mut tests = Command::new("node");
        tests.args(["--test", "--test-reporter=spec"]);
        let mut examples = Command::new("node");
        examples.arg(Path::new(sdk::FOLDER).join("js/examples.mjs")).arg(&main);
        let mut all = vec![tests, examples];
        for one in &mut all {
            one.current_dir(folder).env("INTERLINK_TEST_AJV", npm.ajv()).env("INTERLINK_TEST_MANIFEST", &manifest_path);
        }
        all
    };
    runner.twice(tell, tests)
}

/// The file that `package.json` names.
fn main_of(folder: &Path) -> Outcome<PathBuf> {
    let path = folder.join("package.json");
    let text = fs::read_to_string(&path).map_err(AuthorError::reading(&path))?;
    let package: Value = serde_json::from_str(&text)
        .map_err(|error| AuthorError::Code { what: "package.json cannot be read".into(), said: error.to_string() })?;
    let main = package["main"].as_str().map(PathBuf::from);
    let main =
        main.ok_or_else(|| AuthorError::Asked("package.json has no `main`: the file of the Interlinker".into()))?;
    if !folder.join(&main).is_file() {
        return Err(AuthorError::Asked(format!(
            "package.json names {} as its `main`, which is not there",
            main.display()
        )));
    }
    Ok(main)
}

/// What the types and `static about` say.
fn describe(folder: &Path, main: &Path, npm: &Npm) -> Outcome<Described> {
    let mut describe = Command::new("node");
    describe.arg(Path::new(sdk::FOLDER).join("js/describe.mjs")).arg(main).arg(npm.typescript());
    Described::read(&told(describe.current_dir(folder), "its types do not say what they should")?)
}
