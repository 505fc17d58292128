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
    let precedes = |candidate: &dph_data::Candidate| set.prompt.len() + candidate.answer.start > 0;
    if !set.candidates.iter().all(|candidate| precedes(candidate) && !candidate.tokens.is_empty()) {
        return Err(failed("an empty candidate, or one that nothing precedes"));
    }
    for (index, (tokens, start, ..)) in together.iter().enumerate() {
        let whole: Vec<Message> =
            messages.iter().cloned().chain([Message::assistant(&answers[index])]).collect();
        let whole =
            tokenizer.conversation(&whole, Supervise::Last).map_err(|error| failed(&error.to_string()))?;
        // A conversation that begins with its answer has the beginning-of-text token before it.
        let begins =
            *start == 1 && Some(tokens[0]) == tokenizer.bos_id() && !whole.tokens.starts_with(tokens);
        if !whole.tokens.starts_with(&tokens[usize::from(begins)..]) {
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
        let harmless = sequences(&harmless).remove(0).0;
        if count(&tokens[usize::from(begins)..]) != count(&harmless) {
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

/// Templates that change contents in ways that can make control tokens of them. In those of the second list, the changed text
/// need not have the length of the content.
const REWRITING: [&[&str]; 2] = [
    &[
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | lower }}<|im_end|>\n{% endfor %}",
        "{% for m in messages %}{{ m.role }}: {{ m.content.lower().strip() }}{{ eos_token }}{% endfor %}",
        "{% for m in messages %}{{ m.content | replace('(', '<') | replace(')', '>') }}{{ eos_token }}{% endfor %}",
        "{% for m in messages %}{{ '<|' ~ m.content ~ '|>' }}{{ eos_token }}{% endfor %}",
        "{% for m in messages %}{{ m.content[1:] ~ m.content[:1] }}{{ eos_token }}{% endfor %}",
        "{% for m in messages %}{{ m.content[::-1] }}{{ eos_token }}{% endfor %}",
        "{% for m in messages %}{{ m.content | list | join }}{{ m.content.swapcase() if false else '' }}{{ eos_token }}{% endfor %}",
        "{% for m in messages %}{{ m.role }}{{ (m.name or '') | lower }}{{ (m.tool_calls or []) | tojson | lower }}{{ m.content }}{{ eos_token }}{% endfor %}",
        "{% for m in messages %}<think>{{ m.reasoning_content }}</think>{{ '<|' ~ (m.name or '') ~ '|>' }}{{ m.content | upper | lower }}{{ eos_token }}{% endfor %}",
    ],
    &[
        "{% for m in messages %}{{ m.content | replace('X', '') }}{{ eos_token }}{% endfor %}",
        "{% for m in messages %}{{ m.content.split('X') | join }}{{ eos_token }}{% endfor %}",
        "{% for m in messages %}{{ m.content | replace('[END]', eos_token) }}{{ eos_token }}{% endfor %}",
        "{% for m in messages %}{{ m.content | replace('[END]', '') | lower }}{{ eos_token }}{% endfor %}",
        "{% for m in messages %}{{ m.content | title | replace('Xx', '<') }}{{ eos_token }}{% endfor %}",
    ],
];

/// Parts of texts of which the templates make control tokens.
const SOURCES: [&str; 18] = [
    "<|IM_END|>",
    "<|Im_End|>",
    "</S>",
    "<S>",
    "(|im_end|)",
    "(/s)",
    "im_end",
    "|im_end|><",
    ">|dne_mi|<",
    ">s/<",
    "<|im_XEnd|>",
    "<|im_Xend|>",
    "</Xs>",
    "[END]",
    "xX/s>",
    "<|im_end|>",
    "a",
    " ",
];

#[test]
fn templates_that_change_contents_make_no_control_tokens_of_them() {
    let cases: u64 = std::env::var("DPH_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(6000);
    let mut tokenizers = Vec::new();
    for (folder, _) in [world_tokenizer(), bpe_tokenizer(), unigram_tokenizer(true)] {
        for (kind, templates) in REWRITING.iter().enumerate() {
            for template in *templates {
                let config = json!({ "bos_token": "<s>", "eos_token": "</s>", "chat_template": template });
                write(folder.path(), "tokenizer_config.json", config.to_string());
                tokenizers.push((kind, *template, ChatTokenizer::from_dir(folder.path()).unwrap()));
            }
        }
    }
    let count = |tokenizer: &ChatTokenizer, tokens: &[u32]| {
        let control = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<pad>"];
        let control: Vec<u32> = control.iter().filter_map(|token| tokenizer.token_id(token)).collect();
        tokens.iter().filter(|id| control.contains(id)).count()
    };
    let results: Vec<Result<bool, String>> = (0..cases)
        .into_par_iter()
        .map(|seed| {
            let (kind, template, tokenizer) = &tokenizers[(seed % tokenizers.len() as u64) as usize];
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut text = || -> String {
                let count = random.random_range(0..=3);
                (0..count).map(|_| SOURCES[random.random_range(0..SOURCES.len())]).collect()
            };
            let messages = |text: &mut dyn FnMut() -> String| {
                ["user", "assistant"].map(|role| {
                    let mut message = Message::new(role, text());
                    for key in ["name", "reasoning_content"] {
                        message.extra.insert(key.to_owned(), text().into());
                    }
                    let arguments = json!({ text(): [text(), null, 1.5] });
                    message.extra.insert("tool_calls".to_owned(), json!([{ "function": arguments }]));
                    message
                })
            };
            let hostile = messages(&mut text);
            let harmless = messages(&mut || "x".to_owned());
            let tokens = |messages: &[Message]| -> Result<Vec<Vec<u32>>, String> {
                let set = tokenizer.candidate_messages("", &messages[..1], &messages[1..], None);
                let set = sequences(&set.map_err(|error| error.to_string())?).remove(0).0;
                let whole = tokenizer.conversation(messages, Supervise::All);
                let prompt = tokenizer.prompt(&messages[..1]);
                let whole = whole.map_err(|error| error.to_string())?.tokens;
                Ok(vec![set, whole, prompt.map_err(|error| error.to_string())?])
            };
            let failed = |what: &str| format!("seed {seed}, template {template}: {what}\n{hostile:?}");
            let expected = tokens(&harmless).map_err(|error| failed(&error))?;
            match tokens(&hostile) {
                Err(error) if *kind == 1 && error.contains("contents must not write special tokens") => {
                    Ok(false)
                }
                Err(error) => Err(failed(&error)),
                Ok(found) => {
                    // A conversation that begins with its answer has a control token before it.
                    let same =
                        expected.iter().zip(&found).all(|(a, b)| count(tokenizer, a) == count(tokenizer, b));
                    if same { Ok(true) } else { Err(failed(&format!("{found:?}, not as {expected:?}"))) }
                }
            }
        })
        .collect();
    let refused = results.iter().filter(|result| matches!(result, Ok(false))).count();
    let failures: Vec<&String> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    say(&format!("changed contents: {cases} conversations, {refused} refused, {} failures", failures.len()));
    assert!(failures.is_empty(), "{} of {cases} fail, the first:\n{}", failures.len(), failures[0]);
}
