//! Rates and latencies.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Outcome;

/// Rate and latency of something.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub per_second: f64,
    pub p50_us: f64,
    pub p99_us: f64,
}

impl Measured {
    /// Of what each took, in a time.
    pub fn of(mut taken: Vec<Duration>, length: Duration) -> Self {
        taken.sort();
        let at = |share: f64| match taken.len() {
            0 => 0.0,
            many => taken[((many - 1) as f64 * share) as usize].as_secs_f64() * 1e6,
        };
        Self { per_second: taken.len() as f64 / length.as_secs_f64(), p50_us: at(0.5), p99_us: at(0.99) }
    }

    /// For programs.
    pub fn json(self) -> Value {
        json!({"per_second": self.per_second, "p50_us": self.p50_us, "p99_us": self.p99_us})
    }
}

/// Runs `work` again and again in so many tasks, each with its number.
pub async fn measure<F, W>(writers: usize, length: Duration, work: F) -> Outcome<Measured>
where
    F: Fn(usize) -> W + Clone + Send + Sync + 'static,
    W: Future<Output = Outcome<()>> + Send,
{
    let until = Instant::now() + length;
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let work = work.clone();
            tokio::spawn(async move {
                let mut taken = Vec::new();
                while Instant::now() < until {
                    let began = Instant::now();
                    work(writer).await?;
                    taken.push(began.elapsed());
                }
                Ok::<_, String>(taken)
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.map_err(|error| error.to_string())??);
    }
    Ok(Measured::of(all, length))
}
