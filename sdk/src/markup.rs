//! Texts that the server makes safe before anybody sees them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::data::Output;

macro_rules! markup {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "contentMediaType": $kind})
            }
        }

        impl Output for $name {}

        impl<T: Into<String>> From<T> for $name {
            fn from(text: T) -> Self {
                Self(text.into())
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

markup! {
    /// A text in Markdown. Where a view or an action answers with it, whoever reads has the text as it is, and beside it the safe
    /// HTML that the server makes of it. HTML in it is shown as text.
    Markdown, "text/markdown"
}

markup! {
    /// A text in HTML. Where a view or an action answers with it, the server puts it through its allow-list first: text with
    /// headings, lists, tables and links is left, and no scripts, styles, forms or images. A test of the code itself sees it as it
    /// was written.
    Html, "text/html"
}
