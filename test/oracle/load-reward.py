"""The rewards that transformers and peft compute with what Bonsai wrote, for test/training/reward/task.test.ts.

    python load-reward.py model FOLDER [ROW, ...]               a folder of a decoder or an encoder, on rows of token ids
    python load-reward.py adapter BASE:OUTPUTS FOLDER [ROW, ...]  a PEFT adapter over its base
    python load-reward.py head POLICY FOLDER [ROW, ...]         score.safetensors over the hidden states of a causal model

ROWS is JSON: {"rows": [[id, ...], ...], "types": [[...], ...]?}. Prints {"alone": [[output, ...], ...], "padded": the same, all rows in one batch}.
Each row is computed alone, and all of them padded on the right with the config's pad_token_id.
"""

import json
import sys

sys.path.pop(0)  # else tokenizers.py beside this file hides the package

import torch  # noqa: E402
import transformers  # noqa: E402
from transformers import AutoModel, AutoModelForSequenceClassification  # noqa: E402

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)

kind, *paths, given = sys.argv[1:]
rows = json.loads(given)["rows"]
types = json.loads(given).get("types")
score = None

if kind == "model":
    model = AutoModelForSequenceClassification.from_pretrained(paths[0], dtype=torch.float32)
elif kind == "adapter":
    from peft import PeftModel

    base, outputs = paths[0].rsplit(":", 1)
    # A head of the base's own may have another size: the adapter brings its own.
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=int(outputs), dtype=torch.float32, ignore_mismatched_sizes=True)
    model = PeftModel.from_pretrained(model, paths[1])
    # The base has no padding of its own; rows are computed alone.
else:
    from safetensors.torch import load_file

    model = AutoModel.from_pretrained(paths[0], dtype=torch.float32)
    score = load_file(f"{paths[1]}/score.safetensors")

model.eval()


def outputs_of(ids, mask=None, kinds=None):
    more = {} if kinds is None else dict(token_type_ids=kinds)
    found = model(input_ids=ids, attention_mask=mask, **more)
    if score is None:
        return found.logits
    return found.last_hidden_state[:, -1] @ score["score.weight"].T + score["score.bias"]


with torch.no_grad():
    alone = [
        outputs_of(torch.tensor([row]), kinds=None if types is None else torch.tensor([types[index]]))[0].tolist()
        for index, row in enumerate(rows)
    ]
    padded = None
    if kind == "model":
        longest = max(len(row) for row in rows)
        pad = model.config.pad_token_id
        ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        kinds = None if types is None else torch.tensor([row + [0] * (longest - len(row)) for row in types])
        padded = outputs_of(ids, mask, kinds).tolist()

names = getattr(model.config, "id2label", None)
print(json.dumps(dict(alone=alone, padded=padded, names=names and list(names.values()), type=type(model).__name__)))
