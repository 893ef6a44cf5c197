"""Views and regions of a query: their features, mirrored and inverted ones, and points that are computed early."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, current_thread
from unittest.mock import patch

import numpy as np

from bot.images.features import query_views
from bot.images.features.fingerprint import luminance
from bot.images.features.local_features import STORED_POINTS
from bot.images.features.query_views import QUERY_POINTS, QueryRegion, QueryView
from tests.fixtures.scenes import scene


def test_query_has_no_fine_luminance() -> None:
    pixels = np.asarray(scene(1))
    assert not QueryView(pixels, luminance(pixels)).features.encoded


def test_negative_is_the_view_of_the_inverted_picture() -> None:
    pixels = np.asarray(scene(1))
    view = QueryView(pixels, luminance(pixels))
    np.testing.assert_array_equal(view.inverted.gray, 255 - view.gray)
    assert view.inverted is view.inverted


def test_query_has_more_points_than_a_stored_picture() -> None:
    pixels = np.asarray(scene(1))
    view = QueryView(pixels, luminance(pixels))
    assert STORED_POINTS < len(view.features.points) <= QUERY_POINTS


def test_mirrored_view_equals_the_view_of_the_mirrored_picture() -> None:
    pixels = np.asarray(scene(1))
    mirrored = np.ascontiguousarray(pixels[:, ::-1])
    expected = QueryView(mirrored, luminance(mirrored)).features
    look = QueryRegion(pixels, luminance(pixels), range(8))
    assert look.view.mirrored.features.pack() == expected.pack()
    assert look.view is look.view


def test_points_are_computed_early_in_another_thread() -> None:
    pixels = np.asarray(scene(1))
    found = patch.object(query_views, "extract_point_features", side_effect=lambda _: current_thread().name)
    with found, ThreadPoolExecutor(1, thread_name_prefix="early") as pool:
        early = QueryRegion(pixels, luminance(pixels), range(8), pool=pool)
        early.start_points()
        pool.submit(bool).result()
        assert str(early.points) == "early_0"


def test_points_do_not_wait_for_a_busy_or_closed_pool() -> None:
    pixels, busy = np.asarray(scene(1)), Event()
    with ThreadPoolExecutor(1) as pool:
        waiting = QueryRegion(pixels, luminance(pixels), range(8), pool=pool)
        pool.submit(busy.wait, 10)
        waiting.start_points()
        try:
            assert len(waiting.points.codes) > 0
        finally:
            busy.set()
    closed = QueryRegion(pixels, luminance(pixels), range(8), pool=pool)
    closed.start_points()
    closed.cancel_points()
    assert len(closed.points.codes) == len(waiting.points.codes)
