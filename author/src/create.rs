//! A new Interlinker: a small one that works, with tests, and its SDK beside it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{AuthorError, Language, Outcome, sdk};

/// The longest name of an Interlinker that is made so, bytes: it is a folder, a package and a word in URLs.
pub const NAME_BYTES_MAX: usize = 64;

/// Makes a folder of this name in another, with an Interlinker that builds, is tested and runs; answers the folder.
///
/// # Errors
///
/// A name that cannot be one; a folder that is there already.
pub fn create(parent: &Path, name: &str, language: Language) -> Outcome<PathBuf> {
    check(name)?;
    let folder = parent.join(name);
    fs::create_dir(&folder).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => AuthorError::Asked(format!("{} is there already", folder.display())),
        _ => AuthorError::writing(&folder)(error),
    })?;
    let kept = folder.join(sdk::FOLDER);
    let files: &[(&str, &str)] = match language {
        Language::Rust => {
            sdk::write_rust(&kept)?;
            &[
                ("Cargo.toml", include_str!("../templates/rust/Cargo.toml")),
                ("src/lib.rs", include_str!("../templates/rust/lib.rs")),
                (".gitignore", include_str!("../templates/rust/gitignore")),
                ("README.md", include_str!("../templates/rust/README.md")),
            ]
        }
        Language::JavaScript => {
            sdk::write_js(&kept)?;
            &[
                ("package.json", include_str!("../templates/js/package.json")),
                ("__name__.js", include_str!("../templates/js/interlinker.js")),
                ("__name__.test.js", include_str!("../templates/js/interlinker.test.js")),
                (".gitignore", include_str!("../templates/js/gitignore")),
                ("README.md", include_str!("../templates/js/README.md")),
            ]
        }
        Language::Python => {
            sdk::write_python(&kept)?;
            &[
                ("pyproject.toml", include_str!("../templates/python/pyproject.toml")),
                ("__module__.py", include_str!("../templates/python/interlinker.py")),
                ("test___module__.py", include_str!("../templates/python/test_interlinker.py")),
                (".gitignore", include_str!("../templates/python/gitignore")),
                ("README.md", include_str!("../templates/python/README.md")),
            ]
        }
    };
    for (path, text) in files {
        write(&folder.join(filled(path, name)), &filled(text, name))?;
    }
    Ok(folder)
}

/// A name is a package in three languages: lower-case letters, digits and `-`.
fn check(name: &str) -> Outcome<()> {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = name.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    let fits = begins && name.len() <= NAME_BYTES_MAX && name.bytes().all(letters) && !name.ends_with('-');
    if fits && !name.contains("--") {
        return Ok(());
    }
    let is = format!("lower-case letters, digits and `-`, beginning with a letter, at most {NAME_BYTES_MAX}");
    Err(AuthorError::Asked(format!("`{name}` is no name of an Interlinker: a name is {is}, such as `street-party`")))
}

/// A template's text, with the name in the forms that languages want.
fn filled(text: &str, name: &str) -> String {
    let words = name.split('-').filter(|word| !word.is_empty());
    let kind: String = words.map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    let title = name[..1].to_uppercase() + &name[1..].replace('-', " ");
    let module = name.replace('-', "_");
    let text = text.replace("__name__", name).replace("__module__", &module);
    text.replace("__Type__", &kind).replace("__Title__", &title)
}

fn write(path: &Path, text: &str) -> Outcome<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(AuthorError::writing(folder))?;
    }
    fs::write(path, text).map_err(AuthorError::writing(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_package_in_three_languages() {
        for name in ["a", "street-party", "poll2", &"x".repeat(NAME_BYTES_MAX)] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["", "-a", "a-", "a--b", "2a", "Poll", "a_b", "a/b", "..", "pöll", &"x".repeat(NAME_BYTES_MAX + 1)]
        {
            let told = check(name).expect_err("no name").to_string();
            assert!(told.contains("such as `street-party`"), "{told}");
        }
    }

    #[test]
    fn a_folder_that_is_there_is_left_as_it_is() {
        let parent = tempfile::tempdir().expect("a folder");
        fs::create_dir(parent.path().join("mine")).expect("made");
        let told = create(parent.path(), "mine", Language::Rust).expect_err("it is there").to_string();
        assert!(told.contains("is there already"), "{told}");
        assert_eq!(fs::read_dir(parent.path().join("mine")).expect("there").count(), 0);
    }

    #[test]
    fn a_template_says_its_name_as_each_language_wants_it() {
        let filled = filled("__name__ __module__ __Type__ __Title__", "street-party");
        assert_eq!(filled, "street-party street_party StreetParty Street party");
    }
}
