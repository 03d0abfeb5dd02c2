"""The model card: what a trained artifact is, what it was trained on, and its measured numbers."""

import math

from fusion.calibration import LEANING_ERROR
from fusion.evaluation.metrics import Estimate
from fusion.training.fit import Fitted, FusionPlan
from fusion.training.report import TrainingReport
from fusion.weighers.kinds import KINDS
from img_ml.data.folds import FOLDS

MOST_FEATURES = 15


def model_card(profile: str, fitted: Fitted, report: TrainingReport, plan: FusionPlan) -> str:
    """The card as Markdown; every number in it is computed by the run that writes it."""
    return (
        "\n\n".join(
            [
                f"# Model card: fusion of the `{profile}` profile",
                _what(fitted),
                "## Data\n\n" + _counts(report.counts),
                "## Protocol\n\n" + _protocol(fitted, plan),
                "## Command\n\n" + _command(profile, plan),
                "## Measured on the test split\n\n" + _measured(report.test) + _rests_on(report, "test") + _PLOTS
                if report.test
                else "## No test split\n\nThe dataset has none.",
                "## Measured out of fold on train and val\n\n"
                "These scores chose the candidate, the calibration and the thresholds, so they flatter.\n\n"
                + _measured(report.development)
                + _rests_on(report, "development_out_of_fold").rstrip(),
                "## When a detector is missing\n\n" + _missing(fitted, plan),
                "## What the model weighs\n\n" + _weighs(fitted),
                "## Limits\n\n" + _shared(report) + _LIMITS,
            ]
        )
        + "\n"
    )


_PLOTS = """![ROC](roc.svg)
![Precision and recall](precision_recall.svg)
![Reliability](reliability.svg)"""

_LIMITS = """- An AUC is a mean over the sources at hand. The interval over sources says how far another set of \
sources may lie; the one over images only how far other images of the same sources may.
- The test images are taken as their files are. The numbers say something about a detector only where both classes \
were encoded alike; `python -m scripts.audit_dataset` tells whether they were.
- The features describe processing as much as origin: heavy denoising, strong compression, resizing and retouching \
change them.
- A probability is calibrated for a collection in which half of the images are AI. Where fewer are, fewer of the \
images called AI are."""


def _shared(report: TrainingReport) -> str:
    if not report.sources_of_test_elsewhere:
        return ""
    return (
        f"- {report.sources_of_test_elsewhere} sources of the test split were learned from too: its figures flatter.\n"
    )


def _what(fitted: Fitted) -> str:
    thresholds, kind = fitted.model.thresholds, KINDS[fitted.model.kind]
    heads = ", ".join(f"`{head.number}` ({head.detector})" for head in fitted.heads)
    count = len(fitted.model.schema.features)
    weighed = {feature.detector for feature in fitted.model.schema.features}
    weights = ", ".join(f"`{name}` {mark}" for name, mark in sorted(fitted.table.marks.items()) if name in weighed)
    return (
        f"{kind.title} over {count} {'number' if count == 1 else 'numbers'} of the profile's detectors "
        f"(feature schema {fitted.model.schema.version}), with Platt calibration. It answers with the probability that "
        f"an image was made by a machine: AI from {thresholds.ai:.3f} up, NON-AI up to {thresholds.non_ai:.3f}, "
        f"UNCERTAIN between; it leans towards AI from {thresholds.leans_ai:.3f} up, towards NON-AI up to "
        f"{thresholds.leans_non_ai:.3f}. Trained heads: {heads or 'none'}. Weights of networks: {weights or 'none'} "
        "(the first digits of the SHA-256 over the lines `SHA-256 NAME` of their files, which stand in the lock file "
        "beside them)."
    )


def _protocol(fitted: Fitted, plan: FusionPlan) -> str:
    several = len({feature.detector for feature in fitted.model.schema.features}) > 1
    struck = f"- In training, each detector is struck out of {plan.skip:.0%} of the rows.\n" if several else ""
    return f"""- Every training image is seen through random views, drawn from its bytes and the seed {plan.seed}, \
never from its label: a crop of at most 224 px at native resolution, in 3 of 10 views scaled down to 60 to 100 %, in 1 \
of 10 blurred by 0.3 to 1.2 px, in 1 of 10 grey, then written as JPEG (7 of 10) or WebP (2 of 10) of quality 70 to 95, \
or PNG (1 of 10). Half keep their EXIF, all other metadata is gone. Views of each image of train and val: \
{plan.views}. Test images are seen as their files are.
- Both classes weigh alike, and a source weighs as the square root of its size.
- The candidate is the one of best AUC in {FOLDS}-fold cross-validation over train and val, folds grouped by source. \
It trains for the rounds that are best on the val images, by the mean of their AUC over the folds. Heads are trained \
in the same folds, so that the fusion learns from scores of heads that never saw the image or its source.
{_choice(fitted)}{struck}- Calibration and thresholds come from the same out-of-fold scores: at most \
{plan.false_positive_rate:.0%} of the real images and {plan.art_rate:.1%} of the human art are called AI there, \
at most {plan.false_negative_rate:.0%} of the AI images NON-AI. At most {LEANING_ERROR:.0%} of either class lean \
the wrong way there.
- Test is only reported. Intervals are 95 % bootstrap intervals, one that resamples whole sources and one that \
resamples images."""


def _choice(fitted: Fitted) -> str:
    """What was weighed, where cross-validation chose it, and how the plainest model compares."""
    tried = fitted.best_by_detectors
    lines = ""
    if len(tried) > 1:
        told = "; ".join(f"{', '.join(f'`{name}`' for name in names)}: {value:.3f}" for names, value in tried.items())
        lines += f"- What is weighed was chosen the same way, among (AUC out of fold) {told}.\n"
    if fitted.yardstick is not None:
        lines += f"- A logistic regression over the same numbers has an AUC of {fitted.yardstick:.3f} out of fold.\n"
    return lines


def _counts(counts: dict[str, tuple[int, int]]) -> str:
    rows = "\n".join(f"| {name} | {views} | {sources} |" for name, (views, sources) in counts.items() if views)
    return (
        "The splits are those of the dataset. Training images are not part of this artifact; [SOURCES.md](SOURCES.md) "
        "lists every source.\n\n"
        f"| split and kind | views | sources |\n|---|---|---|\n{rows}"
    )


def _command(profile: str, plan: FusionPlan) -> str:
    """The command that gives this artifact again from the same dataset."""
    heads = "".join(f" --head {detector}={kind}" for detector, kind in plan.heads.items())
    weighed = "".join(f" --weigh {detector}" for detector in plan.weighed)
    return f"""```console
$ python -m fusion.train_fusion --dataset dataset.csv --profile {profile} --model {plan.model} \\
    --views {plan.views} --seed {plan.seed} --skip {plan.skip:g} \\
    --false-positives {plan.false_positive_rate:g} --art-positives {plan.art_rate:g} \\
    --false-negatives {plan.false_negative_rate:g}{heads}{weighed}
```

The same dataset (`metrics.json` has the SHA-256 over its images, labels and splits; where it came as several, each \
has a `--dataset` of its own), weights, seed and library versions (in `manifest.json`) give the same model file."""


def _measured(measures: dict[str, Estimate]) -> str:
    rows = "\n".join(
        f"| {name} | {e.value:.3f} | {e.sources.low:.3f} to {e.sources.high:.3f} "
        f"| {e.images.low:.3f} to {e.images.high:.3f} |"
        for name, e in measures.items()
        if not math.isnan(e.value)
    ).replace("nan to nan", "")
    return f"| measure | value | 95 % over sources | 95 % over images |\n|---|---|---|---|\n{rows}"


def _rests_on(report: TrainingReport, part: str) -> str:
    count = report.mixed_sources[part]
    return f"\n\nThe within-source AUC rests on {count} {'source' if count == 1 else 'sources'}.\n\n"


def _missing(fitted: Fitted, plan: FusionPlan) -> str:
    rows = "\n".join(f"| `{name}` | {value:.3f} |" for name, value in fitted.without.items())
    return (
        f"Out-of-fold AUC with all detectors {fitted.chosen.auc:.3f}, and with one of them missing:\n\n"
        f"| missing | AUC |\n|---|---|\n{rows}"
    )


def _weighs(fitted: Fitted) -> str:
    pairs = zip(fitted.model.schema.features, fitted.model.references, strict=True)
    strongest = sorted(pairs, key=lambda pair: -pair[1].share)[:MOST_FEATURES]
    rows = "\n".join(f"| `{f.name}` | {f.meaning} | {r.share:.1%} |" for f, r in strongest if r.share)
    settings = dict(fitted.chosen.candidate) | dict(KINDS[fitted.model.kind].fixed)
    if fitted.chosen.rounds is not None:
        settings["rounds"] = fitted.chosen.rounds
    told = ", ".join(f"{name} {value}" for name, value in settings.items())
    return (
        f"What moves the log-odds most (mean size over training views), at most {MOST_FEATURES} features:\n\n"
        f"| feature | meaning | share |\n|---|---|---|\n{rows}\n\n"
        f"Settings: {told}."
    )
