"""ONNX Runtime, silent. From 1.32 on it reports to its makers from every platform unless told otherwise."""

from __future__ import annotations

import os

# Read once, when the library is loaded (microsoft/onnxruntime#27379): no upload, no identifier in the home directory.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

# Builds for Windows know only this call.
ort.disable_telemetry_events()

__all__ = ["ort"]
