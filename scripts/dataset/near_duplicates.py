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
    contrast = _contrast(thumbnails)
    found = [np.empty((0, 2), dtype=np.intp)]
    rows = max(1, _BLOCK // max(1, len(images)))
    for start in range(0, len(images), rows):
        near = np.bitwise_count(hashes[start : start + rows, None] ^ hashes[None, start:]) <= HASH_BITS
        candidates = np.argwhere(np.triu(near, 1)) + start
        for at in range(0, len(candidates), _THUMBNAILS_AT_ONCE):
            some = candidates[at : at + _THUMBNAILS_AT_ONCE]
            first, second = some.T
            difference = np.abs(thumbnails[first] - thumbnails[second]).mean(axis=(1, 2))
            # One grey level more keeps the rounding of empty images from counting as a difference.
            limit = THUMBNAIL_DIFFERENCE * (1 + np.minimum(contrast[first], contrast[second]))
            found.append(some[difference <= limit])
    return np.concatenate(found)


def alike_clusters(images: Sequence[ImageFacts]) -> NDArray[np.int64]:
    """The cluster number of each image; files of the same bytes are compared once."""
    digests, first, number = np.unique([image.sha256 for image in images], return_index=True, return_inverse=True)
    distinct = [images[index] for index in first.tolist()]
    return clusters(len(digests), alike_pairs(distinct))[number]


def clusters(count: int, pairs: Pairs) -> NDArray[np.int64]:
    """The cluster number of each of `count` images: the connected components of the pairs."""
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _contrast(thumbnails: NDArray[np.int16]) -> NDArray[np.float64]:
    """Mean absolute deviation from each image's own mean colour."""
    found = [np.abs(one - one.mean(axis=0)).mean() for one in thumbnails]
    return np.array(found, dtype=np.float64)
