"""Settings of SPAI's training, in the sections and keys of its authors."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from forensics.errors import UsageError
from img_ml.networks.spai.sizes import SpaiSizes, VitSizes

PACKAGED = Path(__file__).parent / "configs"
_MOST_LEVELS = 20

# What the authors' files may say, and nothing else: the network is built in no other way here.
FIXED: Mapping[str, tuple[object, ...]] = {
    "MODEL.TYPE": ("vit",),
    "MODEL.SID_APPROACH": ("freq_restoration",),
    "MODEL.RESOLUTION_MODE": ("arbitrary",),
    "MODEL.REQUIRED_NORMALIZATION": ("positive_0_1",),
    "MODEL.NUM_CLASSES": (2,),
    "MODEL.VIT.PROJECTION_LAYERS": (2,),
    "MODEL.VIT.PATCH_PROJECTION": (True,),
    "MODEL.VIT.PATCH_PROJECTION_PER_FEATURE": (True,),
    "MODEL.VIT.USE_INTERMEDIATE_LAYERS": (True,),
    "MODEL.VIT.USE_APE": (True,),
    "MODEL.VIT.USE_RPB": (False,),
    "MODEL.VIT.USE_SHARED_RPB": (False,),
    "MODEL.VIT.INIT_VALUES": (None,),
    "MODEL.FRE.PROJECTOR_LAST_LAYER_ACTIVATION_TYPE": (None,),
    "MODEL.FRE.ORIGINAL_IMAGE_FEATURES_BRANCH": (True,),
    "MODEL.PATCH_VIT.MINIMUM_PATCHES": (4,),
    "DATA.DATASET": ("csv_sid",),
    "AUG.COLOR_JITTER": (0, None),
    "TRAIN.LOSS": ("bce",),
    "PRETRAIN.LOSS": ("bce",),
    "TEST.ORIGINAL_RESOLUTION": (True,),
}
# What follows from other keys, and may be said again.
DERIVED: Mapping[str, tuple[str, Callable[["Config"], object]]] = {
    "MODEL.VIT.NUM_HEADS": ("EMBED_DIM / 64", lambda config: config.MODEL.VIT.EMBED_DIM // 64),
    "MODEL.VIT.INTERMEDIATE_LAYERS": ("the list of every layer", lambda config: [*range(config.MODEL.VIT.DEPTH)]),
    "MODEL.PATCH_VIT.PATCH_STRIDE": ("DATA.IMG_SIZE", lambda config: config.DATA.IMG_SIZE),
}
# What the authors' files say and nothing here goes by.
IDLE = frozenset(
    (
        "MODEL.DROP_PATH_RATE",
        "MODEL.VIT.USE_MEAN_POOLING",
        "DATA.VAL_BATCH_SIZE",
        "DATA.TEST_BATCH_SIZE",
        "DATA.TEST_PREFETCH_FACTOR",
        "TRAIN.LAYER_DECAY",
        "PRETRAIN.LAYER_DECAY",
        "PRINT_FREQ",
        "SAVE_FREQ",
    )
)


class Section(BaseModel):
    """A section of the keys that act; any other is an error, but for FIXED, DERIVED and IDLE."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class VitConfig(Section):
    """MODEL.VIT."""

    PATCH_SIZE: int = Field(16, ge=2)
    EMBED_DIM: int = Field(768, ge=64, multiple_of=64)
    DEPTH: int = Field(12, ge=1)
    MLP_RATIO: float = Field(4, gt=0)
    PROJECTION_DIM: int = Field(1024, ge=1)


class FreConfig(Section):
    """MODEL.FRE: the circle, and what is computed from its two sides."""

    MASKING_RADIUS: int = Field(16, ge=1)


class HeadConfig(Section):
    """MODEL.CLS_HEAD."""

    MLP_RATIO: int = Field(3, ge=1)


class PatchConfig(Section):
    """MODEL.PATCH_VIT: the attention over patches."""

    NUM_HEADS: int = Field(12, ge=1)
    ATTN_EMBED_DIM: int = Field(1536, ge=1)


class FrequencyLossConfig(Section):
    """MODEL.FREQ_LOSS of pre-training: the power of each difference, and whether hard frequencies weigh more."""

    LOSS_GAMMA: float = Field(1.0, gt=0)
    MATRIX_GAMMA: float = Field(1.0, gt=0)
    WITH_MATRIX: bool = False


class ModelConfig(Section):
    """MODEL."""

    NAME: str = "finetune"
    SID_DROPOUT: float = Field(0.5, ge=0, lt=1)
    FEATURE_EXTRACTION_BATCH: int = Field(64, ge=1)
    VIT: VitConfig = VitConfig()
    FRE: FreConfig = FreConfig()
    CLS_HEAD: HeadConfig = HeadConfig()
    PATCH_VIT: PatchConfig = PatchConfig()
    FREQ_LOSS: FrequencyLossConfig = FrequencyLossConfig()


class DataConfig(Section):
    """DATA.

    `WATCHED` says what early stopping watches: the val split, or a fifth of the sources of train and val, of which
    `MOST_WATCHED` images are enough. An epoch has as many images as there are, or `IMAGES_PER_EPOCH`.
    The `AUGMENTED_VIEWS` of an image are the patches that the attention weighs against each other: with one it learns
    nothing. `PRETRAIN_ON` says what pre-training learns from: `real` images, or `all`.
    """

    BATCH_SIZE: int = Field(72, ge=1)
    IMG_SIZE: int = Field(224, ge=16)
    NUM_WORKERS: int = Field(0, ge=0)
    AUGMENTED_VIEWS: int = Field(4, ge=1)
    IMAGES_PER_EPOCH: int | None = Field(None, ge=1)
    MOST_WATCHED: int = Field(1000, ge=2)
    WATCHED: Literal["split", "sources"] = "split"
    PRETRAIN_ON: Literal["real", "all"] = "real"
    SAMPLE_RATIO: float = Field(0.5, ge=0, le=1)
    MASK_RADIUS1: int = Field(16, ge=1)


class TrainConfig(Section):
    """TRAIN. It ends after `EARLY_STOPPING` epochs without a better judgement (None: never)."""

    EPOCHS: int = Field(35, ge=1)
    WARMUP_EPOCHS: float = Field(5, ge=0)
    BASE_LR: float = Field(5e-4, gt=0)
    WARMUP_LR: float = Field(2.5e-7, ge=0)
    MIN_LR: float = Field(2.5e-7, ge=0)
    WEIGHT_DECAY: float = Field(0.05, ge=0)
    CLIP_GRAD: float | None = Field(1.0, gt=0)
    ACCUMULATION_STEPS: int = Field(1, ge=1)
    EARLY_STOPPING: int | None = Field(5, ge=1)
    BETAS: tuple[float, float] = (0.9, 0.999)


class Config(Section):
    """All of it. `PRETRAIN` has the keys of TRAIN, for masked-frequency modelling."""

    MODEL: ModelConfig = ModelConfig()
    DATA: DataConfig = DataConfig()
    TRAIN: TrainConfig = TrainConfig()
    PRETRAIN: TrainConfig = TrainConfig(EPOCHS=300, WARMUP_EPOCHS=20, BASE_LR=3e-4, CLIP_GRAD=3.0, BETAS=(0.9, 0.95))
    TRACKING: Literal["tensorboard", "jsonl", "none"] = "tensorboard"
    AMP_OPT_LEVEL: Literal["O0", "O1", "O2"] = "O0"
    SEED: int = 0

    @property
    def sizes(self) -> SpaiSizes:
        """The network's sizes."""
        model, vit = self.MODEL, self.MODEL.VIT
        hidden = round(vit.EMBED_DIM * vit.MLP_RATIO)
        backbone = VitSizes(self.DATA.IMG_SIZE, vit.PATCH_SIZE, vit.EMBED_DIM, vit.DEPTH, hidden)
        vector = 6 * vit.DEPTH + vit.PROJECTION_DIM
        return SpaiSizes(
            backbone,
            vit.PROJECTION_DIM,
            model.PATCH_VIT.ATTN_EMBED_DIM,
            model.PATCH_VIT.NUM_HEADS,
            model.CLS_HEAD.MLP_RATIO * vector,
            model.FRE.MASKING_RADIUS,
        )


Options = Sequence[tuple[str, object]]


def load(file: str, options: Options, tell: Callable[[str], object] = lambda _: None) -> Config:
    """The settings of a YAML file (or of a packaged one by its name), with the options' values over them.

    An option is a dotted key and a value, a text being read as YAML. `tell` gets one sentence about the keys that
    change nothing, if there are any. Raises UsageError where something is unknown or out of range.
    """
    values = _read(file)
    for key, value in options:
        _set(values, key, _value(key, value))
    besides: dict[str, object] = {}
    acting = _acting(values, "", besides)
    try:
        config = Config.model_validate(acting)
    except ValidationError as error:
        raise UsageError(_told(error)) from None
    _check(config, besides)
    if idle := sorted(IDLE & besides.keys()):
        tell(f"These settings change nothing here: {', '.join(idle)}.")
    return config


def _acting(values: Mapping[str, Any], prefix: str, besides: dict[str, object]) -> dict[str, Any]:
    """The keys that act; the others that are known go into `besides`."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            inner = _acting(value, f"{key}.", besides)
            if inner or not value:
                kept[name] = inner
        elif key in FIXED or key in DERIVED or key in IDLE:
            besides[key] = value
        else:
            kept[name] = value
    return kept


def _read(file: str) -> dict[str, Any]:
    path = Path(file)
    # Those who come with the authors' command name configs/spai.yaml, which nobody has to have here.
    packaged = PACKAGED / f"{path.stem}.yaml"
    if not path.is_file() and packaged.is_file():
        path = packaged
    try:
        values = _yaml_of(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        names = ", ".join(sorted(one.stem for one in PACKAGED.glob("*.yaml")))
        raise UsageError(f"There is no file {file}: name a YAML file of settings, or one of {names}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(values, dict):
        raise UsageError(f"{file} holds no sections.")
    plain: dict[str, Any] = _plain(values)
    return plain


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """Plain values nested a few levels deep; no aliases, by which a short text becomes a huge one."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        self.depth += 1
        if self.depth > _MOST_LEVELS:
            raise yaml.YAMLError("it is nested too deeply")
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def _yaml_of(text: str) -> Any:
    return yaml.load(text, _Loader)  # noqa: S506 - a safe loader with less


def _value(key: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return _plain(_yaml_of(value))
    except yaml.YAMLError as error:
        raise UsageError(f"The value {value!r} of {key} is not YAML.") from error


def _plain(value: Any) -> Any:
    """The value with the text None read as none, as the authors write it."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return None if value == "None" else value


def _set(values: dict[str, Any], key: str, value: object) -> None:
    *sections, last = key.split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, dict):
            raise UsageError(f"There is no setting {key}.")
        values = inner
    values[last] = value


def _told(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(key, [*_keys(Config), *FIXED, *DERIVED, *IDLE], n=1)
        return f"There is no setting {key}." + (f" Did you mean {close[0]}?" if close else "")
    return f"The setting {key} is {first['input']!r}: {first['msg'].removeprefix('Input ')}."


def _keys(section: type[BaseModel], prefix: str = "") -> list[str]:
    found = []
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += _keys(kind, f"{prefix}{name}.")
        else:
            found.append(prefix + name)
    return found


def _check(config: Config, besides: Mapping[str, object]) -> None:
    """Raise UsageError where values do not go together."""
    for key, value in besides.items():
        if key in FIXED and value not in FIXED[key]:
            raise UsageError(f"The setting {key} is {value!r}: leave it out, or set {FIXED[key][0]!r}.")
        if key in DERIVED and value is not None and value != DERIVED[key][1](config):
            raise UsageError(f"The setting {key} is {value!r}: leave it out, or set {DERIVED[key][0]}.")
    side, vit, patches = config.DATA.IMG_SIZE, config.MODEL.VIT, config.MODEL.PATCH_VIT
    if side % vit.PATCH_SIZE or side % 2:
        raise UsageError("DATA.IMG_SIZE must be even and a multiple of MODEL.VIT.PATCH_SIZE.")
    if patches.ATTN_EMBED_DIM % patches.NUM_HEADS:
        raise UsageError("MODEL.PATCH_VIT.ATTN_EMBED_DIM must be a multiple of NUM_HEADS.")
