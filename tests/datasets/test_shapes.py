import numpy as np
import pytest

from visuotactile.datasets.readers.shapes import SHAPES, Shapes
from visuotactile.errors import DataError


def test_the_same_seed_gives_the_same_presses_and_another_gives_others() -> None:
    first, again, other = Shapes(seed=1).trial(3), Shapes(seed=1).trial(3), Shapes(seed=2).trial(3)
    assert first.table() == again.table() != other.table()
    for phase in ("before", "during"):
        image = first.streams["tactile_left"][phase]
        np.testing.assert_array_equal(image, again.streams["tactile_left"][phase])
        assert (image != other.streams["tactile_left"][phase]).any()


def test_presses_change_the_gel_where_the_shape_is_and_not_before() -> None:
    reader = Shapes(per_shape=3)
    assert len(reader) == 3 * len(SHAPES)
    changes, areas, success = [], [], []
    for i in range(len(reader)):
        trial = reader.trial(i)
        assert trial.object == reader.names[i].split("-")[0]
        images = trial.streams["tactile_left"]
        changes.append(abs(images["during"].astype(int) - images["before"]).mean())
        areas.append(trial.hidden["contact_area"])
        success.append(trial.outcomes["success"])
    assert np.corrcoef(changes, areas)[0, 1] > 0.5
    assert np.corrcoef(np.log(np.array(areas) + 1e-3), success)[0, 1] > 0.3
    assert 0.2 < np.mean(success) < 0.8


def test_a_source_or_a_senseless_option_is_refused() -> None:
    with pytest.raises(DataError, match="takes no source"):
        Shapes("folder")
    for options in ({"per_shape": 0}, {"seed": -1}, {"per_shape": 1.5}):
        with pytest.raises(DataError, match="whole numbers"):
            Shapes(**options)  # type: ignore[arg-type]
