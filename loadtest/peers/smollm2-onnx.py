"""SmolLM2 as ONNX graphs for onnxruntime-genai and transformers.js, made from the very GGUF file that we serve.

    python smollm2-onnx.py MODEL.gguf FOLDER

Python needs torch, transformers, gguf, onnxruntime-genai and onnx-ir. FOLDER/genai is what onnxruntime-genai's own builder makes: weights in 4 bits by blocks of 32,
products in 8 bits (its fastest on a CPU), logits of the last position alone. FOLDER/transformers-js is the same graph in the layout of the Hugging Face hub.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

import onnx
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

model_path, folder = (os.path.abspath(word) for word in sys.argv[1:])
source = dict(pretrained_model_name_or_path=os.path.dirname(model_path), gguf_file=os.path.basename(model_path))
genai, hub = (os.path.join(folder, name) for name in ("genai", "transformers-js"))

with tempfile.TemporaryDirectory() as weights, tempfile.TemporaryDirectory() as cache:
    tokenizer = AutoTokenizer.from_pretrained(**source)
    read = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    config = read.config
    # What was read from blocks is plain now.
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = LlamaForCausalLM(config)
    model.load_state_dict(read.state_dict())
    model.tie_weights()
    model.save_pretrained(weights)
    tokenizer.save_pretrained(weights)
    builder = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", weights, "-o", genai, "-c", cache, "-p", "int4", "-e", "cpu"]
    options = ["int4_accuracy_level=4", "int4_block_size=32", "prune_lm_head=true"]
    subprocess.run([*builder, "--extra_options", *options], check=True, stdout=subprocess.DEVNULL)

    os.makedirs(os.path.join(hub, "onnx"), exist_ok=True)
    for name in ("config.json", "generation_config.json", "tokenizer.json"):
        shutil.copy(os.path.join(weights, name), hub)
    # transformers.js reads the chat template from here alone.
    with open(os.path.join(weights, "tokenizer_config.json")) as file:
        described = json.load(file) | dict(chat_template=tokenizer.chat_template)
    with open(os.path.join(hub, "tokenizer_config.json"), "w") as file:
        json.dump(described, file)

graph = onnx.load(os.path.join(genai, "model.onnx"))
# transformers.js makes the empty cache from the graph's own shapes, so every dimension of a head has to be a number there.
for value in [*graph.graph.input, *graph.graph.output]:
    for dimension in value.type.tensor_type.shape.dim:
        if dimension.dim_param == "kv_cache_dim":
            dimension.dim_value = config.head_dim
onnx.save(graph, os.path.join(hub, "onnx", "model_q4.onnx"))
