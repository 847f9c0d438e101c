//! All cases.

mod abuse;
mod components;
mod deputies;
mod exhaustion;
mod hosts;
mod imports;
mod inside;
mod limits;
mod values;

use crate::case::Case;
use crate::hand::Guest;
use crate::hand::asking::KEEP;

/// What a guest writes before it does harm: none of it may be left.
const WRITE: &str = "(call $set (i32.const 32) (i32.const 3) (i32.const 16) (i32.const 4))";

/// All of them, group by group.
pub fn all() -> Vec<Case> {
    let parts = [
        imports::cases(),
        limits::cases(),
        hosts::cases(),
        abuse::cases(),
        exhaustion::cases(),
        deputies::cases(),
        inside::cases(),
        values::cases(),
        components::cases(),
    ];
    parts.into_iter().flatten().collect()
}

/// A guest of the newest world that keeps what it is made with, writes something else, and then does this.
fn harming(body: &str) -> Guest {
    whole(&format!("{WRITE} {body}"))
}

/// One that does this without end.
fn harming_forever(body: &str) -> Guest {
    harming(&format!("(loop $again {body} (br $again)) unreachable"))
}

/// A guest of the newest world that keeps what it is made with, and does this.
fn whole(body: &str) -> Guest {
    Guest::calling(body).made_by(KEEP).asking_for_all().showing()
}

/// A guest that writes, and then does this with a text: `TEXT` is its address and length.
fn harming_with(body: &str, text: &[u8]) -> Guest {
    let escaped: String = text.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let address = format!("(i32.const 4096) (i32.const {})", text.len());
    harming(&body.replace("TEXT", &address)).with(&format!("(data (i32.const 4096) \"{escaped}\")"))
}
