//! `Display` of [`Forecast`]: the text that `--dry-run` prints.

use std::fmt;

use dph_core::terminal::numbers::{abbreviated, bytes, counted, duration, grouped};

use super::{EvalForecast, Forecast, ModelForecast, StageCost, StageForecast};

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.model {
            Some(ModelForecast { parameters, bytes: size, precision }) => writeln!(
                f,
                "model       {} parameters, {} in {precision}",
                grouped(*parameters),
                bytes(*size)
            )?,
            None => writeln!(f, "model       not found")?,
        }
        for stage in &self.stages {
            writeln!(f, "{stage}")?;
        }
        match &self.evaluation {
            Some(evaluation) => write!(f, "{evaluation}")?,
            None => write!(f, "evaluation  data or tokenizer not found")?,
        }
        if self.memory() > 0 {
            write!(f, "\nmemory      about {}", bytes(self.memory()))?;
        }
        for warning in &self.warnings {
            write!(f, "\nwarning     {warning}")?;
        }
        for unchecked in &self.unchecked {
            write!(f, "\nnot checked {unchecked}")?;
        }
        Ok(())
    }
}

impl fmt::Display for EvalForecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { questions, tokens, seconds: time } = self;
        let (questions, tokens) = (counted(*questions, "question"), counted(*tokens, "token"));
        write!(f, "evaluation  {questions}, {tokens}, about {}", duration(*time))
    }
}

impl fmt::Display for StageForecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, steps, batch, holdout, cost } = self;
        let holdout =
            holdout.map_or(String::new(), |share| format!(" ({}% of the prompts held out)", 100.0 * share));
        let Some(StageCost {
            trained,
            sets,
            epochs,
            tokens,
            batch_tokens,
            batch_memory,
            memory,
            seconds: time,
            ..
        }) = cost
        else {
            let (steps, batch) = (counted(*steps, "step"), counted(*batch, "set"));
            return write!(f, "stage {name:<5} {steps} of {batch}{holdout}");
        };
        let tokens = counted(*tokens, "token");
        let data = match sets {
            Some(sets) => format!("{}{holdout}, {epochs:.1} epochs; {tokens}", counted(*sets, "set")),
            None => format!("data or tokenizer not found; at most {tokens}"),
        };
        let (trained, time, memory) = (abbreviated(*trained), duration(*time), bytes(*memory));
        let (of_batch, batch_tokens) = (bytes(*batch_memory), counted(*batch_tokens, "token"));
        write!(
            f,
            "stage {name:<5} trains {trained} parameters; {data}, about {time}, {memory} of memory \
             ({of_batch} for a batch of {batch_tokens})"
        )
    }
}
