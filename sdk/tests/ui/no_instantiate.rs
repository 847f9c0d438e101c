use interlink_sdk::prelude::*;

#[derive(State)]
struct Poll {
    closed: Value<bool>,
}

#[interlinker(name = "poll")]
impl Poll {
    #[view]
    fn show(&self) -> bool {
        self.closed.get()
    }
}

fn main() {}
