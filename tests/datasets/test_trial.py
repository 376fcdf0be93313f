from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from visuotactile.datasets.trial import Trial
from visuotactile.errors import DataError

MakeTrial = Callable[..., Trial]
IMAGE = np.zeros((4, 6, 3), np.uint8)


def test_a_whole_trial_is_taken_as_it_is(make_trial: MakeTrial) -> None:
    trial = make_trial(3)
    assert trial.table()["outcome"] == {"success": 1.0}
    assert trial.table()["column"]["weight"] == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "name is empty"),
        ({"name": "a\nb"}, "printable"),
        ({"name": 3}, "expected text"),
        ({"object": ""}, "object is empty"),
        ({"session": "x" * 501}, "session"),
        ({"streams": {}}, "no streams"),
        ({"streams": {"rgb": {}}}, "has no phase"),
        ({"streams": {"rgb": {"la/ter": IMAGE}}}, "phase 'la/ter' of rgb"),
        ({"streams": {"../rgb": {"before": IMAGE}}}, "stream name"),
        ({"streams": {"table": {"before": IMAGE}}}, "stream name"),
        ({"streams": {"rgb": {"before": IMAGE.astype(np.float64)}}}, "float64"),
        ({"streams": {"rgb": {"before": IMAGE.astype(object)}}}, "object"),
        ({"streams": {"rgb": {"before": IMAGE.tolist()}}}, "NumPy array"),
        ({"streams": {"rgb": {"before": IMAGE[:0]}}}, "empty"),
        ({"streams": {"rgb": {"before": np.uint8(3)}}}, "rgb/before"),
        ({"streams": {"depth": {"before": np.full((2, 2), np.nan, np.float32)}}}, "NaN"),
        ({"outcomes": {"success": float("nan")}}, "outcome success"),
        ({"action": {"force": float("inf")}}, "action force"),
        ({"vectors": {"pose": {"x": "left"}}}, "pose x"),
        ({"vectors": {"action": {"x": 1.0}}}, "vector name 'action'"),
        ({"vectors": {"object": {"x": 1.0}}}, "vector name 'object'"),
        ({"vectors": {"a/b": {"x": 1.0}}}, "vector name 'a/b'"),
        ({"hidden": {"mass": None}}, "hidden mass"),
        ({"outcomes": {"a/b": 1.0}}, "outcome key"),
        ({"columns": {"note": "a\0b"}}, "column note"),
        ({"columns": {"note": [1]}}, "column note"),
    ],
)
def test_what_no_store_can_hold_is_refused_by_name(
    make_trial: MakeTrial, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        make_trial(0, **changes)
