"""`from operators.refiners import ...`: `img_ml.refiners` here."""

from img_ml.refiners import ImageAIGCDetectorRefiner, ImageSigLIPEmbeddingRefiner

__all__ = ["ImageAIGCDetectorRefiner", "ImageSigLIPEmbeddingRefiner"]
