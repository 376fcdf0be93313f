"""Views: drawn per sample, signed for differences, the same for any chunk, rank or device order."""

from __future__ import annotations

import pytest
import torch
from ssl_helpers import CONTRACT, batch_of
from torch import Tensor

from visuotactile.datasets.resize import base_size
from visuotactile.encoders.contract import InputContract, prepare
from visuotactile.errors import ContractError
from visuotactile.views import ContrastiveAugmentation, RandomViews, contrastive

NONE = ContrastiveAugmentation(p_jitter=0, p_gray=0, p_flip=0, p_blur=0)
PLAIN = InputContract(
    streams=("a",), reference=None, size=32, normalisation="dataset", mean=(0, 0, 0), std=(1, 1, 1)
)
SIGNED = InputContract(streams=("a",), size=32, normalisation="dataset", mean=(0, 0, 0), std=(1, 1, 1))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images_of(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    return batch["tactile_left/during"], batch["tactile_left/before"]


def test_a_tactile_difference_is_signed_and_does_not_wrap() -> None:
    image = torch.full((2, 37, 37, 3), 10, dtype=torch.uint8)
    reference = torch.full((2, 37, 37, 3), 20, dtype=torch.uint8)
    (view,) = RandomViews(SIGNED, NONE)(image, reference, seeded(), 1)
    torch.testing.assert_close(view, torch.full_like(view, -10 / 255))


def test_without_augmentation_a_full_crop_is_the_evaluation_view() -> None:
    batch = batch_of(3, side=32)
    whole = ContrastiveAugmentation(crop_scale=(1, 1), p_jitter=0, p_gray=0, p_flip=0, p_blur=0)
    # Aspect ratios are drawn too; a square box of the whole image is the evaluation view exactly.
    full, zero = torch.full((3,), 32), torch.zeros(3, dtype=torch.long)
    drawn = whole.draw(SIGNED, 3, (32, 32), seeded())
    drawn |= {"top": zero, "left": zero, "height": full, "width": full}
    (view,) = whole.views(SIGNED, *images_of(batch), [drawn])
    torch.testing.assert_close(view, prepare(SIGNED, *images_of(batch)), atol=1e-5, rtol=0)


def test_each_sample_is_drawn_for_itself() -> None:
    image = batch_of(1)["tactile_left/during"].expand(16, -1, -1, -1)
    (view,) = RandomViews(PLAIN, ContrastiveAugmentation())(image, None, seeded(), 1)
    assert len({tuple(sample.flatten()[:50].tolist()) for sample in view}) == 16


def test_two_views_of_one_call_differ() -> None:
    batch = batch_of(4)
    first, second = RandomViews(CONTRACT, ContrastiveAugmentation())(*images_of(batch), seeded(), 2)
    assert not torch.isclose(first, second).all(dim=(1, 2, 3)).any()


def test_the_same_seed_gives_the_same_views() -> None:
    batch = batch_of(5)
    views = RandomViews(CONTRACT, ContrastiveAugmentation(crop_scale=(0.2, 1)))
    first, again = (views(*images_of(batch), seeded(3), 2) for _ in range(2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])


def test_views_do_not_depend_on_the_size_of_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = batch_of(9)
    views = RandomViews(CONTRACT, ContrastiveAugmentation())
    whole = views(*images_of(batch), seeded(), 2)
    monkeypatch.setattr(contrastive, "CPU_CHUNK", 4)
    chunked = views(*images_of(batch), seeded(), 2)
    torch.testing.assert_close(whole, chunked, atol=1e-5, rtol=0)


def test_ranks_together_see_the_views_of_the_joined_batch() -> None:
    batch = batch_of(8)
    views = RandomViews(CONTRACT, ContrastiveAugmentation())
    joined, _ = views(*images_of(batch), seeded(), 2)
    for rank in range(2):
        own, _ = views(*(images[rank::2] for images in images_of(batch)), seeded(), 2, rank, 2)
        torch.testing.assert_close(own, joined[rank::2], atol=1e-5, rtol=0)


def test_the_papers_crop_is_224_of_256() -> None:
    assert base_size(224) == 256


@pytest.mark.parametrize(
    "wrong",
    [
        {"p_flip": 1.5},
        {"hue": 0.6},
        {"contrast": -1},
        {"crop_scale": (0, 1)},
        {"crop_scale": (0.9, 0.5)},
        {"sigma": (0, 1)},
    ],
)
def test_an_impossible_augmentation_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ContractError):
        ContrastiveAugmentation(**wrong)  # type: ignore[arg-type]


def test_a_missing_reference_is_refused() -> None:
    with pytest.raises(ContractError, match="no references"):
        RandomViews(CONTRACT, NONE)(batch_of(2)["tactile_left/during"], None, seeded())


def test_what_stands_beside_the_image_is_changed_like_it() -> None:
    image = images_of(batch_of(6))[0]
    beside = InputContract(streams=("a",), size=32, reference_mode="beside")
    (view,) = RandomViews(beside, ContrastiveAugmentation())(image, image, seeded())
    torch.testing.assert_close(view[:, :3], view[:, 3:])
    alone = InputContract(streams=("a",), size=32, reference=None)
    (expected,) = RandomViews(alone, ContrastiveAugmentation())(image, None, seeded())
    torch.testing.assert_close(view[:, :3], expected, atol=1e-4, rtol=1e-4)


def test_augmentations_of_clips_are_refused() -> None:
    clip = InputContract(streams=("a",), kind="clip", frames=2)
    with pytest.raises(ContractError, match="augments image inputs, found a clip"):
        RandomViews(clip, ContrastiveAugmentation())
