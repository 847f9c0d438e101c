use std::collections::HashMap;

use interlink_sdk::prelude::*;

#[derive(Input)]
struct Scores {
    by_option: Vec<HashMap<String, u32>>,
}

#[derive(State)]
struct Poll {
    closed: Value<bool>,
}

#[interlinker(name = "poll")]
impl Poll {
    #[instantiate]
    fn open(&mut self) -> Result<()> {
        Ok(())
    }

    #[action]
    fn score(&mut self, scores: HashMap<String, f32>) -> Result<()> {
        drop(scores);
        Ok(())
    }

    #[view]
    fn show(&self) -> bool {
        self.closed.get()
    }
}

fn main() {}
