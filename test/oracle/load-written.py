"""Loads what Bonsai wrote with transformers and peft, for tests of what is written.

    python load-written.py model FOLDER            prints every parameter's shape, sum and sum of squares
    python load-written.py adapter BASE ADAPTER    the same of the adapter's parameters, and of the logits of some ids
    python load-written.py tokens BASE ADAPTER IDS the log-probability of each id given those before it, of lists of ids (a JSON file)
    python load-written.py tokenizer FOLDER TEXT   the ids of a text

One JSON object on standard output.
"""

import json
import sys

sys.path.pop(0)  # else tokenizers.py beside this file hides the package

import torch  # noqa: E402
import transformers  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)


def summary(tensor: torch.Tensor) -> dict:
    wide = tensor.detach().double()
    return dict(shape=list(tensor.shape), dtype=str(tensor.dtype), sum=wide.sum().item(), squares=(wide * wide).sum().item())


kind, *paths = sys.argv[1:]
if kind == "tokenizer":
    print(json.dumps(dict(ids=AutoTokenizer.from_pretrained(paths[0])(paths[1])["input_ids"])))
else:
    model = AutoModelForCausalLM.from_pretrained(paths[0], dtype="auto")
    parameters = dict(model.named_parameters())
    if kind in ("adapter", "tokens"):
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, paths[1])
        parameters = {name: value for name, value in model.named_parameters() if "lora_" in name}
    if kind == "tokens":
        with open(paths[2]) as file:
            lists = json.load(file)
        found = []
        for ids in lists:
            with torch.no_grad():
                logprobs = model.eval()(torch.tensor([ids])).logits[0].double().log_softmax(-1)
            found.append([logprobs[at, token].item() for at, token in enumerate(ids[1:])])
        print(json.dumps(dict(logprobs=found)))
        sys.exit()
    with torch.no_grad():
        logits = model.eval()(torch.tensor([[5, 17, 99, 3]])).logits[0, -1]
    print(json.dumps(dict(parameters={name: summary(value) for name, value in parameters.items()}, logits=logits.double().tolist())))
