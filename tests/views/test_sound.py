import pytest
import torch
from torch import Tensor

from visuotactile.encoders.contract import InputContract, log_mel_picture, normalise, prepare
from visuotactile.encoders.sound import HOP, MELS
from visuotactile.errors import ContractError
from visuotactile.views import RandomViews, SightAugmentation, SoundAugmentation

SAMPLES = 9_000
HEARD = InputContract(
    streams=("microphone",),
    reference=None,
    size=1 + SAMPLES // HOP,
    normalisation="dataset",
    mean=(-4.0,),
    std=(3.0,),
    kind="sound",
    rate=44_100,
    microphones=1,
)
STILL = {"gain": 0.0, "shift": 0.0, "bands": 0.0, "moments": 0.0}


def hum(loudness: float = 3_000, count: int = 2) -> Tensor:
    """Noise, louder in its second half."""
    noise = torch.randn(count, SAMPLES, 1, generator=torch.Generator().manual_seed(0))
    noise[:, SAMPLES // 2 :] *= 2
    return (loudness * noise).clamp(-32_768, 32_767).to(torch.int16)


def view(sound: Tensor, seed: int = 0, **settings: float) -> Tensor:
    views = RandomViews(HEARD, SoundAugmentation(**{**STILL, **settings}))
    return views(sound, None, torch.Generator().manual_seed(seed))[0]


def test_without_strength_a_view_is_the_recording() -> None:
    torch.testing.assert_close(view(hum()), prepare(HEARD, hum()), atol=1e-4, rtol=1e-4)


def test_a_gain_makes_the_recording_itself_louder() -> None:
    found = view(hum(count=300), gain=6.0)
    power = log_mel_picture(HEARD, hum(count=300))
    change = (found * 3 - 4 - power).mean(dim=(1, 2, 3)) * 10 / torch.log(torch.tensor(10.0))
    assert -6.01 < change.min() < -5.5
    assert 5.5 < change.max() < 6.01


def test_a_shift_moves_every_frame_alike_and_loses_none() -> None:
    plain, moved = prepare(HEARD, hum()), view(hum(), seed=3, shift=0.5)
    for one, other in zip(plain, moved, strict=True):
        found = [steps for steps in range(HEARD.size) if torch.allclose(one.roll(steps, 2), other, atol=1e-4)]
        assert len(found) == 1
    assert not torch.allclose(plain, moved, atol=1e-2)


def test_masked_bands_and_moments_are_as_quiet_as_the_mean_and_no_wider_than_asked() -> None:
    plain, found = prepare(HEARD, hum(count=40)), view(hum(count=40), bands=0.25, moments=0.5)
    changed = (plain - found).abs() > 1e-4
    bands, moments = changed.all(3).sum(2), changed.all(2).sum(2)
    assert 0 < bands.max() <= round(0.25 * MELS)
    assert 0 < moments.max() <= round(0.5 * HEARD.size)
    hidden = torch.where(changed, found, torch.nan)
    mean = normalise(HEARD, log_mel_picture(HEARD, hum(count=40)).mean(dim=(2, 3), keepdim=True))
    assert torch.allclose(hidden.flatten(1).nanmean(1), mean.flatten(), atol=1e-3)


def test_the_same_seed_gives_the_same_view_and_another_share_of_the_batch_its_own() -> None:
    views, sound = RandomViews(HEARD, SoundAugmentation()), hum(count=4)
    whole = views(sound, None, torch.Generator().manual_seed(1))[0]
    second = views(sound[1::2], None, torch.Generator().manual_seed(1), 1, 1, 2)[0]
    torch.testing.assert_close(whole[1::2], second)


def test_augmentations_are_for_their_own_kind() -> None:
    with pytest.raises(ContractError, match="SightAugmentation augments image inputs, found a sound"):
        RandomViews(HEARD, SightAugmentation())
    with pytest.raises(ContractError, match="SoundAugmentation augments sound inputs, found a image"):
        RandomViews(InputContract(streams=("rgb",)), SoundAugmentation())
    with pytest.raises(ContractError, match="gain is -1"):
        SoundAugmentation(gain=-1.0)
