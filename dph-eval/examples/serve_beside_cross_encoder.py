"""Times a running `dph-eval serve` beside the CrossEncoder of sentence-transformers with the same model, in turn.

    dph-model convert EXPORT MODEL --sequence-classification
    dph-eval serve m=EXPORT --listen 127.0.0.1:8080
    python serve_beside_cross_encoder.py 127.0.0.1:8080 MODEL ROWS.jsonl [ROUNDS] [THREADS]

Each line of ROWS is a request: {"query": "…", "texts": ["…", …]}. The service gets all requests at once from 16 clients. CrossEncoder
gets all pairs in one call, in batches of 32 that it sorts by length, in f32. The rewards of both are compared.
"""

import http.client
import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import torch
from sentence_transformers import CrossEncoder

address, model, rows, *rest = sys.argv[1:]
rounds, threads = [int(value) for value in rest + ["3", "2"][len(rest):]]
requests = [json.loads(line) for line in open(rows)]
torch.set_num_threads(threads)
encoder = CrossEncoder(model, model_kwargs={"dtype": torch.float32})
added = json.load(open(f"{model}/config.json"))["preference_head"].get("offset", [0.0])[0]


def with_our_format(tokenizer):
    """Lets a pair of a query and a document be a turn of the user and its answer, in the format of the model."""
    messages = [{"role": "user", "content": "QUERY"}, {"role": "assistant", "content": "DOCUMENT"}]
    whole = tokenizer.apply_chat_template(messages, tokenize=False)
    before, rest = whole.split("QUERY")
    between, behind = rest.split("DOCUMENT")
    content = "(messages | selectattr('role', 'eq', '%s') | map(attribute='content') | first)"
    parts = [json.dumps(before), content % "query", json.dumps(between), content % "document", json.dumps(behind)]
    tokenizer.chat_template = "{{ " + " ~ ".join(parts) + " }}"


with_our_format(encoder.tokenizer)
pairs = [[request["query"], text] for request in requests for text in request["texts"]]


def served(request):
    connection = http.client.HTTPConnection(address, timeout=600)
    connection.request("POST", "/rerank", json.dumps({**request, "raw_scores": True}), {"Content-Type": "application/json"})
    response = connection.getresponse()
    body = json.loads(response.read())
    assert response.status == 200, body
    return [score["score"] for score in sorted(body, key=lambda score: score["index"])]


def service():
    with ThreadPoolExecutor(16) as clients:
        return [score for scores in clients.map(served, requests) for score in scores]


def cross_encoder():
    return encoder.predict(pairs, batch_size=32, activation_fn=torch.nn.Identity(), show_progress_bar=False).tolist()


def timed(scores):
    start = time.perf_counter()
    result = scores()
    return time.perf_counter() - start, result


# The first call of each is not counted.
for scores in (service, cross_encoder):
    scores()
times = {"service": [], "CrossEncoder": []}
for _ in range(rounds):
    seconds, ours = timed(service)
    times["service"].append(seconds)
    seconds, theirs = timed(cross_encoder)
    times["CrossEncoder"].append(seconds)
tokens = sum(encoder.preprocess([pair])["input_ids"].numel() for pair in pairs)
print(f"{len(requests)} requests, {len(pairs)} texts, {tokens} tokens of whole conversations")
for name, seconds in times.items():
    print(f"{name}: {', '.join(f'{value:.2f}' for value in seconds)} s")
ratios = [theirs / ours for ours, theirs in zip(*times.values())]
print(f"CrossEncoder over service: {', '.join(f'{ratio:.2f}' for ratio in ratios)}; median {statistics.median(ratios):.2f}")
differences = [abs(a - b - added) for a, b in zip(ours, theirs)]
print(f"largest difference of a reward: {max(differences):.1e}")
