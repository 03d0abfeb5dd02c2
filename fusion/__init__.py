"""From signals to a verdict: schema, meta-model, calibration, reasons, training, evaluation."""
