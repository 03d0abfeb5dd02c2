"""`python -m img_ml.train NETWORK`: train a network that nobody publishes weights of."""

import typer

from img_ml.train.commands.aekl import aekl
from img_ml.train.commands.autoencoder import autoencoder
from img_ml.train.commands.ghostnet import ghostnet
from img_ml.train.commands.saturation_cnn import saturation_cnn

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Train networks on labelled images, and install them among the weights.

    Exit codes: 0 done, 2 something is wrong with the input, 3 interrupted (the same command goes on).
    """


app.command()(aekl)
app.command()(autoencoder)
app.command()(ghostnet)
app.command("saturation_cnn")(saturation_cnn)

if __name__ == "__main__":
    app()
