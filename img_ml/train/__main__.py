"""`python -m img_ml.train NETWORK`: train a network that nobody publishes weights of."""

import typer

from img_ml.command import run_command
from img_ml.train.commands import siglip2
from img_ml.train.commands.aekl import aekl
from img_ml.train.commands.aekl_clf import aekl_clf
from img_ml.train.commands.autoencoder import autoencoder
from img_ml.train.commands.clip_b16 import clip_b16
from img_ml.train.commands.crop_network import crop_network
from img_ml.train.commands.fatformer import fatformer
from img_ml.train.commands.ghostnet import ghostnet
from img_ml.train.commands.resnets import resnet_ft, resnet_hf
from img_ml.train.commands.saturation_cnn import saturation_cnn
from img_ml.train.commands.upsampling_autoencoder import upsampling_autoencoder

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Train networks on labelled images, and install them among the weights.

    Exit codes: 0 done, 2 something is wrong with the input, 3 interrupted (the same command goes on).
    """


app.command("aekl")(aekl)
app.command("aekl_clf")(aekl_clf)
app.command("autoencoder")(autoencoder)
app.command("clip_b16")(clip_b16)
app.command("fatformer")(fatformer)
app.command("ghostnet")(ghostnet)
app.command("crop_network")(crop_network)
app.command("resnet_ft")(resnet_ft)
app.command("resnet_hf")(resnet_hf)
app.command("saturation_cnn")(saturation_cnn)
app.command("upsampling_autoencoder")(upsampling_autoencoder)
app.add_typer(siglip2.app, name="siglip2")

if __name__ == "__main__":
    run_command(app)
