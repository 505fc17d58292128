"""The jobs of the comparison, implemented with PyTorch and transformers.

Every candidate, with its prompt, is a separate row that is padded on the right to the longest row of its batch. With the third
argument "shared", the keys and values of a prompt are computed once, and its candidates are a batch behind them. The program
reads one request per line from stdin and writes one line to stdout for each request:

    {"kind": "evaluate", "sets": FILE}     log-likelihood sums of all candidates, in their order
    {"kind": "train", "training": FILE}    the loss of every step, and weights of the trained head; loading the model is
                                           part of the job
    {"kind": "generate", "generation": FILE} the tokens of all answers
"""

import json
import sys
import time

try:
    import torch
    import torch.nn.functional as F
    import transformers
except ImportError as error:
    print(json.dumps({"error": f"{error} ({sys.executable})"}), flush=True)
    sys.exit(0)

ROWS = 16


def padded(rows, padding):
    """Rows as token ids and attention mask, both [rows, longest]."""
    longest = max(map(len, rows))
    ids = torch.tensor([row + [padding] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids, mask


def load(loader, directory):
    model = loader.from_pretrained(directory, torch_dtype=torch.float32, attn_implementation="sdpa")
    return model.eval()


@torch.no_grad()
def evaluate(model, sets, padding):
    rows = [(s["prompt"], answer) for s in sets for answer in s["candidates"]]
    # Sorting by length minimises padding; lm-evaluation-harness does the same.
    order = sorted(range(len(rows)), key=lambda row: -len(rows[row][0]) - len(rows[row][1]))
    sums = [0.0] * len(rows)
    for first in range(0, len(rows), ROWS):
        batch = order[first : first + ROWS]
        ids, mask = padded([rows[row][0] + rows[row][1] for row in batch], padding)
        logits = model(input_ids=ids, attention_mask=mask).logits
        for place, row in enumerate(batch):
            prompt, answer = rows[row]
            # The end-of-turn token is not scored.
            target = torch.tensor(answer[:-1])
            start = len(prompt) - 1
            log_probs = F.log_softmax(logits[place, start : start + len(target)], dim=-1)
            sums[row] = log_probs.gather(1, target[:, None]).sum().item()
    return sums


@torch.no_grad()
def evaluate_shared(model, sets, padding):
    """Like `evaluate`, with one pass over each prompt and one over its candidates, which are padded on the right."""
    sums = []
    for s in sets:
        prompt, answers = torch.tensor([s["prompt"]]), s["candidates"]
        before = model(input_ids=prompt, use_cache=True, logits_to_keep=1)
        cache = before.past_key_values
        cache.batch_repeat_interleave(len(answers))
        ids, mask = padded(answers, padding)
        mask = torch.cat([torch.ones(len(answers), prompt.shape[1], dtype=mask.dtype), mask], dim=1)
        logits = model(input_ids=ids, attention_mask=mask, past_key_values=cache).logits
        first = before.logits[0, -1:]
        for place, answer in enumerate(answers):
            # The end-of-turn token is not scored.
            target = torch.tensor(answer[:-1])
            log_probs = F.log_softmax(torch.cat([first, logits[place, : len(target) - 1]]), dim=-1)
            sums.append(log_probs.gather(1, target[:, None]).sum().item())
    return sums


@torch.no_grad()
def generate(model, prompts, batch, tokens, padding):
    """Greedy answers of a fixed number of tokens; prompts are padded on the left."""
    # Like the other side, ignore the end-of-sequence token.
    model.generation_config.eos_token_id = None
    answers = []
    for first in range(0, len(prompts), batch):
        rows = prompts[first : first + batch]
        ids, mask = (part.flip(1) for part in padded([row[::-1] for row in rows], padding))
        whole = model.generate(
            ids, attention_mask=mask, do_sample=False, max_new_tokens=tokens, pad_token_id=padding
        )
        answers += whole[:, ids.shape[1] :].flatten().tolist()
    return answers


def train(directory, training, padding):
    """Training of a head on a frozen model, which runs in every step."""
    backbone = load(transformers.AutoModel, directory)
    weight = torch.tensor(training["initial"], requires_grad=True)
    optimiser = LaProp([weight], training)
    smoothing = training["label_smoothing"]
    losses = []
    for pairs in training["steps"]:
        vectors = []
        rows = [row for side in ("chosen", "rejected") for row in (pair[side] for pair in pairs)]
        with torch.no_grad():
            for first in range(0, len(rows), 2 * ROWS):
                batch = rows[first : first + 2 * ROWS]
                ids, mask = padded(batch, padding)
                states = hidden_states(backbone, ids, mask, training["layer"])
                vectors.append(states[torch.arange(len(batch)), ends(batch)])
        loss = preference(torch.cat(vectors) @ weight, smoothing)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses + weight.tolist()


def fine_tune(directory, training, padding):
    """Training of all weights with DPO and a head. The reference model is in memory; each batch is one pair, as two rows."""
    policy = load(transformers.AutoModelForCausalLM, directory)
    reference = load(transformers.AutoModelForCausalLM, directory).requires_grad_(False)
    weight = torch.tensor(training["initial"], requires_grad=True)
    optimiser = LaProp([*policy.parameters(), weight], training)
    losses = []
    for pairs in training["steps"]:
        total = 0.0
        for pair in pairs:
            rows, start = [pair["chosen"], pair["rejected"]], pair["prompt"]
            ids, mask = padded(rows, padding)
            outputs = policy(input_ids=ids, attention_mask=mask, use_cache=False, output_hidden_states=True)
            with torch.no_grad():
                before = reference(input_ids=ids, attention_mask=mask, use_cache=False).logits
                before = answer_log_probs(before, rows, start)
            ratios = answer_log_probs(outputs.logits, rows, start) - before
            dpo = -F.logsigmoid(training["beta"] * (ratios[0] - ratios[1]))
            vectors = outputs.hidden_states[-1][torch.arange(2), ends(rows)]
            loss = (dpo + preference(vectors @ weight, training["label_smoothing"])) / len(pairs)
            loss.backward()
            total += loss.item()
        optimiser.step()
        losses.append(total)
    return losses + weight.tolist()


def ends(rows):
    return torch.tensor([len(row) - 1 for row in rows])


def answer_log_probs(logits, rows, start):
    """Log-probability of each answer, including its end-of-turn token."""
    log_probs = F.log_softmax(logits, dim=-1)
    return torch.stack([
        log_probs[place, start - 1 : len(row) - 1].gather(1, torch.tensor(row[start:])[:, None]).sum()
        for place, row in enumerate(rows)
    ])


def preference(rewards, smoothing):
    """The separable objective; the first half of the rewards belongs to the chosen answers."""
    chosen, rejected = rewards.chunk(2)
    return smoothed(chosen, smoothing) + smoothed(-rejected, smoothing)


def hidden_states(backbone, ids, mask, layer):
    if layer == "last":
        return backbone(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
    outputs = backbone(input_ids=ids, attention_mask=mask, use_cache=False, output_hidden_states=True)
    return outputs.hidden_states[layer]


def smoothed(reward, smoothing):
    return -((1 - smoothing) * F.logsigmoid(reward) + smoothing * F.logsigmoid(-reward)).mean()


class LaProp:
    """LaProp (arXiv 2002.04839) at a constant learning rate, with clipped gradients."""

    def __init__(self, weights, settings):
        self.weights, self.settings, self.steps = weights, settings, 0
        self.momentum = [torch.zeros_like(weight) for weight in weights]
        self.squared = [torch.zeros_like(weight) for weight in weights]

    @torch.no_grad()
    def step(self):
        s = self.settings
        torch.nn.utils.clip_grad_norm_(self.weights, s["clip"])
        beta_1, beta_2 = s["betas"]
        self.steps += 1
        for weight, momentum, squared in zip(self.weights, self.momentum, self.squared):
            grad = weight.grad
            squared.mul_(beta_2).addcmul_(grad, grad, value=1 - beta_2)
            normalised = grad * (1 - beta_2**self.steps) ** 0.5 / (squared.sqrt() + s["eps"])
            momentum.mul_(beta_1).add_(normalised, alpha=(1 - beta_1) * s["lr"])
            weight.sub_(weight * (s["lr"] * s["weight_decay"]))
            weight.sub_(momentum / (1 - beta_1**self.steps))
            weight.grad = None


def main():
    directory, padding, shared = sys.argv[1], int(sys.argv[2]), sys.argv[3:] == ["shared"]
    score = evaluate_shared if shared else evaluate
    transformers.utils.logging.set_verbosity_error()
    model = load(transformers.AutoModelForCausalLM, directory)
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    answer({"versions": versions, "threads": torch.get_num_threads()})
    warm = False
    for line in sys.stdin:
        request = json.loads(line)
        if request["kind"] == "evaluate":
            with open(request["sets"]) as file:
                sets = json.load(file)
            if not warm:
                score(model, sets[:4], padding)
                warm = True
            seconds, values = timed(lambda: score(model, sets, padding))
        elif request["kind"] == "generate":
            with open(request["generation"]) as file:
                job = json.load(file)
            prompts, batch, tokens = job["prompts"], job["batch"], job["tokens"]
            generate(model, prompts[:batch], batch, 2, padding)
            seconds, values = timed(lambda: generate(model, prompts, batch, tokens, padding))
        else:
            with open(request["training"]) as file:
                training = json.load(file)
            job = train if training["beta"] is None else fine_tune
            seconds, values = timed(lambda: job(directory, training, padding))
        answer({"seconds": seconds, "values": values})


def timed(work):
    start = time.perf_counter()
    values = work()
    return time.perf_counter() - start, values


def answer(value):
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main()
