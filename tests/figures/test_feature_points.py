import numpy as np
import pytest
from matplotlib.image import imread

from visuomotor.errors import VisuomotorError
from visuomotor.figures.feature_points import (
    POLICY_COLOUR,
    POSE_COLOUR,
    draw_feature_points,
    draw_policy_against_pose,
    point_colours,
    to_pixels,
)

BLACK = np.zeros((40, 60, 3), dtype=np.uint8)


def colour_at(picture, column, row, scale):
    """The colour of the PNG at the centre of a camera pixel."""
    return picture[int((row + 0.5) * scale), int((column + 0.5) * scale), :3]


def test_corners_are_those_of_the_response_map():
    """Maps of 9x19 pixels, two pixels of the image apart, the first one centred on pixel 11."""
    corners = [[-1, -1], [1, -1], [-1, 1], [1, 1], [0, 0]]
    np.testing.assert_allclose(to_pixels(corners, 40, 60), [[11, 11], [47, 11], [11, 27], [47, 27], [29, 19]])


def test_drawn_points_land_on_their_pixels_in_their_colours(tmp_path):
    pixels = np.array([[10, 30], [50, 5], [30, 20]])  # column, row
    points = (pixels - 11) / np.array([36, 16]) * 2 - 1
    picture = imread(draw_feature_points(tmp_path / "points.png", BLACK, points, scale=8))
    assert picture.shape[:2] == (320, 480)
    for (column, row), colour in zip(pixels, point_colours(3), strict=True):
        np.testing.assert_allclose(colour_at(picture, column, row, 8), colour, atol=0.01)
    np.testing.assert_allclose(colour_at(picture, 30, 10, 8), 0, atol=0.01)  # x and y swapped would be here


def test_moments_stand_side_by_side(tmp_path):
    points = np.array([[[0.0, 0.0]], [[0.5, 0.0]]])
    picture = imread(draw_feature_points(tmp_path / "points.png", np.stack([BLACK, BLACK]), points, scale=8))
    assert picture.shape[:2] == (320, 960)
    for moment, x in enumerate([0.0, 0.5]):
        column = 11 + (x + 1) / 2 * 36 + moment * 60
        np.testing.assert_allclose(colour_at(picture, column, 19, 8), point_colours(1)[0], atol=0.01)


def test_the_policy_has_blue_dots_and_the_pose_network_red_rings(tmp_path):
    """One of each at the same place are both seen."""
    policy, pose = np.array([[-0.5, 0.0], [0.5, 0.0]]), np.array([[0.5, 0.0]])
    picture = imread(draw_policy_against_pose(tmp_path / "pair.png", BLACK, policy, pose, scale=8))
    radius = (90 / np.pi) ** 0.5 * 100 / 72 / 8  # camera pixels: an area in points at 100 dots an inch
    for column in (20, 38):
        np.testing.assert_allclose(colour_at(picture, column, 19, 8), POLICY_COLOUR, atol=0.01)
    np.testing.assert_allclose(colour_at(picture, 38, 19 + radius, 8), POSE_COLOUR, atol=0.2)
    np.testing.assert_allclose(colour_at(picture, 20, 19 + radius, 8), 0, atol=0.01)


def test_a_point_keeps_its_colour_whatever_their_number():
    np.testing.assert_array_equal(point_colours(32)[:8], point_colours(8))
    assert len(np.unique(point_colours(32).round(2), axis=0)) == 32


def test_images_and_points_must_match(tmp_path):
    with pytest.raises(VisuomotorError, match="1 images need the feature points of as many moments, not 2"):
        draw_feature_points(tmp_path / "points.png", BLACK, np.zeros((2, 3, 2)))
    with pytest.raises(VisuomotorError, match="images are uint8"):
        draw_feature_points(tmp_path / "points.png", BLACK / 2, np.zeros((3, 2)))
