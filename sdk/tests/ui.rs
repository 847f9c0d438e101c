//! What the macros say about mistakes, and where.

#[test]
fn mistakes_are_reported_at_the_authors_line() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
