"""The model card: what a trained artifact is, what it was trained on, and its measured numbers."""

from fusion.fit import FIXED, FOLDS, Fitted, Plan
from fusion.metrics import Interval
from fusion.report import Report

MOST_FEATURES = 15


def model_card(profile: str, fitted: Fitted, report: Report, plan: Plan) -> str:
    """The card as Markdown; every number in it is computed by the run that writes it."""
    return (
        "\n\n".join(
            [
                f"# Model card: fusion of the `{profile}` profile",
                _what(fitted),
                "## Data\n\n" + _counts(report.counts),
                "## Protocol\n\n" + _protocol(plan),
                "## Command\n\n" + _command(profile, plan),
                "## Measured on the test split\n\n" + _measured(report.test)
                if report.test
                else "## No test split\n\nThe dataset has none.",
                "## Measured out of fold on train and val\n\n"
                "These scores chose the candidate, the calibration and the thresholds, so they flatter.\n\n"
                + _measured(report.development),
                "## What the model weighs\n\n" + _weighs(fitted),
                "## Limits\n\n" + _LIMITS,
            ]
        )
        + "\n"
    )


_LIMITS = """- An AUC is a mean over the sources at hand. The interval says how far another set of sources may lie.
- The numbers hold for crops without upscaling whose two classes were encoded alike. They say nothing about a \
collection in which format or size gives the label away.
- The features describe processing as much as origin: heavy denoising, strong compression, resizing and retouching \
change them.
- A probability is calibrated for a collection in which half of the images are AI. Where fewer are, fewer of the \
images called AI are."""


def _what(fitted: Fitted) -> str:
    thresholds = fitted.model.thresholds
    return (
        f"Gradient-boosted trees over {len(fitted.model.schema.features)} numbers of the profile's detectors "
        f"(feature schema {fitted.model.schema.version}), with Platt calibration. It answers with the probability that "
        f"an image was made by a machine: AI from {thresholds.ai:.3f} up, NON-AI up to {thresholds.non_ai:.3f}, "
        "UNCERTAIN between."
    )


def _protocol(plan: Plan) -> str:
    return f"""- Every image is seen through random views, drawn from its bytes and the seed {plan.seed}, never from \
its label: a crop of at most 224 px at native resolution, in 3 of 10 views scaled down to 60 to 100 %, then written \
as JPEG of quality 70 to 95 (7 of 10), WebP of quality 70 to 95 (2 of 10) or PNG (1 of 10). All metadata is gone. \
Train and val give {plan.views} views an image, test one.
- Both classes weigh alike, and a source weighs as the square root of its size.
- The candidate is the one of best AUC in {FOLDS}-fold cross-validation over train and val, folds grouped by source. \
Calibration and thresholds come from the same out-of-fold scores: at most {plan.false_positive_rate:.0%} of the \
images of label 0 are called AI there, at most {plan.false_negative_rate:.0%} of the AI images NON-AI.
- Test is only reported. Intervals are 95 % bootstrap intervals that resample whole sources, except where they say \
images."""


def _counts(counts: dict[str, tuple[int, int]]) -> str:
    rows = "\n".join(f"| {name} | {views} | {sources} |" for name, (views, sources) in counts.items() if views)
    return (
        "The splits are those of the dataset. Training images are not part of this artifact.\n\n"
        f"| split and kind | views | sources |\n|---|---|---|\n{rows}"
    )


def _command(profile: str, plan: Plan) -> str:
    """The command that gives this artifact again from the same dataset (its SHA-256 is in metrics.json)."""
    return f"""```console
$ python -m fusion.train_fusion --dataset dataset.csv --profile {profile} --views {plan.views} --seed {plan.seed} \\
    --false-positives {plan.false_positive_rate:g} --false-negatives {plan.false_negative_rate:g}
```

The same dataset (its SHA-256 is in `metrics.json`), seed and library versions (in `manifest.json`) give the same \
model file."""


def _measured(measures: dict[str, Interval]) -> str:
    rows = "\n".join(f"| {name} | {i.value:.3f} | {i.low:.3f} to {i.high:.3f} |" for name, i in measures.items())
    return f"| measure | value | 95 % interval |\n|---|---|---|\n{rows}"


def _weighs(fitted: Fitted) -> str:
    pairs = zip(fitted.model.schema.features, fitted.model.references, strict=True)
    strongest = sorted(pairs, key=lambda pair: -pair[1].gain)[:MOST_FEATURES]
    rows = "\n".join(f"| `{f.name}` | {f.meaning} | {r.gain:.1%} |" for f, r in strongest if r.gain)
    settings = ", ".join(f"{name} {value}" for name, value in (fitted.chosen | FIXED).items())
    return (
        f"The {MOST_FEATURES} features of most gain:\n\n"
        f"| feature | meaning | share of gain |\n|---|---|---|\n{rows}\n\n"
        f"XGBoost settings: {settings}."
    )
