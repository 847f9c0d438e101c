use interlink_sdk::prelude::*;

#[derive(State)]
struct Poll {
    closed: Value<bool>,
}

#[interlinker(name = "poll", grants(http("https://example.org/api", methods(GET), reason(en = "To ask."))))]
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

#[derive(State)]
struct Lower {
    closed: Value<bool>,
}

#[interlinker(name = "lower", grants(http("https://example.org", methods(get), reason(en = "To ask."))))]
impl Lower {
    #[instantiate]
    fn open(&mut self) -> Result<()> {
        self.closed.set(false)
    }

    #[view]
    fn show(&self) -> bool {
        self.closed.get()
    }
}

#[derive(State)]
struct Silent {
    closed: Value<bool>,
}

#[interlinker(name = "silent", grants(secret("mail")))]
impl Silent {
    #[instantiate]
    fn open(&mut self) -> Result<()> {
        self.closed.set(false)
    }

    #[view]
    fn show(&self) -> bool {
        self.closed.get()
    }
}

#[derive(State)]
struct Greedy {
    closed: Value<bool>,
}

#[interlinker(name = "greedy", grants(clock))]
impl Greedy {
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
