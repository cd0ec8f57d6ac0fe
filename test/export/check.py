"""Checks ONNX files with ONNX's own checker, shape inference included."""

import os
import sys

import onnx

for path in sys.argv[1:]:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    print(f"{os.path.basename(path)}: ok, IR {model.ir_version}, opset {model.opset_import[0].version}")
