"""Reads a .safetensors file with the reference library, for test/formats/safetensors-writer.test.ts.

    python load-safetensors.py FILE    prints the metadata, and each tensor's type, shape and values (bfloat16: none)

One JSON object on standard output.
"""

import json
import sys

sys.path.pop(0)  # else tokenizers.py beside this file hides a package

from safetensors import safe_open  # noqa: E402

with safe_open(sys.argv[1], framework="numpy") as file:
    tensors = {}
    for name in file.keys():
        piece = file.get_slice(name)
        dtype = piece.get_dtype()
        values = None if dtype == "BF16" else file.get_tensor(name).astype("float64").ravel().tolist()
        tensors[name] = dict(dtype=dtype, shape=list(piece.get_shape()), values=values)
    print(json.dumps(dict(metadata=file.metadata(), tensors=tensors)))
