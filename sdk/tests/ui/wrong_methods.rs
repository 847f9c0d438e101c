use interlink_sdk::prelude::*;

#[derive(State)]
struct Poll {
    closed: Value<bool>,
}

#[derive(Input)]
struct Vote {
    option: String,
}

#[interlinker(name = "poll")]
impl Poll {
    #[instantiate]
    fn open(&self) -> Result<()> {
        Ok(())
    }

    #[action]
    fn without_self() -> Result<()> {
        Ok(())
    }

    #[action]
    fn two_inputs(&mut self, vote: Vote, reason: Vote) -> Result<Receipt> {
        refuse!("{} {}", vote.option, reason.option)
    }

    #[action]
    fn borrowed(&mut self, vote: &Vote) -> Result<()> {
        refuse!("{}", vote.option)
    }

    #[action]
    fn infallible(&mut self) -> bool {
        true
    }

    #[action(roles(contributor))]
    fn misspelt(&mut self) -> Result<()> {
        Ok(())
    }

    #[view]
    fn show(&mut self) -> bool {
        self.closed.get()
    }
}

fn main() {}
