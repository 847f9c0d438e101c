//! `interlink interlinker check`: whether a component does what a good one does.

use std::path::Path;

use interlink_conformance::guest::{CHECKS, check as check_guest};
use serde_json::json;

use crate::cli::{Output, print_json};

/// Checks a component that lies here, and that it takes over what an earlier version leaves, where there is one.
pub fn check(component: &Path, from: Option<&Path>, output: Output) -> Result<(), String> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let (bytes, earlier) = (read(component)?, from.map(read).transpose()?);
    let findings = check_guest(&bytes, earlier.as_deref())?;
    // The last is about an earlier version.
    let checks = &CHECKS[..CHECKS.len() - usize::from(earlier.is_none())];
    if output == Output::Json {
        let of = |check: &&str| json!({"check": check, "findings": findings.0.get(check).cloned().unwrap_or_default()});
        print_json(&json!({"is_good": findings.is_good(), "checks": checks.iter().map(of).collect::<Vec<_>>()}));
    } else {
        for check in checks {
            let found = findings.0.get(check);
            println!("{}  {check}", if found.is_none() { " kept " } else { "BROKEN" });
            found.into_iter().flatten().for_each(|finding| println!("        {finding}"));
        }
    }
    if findings.is_good() { Ok(()) } else { Err("this component does not do all that a good one does".into()) }
}
