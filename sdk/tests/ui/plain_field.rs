use interlink_sdk::prelude::*;

#[derive(State)]
struct Poll {
    closed: bool,
}

fn main() {}
