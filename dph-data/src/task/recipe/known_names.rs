//! [`unknown_name`]: a filter, test or function that does not exist. Jinja would say so only when a row gets there.

use minijinja::{Environment, ErrorKind};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Filter,
    Test,
    Function,
}

/// A part of the code in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Text(&'a str),
    Symbol(char),
}

use Token::{Symbol, Text, Word};

/// Words that may stand before a bracket without being functions, or that Jinja defines within a template.
const OTHERS: [&str; 16] = [
    "and", "or", "not", "in", "is", "if", "elif", "else", "for", "set", "with", "call", "loop", "caller",
    "super", "self",
];

/// The first filter, test or function of a template or, with `is_expression`, of an expression that the environment lacks, as a sentence.
pub(super) fn unknown_name(
    environment: &Environment<'_>,
    key: &str,
    source: &str,
    is_expression: bool,
) -> Option<String> {
    let tokens =
        if is_expression { tokens(source) } else { code(source).into_iter().flat_map(tokens).collect() };
    let (role, name) = names(&tokens).into_iter().find(|(role, name)| !is_known(environment, *role, name))?;
    let (what, others) = match role {
        Role::Filter => ("filter", "the filters of Jinja, such as `trim` and `replace`, and `regex_replace`"),
        Role::Test => ("test", "the tests of Jinja, such as `defined` and `none`"),
        Role::Function => {
            ("function", "`range`, `dict` and `namespace`; methods such as `split` follow a value and a dot")
        }
    };
    Some(format!("`{key}` uses the {what} `{name}`, which is not known; there are {others}"))
}

fn is_known(environment: &Environment<'_>, role: Role, name: &str) -> bool {
    let (probe, unknown) = match role {
        Role::Filter => (format!("0|{name}"), ErrorKind::UnknownFilter),
        Role::Test => (format!("0 is {name}"), ErrorKind::UnknownTest),
        Role::Function => (format!("{name}()"), ErrorKind::UnknownFunction),
    };
    let found = environment.compile_expression(&probe).and_then(|probe| probe.eval(()));
    !found.is_err_and(|error| error.kind() == unknown)
}

/// The names of filters, tests and functions in code.
fn names<'a>(tokens: &[Token<'a>]) -> Vec<(Role, &'a str)> {
    let at = |place: usize| tokens.get(place).copied();
    let own: Vec<&str> = tokens
        .array_windows()
        .filter_map(|pair| match pair {
            [Word("macro" | "set"), Word(name)] => Some(*name),
            _ => None,
        })
        .collect();
    let mut found = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        let before = place.checked_sub(1).and_then(at);
        match (*token, at(place + 1)) {
            (Symbol('|'), Some(Word(name))) => {
                found.push((Role::Filter, name));
                // These take the name of a filter or a test.
                let inner = match name {
                    "map" => Role::Filter,
                    "select" | "reject" => Role::Test,
                    _ => continue,
                };
                if let (Some(Symbol('(')), Some(Text(name))) = (at(place + 2), at(place + 3)) {
                    found.push((inner, name));
                }
            }
            (Word("is"), Some(Word(next))) if before != Some(Symbol('.')) => match (next, at(place + 2)) {
                ("not", Some(Word(name))) | (name, _) => found.push((Role::Test, name)),
            },
            (Word(name), Some(Symbol('('))) => {
                let is_call =
                    !matches!(before, Some(Symbol('.' | '|') | Word("is" | "not" | "macro" | "filter")));
                if is_call && !OTHERS.contains(&name) && !own.contains(&name) {
                    found.push((Role::Function, name));
                }
            }
            _ => {}
        }
    }
    found
}

/// The code in the brackets of a template.
fn code(template: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        rest = &rest[start + 1..];
        let end = match rest.chars().next() {
            Some('{') => "}}",
            Some('%') => "%}",
            Some('#') => "#}",
            _ => continue,
        };
        let inside = &rest[1..];
        let length = if end == "#}" { inside.find(end) } else { end_of_code(inside, end) };
        let Some(length) = length else { break };
        let part = &inside[..length];
        rest = &inside[length + end.len()..];
        match part.trim_matches(['-', '+', ' ']) {
            _ if end == "#}" => {}
            "raw" => rest = rest.find("endraw").map_or("", |end| &rest[end..]),
            _ => parts.push(part),
        }
    }
    parts
}

/// The place of the end of code that may hold texts.
fn end_of_code(code: &str, end: &str) -> Option<usize> {
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        if rest.starts_with(end) {
            return Some(at);
        }
        at += text_at(rest)
            .map_or_else(|| rest.chars().next().map_or(1, char::len_utf8), |text| text.len() + 2);
    }
    None
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match text_at(rest) {
            Some(text) => (Text(text), text.len() + 2),
            None if is_word(first) => {
                let word = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
                (Word(word), word.len())
            }
            None => (Symbol(first), first.len_utf8()),
        };
        tokens.push(token);
        rest = rest[length.min(rest.len())..].trim_start();
    }
    tokens
}

/// What is between the quotation marks with which code begins.
fn text_at(code: &str) -> Option<&str> {
    let quote = code.chars().next().filter(|c| "'\"".contains(*c))?;
    let mut is_escaped = false;
    let end = code.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == quote && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        ends
    });
    end.map(|(end, _)| &code[1..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_code() {
        let found = |template: &str| {
            let tokens: Vec<_> = code(template).into_iter().flat_map(tokens).collect();
            names(&tokens)
                .into_iter()
                .map(|(role, name)| format!("{role:?} {name}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        for (template, names) in [
            ("a | b {{ c | trim }} {# d | e #}", "Filter trim"),
            ("{{ '| x }}' ~ \"\\\"| y\" | upper|join('|z') }}", "Filter upper, Filter join"),
            (
                "{% if a is defined and b is not none %}{{ a.is(1).f(2) }}{% endif %}",
                "Test defined, Test none",
            ),
            (
                "{{ range(3) | map('trim') | select(\"odd\") | map(attribute='x') }}",
                "Function range, Filter map, Filter trim, Filter select, Test odd, Filter map",
            ),
            (
                "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(1) if (a) or not (b) in (c) else n(2) }}",
                "Function n",
            ),
            ("{% set f = m %}{{ f() }}", ""),
            ("{%- raw -%} {{ a | b }} {%- endraw %}{{ c|d }}", "Filter d"),
            ("{{ a is divisibleby(3) }}{ | x } {{ open | ", "Test divisibleby"),
        ] {
            assert_eq!(found(template), names, "{template}");
        }
    }
}
