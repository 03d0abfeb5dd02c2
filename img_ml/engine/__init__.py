"""The engine: a profile's detectors over a batch, on a device with limited memory."""
