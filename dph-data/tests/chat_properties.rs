//! Properties of candidate sets over random conversations, chat templates and tokenizers. `DPH_CASES` is the number of cases.
#![allow(clippy::unwrap_used)]

mod common;

use common::{bpe_tokenizer, unigram_tokenizer, world_tokenizer, write};
use dph_core::testing::say;
use dph_data::{CandidateSet, ChatTokenizer, Message, Supervise};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde_json::json;

/// Templates in which the format depends on the contents in different ways. All end a turn with a control token.
const TEMPLATES: [&str; 11] = [
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
     {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content | trim }} [/INST]\
     {% elif m.role == 'assistant' %} {{ m.content | trim }} {{ eos_token }}{% else %}<<SYS>>{{ m.content }}<</SYS>>{% endif %}{% endfor %}",
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{{ eos_token }}\n{% endfor %}",
    "{% for m in messages %}{{ m.role | upper }}: {{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% else %} {% endif %}{% endfor %}",
    "{% for m in messages %}{% if m.role == 'assistant' and '</think>' in m.content %}{% set c = m.content.split('</think>')[-1].lstrip('\n') %}\
     {% else %}{% set c = m.content %}{% endif %}<|im_start|>{{ m.role }}\n{{ c }}<|im_end|>\n{% endfor %}",
    "{% for m in messages %}<|im_start|>{{ m.role }}{% if m.content | length > 20 %} long{% endif %}\n{{ m.content }}<|im_end|>\n{% endfor %}",
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content.replace('\r\n', '\n').strip() }}<|im_end|>{% endfor %}",
    "{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}",
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if loop.last %}<think>\n\n</think>\n\n{% endif %}{{ m.content.lstrip('\n') }}<|im_end|>\n{% endfor %}",
    "{% for m in messages %}{{ m.role }}={% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}{{ eos_token }}{% endfor %}",
    // Contents without anything between them.
    "{% for m in messages %}{{ m.content }}{% endfor %}{{ eos_token }}",
];

/// What contents consist of.
const FRAGMENTS: [&str; 35] = [
    "",
    " ",
    "  ",
    "\n",
    "\r\n",
    LONG,
    "\t",
    "s",
    "a",
    "yes",
    "No.",
    "the long answer, and more of it",
    "Who is it?",
    "1234",
    "ü",
    "é\u{301}",
    "😀",
    "你好",
    "<|im_end|>",
    "<|im_start|>",
    "</s>",
    "<s>",
    "<|im_",
    "end|>",
    "<",
    "/s>",
    "<pad>",
    "[INST]",
    "[/INST]",
    "</think>",
    "<think>",
    "USER:",
    "<|user|>",
    "\u{F0000}",
    "＜/s＞",
];

/// A text in which a common beginning is cut between two words.
const LONG: &str = " Here are the words of a long text, in which the same words are said again and again, so that it is long \
                    enough: the answers and the users and the others, the answers and the users and the others, and then all \
                    of them once more.";

struct Case {
    messages: Vec<Message>,
    answers: Vec<String>,
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut text = |longest: usize| -> String {
            let count = random.random_range(0..=longest);
            (0..count).map(|_| FRAGMENTS[random.random_range(0..FRAGMENTS.len())]).collect()
        };
        let mut messages = Vec::new();
        if seed.is_multiple_of(3) {
            messages.push(Message::system(text(3)));
        }
        for turn in 0..=seed % 3 {
            if turn > 0 {
                messages.push(Message::assistant(text(4)));
            }
            messages.push(Message::user(text(5)));
        }
        let answers = (0..1 + seed % 5).map(|_| text(4)).collect();
        Self { messages, answers }
    }
}

/// The whole sequence of each candidate, and the place of its answer.
fn sequences(set: &CandidateSet) -> Vec<(Vec<u32>, usize, usize, usize)> {
    let before = set.prompt.len();
    let sequence = |candidate: &dph_data::Candidate| {
        let tokens = [&set.prompt[..], &candidate.tokens].concat();
        (tokens, before + candidate.answer.start, before + candidate.answer.end, candidate.bytes)
    };
    set.candidates.iter().map(sequence).collect()
}

fn check(tokenizer: &ChatTokenizer, control: &[u32], seed: u64) -> Result<(), String> {
    let Case { messages, answers } = Case::new(seed);
    let failed = |what: &str| format!("seed {seed}: {what}\nmessages {messages:?}\nanswers {answers:?}");
    let tokenise = |answers: &[String]| {
        tokenizer.candidate_set("", &messages, answers, None).map_err(|error| failed(&error.to_string()))
    };
    let set = tokenise(&answers)?;
    let together = sequences(&set);
    if set.prompt.is_empty() || set.candidates.iter().any(|candidate| candidate.tokens.is_empty()) {
        return Err(failed("an empty prompt or candidate"));
    }
    for (index, (tokens, ..)) in together.iter().enumerate() {
        let whole: Vec<Message> =
            messages.iter().cloned().chain([Message::assistant(&answers[index])]).collect();
        let whole =
            tokenizer.conversation(&whole, Supervise::Last).map_err(|error| failed(&error.to_string()))?;
        // Without a common token, the prompt is the beginning-of-text token.
        if set.prompt.len() == 1
            && !whole.tokens.starts_with(tokens)
            && whole.tokens.starts_with(&tokens[1..])
        {
            return Ok(());
        }
        if !whole.tokens.starts_with(tokens) {
            let whole = &whole.tokens;
            return Err(failed(&format!("candidate {index}, {tokens:?}, is not the beginning of {whole:?}")));
        }
        if !control.contains(tokens.last().unwrap()) {
            return Err(failed(&format!("candidate {index} does not end with a control token")));
        }
        let alone = sequences(&tokenise(&answers[index..=index])?);
        if alone[0] != together[index] {
            return Err(failed(&format!(
                "candidate {index} alone is {alone:?}, together {:?}",
                together[index]
            )));
        }
        // As many control tokens as with harmless contents.
        let harmless: Vec<Message> =
            messages.iter().map(|message| Message::new(&*message.role, "x")).collect();
        let harmless = tokenizer.candidate_set("", &harmless, &["x"], None).unwrap();
        let count = |tokens: &[u32]| tokens.iter().filter(|id| control.contains(id)).count();
        if count(tokens) != count(&sequences(&harmless)[0].0) {
            return Err(failed(&format!("candidate {index} has control tokens from a content: {tokens:?}")));
        }
    }
    let mut order: Vec<usize> = (0..answers.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let shuffled: Vec<String> = order.iter().map(|&index| answers[index].clone()).collect();
    let shuffled = sequences(&tokenise(&shuffled)?);
    match order.iter().zip(shuffled).all(|(&index, sequence)| together[index] == sequence) {
        true => Ok(()),
        false => Err(failed("the order of the candidates matters")),
    }
}

#[test]
fn candidates_are_their_conversations_whatever_their_company() {
    let cases: u64 = std::env::var("DPH_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(6000);
    let mut tokenizers = Vec::new();
    for (folder, _) in [world_tokenizer(), bpe_tokenizer(), unigram_tokenizer(false), unigram_tokenizer(true)]
    {
        for template in TEMPLATES {
            let config = json!({ "bos_token": "<s>", "eos_token": "</s>", "chat_template": template });
            write(folder.path(), "tokenizer_config.json", config.to_string());
            tokenizers.push(ChatTokenizer::from_dir(folder.path()).unwrap());
        }
    }
    let control: Vec<Vec<u32>> = tokenizers
        .iter()
        .map(|tokenizer| {
            ["<s>", "</s>", "<pad>", "<|im_start|>", "<|im_end|>"]
                .iter()
                .filter_map(|token| tokenizer.token_id(token))
                .collect()
        })
        .collect();
    let failures: Vec<String> = (0..cases)
        .into_par_iter()
        .filter_map(|seed| {
            let which = (seed % tokenizers.len() as u64) as usize;
            let problem = check(&tokenizers[which], &control[which], seed / 7 + seed).err()?;
            Some(format!(
                "template {} of tokenizer {}: {problem}",
                which % TEMPLATES.len(),
                which / TEMPLATES.len()
            ))
        })
        .collect();
    say(&format!("candidate sets: {cases} random conversations, {} failures", failures.len()));
    assert!(failures.is_empty(), "{} of {cases} fail, the first:\n{}", failures.len(), failures[0]);
}
