"""Cross-fitted members: one small network for each fold, exported as one ONNX graph."""
