use interlink_sdk::prelude::*;

#[derive(State)]
struct Poll {
    closed: Value<bool>,
}

#[interlinker]
impl Poll {
    #[instantiate]
    fn open(&mut self) -> Result<()> {
        self.closed.set(false)
    }

    #[view]
    fn show(&self) -> bool {
        self.closed.get()
    }
}

fn main() {}
