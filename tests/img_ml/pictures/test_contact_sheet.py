"""Contact sheets: every picture is on the page, in its row and column."""

import numpy as np

from img_ml.pictures.contact_sheet import contact_sheet


def test_pictures_stand_in_their_rows_and_columns_and_large_ones_are_shrunk() -> None:
    red, blue = (np.full((120, 400, 3), colour, dtype=np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    page = contact_sheet(("before", "after"), [(red, blue), (blue, red)], 200)
    assert page.shape == (28 + 2 * (60 + 8), 2 * (200 + 8) + 8, 3)
    inside = page[[50, 50, 120, 120], [100, 310, 100, 310]]
    assert inside.tolist() == [[255, 0, 0], [0, 0, 255], [0, 0, 255], [255, 0, 0]]
    assert (page[:28] < 128).any()


def test_a_picture_of_one_pixel_keeps_room_for_its_title() -> None:
    assert contact_sheet(("one",), [(np.zeros((1, 1, 3), dtype=np.uint8),)], 200).shape[1] == 216
