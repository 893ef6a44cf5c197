"""ONNX Runtime with telemetry disabled. Since 1.32 it sends telemetry on every platform by default."""

from __future__ import annotations

import os

# The library reads this once, when it is loaded (microsoft/onnxruntime#27379). It then uploads nothing and writes no
# identifier to the home directory.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

# Windows builds support only this call.
ort.disable_telemetry_events()

__all__ = ["ort"]
