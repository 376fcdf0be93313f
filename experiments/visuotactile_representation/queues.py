"""Queue with momentum encoders against in-batch negatives, by batch size: the paper's future work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.visuotactile_representation import spaces
from experiments.visuotactile_representation.experiment import Experiment
from experiments.visuotactile_representation.intervals import decimal
from experiments.visuotactile_representation.presets import RESNET
from visuotactile.files import provenance, write_json, write_text
from visuotactile.reports.markdown import table

IN_BATCH, QUEUE = "in-batch", "queue"
MEASURE = "recall@10"


def run(experiment: Experiment) -> dict[str, Any]:
    """Train both at each batch size, for the same epochs; write queue.json and .md, return the content."""
    preset = experiment.preset
    networks = {
        f"{kind}, batch {batch}": [
            spaces.network(experiment, RESNET, seed, batch=batch, queue=kind == QUEUE)
            for seed in range(preset.joint_seeds)
        ]
        for batch in preset.queue_batches
        for kind in (IN_BATCH, QUEUE)
    }
    lines = spaces.measured(experiment, networks)
    figures = {name: spaces.figures(own)[MEASURE] for name, own in lines.items()}
    content = {
        "batches": list(preset.queue_batches),
        "queue": dict(preset.queue_changes),
        "seeds": preset.joint_seeds,
        "chance": next(iter(next(iter(figures.values())).values()))["chance"],
        MEASURE: {
            kind: {str(batch): figures[f"{kind}, batch {batch}"] for batch in preset.queue_batches}
            for kind in (IN_BATCH, QUEUE)
        },
        "untrained": {name: figures[name] for name in figures if name not in networks},
        "queue − in-batch": {
            str(batch): spaces.differences(
                lines[f"{QUEUE}, batch {batch}"], lines[f"{IN_BATCH}, batch {batch}"]
            )[MEASURE]
            for batch in preset.queue_batches
        },
        **provenance(preset=preset.settings()),
    }
    write_json(experiment.results / "queue.json", content)
    write_text(experiment.results / "queue.md", "\n".join(_lines(content)))
    return content


def _lines(content: Mapping[str, Any]) -> list[str]:
    ways = list(next(iter(content["queue − in-batch"].values())))
    settings = [f"{name.rpartition('.')[2]} {value}" for name, value in content["queue"].items()]
    lines = [
        "# A queue against the batch's own negatives, in simulation",
        "",
        f"Recall@10 of ResNet spaces without augmentation, {content['seeds']} pretraining seed(s), as many "
        f"epochs at every size of batch, so fewer steps at a larger one. Chance {content['chance']:.3f}. "
        "Mean over seeds [95% over poses] ± standard deviation over seeds; differences over poses and seeds.",
        "",
        f"Queue: {', '.join(settings)}.",
        "",
        table(
            ["batch", "direction", "in-batch", "queue", "queue − in-batch"],
            [
                [
                    batch,
                    way,
                    *(decimal(content[MEASURE][kind][batch][way]) for kind in (IN_BATCH, QUEUE)),
                    decimal(content["queue − in-batch"][batch][way], signed=True),
                ]
                for batch in map(str, content["batches"])
                for way in ways
            ],
        ),
    ]
    return [*lines, ""]
