"""A small LoRA adapter made by peft over models/llama, and what the two compute together.

Writes `adapters/llama/`: the adapter as `save_pretrained` leaves it, and `golden.json` with the logits of base and adapter
in float64 and the merged weight of one layer. Both factors are drawn at random: B is not zero, so the adapter changes the model.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 transformers==5.24.0 peft==0.21.2
    venv/bin/python test/oracle/peft-adapter.py
"""

import json
import shutil
import sys
from pathlib import Path

sys.path.pop(0)  # else tokenizers.py beside this file hides the package

import torch  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402

HERE = Path(__file__).parent
FOLDER = HERE / "adapters" / "llama"
IDS = [5, 17, 99, 3, 64, 64, 120, 8]
MERGED = "model.layers.1.mlp.down_proj"


def rounded(tensor: torch.Tensor) -> list:
    return [[float(f"{value:.6g}") for value in row] for row in tensor.tolist()]


if __name__ == "__main__":
    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(HERE / "models" / "llama", dtype=torch.float32)
    config = LoraConfig(
        r=2, lora_alpha=6, use_rslora=True, target_modules=r".*(self_attn\.[qv]_proj|mlp\.down_proj)", task_type="CAUSAL_LM"
    )
    model = get_peft_model(base, config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape) * 0.2)
    shutil.rmtree(FOLDER, ignore_errors=True)
    model.peft_config["default"].base_model_name_or_path = "test/oracle/models/llama"
    model.save_pretrained(FOLDER)
    (FOLDER / "README.md").unlink()
    model = model.double().eval()
    with torch.no_grad():
        logits = model(torch.tensor([IDS])).logits[0]
        merged = model.merge_and_unload().get_submodule(MERGED).weight
    golden = dict(ids=IDS, logits=rounded(logits[-1:])[0], merged=dict(name=f"{MERGED}.weight", values=rounded(merged)))
    (FOLDER / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
