use interlink_sdk::prelude::*;

fn vote(is_open: bool, places: u64) -> Result<()> {
    ensure!(is_open, code "Is Closed", "it is over");
    ensure!(places > 0, code "is_full", at "/places", "it is full");
    ensure!(places > 1, at "/places", code "only-one", "it is nearly full");
    refuse!(code "", "it cannot be");
}

fn main() {
    let _ = vote(true, 1);
}
