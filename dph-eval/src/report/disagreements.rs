//! [`disagreements`]: the documents on which a head and the likelihood disagree most, with their texts, as HTML.

use dph_core::Scorer;

use crate::bench::Bench;
use crate::disagreement::{Disagreement, disagreements};
use crate::outcomes::heads;
use crate::report::escape::escape;
use crate::results::Example;

/// A list for each head; empty without heads.
pub(super) fn disagreement_lists(bench: &Bench) -> String {
    let heads = heads(&bench.documents);
    let list = |reward: Scorer| {
        let found = disagreements(&bench.documents, &heads, [&reward, &Scorer::LoglikMean]);
        if found.is_empty() {
            return String::new();
        }
        let documents: String = found.iter().map(|one| document(one, bench, &reward.to_string())).collect();
        let button = |value: &str, text: &str| {
            let pressed = value == "all";
            format!("<button value=\"{value}\" aria-pressed=\"{pressed}\">{text}</button>")
        };
        let buttons = [
            ("all", "all"),
            ("head", "the head is right"),
            ("likelihood", "the likelihood is right"),
            ("none", "both are wrong"),
        ];
        let buttons: String = buttons.map(|(value, text)| button(value, text)).concat();
        format!(
            "<div class=\"disagreements\"><h3>{} and {}: {}</h3><div class=\"filter\">{buttons}</div>\n{documents}</div>\n",
            escape(&reward.to_string()),
            Scorer::LoglikMean,
            escape(&bench.results.name),
        )
    };
    Scorer::rewards(&heads).map(list).collect()
}

fn document(one: &Disagreement<'_>, bench: &Bench, head: &str) -> String {
    let Disagreement { document, distance, picked, probabilities } = one;
    let right = document.right_candidates();
    let (value, verdict) = match picked.map(|picked| right.contains(&picked)) {
        [true, _] => ("head", "the head is right"),
        [_, true] => ("likelihood", "the likelihood is right"),
        _ => ("none", "both are wrong"),
    };
    let is = |example: &&Example| {
        example.task == document.task && example.split == document.split && example.id == document.id
    };
    let example = bench.examples.iter().find(is);
    let prompt = match example {
        Some(example) => format!("<pre>{}</pre>", escape(&example.prompt)),
        None => "<p>The text is not beside the results; evaluate again to have it.</p>".into(),
    };
    let row = |index: usize| {
        let text = example.and_then(|example| example.candidates.get(index)).map_or("", String::as_str);
        let mut tags = String::new();
        for (is, tag) in [
            (right.contains(&index), "right"),
            (picked[0] == index, "picked by the head"),
            (picked[1] == index, "picked by the likelihood"),
        ] {
            if is {
                tags.push_str(&format!("<span class=\"tag\">{tag}</span>"));
            }
        }
        let share = |side: usize| 100.0 * probabilities[side].get(index).copied().unwrap_or_default();
        let class = if right.contains(&index) { "text better" } else { "text" };
        format!(
            "<tr><td>{}</td><td class=\"{class}\">{}{tags}</td><td>{:.1}</td><td>{:.1}</td></tr>\n",
            index + 1,
            escape(text),
            share(0),
            share(1)
        )
    };
    let rows: String = (0..document.candidates.len()).map(row).collect();
    format!(
        "<details data-right=\"{value}\"><summary>{}/{}: {}, distance {distance:.2}<span class=\"tag\">{verdict}</span></summary>{prompt}\n\
         <div class=\"scroll\"><table><thead><tr><th></th><th>answer</th><th>{}, %</th><th>{}, %</th></tr></thead><tbody>{rows}</tbody></table></div></details>\n",
        escape(&document.task),
        escape(&document.split),
        escape(&document.id),
        escape(head),
        Scorer::LoglikMean
    )
}
