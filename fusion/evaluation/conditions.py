"""Conditions: what may happen to an image on its way, and must not change what is said of it."""

from forensics.crops import CROP
from img_ml.data.views import AS_IT_IS, View

AS_IS = "as it is"
STRIPPED = "metadata stripped"

# The screenshot is the image shown at 80 % on a white page; the thumbnail is what chat programs make of it.
CONDITIONS: dict[str, View] = {
    AS_IS: AS_IT_IS,
    STRIPPED: View(encoder="strip"),
    "JPEG 95": View(encoder="jpeg", quality=95, exif=True),
    "JPEG 85": View(encoder="jpeg", quality=85, subsampling=2, exif=True),
    "JPEG 70": View(encoder="jpeg", quality=70, subsampling=2, exif=True),
    "JPEG 50": View(encoder="jpeg", quality=50, subsampling=2, exif=True),
    "WebP 80": View(encoder="webp", quality=80, exif=True),
    "half size": View(encoder="jpeg", quality=90, scale=0.5, exif=True),
    "thumbnail 160 px": View(encoder="jpeg", quality=75, subsampling=2, longest_side=160),
    "crop 224 px": View(encoder="jpeg", quality=92, crop=CROP, top=0.3, left=0.7),
    "blur 1 px": View(encoder="jpeg", quality=92, blur=1.0, exif=True),
    "greyscale": View(encoder="jpeg", quality=92, grey=True, exif=True),
    "screenshot": View(encoder="png", scale=0.8, margin=0.05),
}
