"""A sheet of trials: what it shows, of which trials, and that the page needs and harms nothing."""

import base64
import hashlib
import io
import math
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from page_helpers import HOSTILE, Page, outside
from PIL import Image
from scipy.io import wavfile

from visuotactile.datasets.conditions import matching
from visuotactile.datasets.embodiment import Dimension, Embodiment, Stream, Vector
from visuotactile.datasets.store import Store
from visuotactile.datasets.trial import Trial
from visuotactile.datasets.writer import write_store
from visuotactile.errors import ContractError, OutputExistsError, StoreError
from visuotactile.look import facts, look
from visuotactile.look.choose import spread
from visuotactile.look.panels import plan
from visuotactile.look.pictures import WAVE_WIDTH, heat, waveform

ROOT = Path(__file__).parents[2]


def flat(value, *shape):
    return np.full(shape, value, np.uint8)


def gel(level, imprint):
    """An image of a gel, and one with an imprint [8, 10] added to it."""
    before = flat(level, 8, 10, 3)
    return {"before": before, "during": (before + imprint[..., None]).astype(np.uint8)}


def trial(i, **changes):
    rng = np.random.default_rng(i)
    imprint = np.zeros((8, 10), int)
    imprint[:, :3], imprint[:, 6:] = -10, 20
    depth = np.linspace(0.4, 0.8, 80, dtype=np.float32).reshape(8, 10)
    depth[2, 3] = 0
    fields = {
        "name": f"t{i:03d}",
        "object": f"mug-{i % 4:02d}",
        "session": f"day-{i % 2}",
        "sensor": "gelsight-007",
        "streams": {
            "tactile_left": gel(20, imprint),
            "tactile_right": gel(200, -imprint),
            "rgb": {
                phase: rng.integers(0, 255, (12, 9, 3), np.uint8) for phase in ("before", "during", "after")
            },
            "clip": {"during": np.stack([flat(20 * t, 6, 5, 3) for t in range(12)])},
            "depth": {"before": depth},
            "mask": {"before": rng.integers(0, 2, (8, 10), np.uint8)},
            "audio": {"lift": rng.integers(-99, 99, (500, 2), np.int16)},
        },
        "outcomes": {"success": float(i % 8 != 5), "height": i / 7},
        "action": {"force": 12.5, "dx": -0.0123, "dyaw": math.radians(-17)},
        "vectors": {"pose": {"x": 0.25}},
        "hidden": {"friction": 0.61},
        "columns": {"note": "fingers worn"},
    }
    return Trial(**(fields | changes))


@pytest.fixture
def make(tmp_path):
    """Make a store of `count` such trials, of which any field may be replaced by a function of the number."""

    def made(count=16, name="store", dataset="my grasps", embodiment=None, **changes):
        trials = [trial(i, **{key: change(i) for key, change in changes.items()}) for i in range(count)]
        return write_store(
            tmp_path / name,
            lambda indices: (trials[i] for i in indices),
            dataset=dataset,
            source="",
            settings={},
            names=[each.name for each in trials],
            example=trials[0],
            embodiment=embodiment,
        )

    return made


@pytest.fixture
def sheet(tmp_path):
    """Look at a store; the page's text."""

    def made(store, **options):
        return look(store, tmp_path / "look.html", overwrite=True, **options).read_text()

    return made


def cards(html):
    """The part of the page that belongs to each trial, by the trial's name."""
    parts = re.findall(r'<article class="trial".*?</article>', html, re.S)
    return {re.search(r"<h3[^>]*>([^<]*)</h3>", part)[1]: part for part in parts}


def picture(card, title):
    """The pixels of the picture with this title, such as "tactile_left, during"."""
    found = [tags for tag, tags in Page(card).tags if tag == "img" and tags["alt"].startswith(title + ", of")]
    (address,) = [tags["src"] for tags in found]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


def text(html):
    """Visible text of a page, or of a part of one."""
    read = re.sub(r"<(style|script)>.*?</\1>", "", html, flags=re.S)
    return " ".join(" ".join(Page(read).text).split())


def test_there_are_as_many_cards_as_asked_and_never_more_than_trials(make, sheet):
    store = make(16)
    assert len(cards(sheet(store, trials=5))) == 5
    assert len(cards(sheet(store, trials=99))) == 16
    with pytest.raises(ContractError, match="at least 1"):
        sheet(store, trials=0)


def test_a_recorded_sound_is_drawn_as_a_spectrogram_and_can_be_played(tmp_path, sheet):
    """A tone of 2 kHz from 0.5 s on: dark before it, bright in the band of 2 kHz after it."""
    rate, at = 22_050, np.arange(22_050)
    tone = (20_000 * np.sin(2 * np.pi * 2000 * at / 22_050) * (at > 11_025)).astype(np.int16)
    rig = Embodiment(
        name="microphone",
        streams=(Stream("sound", "sound", {"first": (22_050, 2)}, rate),),
        phases={"first": "observation"},
    )
    heard = Trial(name="t", object="bell", streams={"sound": {"first": np.stack([tone, tone], axis=1)}})
    store = write_store(
        tmp_path / "store",
        lambda indices: iter([heard]),
        dataset="bells",
        source="",
        settings={},
        names=["t"],
        example=heard,
        embodiment=rig,
    )
    page = sheet(store)
    drawn = picture(page, "sound, first").astype(int).sum(axis=2)
    half = drawn.shape[1] // 2
    assert np.ptp(drawn[:, : half - 3]) == 0
    band = 63 - np.abs(drawn[:, half + 5 : -5].sum(axis=1)).argmax()
    assert abs(band - 64 * 2595 * np.log10(1 + 2000 / 700) / (2595 * np.log10(1 + 11_025 / 700))) < 2
    (address,) = [tags["src"] for tag, tags in Page(page).tags if tag == "audio"]
    read, wave = wavfile.read(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    assert read == rate
    np.testing.assert_array_equal(wave, tone)


def test_every_stream_and_phase_of_every_trial_has_a_picture(make, sheet):
    store = make(6)
    for name, card in cards(sheet(store)).items():
        page = Page(card)
        shown = [tags["alt"] for tag, tags in page.tags if tag == "img"]
        shown += [tags["aria-label"] for tag, tags in page.tags if tag == "svg"]
        for stream, phase in store.specs:
            assert sum(alt.startswith(f"{stream}, {phase}, of {name}") for alt in shown) == 1, (stream, phase)
        shown = [alt for alt in shown if not alt.startswith("playing: ")]
        assert len(shown) == len(store.specs) + 2


def test_a_difference_is_signed_and_grey_where_nothing_changed(make, sheet):
    card = cards(sheet(make(3), trials=1))
    (card,) = card.values()
    left = picture(card, "tactile_left, during − before")[..., 0].astype(int)
    assert (left[:, 3:6] == 128).all()
    assert (left[:, :3] < 128).all(), "less light than before is darker than grey"
    assert (128 - left[:, 0] == (left[:, 9] - 128) / 2).all(), "−10 is half as far from grey as +20"
    right = picture(card, "tactile_right, during − before")[..., 0].astype(int)
    assert (right - 128 == 128 - left).all(), "whatever the brightness of the gel, and no byte wraps around"
    assert "rgb, during − before" not in card


def test_all_differences_of_a_sheet_have_one_gain(make, sheet):
    def streams(i):
        return {"finger": gel(100, np.full((8, 10), 5 * i))}

    found = [
        int(picture(card, "finger, during − before")[0, 0, 0]) - 128
        for card in cards(sheet(make(4, streams=streams), order="name")).values()
    ]
    assert found == [0, found[1], 2 * found[1], 3 * found[1]]
    assert found[1] > 0


def test_a_clip_is_a_strip_of_six_frames_from_the_first_to_the_last(make, sheet):
    (card,) = cards(sheet(make(3), trials=1)).values()
    clip = picture(card, "clip, during")
    assert clip.shape[1] == 6 * 5 + 5 * 3
    assert clip[3, 2].max() <= 5
    assert clip[3, -2].min() >= 215
    assert "6 of 12 frames" in text(card)


def test_a_clip_plays(make, sheet):
    (card,) = cards(sheet(make(3), trials=1)).values()
    tags = [tags for tag, tags in Page(card).tags if tag == "img"]
    (address,) = [each["src"] for each in tags if each["alt"].startswith("playing: clip, during")]
    film = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    assert film.n_frames == 12
    film.seek(11)
    assert np.asarray(film.convert("RGB")).mean() > 200


def test_a_hole_in_a_depth_image_is_no_colour_of_its_scale(make, sheet):
    html = sheet(make(3), trials=1)
    (card,) = cards(html).values()
    depth = picture(card, "depth, before").astype(int)
    grey = np.ptp(depth, axis=-1) == 0
    assert grey[2, 3]
    assert grey.sum() == 1
    assert depth[0, 0].argmax() == 2, "near is violet"
    assert depth[-1, -1].argmin() == 2, "far is yellow"
    assert "missing" in text(html)
    signed = heat(np.array([[-1.0, 0.0, 1.0]]), -1, 1, holes=False)
    assert np.ptp(signed[0, 1]) > 0, "where numbers are signed, 0 is one of them"


def test_a_mask_is_black_and_white_and_a_grey_image_stays_grey(make, sheet):
    (card,) = cards(sheet(make(3), trials=1)).values()
    assert set(np.unique(picture(card, "mask, before"))) == {0, 255}
    values = np.linspace(0, 250, 4800).reshape(60, 80).astype(np.uint8)
    grey = make(3, name="grey", streams=lambda i: {"mask": {"before": values * (i == 1)}})
    card = cards(sheet(grey))["t001"]
    assert abs(picture(card, "mask, before").astype(int) - values).mean() < 2


def test_no_peak_of_a_wave_is_lost():
    samples = np.zeros((16000, 2), np.int16)
    samples[12345, 1] = 900
    drawn = waveform(samples, 1000, "a click")
    tops = [
        min(float(p.split(",")[1]) for p in points.split()) for points in re.findall(r'points="(.*?)"', drawn)
    ]
    assert tops[0] == pytest.approx(14), "silence lies in the middle of its lane"
    assert tops[1] == pytest.approx(42 - 0.9 * 12, abs=0.01)
    assert len(drawn) < 60 * WAVE_WIDTH


def test_the_page_asks_for_nothing_outside_and_runs_its_own_script_alone(make, sheet):
    html = sheet(make(4))
    assert outside(html) == []
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html
    assert re.search(r'<form id="filter" hidden>', html), (
        "without scripts there is no filter that does nothing"
    )


def test_text_from_the_store_is_shown_and_does_nothing(make, sheet):
    hostile = HOSTILE.replace("\n", " ")
    html = sheet(
        make(
            3,
            dataset=hostile,
            name="hostile",
            object=lambda i: hostile,
            session=lambda i: hostile,
            columns=lambda i: {"note": hostile},
        ),
        where=[("note", hostile)],
    )
    assert [tag for tag, _ in Page(html).tags].count("script") == 1
    assert text(html).count(hostile) > 6


def test_every_picture_is_described_and_every_head_of_a_table_has_a_scope(make, sheet):
    for tag, tags in Page(sheet(make(4))).tags:
        if tag == "img":
            assert len(tags["alt"]) > 10
        elif tag == "svg":
            assert tags.get("aria-label") or tags.get("aria-hidden") == "true"
        elif tag == "th":
            assert tags["scope"] in ("row", "col")


def test_a_page_is_whole_or_absent_and_not_overwritten_unasked(make, tmp_path, monkeypatch):
    store, out = make(3), tmp_path / "look.html"
    look(store, out)
    before = out.read_bytes()
    with pytest.raises(OutputExistsError, match="overwrite"):
        look(store.path, out)
    monkeypatch.setattr("visuotactile.look.sheet.draw", mock.Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        look(store, out, overwrite=True)
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["look.html", "store"]


def test_a_page_goes_where_it_does_no_harm(make, tmp_path, monkeypatch):
    store = make(3)
    with pytest.raises(StoreError, match="nothing but its own files"):
        look(store, store.path / "look.html")
    with pytest.raises(ContractError, match="is a folder"):
        look(store, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert look(store) == Path("store-look.html")


@pytest.mark.parametrize(
    ("where", "says"),
    [
        (("weather", "rain"), "no column 'weather'; it has name, object, session"),
        (("friction", "0.61"), "no column 'friction'"),
        (("object", "mug-9"), "no trial has object=mug-9; object is mug-0"),
        (("success", "yes"), "no trial has success=yes; success is 0, 1"),
        (("height", "77"), "its 16 values reach from 0 to 2.14"),
    ],
)
def test_what_no_trial_has_is_one_clear_error(make, where, says):
    with pytest.raises(StoreError, match=re.escape(says)):
        matching(make(16), [where])


def test_conditions_on_one_column_are_alternatives_and_on_several_all_hold(make, sheet):
    store = make(16)
    assert matching(store, [("object", "mug-01"), ("object", "mug-02")]).tolist() == [
        1,
        2,
        5,
        6,
        9,
        10,
        13,
        14,
    ]
    both = [("object", "mug-01"), ("outcome/success", "0")]
    assert matching(store, both).tolist() == [5, 13]
    html = sheet(store, where=both)
    assert set(cards(html)) == {"t005", "t013"}
    assert "All 2 trials with object = mug-01, outcome/success = 0 (the store has 16)" in text(html)
    with pytest.raises(StoreError, match="object=mug-02 and success=0 together"):
        matching(store, [("object", "mug-02"), ("success", "0")])


def test_the_same_seed_shows_the_same_trials_and_another_seed_others(make, sheet):
    store = make(40)
    first = list(cards(sheet(store, trials=8, seed=3)))
    assert list(cards(sheet(store, trials=8, seed=3))) == first
    assert list(cards(sheet(store, trials=8, seed=4))) != first


def test_every_object_is_shown_before_any_is_shown_twice_and_rare_failures_are_seen(make):
    store = make(
        64,
        object=lambda i: "common" if i < 40 else f"mug-{i % 6}",
        outcomes=lambda i: {"success": i % 8 != 5},
    )
    everything = np.arange(64)
    assert len(set(store.objects[spread(store, everything, "success", 7, 0)])) == 7
    twice = Counter(store.objects[spread(store, everything, "success", 14, 0)].tolist())
    assert set(twice.values()) == {2}
    drawn = spread(store, everything, "success", 14, 0)
    assert (store.column("success")[drawn] == 0).sum() >= 3, "of 8 failures in 64, half of them at one object"
    assert sorted(spread(store, everything, None, 64, 0).tolist()) == everything.tolist()


def test_cards_are_sorted_by_the_column_that_is_asked_for(make, sheet):
    store = make(16, outcomes=lambda i: {"success": i % 2, "height": (7 * i) % 16})
    names = list(cards(sheet(store, order="height")))
    with pytest.raises(StoreError, match="no column 'weather'"):
        sheet(store, order="weather")
    assert names == [f"t{i:03d}" for i in sorted(range(16), key=lambda i: (7 * i) % 16)]
    assert [name[-1] for name in list(cards(sheet(make(16, name="other"))))[:4]] == ["0", "4", "8", "2"]


def test_only_the_pixels_of_the_trials_shown_are_read(make, tmp_path):
    store = make(40)
    with mock.patch.object(Store, "read", autospec=True, side_effect=Store.read) as reading:
        html = look(store, tmp_path / "look.html", trials=3).read_text()
    touched = {int(row) for call in reading.call_args_list for row in call.args[3]}
    assert {str(store.names[row]) for row in touched} == set(cards(html))


def test_rates_are_those_of_all_trials_that_match_and_not_of_those_shown(make, sheet):
    html = text(sheet(make(64), trials=4))
    assert "all objects 64 56 0.88" in html
    assert "mug-01 16 8 0.50 0.28 – 0.72" in html


def test_units_are_those_that_the_store_declares(make, sheet):
    assert "dx −0.0123 dyaw −0.297 force 12.5 " in text(sheet(make(2)))
    pictures = {"rgb": {"before": flat(20, 12, 9, 3)}}
    robot = Embodiment(
        name="robot",
        motion=(Dimension("dx", "m", -0.02, 0.02), Dimension("dyaw", "rad", -1, 1)),
        hand=(Dimension("force", "N", 4, 25),),
        vectors=(Vector("pose", (Dimension("x", "m", -1, 1),)),),
        streams=(Stream("rgb", "image", {"before": (12, 9, 3)}),),
        outcomes=("success",),
    )
    declared = make(2, name="declared", embodiment=robot, streams=lambda i: pictures)
    card = text(sheet(declared, trials=1))
    for line in ("force 12.5 N", "dx −12.3 mm", "dyaw −17°", "x 250 mm"):
        assert f"{line} " in card, line


def test_numbers_are_written_as_a_reader_writes_them():
    written = [facts.number(value) for value in (0.0, 1.0, -12.345, 0.06123, 17203.7, 1.2e-19, 3e12)]
    assert written == ["0", "1", "−12.3", "0.0612", "17,204", "1.2e−19", "3e+12"]


def test_success_is_said_in_words_and_another_outcome_is_not_judged(make, sheet):
    store = make(4, outcomes=lambda i: {"success": i % 2, "slip": i // 2, "grade": 1.5 * i})
    found = [
        re.findall(r'<li class="(\w+)">([^<]*)</li>', card)
        for card in cards(sheet(store, order="name")).values()
    ]
    assert found[0] == [("bad", "✗ fail"), ("no", "no slip"), ("plain", "grade 0")]
    assert found[3] == [("good", "✓ success"), ("yes", "slip"), ("plain", "grade 4.5")]


def test_hidden_truth_is_folded_away_and_called_so(make, sheet):
    html = sheet(make(3))
    folded = re.findall(r"<details>(.*?)</details>", html, re.S)
    assert len(folded) == 3
    assert all("friction" in part and "hidden: never an input" in part for part in folded)
    assert "friction" not in re.sub(r"<details>.*?</details>", "", html, flags=re.S)


def test_a_sheet_says_whether_it_is_simulated_all_of_it_or_a_part(make, sheet):
    assert "imulated" not in text(sheet(make(4)))
    assert "these trials are simulated" in text(sheet(make(4, name="a", dataset="simulated-grasps")))
    assert "these trials are simulated" in text(sheet(make(4, name="b", session=lambda i: "simulated")))
    part = make(4, name="c", columns=lambda i: {"source": "simulated" if i < 1 else "robot"})
    html = sheet(part)
    assert "1 of the 4 trials" in text(html)
    assert [name for name, card in cards(html).items() if "<b>simulated</b>" in card] == ["t000"]


def test_large_noisy_recordings_still_make_a_page_that_can_be_sent(make, tmp_path):
    noise = np.random.default_rng(0).normal(0, 3, (2, 240, 320, 3))

    def streams(i):
        y, x = np.mgrid[0:240, 0:320]
        scene = 120 + 60 * np.sin((x + 40 * i) / 30) * np.cos(y / 20)
        images = [(scene[..., None] + each).astype(np.uint8) for each in noise]
        gel = {"before": images[0], "during": images[1], "lift": images[1][::-1]}
        large = np.asarray(Image.fromarray(images[0]).resize((640, 480)))
        return {"tactile_left": gel, "tactile_right": gel, "rgb": dict.fromkeys(("before", "during"), large)}

    store = make(2, streams=streams)
    assert max(max(panel.size) for panel in plan(store)) == 320
    html = look(store, tmp_path / "look.html").read_text()
    assert 24 * max(len(card) for card in cards(html).values()) < 5.8e6
    (least,) = {picture(card, "tactile_left, during − before").shape for card in cards(html).values()}
    assert least[1] > 100, "and its pictures can still be seen"


def test_looking_imports_nothing_that_learns():
    heavy = "torch sklearn pytorch_lightning timm"
    script = (
        f"import sys, visuotactile.look\nprint([name for name in {heavy.split()!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
