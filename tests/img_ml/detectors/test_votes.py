"""Votes: the same views of the same image, independent crops, and a mean whose variance falls with their number."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from forensics.errors import ArtifactError
from forensics.types import ImageSample, Pixels
from img_ml.detectors._votes import MOST_VOTES, Voting, parts, views, voting_of
from tests.forensics.pictures import sample_of


def noise(seed: int, height: int = 300, width: int = 260) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def named(sample: ImageSample, name: str) -> ImageSample:
    """The image under another hash: what is drawn follows from that alone."""
    return replace(sample, sha256=hashlib.sha256(name.encode()).hexdigest())


def test_one_vote_is_the_centre_crop() -> None:
    pixels = noise(0, 101, 91)
    (view,) = views(sample_of(pixels), Voting(), 80, "crop")
    assert np.array_equal(view, pixels[10:90, 5:85])


def test_one_vote_sees_the_whole_picture_resized() -> None:
    pixels = np.zeros((300, 500, 3), dtype=np.uint8)
    pixels[:, 250:] = 255
    (view,) = views(sample_of(pixels), Voting(), 64, "resized")
    assert view.shape == (64, 64, 3)
    assert view[:, :30].max() == 0
    assert view[:, 34:].min() == 255


@pytest.mark.parametrize("kind", ["crop", "resized"])
def test_the_same_image_gives_the_same_views_and_fewer_votes_are_the_first_of_more(kind: str) -> None:
    sample = sample_of(noise(1))
    seven = list(views(sample, Voting(7), 80, kind))  # type: ignore[arg-type]
    assert all(map(np.array_equal, seven, views(sample, Voting(7), 80, kind)))  # type: ignore[arg-type]
    assert all(map(np.array_equal, seven, views(sample, Voting(5), 80, kind)))  # type: ignore[arg-type]
    assert len({view.tobytes() for view in seven}) == 7


def test_other_images_give_other_crops() -> None:
    sample = sample_of(noise(2))
    first, second = (list(views(named(sample, name), Voting(5), 80, "crop")) for name in "ab")
    assert not any(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("kind", ["crop", "resized"])
@pytest.mark.parametrize("size", [(1, 1), (1, 700), (79, 81), (80, 80)], ids=str)
def test_images_smaller_than_a_view_are_seen_too(kind: str, size: tuple[int, int]) -> None:
    found = list(views(sample_of(noise(3, *size)), Voting(3), 80, kind))  # type: ignore[arg-type]
    assert [view.shape for view in found] == [(80, 80, 3)] * 3


def test_parts_cover_four_fifths_of_the_picture() -> None:
    sample = sample_of(noise(4))
    shares = [part.shape[0] * part.shape[1] / (300 * 260) for part in parts(sample, Voting(50))]
    assert 0.7 < min(shares) < max(shares) <= 1


def test_the_mean_over_more_crops_varies_less_as_that_of_independent_draws_does() -> None:
    """A logit that sees white noise: the variance of the mean over N crops is that of one crop, divided by N."""
    sample = sample_of(noise(5, 640, 640))
    alone = np.var(_means(sample, votes=1, times=2000))
    for votes in (5, 7):
        assert np.var(_means(sample, votes, times=600)) * votes / alone == pytest.approx(1, abs=0.2)


def _means(sample: ImageSample, votes: int, times: int) -> list[float]:
    """The mean over as many random crops of the image, under many hashes; of two crops the first is a single one."""
    drawn = (list(views(named(sample, f"{time}"), Voting(max(votes, 2)), 16, "crop"))[:votes] for time in range(times))
    return [float(np.mean([view.mean() for view in views_])) for views_ in drawn]


def chosen(votes: str = "", flips: str = "horizontal", combine: str = "logits") -> Voting:
    return voting_of({"votes": votes, "flips": flips, "combine": combine}, "resnet_hf")


def test_a_profile_chooses_the_votes() -> None:
    assert [chosen(text).votes for text in ("", "1", "7")] == [1, 1, 7]
    voting = Voting(7, "both", "majority")
    assert chosen(**voting.chosen) == voting
    assert Voting().chosen == {}
    assert Voting(7).mark == "7", "what was measured before the other options stays what it is"
    assert len({one.mark for one in (Voting(7), voting, Voting(7, "both"), Voting(7, combine="majority"))}) == 4


@pytest.mark.parametrize("text", ["0", "-1", "many", "7.0", "²", str(MOST_VOTES + 1)])
def test_votes_that_are_no_number_are_refused(text: str) -> None:
    with pytest.raises(ArtifactError, match="whole number from 1 to 100"):
        chosen(text)


def test_a_majority_counts_views_and_a_mean_keeps_how_sure_they_are() -> None:
    logits = np.array([-0.1, -0.1, -0.1, 5.0], dtype=np.float32)
    assert Voting(4, combine="majority").probability(logits) == 0.25
    assert Voting(4).probability(logits) > 0.7


@pytest.mark.parametrize("kind", ["crop", "resized"])
def test_views_stand_upside_down_only_where_both_flips_are_asked_for(kind: str) -> None:
    """A picture that is dark above and bright below, left dark of right by less: its flips can be told."""
    rows, columns = np.mgrid[0:80, 0:80]
    pixels = np.repeat((2 * rows + columns // 2)[..., None], 3, axis=2).astype(np.uint8)
    found = {
        flips: [_flips(view) for view in views(sample_of(pixels), Voting(40, flips), 64, kind)]  # type: ignore[arg-type]
        for flips in ("horizontal", "both")
    }
    assert not any(upside_down for _, upside_down in found["horizontal"])
    assert set(found["both"]) == {(False, False), (False, True), (True, False), (True, True)}
    assert 8 < sum(upside_down for _, upside_down in found["both"]) < 32


def _flips(view: Pixels) -> tuple[bool, bool]:
    """Whether a view of that picture is mirrored, and whether it is upside down."""
    across, down = view[:, -1].mean() - view[:, 0].mean(), view[-1].mean() - view[0].mean()
    return bool(across < 0), bool(down < 0)
