"""Images that look alike: pairs by perceptual hash and thumbnail, and the clusters they make."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from scripts.dataset.inventory import THUMBNAIL, ImageFacts

# Chosen by eye on the pairs nearest each other among 7,900 crops, and on re-encoded copies of 600 of them: both
# limits together hold 99 % of copies re-encoded, halved in size or trimmed by 1 %, and no two different scenes.
HASH_BITS = 8
THUMBNAIL_DIFFERENCE = 0.25
_BLOCK = 2**22
_THUMBNAILS_AT_ONCE = 4096

Pairs = NDArray[np.intp]


def alike_pairs(images: Sequence[ImageFacts]) -> Pairs:
    """(p, 2) positions i < j of images that look alike.

    At most HASH_BITS of the 64 hash bits differ, and the thumbnails differ by at most THUMBNAIL_DIFFERENCE of their
    contrast; without the second, plain surfaces and dark scenes pass for one another.
    """
    hashes = np.array([image.perceptual_hash for image in images], dtype=np.uint64)
    thumbnails = np.array([image.thumbnail for image in images], dtype=np.int16).reshape(-1, THUMBNAIL**2, 3)
    found = [np.empty((0, 2), dtype=np.intp)]
    rows = max(1, _BLOCK // max(1, len(images)))
    for start in range(0, len(images), rows):
        near = np.bitwise_count(hashes[start : start + rows, None] ^ hashes[None, start:]) <= HASH_BITS
        candidates = np.argwhere(np.triu(near, 1)) + start
        for at in range(0, len(candidates), _THUMBNAILS_AT_ONCE):
            some = candidates[at : at + _THUMBNAILS_AT_ONCE]
            found.append(some[_look_alike(thumbnails[some[:, 0]], thumbnails[some[:, 1]])])
    return np.concatenate(found)


def clusters(count: int, pairs: Pairs) -> NDArray[np.int64]:
    """The cluster number of each of `count` images: the connected components of the pairs."""
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _look_alike(first: NDArray[np.int16], second: NDArray[np.int16]) -> NDArray[np.bool_]:
    difference = np.abs(first - second).mean(axis=(1, 2))
    # One grey level more keeps the rounding of empty images from counting as a difference.
    contrast = 1 + np.minimum(_contrast(first), _contrast(second))
    return np.asarray(difference <= THUMBNAIL_DIFFERENCE * contrast)


def _contrast(thumbnails: NDArray[np.int16]) -> NDArray[np.float64]:
    """Mean absolute deviation from each image's own mean colour."""
    centred = thumbnails - thumbnails.mean(axis=1, keepdims=True)
    return np.asarray(np.abs(centred).mean(axis=(1, 2)))
