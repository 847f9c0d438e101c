//! What is measured of a language: an asset that can be filled, and one entry of which is read and written.

use interlink_sdk::prelude::*;

#[derive(Input)]
struct Nothing {}

#[derive(Input)]
struct Fill {
    /// Entries of a kibibyte each that are added.
    entries: u64,
}

#[derive(Output)]
struct Shown {
    entries: u64,
    touched: u64,
}

#[derive(State)]
struct Ledger {
    entries: Map<String, String>,
    touched: Value<u64>,
}

#[interlinker(name = "ledger-rust", version = "0.1.0", title(en = "Ledger"), licence = "EUPL-1.2")]
impl Ledger {
    #[instantiate(title(en = "Open"))]
    fn open(&mut self, _input: Nothing) -> Result<()> {
        self.touched.set(0)
    }

    #[action(title(en = "Fill"))]
    fn fill(&mut self, input: Fill) -> Result<()> {
        let entry = "x".repeat(1022);
        for _ in 0..input.entries {
            let number = self.entries.len();
            self.entries.insert(&number.to_string(), entry.clone())?;
        }
        Ok(())
    }

    #[action(title(en = "Touch"))]
    fn touch(&mut self, _input: Nothing) -> Result<Shown> {
        let length = self.entries.get("0").unwrap_or_default().len() as u64;
        ensure!(length > 0, "fill it first");
        self.touched.set(self.touched.get() + 1)?;
        Ok(self.shown())
    }

    /// Does harm: it never ends.
    #[action(title(en = "Spin"))]
    fn spin(&mut self, _input: Nothing) -> Result<()> {
        loop {
            std::hint::black_box(0);
        }
    }

    #[view]
    fn show(&self) -> Result<Shown> {
        Ok(self.shown())
    }
}

impl Ledger {
    fn shown(&self) -> Shown {
        Shown { entries: self.entries.len(), touched: self.touched.get() }
    }
}
