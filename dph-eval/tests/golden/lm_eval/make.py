"""Writes the golden numbers of this folder: python make.py DATA [SMOLLM2] (lm_eval 0.4.13, transformers 5.24, torch 2.9).

Runs the tasks that lm_eval ships on the first rows of DATA/<task>/<split>.jsonl, on the CPU in f32, and writes for each model
NAME.json: its configuration and the shapes of its tensors (for a model that is made of numbers), and the log-likelihoods of the
candidates of each row. No row is stored. stories260K_texts.json has the perplexities of whole texts.
"""
import json, os, pathlib, shutil, sys, tempfile
os.environ.update(HF_DATASETS_OFFLINE="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
import numpy, torch, yaml, lm_eval, transformers
from lm_eval.tasks import TaskManager
from lm_eval.models.huggingface import HFLM
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

data, here = pathlib.Path(sys.argv[1]), pathlib.Path(__file__).parent
shipped = pathlib.Path(lm_eval.__file__).parent / "tasks"
TASKS = {"hellaswag": ("hellaswag/hellaswag.yaml", "validation"), "openbookqa": ("openbookqa/openbookqa.yaml", "test"),
         "winogrande": ("winogrande/default.yaml", "validation"), "arc_easy": ("arc/arc_easy.yaml", "test"),
         "arc_challenge": ("arc/arc_challenge.yaml", "test"), "boolq": ("super_glue/boolq/default.yaml", "validation"),
         "piqa": ("piqa/piqa.yaml", "validation")}
ROWS, CONTEXT = 10, 256


class Function(str): pass
class Loader(yaml.SafeLoader): pass
class Dumper(yaml.SafeDumper): pass
Loader.add_constructor("!function", lambda loader, node: Function(node.value))
Dumper.add_representer(Function, lambda dumper, value: dumper.represent_scalar("!function", str(value)))


def numbers(name, shape, base):
    """The values of a made tensor: a hash of its name and of the place, from -0.25 to 0.25, plus `base`."""
    seed = 2166136261
    for byte in name.encode():
        seed = ((seed ^ byte) * 16777619) % 2**32
    x = (numpy.arange(int(numpy.prod(shape)), dtype=numpy.uint64) * 2654435761 + seed) % 2**32
    x ^= x >> 16
    x = (x * 2246822507) % 2**32
    x ^= x >> 13
    x = (x * 3266489909) % 2**32
    x ^= x >> 16
    return ((x >> 8).astype(numpy.float32) / numpy.float32(2**25) - numpy.float32(0.25) + numpy.float32(base)).reshape(shape)


def made(folder, config, tokenizer):
    """A model of made numbers in a folder. Returns what the test needs to make it again."""
    config = transformers.AutoConfig.for_model(**config)
    with torch.device("meta"):
        state = transformers.AutoModelForCausalLM.from_config(config).state_dict()
    tied = {"lm_head.weight"} if config.tie_word_embeddings else set()
    # Files of GPT-NeoX have another name for this tensor.
    file_name = lambda name: name.replace("lm_head", "embed_out") if config.model_type == "gpt_neox" else name
    tensors = {file_name(name): [list(value.shape), int(name.endswith((".weight")) and value.dim() == 1)]
               for name, value in state.items() if name not in tied and value.dtype == torch.float32}
    config.save_pretrained(folder)
    save_file({name: numbers(name, *of) for name, of in tensors.items()}, folder / "model.safetensors", {"format": "pt"})
    tokenizer(folder)
    return {"config": json.loads((folder / "config.json").read_text()), "tensors": tensors}


def neox_tokenizer(folder):
    import gzip
    packed = data / "tokenizers/pythia-gpt-neox-20b/tokenizer.json.gz"
    (folder / "tokenizer.json").write_bytes(gzip.decompress(packed.read_bytes()))


def gpt_tokenizer(folder):
    """A small vocabulary as that of GPT-1, of Shakespeare's words."""
    path = here / "gpt_tokenizer.json"
    if not path.exists():
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False)
        tokenizer.train([str(data / "text/tinyshakespeare.txt")], trainer)
        tokenizer.save(str(path), pretty=False)
    shutil.copy(path, folder / "tokenizer.json")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "OpenAIGPTTokenizer", "unk_token": "<unk>"}')


def tasks(folder):
    names = []
    for name, (path, split) in TASKS.items():
        path = shipped / path
        task = yaml.load(path.read_text(), Loader)
        if "include" in task:
            task = {**yaml.load((path.parent / task.pop("include")).read_text(), Loader), **task}
        for functions in path.parent.glob("*.py"):
            shutil.copy(functions, folder / functions.name)
        rows = str((data / name / f"{split}.jsonl").resolve())
        task.update(task=f"local_{name}", dataset_path="json", dataset_kwargs={"data_files": {split: rows}}, fewshot_split=split)
        for key in ["tag", "dataset_name", "training_split", "validation_split", "test_split"]:
            task.pop(key, None)
        task["test_split" if split == "test" else "validation_split"] = split
        if name == "boolq":
            task["doc_to_target"] = "{{ answer | int }}"
        (folder / f"{name}.yaml").write_text(yaml.dump(task, Dumper=Dumper))
        names.append(f"local_{name}")
    return names


def run(folder, name, about, rows=ROWS, **more):
    with tempfile.TemporaryDirectory() as work:
        names = tasks(pathlib.Path(work))
        model = HFLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=8, **more)
        found = lm_eval.simple_evaluate(model, tasks=names, task_manager=TaskManager(include_path=work, include_defaults=False),
                                        limit=rows, log_samples=True, bootstrap_iters=0)
    golden = {**about, "harness": lm_eval.__version__, "tasks": {}}
    for task in TASKS:
        samples = sorted(found["samples"][f"local_{task}"], key=lambda sample: sample["doc_id"])
        metrics = {key.split(",")[0]: value for key, value in found["results"][f"local_{task}"].items() if key.startswith("acc") and "stderr" not in key}
        golden["tasks"][task] = {"split": TASKS[task][1], **metrics,
                                 "logliks": [[round(float(answer[0][0]), 6) for answer in sample["resps"]] for sample in samples]}
    (here / f"{name}.json").write_text(json.dumps(golden, indent=None, separators=(",", ":")).replace('"logliks"', '\n"logliks"') + "\n")


def pages(path):
    """The articles of a raw file of WikiText, divided as EleutherAI/wikitext_document_level divides them."""
    page = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        heading = line.replace("= = =", "===").replace("= =", "==").strip()
        if heading.startswith("= ") and heading.endswith(" ="):
            if "\n".join(page).strip():
                yield "\n".join(page)
            page = []
        page.append(line)
    yield "\n".join(page)


def texts(folder, name):
    """Whole texts: the task `wikitext` that lm_eval ships, and rows with a `text`."""
    # The tokenizer of the harness takes <unk> for a control token.
    articles = [page.replace("<unk>", "unknown") for page in pages(data / "text/wikitext-2/wiki.valid.raw")][:4]
    rows = [json.loads(row) for row in (data / "text/c4_demo.jsonl").read_text(encoding="utf-8").splitlines()[:12]]
    golden = {"harness": lm_eval.__version__, "tasks": {}}
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        shipped_task = yaml.load((shipped / "wikitext/wikitext.yaml").read_text(), Loader)
        shutil.copy(shipped / "wikitext/preprocess_wikitext.py", work)
        own = {"output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "{{text}}", "metric_list": shipped_task["metric_list"]}
        for task, of, documents in [("wikitext", shipped_task, [{"page": page} for page in articles]), ("text", own, rows)]:
            file = work / f"{task}.jsonl"
            file.write_text("".join(json.dumps(document) + "\n" for document in documents))
            of.update(task=f"local_{task}", dataset_path="json", dataset_kwargs={"data_files": {"test": str(file)}}, test_split="test")
            for key in ["dataset_name", "training_split", "validation_split"]:
                of.pop(key, None)
            (work / f"{task}.yaml").write_text(yaml.dump(of, Dumper=Dumper))
        model = HFLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=8)
        found = lm_eval.simple_evaluate(model, tasks=["local_wikitext", "local_text"], log_samples=True, bootstrap_iters=0,
                                        task_manager=TaskManager(include_path=str(work), include_defaults=False))
    for task in ["wikitext", "text"]:
        samples = sorted(found["samples"][f"local_{task}"], key=lambda sample: sample["doc_id"])
        metrics = {key.split(",")[0].replace("_", "-"): value for key, value in found["results"][f"local_{task}"].items() if key.split(",")[0].split("_")[-1] in ["perplexity", "byte"]}
        golden["tasks"][task] = {"metrics": metrics, "logliks": [round(float(sample["resps"][0][0]), 6) for sample in samples]}
    (here / f"{name}.json").write_text(json.dumps(golden, separators=(",", ":")).replace('"logliks"', '\n"logliks"') + "\n")


texts(data / "models/stories260K", "stories260K_texts")
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    shape = dict(vocab_size=50432, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, rotary_pct=0.5,
                 max_position_embeddings=CONTEXT, tie_word_embeddings=False, bos_token_id=0, eos_token_id=0)
    about = made(folder, dict(model_type="gpt_neox", **shape), neox_tokenizer)
    run(folder, "gpt_neox", about)
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    about = made(folder, dict(model_type="openai-gpt", vocab_size=600, n_positions=CONTEXT, n_embd=16, n_layer=2, n_head=2), gpt_tokenizer)
    # GPT-1 has no token to begin with, and the harness asks for its text.
    run(folder, "gpt", about, prefix_token_id=0)
run(data / "models/stories260K", "stories260K", {})
if len(sys.argv) > 2:
    run(sys.argv[2], "smollm2", {}, 4)
