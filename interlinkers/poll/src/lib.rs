//! A show of hands: one vote each, an outcome when its quorum is reached, open until it is closed.
//!
//! A vote costs the same however many there are: whether someone has voted is one key, the number of votes is the
//! host's count of those keys, and the tally is one small number per option that changes with the vote it counts.

use std::collections::BTreeMap;

use interlink_sdk::prelude::*;

/// What a poll asks.
#[derive(Input)]
struct Open {
    /// The question.
    #[schemars(length(min = 1, max = 500))]
    question: String,
    /// The options to choose from.
    #[schemars(length(min = 2, max = 100), inner(length(min = 1, max = 200)), extend("uniqueItems" = true))]
    options: Vec<String>,
    /// The number of votes that makes the result count.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    quorum: u64,
}

/// One person's choice.
#[derive(Input)]
struct Vote {
    /// One of the poll's options, as it is written there.
    option: String,
}

/// The poll as it stands.
#[derive(Output)]
struct Tally {
    question: String,
    options: Vec<String>,
    /// Votes by option.
    votes: BTreeMap<String, u64>,
    closed: bool,
    quorum: u64,
}

#[derive(State)]
struct Poll {
    open: Value<Open>,
    /// Who voted for which option, by its index.
    votes: Map<PersonId, u32>,
    /// Votes by option, by its index.
    counts: Map<u32, u64>,
    closed: Value<bool>,
}

#[interlinker(
    name = "poll",
    version = "1.0.0",
    title(en = "Poll", es = "Votación", it = "Sondaggio"),
    description(
        en = "One vote each on a question. When enough people have voted, the result stands.",
        es = "Un voto por persona sobre una pregunta. Cuando han votado suficientes personas, hay resultado.",
        it = "Un voto a testa su una domanda. Quando hanno votato abbastanza persone, c'è un risultato."
    ),
    problems("decide-together")
)]
impl Poll {
    #[instantiate(title(en = "Open a poll", es = "Abrir una votación", it = "Apri un sondaggio"))]
    fn open(&mut self, input: Open) -> Result<()> {
        ensure!(!input.question.trim().is_empty(), at "/question", "a poll asks a question");
        ensure!(input.options.len() >= 2, at "/options", "a poll needs two options or more");
        for (index, option) in input.options.iter().enumerate() {
            let pointer = format!("/options/{index}");
            ensure!(!option.trim().is_empty(), at pointer, "an option has a text");
            let repeats = input.options[..index].iter().any(|earlier| earlier.trim() == option.trim());
            ensure!(!repeats, at pointer, "`{option}` is an option already");
        }
        ensure!(input.quorum >= 1, at "/quorum", "a quorum is one vote or more");
        self.open.set(input)
    }

    #[action(
        title(en = "Vote", es = "Votar", it = "Vota"),
        help(
            en = "Choose one option. A vote cannot be changed.",
            es = "Elija una opción. El voto no se puede cambiar.",
            it = "Scegli un'opzione. Il voto non si può cambiare."
        ),
        allow(contributor)
    )]
    fn vote(&mut self, cx: &Call, input: Vote) -> Result<Receipt> {
        ensure!(!self.closed.get(), code "poll-closed", "this poll is closed");
        ensure!(!self.votes.contains(cx.person()), code "already-voted", "you have voted already");
        let open = self.open.get();
        let Some(index) =
            (0_u32..).zip(&open.options).find_map(|(index, option)| (*option == input.option).then_some(index))
        else {
            refuse!(code "no-such-option", at "/option", "`{}` is not an option of this poll", input.option);
        };
        self.votes.insert(cx.person(), index)?;
        self.counts.set(&index, self.counts.get(&index).unwrap_or_default() + 1)?;
        if self.votes.len() == open.quorum {
            log::info!("the quorum of {} is reached", open.quorum);
            cx.declare_outcome(self.tally())?;
        }
        Ok(Receipt::of(cx))
    }

    #[action(
        title(en = "Close the poll", es = "Cerrar la votación", it = "Chiudi il sondaggio"),
        help(
            en = "Nobody can vote after that.",
            es = "Después nadie puede votar.",
            it = "Dopo nessuno può più votare."
        ),
        allow(contributor)
    )]
    fn close(&mut self, cx: &Call) -> Result<Receipt> {
        ensure!(!self.closed.get(), code "poll-closed", "this poll is closed already");
        self.closed.set(true)?;
        Ok(Receipt::of(cx))
    }

    #[view]
    fn tally(&self) -> Tally {
        let Open { question, options, quorum } = self.open.get();
        let counts: BTreeMap<u32, u64> = self.counts.iter().collect();
        let count = |index| counts.get(&index).copied().unwrap_or_default();
        let votes = (0_u32..).zip(&options).map(|(index, option)| (option.clone(), count(index))).collect();
        Tally { question, options, votes, closed: self.closed.get(), quorum }
    }
}

#[cfg(test)]
mod tests;
