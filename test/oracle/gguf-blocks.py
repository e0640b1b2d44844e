"""Writes gguf-blocks.json: random blocks of every GGML type, dequantised by llama.cpp's own Python package.

    pip install gguf==0.19.0 numpy && python test/oracle/gguf-blocks.py

Each entry: the type's name, its blocks (base64) and their values (base64 of little-endian fp32). The bytes are random but for
the fp16 scales, which are drawn from a normal distribution, so that nothing is infinite or NaN.
"""

import base64
import json
import pathlib

import numpy as np
from gguf import GGMLQuantizationType, dequantize
from gguf.constants import GGML_QUANT_SIZES

# Byte positions of the fp16 scales and minima in a block (ggml-common.h).
SCALES = {
    "Q4_0": [0],
    "Q4_1": [0, 2],
    "Q5_0": [0],
    "Q5_1": [0, 2],
    "Q8_0": [0],
    "Q4_K": [0, 2],
    "Q5_K": [0, 2],
    "Q6_K": [208],
}
BLOCKS = 4


def main() -> None:
    random = np.random.default_rng(20240607)
    entries = []
    for name, positions in SCALES.items():
        kind = GGMLQuantizationType[name]
        _, block_bytes = GGML_QUANT_SIZES[kind]
        blocks = random.integers(0, 256, (BLOCKS, block_bytes), dtype=np.uint8)
        for position in positions:
            scales = random.normal(0, 0.05, BLOCKS).astype("<f2")
            blocks[:, position : position + 2] = scales.view(np.uint8).reshape(BLOCKS, 2)
        entries.append(entry(name, blocks, dequantize(blocks, kind)))

    values = random.normal(0, 10, 64).astype("<f4")
    halves = values.astype("<f2")
    entries.append(entry("F16", halves.view(np.uint8), halves.astype("<f4")))
    brains = (values.view("<u4") >> 16).astype("<u2")
    entries.append(entry("BF16", brains.view(np.uint8), (brains.astype("<u4") << 16).view("<f4")))

    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps({"package": "gguf 0.19.0", "entries": entries}, indent=1) + "\n")


def entry(name: str, blocks: np.ndarray, values: np.ndarray) -> dict[str, str]:
    return {
        "type": name,
        "blocks": base64.b64encode(blocks.tobytes()).decode(),
        "values": base64.b64encode(values.astype("<f4").tobytes()).decode(),
    }


if __name__ == "__main__":
    main()
