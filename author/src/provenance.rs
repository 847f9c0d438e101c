//! Where a component comes from: what its manifest says beside what the code says of itself.
//!
//! It is what the author claims, like everything in a manifest; a signature says who does.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{AuthorError, Language, Outcome};

/// Adds to a manifest where its source is, as the project's own file has it, and what built it. What the code says already
/// stays.
///
/// # Errors
///
/// A manifest that is no JSON object; a project's file that cannot be read.
pub(crate) fn added(manifest: &str, folder: &Path, language: Language, build: &str) -> Outcome<String> {
    let wrong = |error: String| AuthorError::Asked(format!("its manifest is no JSON object: {error}"));
    let mut fields: serde_json::Map<String, Value> =
        serde_json::from_str(manifest).map_err(|error| wrong(error.to_string()))?;
    let path = folder.join(language.mark());
    let project = fs::read_to_string(&path).map_err(AuthorError::reading(&path))?;
    if let Some(source) = source_in(&project, language) {
        fields.entry("source").or_insert(Value::from(source));
    }
    fields.entry("build").or_insert(Value::from(build));
    Ok(Value::Object(fields).to_string())
}

/// The address of the source in a project's file, where it has one that a browser opens.
fn source_in(project: &str, language: Language) -> Option<String> {
    let found = match language {
        Language::Rust => toml(project)?.get("package")?.get("repository")?.as_str().map(str::to_owned),
        Language::JavaScript => {
            let package: Value = serde_json::from_str(project).ok()?;
            let repository = package.get("repository")?;
            repository.as_str().or_else(|| repository.get("url")?.as_str()).map(str::to_owned)
        }
        Language::Python => {
            let project = toml(project)?;
            let urls = project.get("project")?.get("urls")?.as_table()?;
            let is_source = |name: &str| ["source", "repository"].contains(&name.to_ascii_lowercase().as_str());
            urls.iter().find(|(name, _)| is_source(name)).and_then(|(_, url)| url.as_str()).map(str::to_owned)
        }
    };
    let found = found?;
    let address = found.strip_prefix("git+").unwrap_or(&found);
    (address.starts_with("https://") || address.starts_with("http://")).then(|| address.to_owned())
}

fn toml(text: &str) -> Option<toml::Table> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "https://example.org/town/party";

    #[test]
    fn the_source_is_where_each_language_says_it() {
        let cases = [
            (Language::Rust, format!("[package]\nname = \"party\"\nrepository = \"{HERE}\"\n")),
            (Language::JavaScript, format!("{{\"repository\": \"{HERE}\"}}")),
            (Language::JavaScript, format!("{{\"repository\": {{\"type\": \"git\", \"url\": \"git+{HERE}\"}}}}")),
            (Language::Python, format!("[project]\nname = \"party\"\n[project.urls]\nSource = \"{HERE}\"\n")),
            (Language::Python, format!("[project.urls]\nrepository = \"{HERE}\"\n")),
        ];
        for (language, project) in cases {
            assert_eq!(source_in(&project, language).as_deref(), Some(HERE), "{language}: {project}");
        }
    }

    #[test]
    fn what_no_browser_opens_is_no_source_and_none_is_needed() {
        let cases = [
            (Language::Rust, "[package]\nname = \"party\"\n"),
            (Language::Rust, "[package]\nrepository.workspace = true\n"),
            (Language::JavaScript, "{\"repository\": \"github:town/party\"}"),
            (Language::JavaScript, "{\"repository\": \"javascript:alert(1)\"}"),
            (Language::JavaScript, "{}"),
            (Language::Python, "[project.urls]\nHomepage = \"https://example.org\"\n"),
        ];
        for (language, project) in cases {
            assert_eq!(source_in(project, language), None, "{language}: {project}");
        }
    }

    #[test]
    fn what_the_code_says_of_itself_stays() {
        let folder = tempfile::tempdir().expect("a directory");
        fs::write(folder.path().join("Cargo.toml"), format!("[package]\nrepository = \"{HERE}\"\n")).expect("written");
        let read = |manifest: &str| -> Value {
            let added = added(manifest, folder.path(), Language::Rust, "rustc 1.95.0").expect("added");
            serde_json::from_str(&added).expect("it is JSON")
        };
        let added = read("{\"name\": \"party\"}");
        assert_eq!(
            (&added["name"], &added["source"], &added["build"]),
            (&"party".into(), &HERE.into(), &"rustc 1.95.0".into())
        );
        assert_eq!(read("{\"source\": \"https://elsewhere.example\"}")["source"], "https://elsewhere.example");
        assert!(super::added("[]", folder.path(), Language::Rust, "").is_err());
    }
}
