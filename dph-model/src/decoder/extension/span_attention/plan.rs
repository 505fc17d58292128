//! [`SpanPlan`]: attention over spans as a few computations of rectangular shape.

use crate::decoder::{HostLayout, MASKED, Span};

/// Attention over the spans of a layout, without any score between tokens that do not attend to each other.
///
/// A span attends to itself (*own* stacks) and, if it is a candidate or if there are registers, to its prompt and to the registers
/// (*context* stacks). Spans of similar length are stacked. So there are few computations, and
/// their number of scores is linear in the number of candidates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SpanPlan {
    /// Stacks in which spans attend to themselves. Together their queries are all tokens of the spans, each once.
    pub own: Vec<Stack>,
    /// Stacks in which spans attend to registers and to the prompt.
    pub context: Vec<Stack>,
    /// Token indices of all stacks, one after another, then the places of the tokens in the results.
    pub indices: Vec<i32>,
    /// Key biases and query factors of all stacks, one after another.
    pub factors: Vec<f32>,
    /// For each token, its row in the concatenated results of the own stacks; for padding, the row after the last.
    pub own_places: Indices,
    /// For each token, its row in the concatenated results of the context stacks; for tokens without context, the row
    /// after the last.
    pub context_places: Indices,
}

/// Equally long sequences of queries and of keys. Shorter ones are filled up with copies of a token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stack {
    /// Number of sequences.
    pub count: usize,
    /// Queries per sequence.
    pub queries: usize,
    /// Keys per sequence.
    pub keys: usize,
    /// Whether query `i` attends only to the keys `0..=i`.
    pub causal: bool,
    /// The tokens of the queries, `[count, queries]`.
    pub query_tokens: Indices,
    /// The tokens of the keys, `[count, keys]`; registers follow the tokens.
    pub key_tokens: Indices,
    /// Start of the biases of the keys in [`SpanPlan::factors`], `[count, keys]`. `None` if no visible key is a filling.
    pub key_bias: Option<usize>,
    /// Start of the factors of the queries in [`SpanPlan::factors`], `[count, queries]`: 0 for fillings, otherwise 1.
    /// `None` if there are no fillings.
    pub query_factors: Option<usize>,
}

/// Indices of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Indices {
    /// Neighbouring rows from this one on.
    Run(usize),
    /// Rows that are listed in [`SpanPlan::indices`], from this place on.
    Listed(usize),
}

/// Queries and the keys that they attend to.
struct Member {
    queries: Vec<usize>,
    keys: Vec<usize>,
}

impl SpanPlan {
    /// The plan for a layout without cached tokens, and a model with this number of registers.
    ///
    /// Tokens are numbered by row and column, `[rows, seq]`. The registers of the rows follow, `[rows, registers]`.
    pub fn new(layout: &HostLayout, registers: usize) -> Self {
        let tokens = layout.rows * layout.seq;
        let mut plan = Self {
            own: Vec::new(),
            context: Vec::new(),
            indices: Vec::new(),
            factors: Vec::new(),
            own_places: Indices::Run(0),
            context_places: Indices::Run(0),
        };
        // The rows themselves are a stack. Padding at their ends takes part, since nothing attends to it.
        if layout.is_causal() && registers == 0 {
            let stack = Stack {
                count: layout.rows,
                queries: layout.seq,
                keys: layout.seq,
                causal: true,
                query_tokens: Indices::Run(0),
                key_tokens: Indices::Run(0),
                key_bias: None,
                query_factors: None,
            };
            return Self { own: vec![stack], ..plan };
        }
        let (mut own, mut context) = (Vec::new(), Vec::new());
        for (row, spans) in layout.spans.iter().enumerate() {
            let first = row * layout.seq;
            let columns = |span: &Span| first + span.start..first + span.end;
            own.extend(
                spans
                    .iter()
                    .map(|span| Member { queries: columns(span).collect(), keys: columns(span).collect() }),
            );
            // Spans with the same context are one sequence of queries.
            for spans in spans.chunk_by(|a, b| (a.context, a.rest) == (b.context, b.rest)) {
                let registers = tokens + row * registers..tokens + (row + 1) * registers;
                let outside =
                    spans[0].outside().flat_map(|(start, count)| first + start..first + start + count);
                let keys: Vec<_> = registers.chain(outside).collect();
                if !keys.is_empty() {
                    context.push(Member { queries: spans.iter().flat_map(columns).collect(), keys });
                }
            }
        }
        (plan.own, plan.own_places) = plan.stack(own, tokens, layout.causal);
        (plan.context, plan.context_places) = plan.stack(context, tokens, false);
        plan
    }

    /// The stacks of `members` and, for each of `tokens`, its row in their concatenated results.
    fn stack(&mut self, members: Vec<Member>, tokens: usize, causal: bool) -> (Vec<Stack>, Indices) {
        let mut stacks = Vec::new();
        let mut places = vec![None; tokens];
        let mut taken = 0;
        for members in group(members) {
            let longest = |length: fn(&Member) -> usize| members.iter().map(length).max().unwrap_or(0);
            let (queries, keys) = (longest(|it| it.queries.len()), longest(|it| it.keys.len()));
            for (index, member) in members.iter().enumerate() {
                for (column, &token) in member.queries.iter().enumerate() {
                    places[token] = Some(taken + index * queries + column);
                }
            }
            taken += members.len() * queries;
            let is_filled =
                |length: fn(&Member) -> usize, longest| members.iter().any(|it| length(it) < longest);
            let query_factors = is_filled(|it| it.queries.len(), queries)
                .then(|| self.write_factors(members.iter().map(|it| it.queries.len()), queries, (1.0, 0.0)));
            // A causal query attends to no filling, since fillings are the last keys.
            let key_bias = (!causal && is_filled(|it| it.keys.len(), keys))
                .then(|| self.write_factors(members.iter().map(|it| it.keys.len()), keys, (0.0, MASKED)));
            let query_tokens = self.list(&filled(members.iter().map(|it| &it.queries), queries));
            let key_tokens = self.list(&filled(members.iter().map(|it| &it.keys), keys));
            let count = members.len();
            stacks.push(Stack {
                count,
                queries,
                keys,
                causal,
                query_tokens,
                key_tokens,
                key_bias,
                query_factors,
            });
        }
        let places: Vec<_> = places.into_iter().map(|place| place.unwrap_or(taken)).collect();
        (stacks, self.list(&places))
    }

    /// Writes `within` for the first elements of each sequence and `behind` for the others.
    fn write_factors(
        &mut self,
        lengths: impl Iterator<Item = usize>,
        longest: usize,
        (within, behind): (f32, f32),
    ) -> usize {
        let start = self.factors.len();
        for length in lengths {
            self.factors.extend((0..longest).map(|column| if column < length { within } else { behind }));
        }
        start
    }

    fn list(&mut self, rows: &[usize]) -> Indices {
        if let Some(&first) = rows.first()
            && rows.iter().enumerate().all(|(index, &row)| row == first + index)
        {
            return Indices::Run(first);
        }
        let start = self.indices.len();
        self.indices.extend(rows.iter().map(|&row| row as i32));
        Indices::Listed(start)
    }
}

/// Groups members so that the shapes of a group are similar: no more than a quarter of a dimension is filled up.
fn group(mut members: Vec<Member>) -> Vec<Vec<Member>> {
    // A stable order, so that equal layouts have equal plans.
    members.sort_by_key(|member| std::cmp::Reverse((member.queries.len(), member.keys.len())));
    let mut groups: Vec<Vec<Member>> = Vec::new();
    for member in members {
        let is_similar = |length: usize, longest: usize| length <= longest && 4 * length >= 3 * longest;
        let fits = |group: &&mut Vec<Member>| {
            is_similar(member.queries.len(), group[0].queries.len())
                && is_similar(member.keys.len(), group[0].keys.len())
        };
        match groups.iter_mut().rev().find(fits) {
            Some(group) => group.push(member),
            None => groups.push(vec![member]),
        }
    }
    groups
}

/// Sequences of rows, filled up to `longest` with copies of their last row.
fn filled<'a>(sequences: impl Iterator<Item = &'a Vec<usize>>, longest: usize) -> Vec<usize> {
    let fill = |rows: &'a Vec<usize>| {
        let last = rows.last().copied().unwrap_or(0);
        rows.iter().copied().chain(std::iter::repeat(last)).take(longest)
    };
    sequences.flat_map(fill).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decoder::Rotation;

    fn layout(rows: &[Vec<Span>], causal: bool) -> HostLayout {
        let seq = rows.iter().flatten().map(|span| span.end).max().unwrap_or(0) + 2;
        HostLayout {
            rows: rows.len(),
            seq,
            prefix: 0,
            padding: vec![0; rows.len()],
            spans: rows.to_vec(),
            causal,
            positions: vec![0; rows.len() * seq],
            token_types: Vec::new(),
            rotation: Rotation::none(rows.len() * seq, rows.len()),
        }
    }

    /// A prompt and its candidates; without a prompt, conversations. A candidate after a rest of the prompt of some length.
    fn row((prompt, candidates): (usize, Vec<(usize, usize)>)) -> Vec<Span> {
        let mut spans = Vec::new();
        if prompt > 0 {
            spans.push(Span::new(0, prompt, 0));
        }
        let (mut start, mut rest) = (prompt, (0, 0));
        for (rest_length, length) in candidates {
            if prompt > 0 && rest_length > 0 {
                rest = (start, start + rest_length);
                start += rest_length;
                spans.push(Span::new(rest.0, rest.1, prompt));
            }
            spans.push(Span { rest, ..Span::new(start, start + length, prompt) });
            start += length;
        }
        spans
    }

    fn rows_of(indices: Indices, plan: &SpanPlan, count: usize) -> Vec<usize> {
        match indices {
            Indices::Run(start) => (start..start + count).collect(),
            Indices::Listed(start) => {
                plan.indices[start..start + count].iter().map(|&row| row as usize).collect()
            }
        }
    }

    /// For each token, how often it attends to each key according to the plan, `[tokens, tokens + registers]`, without fillings.
    fn attended(plan: &SpanPlan, tokens: usize, keys: usize) -> Vec<u32> {
        let mut counts = vec![0; tokens * keys];
        for stack in plan.own.iter().chain(&plan.context) {
            let query_tokens = rows_of(stack.query_tokens, plan, stack.count * stack.queries);
            let key_tokens = rows_of(stack.key_tokens, plan, stack.count * stack.keys);
            for member in 0..stack.count {
                for query in 0..stack.queries {
                    let place = member * stack.queries + query;
                    if stack.query_factors.is_some_and(|start| plan.factors[start + place] == 0.0) {
                        continue;
                    }
                    for key in 0..if stack.causal { query + 1 } else { stack.keys } {
                        let key = member * stack.keys + key;
                        if stack.key_bias.is_none_or(|start| plan.factors[start + key] == 0.0) {
                            counts[query_tokens[place] * keys + key_tokens[key]] += 1;
                        }
                    }
                }
            }
        }
        counts
    }

    fn scores(plan: &SpanPlan) -> usize {
        plan.own.iter().chain(&plan.context).map(|stack| stack.count * stack.queries * stack.keys).sum()
    }

    proptest! {
        #[test]
        fn a_token_attends_once_to_what_the_mask_shows_it(
            rows in prop::collection::vec((0_usize..9, prop::collection::vec((0_usize..4, 1_usize..7), 1..5)), 1..4),
            registers in 0_usize..3,
            causal in any::<bool>(),
        ) {
            let layout = layout(&rows.into_iter().map(row).collect::<Vec<_>>(), causal);
            let plan = SpanPlan::new(&layout, registers);
            let (tokens, seq) = (layout.rows * layout.seq, layout.seq);
            let keys = tokens + layout.rows * registers;
            let counts = attended(&plan, tokens, keys);
            let mask: Vec<f32> = layout.mask(registers).try_to_vec().unwrap();
            for row in 0..layout.rows {
                for column in 0..seq {
                    if !layout.spans[row].iter().any(|span| (span.start..span.end).contains(&column)) {
                        continue;
                    }
                    let token = row * seq + column;
                    let of_token = &counts[token * keys..][..keys];
                    let masks = &mask[token * (registers + seq)..][..registers + seq];
                    for (key, mask) in masks.iter().enumerate() {
                        let key = match key.checked_sub(registers) {
                            Some(column) => row * seq + column,
                            None => tokens + row * registers + key,
                        };
                        prop_assert_eq!(of_token[key], u32::from(*mask == 0.0), "token {}, key {}", token, key);
                    }
                    // Nothing in other rows.
                    let all: u32 = of_token.iter().sum();
                    prop_assert_eq!(all as usize, masks.iter().filter(|&&mask| mask == 0.0).count());
                }
            }
        }
    }

    #[test]
    fn scores_are_linear_in_the_candidates() {
        let plan = |candidates: usize| {
            let lengths = (0..candidates).map(|index| (0, 90 + index % 20)).collect();
            SpanPlan::new(&layout(&[row((300, lengths))], true), 0)
        };
        let [few, many] = [16, 256].map(|candidates| scores(&plan(candidates)) - 300 * 300);
        let of_candidate = [few / 16, many / 256];
        assert!(of_candidate[1] <= of_candidate[0] * 11 / 10, "{of_candidate:?}");
        // Lengths within a quarter are one stack: as many computations for 256 candidates as for 16.
        assert_eq!((plan(16).own.len(), plan(256).own.len(), plan(256).context.len()), (2, 2, 1));
    }
}
