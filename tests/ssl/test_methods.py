"""Claims about one step of each method."""

from __future__ import annotations

import inspect
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from lightly.loss import NTXentLoss
from ssl_helpers import KEYS, SMALL, batch_of

from visuotactile.errors import DataError
from visuotactile.ssl import (
    BYOL,
    Autoencoder,
    BarlowTwins,
    MemoryBank,
    MoCo,
    SimCLR,
    SimSiam,
    Triplet,
    VICReg,
)
from visuotactile.ssl.autoencoder import Decoder
from visuotactile.ssl.losses import info_nce
from visuotactile.ssl.module import SelfSupervised
from visuotactile.ssl.siamese import Siamese


def seeded(step: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(step)


def moco(**settings: object) -> MoCo:
    return MoCo(SMALL, queue_size=10, **settings)  # type: ignore[arg-type]


def bank(**settings: object) -> MemoryBank:
    module = MemoryBank(SMALL, **settings)  # type: ignore[arg-type]
    module.make_bank(torch.arange(20) // 2)
    return module


SLIM = {"dimension": 16, "hidden": 32}


def siamese(name: str, **settings: object) -> Siamese:
    return {
        "simclr": lambda: SimCLR(SMALL, **SLIM, **settings),
        "byol": lambda: BYOL(SMALL, **SLIM, **{"key_momentum": 0.9, **settings}),
        "simsiam": lambda: SimSiam(SMALL, **SLIM, bottleneck=8, **settings),
        "barlow_twins": lambda: BarlowTwins(SMALL, **SLIM, **settings),
        "vicreg": lambda: VICReg(SMALL, **SLIM, **settings),
    }[name]()


SIAMESE = ("simclr", "byol", "simsiam", "barlow_twins", "vicreg")
METHODS = {"moco": moco, "memory_bank": bank, "triplet": lambda: Triplet(SMALL)} | {
    "autoencoder": lambda: Autoencoder(SMALL),
    **{name: partial(siamese, name) for name in SIAMESE},
}


@pytest.mark.parametrize("name", METHODS)
def test_a_few_steps_on_one_batch_lower_the_loss_and_reach_every_parameter(name: str) -> None:
    torch.manual_seed(0)
    module = METHODS[name]()
    assert isinstance(module, SelfSupervised)
    if isinstance(module, MoCo):
        module.key_momentum = 0.0
    optimizer = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], lr=1e-3)
    batch, losses = batch_of(8), []
    for step in range(25):
        loss, features = module.loss(batch, seeded())
        optimizer.zero_grad()
        loss.backward()
        if step == 1:
            learned = {n: p for n, p in module.named_parameters() if p.requires_grad}
            assert all(p.grad is not None for p in learned.values())
            assert features.shape == (8, module.network.width)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[1]


def test_keys_are_scored_before_they_are_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    module = moco(mask_recording=False)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def spy(queries: object, keys: torch.Tensor, negatives: torch.Tensor, *rest: object) -> torch.Tensor:
        seen.append((keys, negatives))
        return info_nce(queries, keys, negatives, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("visuotactile.ssl.moco.info_nce", spy)
    module.loss(batch_of(4), seeded())
    keys, negatives = seen[0]
    assert not negatives.any()
    assert torch.equal(module.queue.keys[:4], keys)
    assert module.queue.recordings[:4].tolist() == [0, 0, 1, 1]


def test_shuffled_keys_come_back_in_the_order_of_their_queries() -> None:
    module = moco().eval()  # without batch statistics, shuffling must change nothing
    views = torch.randn(6, 3, 32, 32)
    plain = torch.nn.functional.normalize(module.key_projection(module.key_network(views)), dim=1)
    torch.testing.assert_close(module.keys(views, seeded()), plain, atol=1e-5, rtol=1e-4)


def test_the_bank_moves_after_it_was_compared_with() -> None:
    module = bank(bank_momentum=0.0)
    before = module.bank.entries.clone()
    module.loss(batch_of(8), seeded())
    assert not torch.isclose(module.bank.entries[:8], before[:8]).all(dim=1).any()
    assert torch.equal(module.bank.entries[8:], before[8:])


def test_sampled_negatives_never_hold_the_own_entry_or_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    module = bank(negatives=12)
    module.bank.entries.copy_(torch.arange(20.0)[:, None].expand(-1, module.dimension))
    masks: list[torch.Tensor] = []

    def spy(
        q: torch.Tensor, p: object, others: torch.Tensor, allowed: torch.Tensor, t: object
    ) -> torch.Tensor:
        masks.append(torch.where(allowed, others[..., 0].long(), -1))
        return q.sum() * 0

    monkeypatch.setattr("visuotactile.ssl.memory_bank.info_nce", spy)
    module.loss(batch_of(8), seeded())
    for sample, row in enumerate(masks[0].tolist()):
        assert len(row) == 12
        assert not {sample, sample ^ 1} & set(row)


def test_more_negatives_than_samples_are_refused() -> None:
    module = MemoryBank(SMALL, negatives=20)
    with pytest.raises(DataError, match="20 negatives"):
        module.make_bank(torch.arange(20))


@pytest.mark.parametrize("by", ["instance", "label"])
def test_the_triplet_loss_equals_the_naive_loop(by: str) -> None:
    module = Triplet(SMALL, by=by, miner="all", margin=0.3, mask_recording=by == "instance")  # type: ignore[arg-type]
    batch = batch_of(6)
    module.eval()
    loss, _ = module.loss(batch, seeded())
    with torch.no_grad():
        views = module.two_views(batch, seeded())
        z = torch.nn.functional.normalize(module.projection(module.network(torch.cat(views))), dim=1)
    classes = (batch["sample"] if by == "instance" else batch["label"]).repeat(2).tolist()
    recordings, terms = batch["recording"].repeat(2).tolist(), []
    for a in range(12):
        for p in range(12):
            for n in range(12):
                masked = by == "instance" and recordings[a] == recordings[n]
                if a == p or classes[a] != classes[p] or classes[a] == classes[n] or masked:
                    continue
                value = float((z[a] - z[p]).norm() - (z[a] - z[n]).norm()) + 0.3
                terms.append(max(0.0, value))
    positive = [value for value in terms if value > 0]  # pytorch-metric-learning averages these
    assert float(loss) == pytest.approx(sum(positive) / len(positive), rel=1e-3)


def test_triplets_by_label_without_labels_are_refused() -> None:
    module = Triplet(SMALL, by="label")
    batch = batch_of(4) | {"label": torch.full((4,), -1)}
    with pytest.raises(DataError, match=r"data\.label"):
        module.loss(batch, seeded())


@pytest.mark.parametrize("size", [32, 48, 64, 50, 224])
def test_the_decoder_matches_any_size(size: int) -> None:
    assert Decoder(8, size, channels=32)(torch.randn(2, 8)).shape == (2, 3, size, size)


def test_a_partner_gives_the_second_view() -> None:
    module = moco()
    batch = batch_of(4)
    during, before = KEYS
    batch |= {f"partner/{during}": 255 - batch[during], f"partner/{before}": batch[before]}
    first, second = module.two_views(batch, seeded())
    alone, _ = module.two_views({k: v for k, v in batch.items() if "partner" not in k}, seeded())
    assert torch.equal(first, alone)
    assert not torch.equal(second, alone)


def test_the_seed_decides_the_first_weights() -> None:
    first, again, other = (MoCo(SMALL, seed=seed).network.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_the_papers_numbers_are_the_defaults() -> None:
    module = MoCo(SMALL)
    found = SimpleNamespace(**vars(module))
    assert (found.queue_size, found.key_momentum, found.temperature, found.dimension) == (
        5800,
        0.999,
        0.07,
        128,
    )
    settings = module.optimizer_config
    assert (settings.name, settings.lr, settings.final_lr) == ("sgd", 1e-2, 1e-6)


def embedded(module: Siamese, batch: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Embeddings of both views, as `loss` makes them."""
    with torch.no_grad():
        return [module.projection(module.network(view)) for view in module.two_views(batch, seeded())]


def simclr_loop(first: torch.Tensor, second: torch.Tensor, groups: list[int]) -> float:
    z = torch.nn.functional.normalize(torch.cat([first, second]), dim=1)
    n, total = len(first), 0.0
    for i in range(2 * n):
        partner = (i + n) % (2 * n)
        others = [j for j in range(2 * n) if groups[j % n] != groups[i % n]]
        logits = torch.stack([z[i] @ z[j] for j in [partner, *others]]) / 0.1
        total -= float(logits[0] - logits.logsumexp(dim=0))
    return total / (2 * n)


@pytest.mark.parametrize("masked", [False, True])
def test_simclr_equals_the_naive_loop(masked: bool) -> None:
    module, batch = siamese("simclr", mask_recording=masked).eval(), batch_of(6)
    loss, _ = module.loss(batch, seeded())
    groups = batch["recording" if masked else "sample"].tolist()
    assert float(loss.detach()) == pytest.approx(simclr_loop(*embedded(module, batch), groups), rel=1e-4)


def test_simclr_without_masks_is_lightlys() -> None:
    module, batch = siamese("simclr", mask_recording=False).eval(), batch_of(6)
    loss, _ = module.loss(batch, seeded())
    assert float(loss.detach()) == pytest.approx(float(NTXentLoss(0.1)(*embedded(module, batch))), rel=1e-4)


def test_barlow_twins_equals_the_naive_loop() -> None:
    module, batch = siamese("barlow_twins").eval(), batch_of(6)
    loss, _ = module.loss(batch, seeded())
    first, second = (
        (z - z.mean(0)) / (z.var(0, correction=0) + 1e-5).sqrt() for z in embedded(module, batch)
    )
    total = 0.0
    for i in range(16):
        for j in range(16):
            correlation = float((first[:, i] * second[:, j]).mean())
            total += (1 - correlation) ** 2 if i == j else 5e-3 * correlation**2
    assert float(loss.detach()) == pytest.approx(total, rel=1e-3)


def test_vicreg_equals_the_naive_loop() -> None:
    module, batch = siamese("vicreg").eval(), batch_of(6)
    loss, _ = module.loss(batch, seeded())
    first, second = embedded(module, batch)
    total = 25 * float(((first - second) ** 2).mean())
    for z in (first, second):
        total += 25 / 2 * float((1 - (z.var(0) + 1e-4).sqrt()).clamp_min(0).mean())
        covariance = torch.cov(z.T)
        covariance.fill_diagonal_(0)
        total += float((covariance**2).sum()) / 16
    assert float(loss.detach()) == pytest.approx(total, rel=1e-3)


@pytest.mark.parametrize("name", ["byol", "simsiam"])
def test_a_prediction_is_compared_with_the_other_views_target(name: str) -> None:
    module, batch = siamese(name).eval(), batch_of(6)
    loss, _ = module.loss(batch, seeded())
    embeddings = embedded(module, batch)
    targets = embeddings
    if name == "byol":
        with torch.no_grad():
            views = module.two_views(batch, seeded())
            targets = [module.key_projection(module.key_network(view)) for view in views]
    total = 0.0
    for mine, theirs in ((0, 1), (1, 0)):
        with torch.no_grad():
            predicted = module.prediction(embeddings[mine])
        cosines = [
            float(p @ t / (p.norm() * t.norm())) for p, t in zip(predicted, targets[theirs], strict=True)
        ]
        total -= sum(cosines) / len(cosines) / 2
    assert float(loss.detach()) == pytest.approx(total, rel=1e-4)


def test_simsiams_target_takes_no_gradient() -> None:
    module, batch = siamese("simsiam"), batch_of(6)
    # With a prediction that ignores its input, no gradient is left to reach the network.
    module.prediction = torch.nn.Sequential(torch.nn.Linear(16, 16))
    torch.nn.init.zeros_(module.prediction[0].weight)
    loss, _ = module.loss(batch, seeded())
    loss.backward()
    gradients = [p.grad for p in module.network.parameters()]
    assert all(gradient is None or not gradient.any() for gradient in gradients)


def test_the_papers_numbers_are_the_siamese_defaults() -> None:
    papers = {
        BYOL: {"dimension": 256, "hidden": 4096, "key_momentum": 0.996},
        SimSiam: {"dimension": 2048, "hidden": 2048, "bottleneck": 512},
        BarlowTwins: {"dimension": 8192, "hidden": 8192, "off_diagonal": 5e-3},
        VICReg: {"dimension": 8192, "invariance": 25, "variance": 25, "covariance": 1},
    }
    for method, numbers in papers.items():
        given = inspect.signature(method).parameters
        assert {name: given[name].default for name in numbers} == numbers
    criterion = siamese("vicreg", invariance=2.0, variance=3.0, covariance=4.0).criterion
    assert (criterion.lambda_param, criterion.mu_param, criterion.nu_param) == (2, 3, 4)
