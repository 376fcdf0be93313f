"""Figure 9: the joint space of sight and touch; its retrieval, uniformity, clusters and probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from experiments.visuotactile_representation.experiment import Experiment
from experiments.visuotactile_representation.intervals import Figure, decimal, difference, figure
from experiments.visuotactile_representation.presets import RESNET, VIT
from visuotactile.datasets.splits import Split
from visuotactile.errors import DataError
from visuotactile.files import provenance, read_json, sha256_bytes, write_json, write_text
from visuotactile.maps.run import embedding_map
from visuotactile.probes.rows import PRETRAINED
from visuotactile.probes.run import probe
from visuotactile.reports.markdown import table
from visuotactile.retrieval.evaluation import ALL, Key, Line, measure_rows
from visuotactile.retrieval.pool import make_pool
from visuotactile.retrieval.spaces import SpaceRow, load_spaces
from visuotactile.training.runs import Run

AUGMENTED, AS_RECORDED = "augmented", "no augmentation"
GROUP = "object+part/y+part/yaw"
"""Poses that differ along the closing direction alone feel the same."""
BATCH = 64
"""The paper's."""
PROBES = ("linear", "knn")
SHOWN = (
    "recall@1",
    "recall@5",
    "recall@10",
    "median_rank",
    "alignment",
    "uniformity",
    "gap",
    "purity",
    "rand",
)

VIEWS = {
    "sight": {"class_path": "visuotactile.views.SightAugmentation", "init_args": {"crop": 0.85}},
    "touch": {"class_path": "visuotactile.views.TouchAugmentation", "init_args": {"rotation": 5.0}},
}
"""The paper's for joint representations: centre crops of sight, slight rotation and morphology of touch."""


def network(
    experiment: Experiment,
    backbone: str,
    seed: int,
    *,
    augmented: bool = False,
    batch: int = BATCH,
    queue: bool = False,
) -> Run:
    """Training run of a joint space on the grid's poses."""
    preset = experiment.preset
    chosen = preset.backbones[backbone]
    changes: dict[str, Any] = {
        **preset.everywhere,
        **chosen.changes(chosen.joint_lr),
        **preset.joint_changes,
        "model.init_args.seed": seed,
        "data.init_args.seed": seed,
        "data.init_args.store": str(experiment.connectors.path),
        "data.init_args.split": str(experiment.poses),
        "data.init_args.where": None,
        "data.init_args.group": GROUP,
        "data.init_args.held_out": 0.0,  # all of the grid's poses, as in the paper
        "data.init_args.batch_size": batch,
    }
    for name, views in VIEWS.items():
        changes[f"model.init_args.branches.{name}.augmentation"] = views if augmented else None
    if queue:
        changes |= preset.queue_changes
    seen, negatives = "augmented" if augmented else "plain", "queue" if queue else "inbatch"
    name = f"{backbone}-{seen}-{negatives}{batch}-{seed}"
    return Run(folder=experiment.work / "joint" / name, config=preset.joint, changes=changes)


def measured(experiment: Experiment, networks: Mapping[str, Sequence[Run]]) -> dict[str, list[Line]]:
    """Train spaces and evaluate them on the perturbed poses: method → its lines, untrained ones last."""
    experiment.fit([each for own in networks.values() for each in own])
    store = experiment.connectors
    pool = make_pool(store, Split.load(experiment.poses, store), 0, group=GROUP)
    lines = measure_rows(rows(networks, experiment.device), pool, cache=experiment.features, seed=0)
    found: dict[str, list[Line]] = {}
    for line in sorted(lines, key=lambda line: line.kind != PRETRAINED):
        found.setdefault(line.method, []).append(line)
    return found


def rows(networks: Mapping[str, Sequence[Run]], device: str = "cpu") -> list[SpaceRow]:
    """The exported spaces, labelled by method."""
    return load_spaces([f"{name}={each.exported}" for name, own in networks.items() for each in own], device)


def figures(lines: Sequence[Line]) -> dict[str, dict[str, Figure]]:
    """Measure → modalities → figure over the method's networks, and its chance level."""
    found: dict[str, dict[str, Figure]] = {}
    for key in lines[0].figures:
        measure, pool, column = key
        if pool not in ("", ALL):
            continue
        chances = [value for line in lines if (value := line.figures[key].chance) is not None]
        own = figure([line.figures[key].estimate for line in lines])
        chance = sum(chances) / len(chances) if chances else None
        found.setdefault(measure, {})[column] = {**own, "chance": chance}
    return found


def differences(ours: Sequence[Line], others: Sequence[Line]) -> dict[str, dict[str, Figure]]:
    """Measure → modalities → ours minus the others', paired over poses."""
    found: dict[str, dict[str, Figure]] = {}
    keys: list[Key] = [key for key in ours[0].figures if key[1] in ("", ALL)]
    for key in keys:
        first, second = ([line.figures[key].estimate for line in side] for side in (ours, others))
        found.setdefault(key[0], {})[key[2]] = difference(first, second)
    return found


def method(backbone: str, augmented: bool) -> str:
    """Name of the method in tables."""
    return f"{backbone}, {AUGMENTED if augmented else AS_RECORDED}"


def run(experiment: Experiment) -> dict[str, Any]:
    """Train and measure the spaces, probe and map them; write joint.json and .md, and return the content."""
    seeds = range(experiment.preset.joint_seeds)
    networks = {
        method(backbone, augmented): [
            network(experiment, backbone, seed, augmented=augmented) for seed in seeds
        ]
        for backbone, augmented in product(experiment.preset.backbones, (False, True))
    }
    lines = measured(experiment, networks)
    compared = {
        **{
            f"{AUGMENTED} − {AS_RECORDED}, {backbone}": (method(backbone, True), method(backbone, False))
            for backbone in experiment.preset.backbones
        },
        **{
            f"ViT − ResNet, {AUGMENTED if augmented else AS_RECORDED}": (
                method(VIT, augmented),
                method(RESNET, augmented),
            )
            for augmented in (False, True)
        },
    }
    first = next(iter(lines.values()))[0]
    content = {
        "pool": len(next(iter(first.embeddings.values()))),
        "seeds": len(seeds),
        "figures": {name: figures(own) for name, own in lines.items()},
        "differences": {name: differences(lines[a], lines[b]) for name, (a, b) in compared.items()},
        "probes of the object": _probed(experiment, networks),
        "map": _mapped(experiment, networks),
        **provenance(preset=experiment.preset.settings()),
    }
    write_json(experiment.results / "joint.json", {key: content[key] for key in content if key != "map"})
    write_text(experiment.results / "joint.md", "\n".join(_lines(content)))
    return content


def _probed(experiment: Experiment, networks: Mapping[str, Sequence[Run]]) -> dict[str, Any]:
    """Probe → method and modality → object accuracy, including untrained encoders and pixels."""
    spaces = rows(networks)
    out = experiment.work / "probes" / _told(spaces)
    if not (out / "report.json").exists():
        probe(
            [f"{name}={each.exported}" for name, own in networks.items() for each in own],
            experiment.connectors,
            "object",
            experiment.poses,
            out,
            probes=PROBES,
            budgets=(),
            seeds=1,
            cache=experiment.features,
            device=experiment.device,
            jobs=experiment.jobs,
        )
    report = read_json(out / "report.json", DataError)
    return {
        name: {
            each["name"]: {key: each["figures"]["accuracy"][name][key] for key in ("value", "low", "high")}
            for each in report["methods"]
        }
        for name in PROBES
    }


def _mapped(experiment: Experiment, networks: Mapping[str, Sequence[Run]]) -> dict[str, Any]:
    """Joint t-SNE of the first seed of each method; its interactive page is in the work folder."""
    firsts = {name: own[:1] for name, own in networks.items()}
    out = experiment.work / "maps" / _told(rows(firsts))
    if not (out / "map.json").exists():
        embedding_map(
            [f"{name}={own[0].exported}" for name, own in firsts.items()],
            experiment.connectors,
            ["object"],
            out,
            split=experiment.poses,
            max_points=experiment.preset.map_points,
            cache=experiment.features,
            device=experiment.device,
        )
    return read_json(out / "map.json", DataError)


def _told(spaces: Sequence[SpaceRow]) -> str:
    """Folder name unique to these spaces."""
    return sha256_bytes(*(row.space.hash.encode() for row in spaces))[:12]


def _lines(content: Mapping[str, Any]) -> list[str]:
    lines = [
        "# Sight and touch in one space, in simulation",
        "",
        f"{content['pool']} simulated pairs at perturbed poses, {content['seeds']} pretraining seed(s). "
        "Mean over seeds [95% over poses] ± standard deviation over seeds. Clusters: "
        "k-means, one for each object.",
    ]
    names = list(content["figures"])
    for measure in SHOWN:
        columns = list(content["figures"][names[0]].get(measure, {}))
        figures = {name: content["figures"][name][measure] for name in names}
        rows = [[name, *(decimal(own[column]) for column in columns)] for name, own in figures.items()]
        chances = [figures[names[0]][column]["chance"] for column in columns]
        if None not in chances:
            rows.append(["chance", *(f"{chance:.3f}" for chance in chances)])
        lines += ["", f"## {measure}", "", table(["", *columns], rows)]
    probed = content["probes of the object"]
    lines += [
        "",
        "## Probes of the object, on the frozen encoders",
        "",
        "Accuracy on perturbed poses, of probes fitted on the grid's.",
        "",
        table(
            ["", *PROBES],
            [[name, *(decimal(probed[each][name]) for each in PROBES)] for name in probed[PROBES[0]]],
        ),
        "",
        "## Differences",
        "",
        "Over poses and, where there are several, pretraining seeds.",
        "",
        table(
            ["", "measure", "modalities", "difference"],
            [
                [name, measure, column, decimal(each, signed=True)]
                for name, found in content["differences"].items()
                for measure in ("recall@10", "uniformity", "purity", "rand")
                for column, each in found[measure].items()
            ],
        ),
    ]
    return [*lines, ""]
