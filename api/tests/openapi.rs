//! The API's description is a committed file, so that a change in the API shows in review.

/// Regenerate with `UPDATE_DOCS=1 cargo test -p interlink --test openapi`.
#[test]
fn the_committed_description_is_the_one_that_the_handlers_give() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let made = interlink_api::app::openapi();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &made).expect("written");
    }
    let committed = std::fs::read_to_string(&path).expect("api/openapi.json is there");
    assert!(committed == made, "api/openapi.json is not what the handlers give: run with UPDATE_DOCS=1");
    let described: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    assert!(described["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let summaries = described["paths"].as_object().expect("paths").values().flat_map(|path| path.as_object());
    for operation in summaries.flat_map(|methods| methods.values()) {
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{operation}");
    }
}
