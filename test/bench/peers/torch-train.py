"""Steps of training with PyTorch and peft, timed: the peer of `npm run bench -- train`, which starts it and reads its last line.

    python torch-train.py KIND CONFIG_FOLDER ROWS LENGTH STEPS THREADS RANK TARGETS

CONFIG_FOLDER holds a config.json. The weights are drawn at random: speed does not depend on them.
"""

import json
import resource
import sys
import time

import torch
from transformers import AutoConfig, AutoModelForCausalLM

kind, folder, rows, length, steps, threads, rank, targets = sys.argv[1:]
rows, length, steps, threads, rank = (int(word) for word in (rows, length, steps, threads, rank))

torch.set_num_threads(threads)
torch.manual_seed(0)
model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.float32, attn_implementation="sdpa")
if kind == "lora":
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets.split(",")))
trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
optimizer = torch.optim.AdamW(trained, 1e-4, weight_decay=0.0)
model.train()
seconds = []
for _ in range(steps):
    ids = torch.randint(model.config.vocab_size, (rows, length))
    start = time.perf_counter()
    model(input_ids=ids, labels=ids).loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    optimizer.zero_grad()
    seconds.append(time.perf_counter() - start)
print(json.dumps(dict(seconds=seconds, peakMB=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)))
