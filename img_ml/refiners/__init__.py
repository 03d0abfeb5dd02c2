"""Refiners: operators that add fields to records of images, standing alone, in Ray Data, or in mega_data_factory.

The framework's YAML files name `image_siglip_embedding_refiner` and `image_aigc_detector_refiner`; it looks for classes
whose names are those parts capitalised, so both are known by such names too.
"""

from img_ml.refiners.aigc_detector import ImageAIGCDetectorRefiner
from img_ml.refiners.framework import register
from img_ml.refiners.siglip_embedding import ImageSigLIPEmbeddingRefiner

ImageSiglipEmbeddingRefiner = ImageSigLIPEmbeddingRefiner
ImageAigcDetectorRefiner = ImageAIGCDetectorRefiner

register(
    {
        "ImageSiglipEmbeddingRefiner": ImageSiglipEmbeddingRefiner,
        "ImageAigcDetectorRefiner": ImageAigcDetectorRefiner,
    }
)

__all__ = [
    "ImageAIGCDetectorRefiner",
    "ImageAigcDetectorRefiner",
    "ImageSigLIPEmbeddingRefiner",
    "ImageSiglipEmbeddingRefiner",
]
