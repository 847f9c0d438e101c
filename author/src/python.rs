//! Interlinkers in Python: the manifest from annotations, the component from CPython.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::component::with_manifest;
use crate::link::linked;
use crate::project::{Made, Runner};
use crate::tools::{Pip, built_with_python, told};
use crate::world::{Described, WORLD};
use crate::{AuthorError, Language, Outcome, provenance, sdk};

/// The module that the component is made of.
const ENTRY: &str = "interlink_entry";

/// Builds the project in a folder.
pub(crate) fn build(folder: &Path, tell: &mut dyn FnMut(&str)) -> Outcome<Made> {
    let kept = folder.join(sdk::FOLDER);
    sdk::write_python(&kept)?;
    let module = module_of(folder)?;
    let pip = Pip::find(tell)?;
    tell("reading its types");
    let described = describe(folder, &module, &pip)?;
    let manifest = provenance::added(&described.manifest(), folder, Language::Python, &built_with_python())?;
    tell("making a component of it");
    described.write(&kept.join("wit"))?;
    let entry = kept.join("entry");
    fs::create_dir_all(&entry).map_err(AuthorError::writing(&entry))?;
    let entry_path = entry.join(ENTRY).with_extension("py");
    // The classes have the names of the interfaces that they are the exports of.
    let exported = ["asset"].into_iter().chain(described.extras()).map(|interface| {
        let class = interface[..1].to_uppercase() + &interface[1..];
        format!("{class} = serve({module}, {class:?})\n")
    });
    let text = format!("import {module}\nfrom interlink._guest import serve\n\n{}", exported.collect::<String>());
    fs::write(&entry_path, text).map_err(AuthorError::writing(&entry_path))?;
    let out = kept.join("component.wasm");
    let mut componentize = pip.componentize();
    componentize.arg("-q").arg("-d").arg(kept.join("wit")).args(["-w", WORLD, "componentize", ENTRY, "--stub-wasi"]);
    for path in [&entry, &kept.join("python"), folder] {
        componentize.arg("-p").arg(path);
    }
    told(componentize.arg("-o").arg(&out).current_dir(folder), "no component can be made of it")?;
    let component = linked(fs::read(&out).map_err(AuthorError::reading(&out))?, &kept.join("wit"), tell);
    Ok(Made { component: with_manifest(component, &manifest)?, manifest, example_places: described.places })
}

/// Runs the tests of the project in a folder: with the class itself, then with its component.
pub(crate) fn test(folder: &Path, runner: &Runner, tell: &mut dyn FnMut(&str)) -> Outcome<()> {
    let kept = folder.join(sdk::FOLDER);
    sdk::write_python(&kept)?;
    let pip = Pip::find(tell)?;
    let module = module_of(folder)?;
    let manifest = describe(folder, &module, &pip)?.manifest();
    let manifest_path = kept.join("manifest.json");
    fs::write(&manifest_path, manifest).map_err(AuthorError::writing(&manifest_path))?;
    let tests = || {
        let all: [&[&str]; 2] = [&["-m", "unittest"], &["-m", "interlink._examples", &module]];
        let command = |arguments: &[&str]| {
            let mut command = python(folder, &pip);
            command.args(arguments).env("INTERLINK_TEST_MANIFEST", &manifest_path);
            command
        };
        all.map(command).into()
    };
    runner.twice(tell, tests)
}

/// The module that `pyproject.toml` names.
fn module_of(folder: &Path) -> Outcome<String> {
    let path = folder.join("pyproject.toml");
    let text = fs::read_to_string(&path).map_err(AuthorError::reading(&path))?;
    let project: toml::Table = text.parse().map_err(|error| AuthorError::Code {
        what: "pyproject.toml cannot be read".into(),
        said: format!("{error}"),
    })?;
    let module = project.get("tool").and_then(|tool| tool.get("interlink")?.get("module")?.as_str());
    let module = module.ok_or_else(|| {
        AuthorError::Asked(
            "pyproject.toml has no `module` under `[tool.interlink]`: the module of the Interlinker".into(),
        )
    })?;
    let is_name = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !part.starts_with(|first: char| first.is_ascii_digit())
    };
    if module.is_empty() || !module.split('.').all(|part| !part.is_empty() && is_name(part)) {
        return Err(AuthorError::Asked(format!("pyproject.toml names {module:?}, which is no name of a module")));
    }
    Ok(module.to_owned())
}

/// Python with the SDK and the tools, in the project's folder.
fn python(folder: &Path, pip: &Pip) -> Command {
    let mut python = pip.python();
    python
        .current_dir(folder)
        .env("PYTHONPATH", Path::new(sdk::FOLDER).join("python"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

/// What the annotations and `@interlinker` say.
fn describe(folder: &Path, module: &str, pip: &Pip) -> Outcome<Described> {
    let mut describe = python(folder, pip);
    let written = told(describe.args(["-m", "interlink._describe", module]), "its types do not say what they should")?;
    Described::read(&written)
}
