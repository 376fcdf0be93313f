"""`visuotactile retrieve`: a report on joint spaces, from folders to disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from visuotactile.datasets.splits import find_split
from visuotactile.datasets.store import Store
from visuotactile.encoders.streams import StreamNames
from visuotactile.errors import EncoderError
from visuotactile.files import cache_folder, provenance, refuse_overwrite, write_text, written_last
from visuotactile.probes.task import OBJECT
from visuotactile.reports.intervals import format_figure
from visuotactile.reports.terminal import print_line, print_table
from visuotactile.retrieval.evaluation import ALL, measure_rows
from visuotactile.retrieval.page import examples, markdown, page
from visuotactile.retrieval.pool import make_pool
from visuotactile.retrieval.spaces import SpaceRow, load_spaces, rename_spaces
from visuotactile.retrieval.summary import HEADLINE, summarise


def retrieve(
    spaces: Sequence[str | Path | SpaceRow],
    store: str | Path | Store,
    split: str | Path,
    out: str | Path,
    *,
    fold: int = 0,
    group: str | None = None,
    label: str = OBJECT,
    where: Sequence[tuple[str, str]] = (),
    streams: Mapping[str, str] | None = None,
    seed: int = 0,
    overwrite: bool = False,
    cache: Path | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Measure joint spaces by looking one modality up by another, on a fold's test side.

    Writes retrieval.json, retrieval.md and retrieval.html into `out`.

    The same encoders and heads with random weights are always measured beside them.

    Args:
        spaces: folders of joint spaces (exported cross-modal checkpoints), or LABEL=FOLDER; equal labels are
            pretraining seeds of one method. In Python also a `SpaceRow`.
        store: store of the trials.
        split: split file, or a specification as for `split --by`, with seed 0: the split of the pretraining.
        out: folder of the report.
        fold: number of the fold whose test side is searched.
        group: columns, joined by +; trials that agree in them are each other's correct answers; by default as
            in pretraining.
        label: column that clusters are compared with.
        where: conditions that select trials, such as example=stay; of one column, any of the values.
        streams: names of the networks' streams in the store, where they differ, such as tactile_left=finger.
        seed: seed of the bootstrap, the clusters and the untrained spaces.
        overwrite: replace an existing report.
        cache: folder of cached features; by default the user's cache folder.
        device: PyTorch device of the encoders.

    Returns:
        Content of retrieval.json.

    Raises:
        OutputExistsError: `out` holds a report already.
        EncoderError: a space may have been pretrained on test trials.
        ContractError, StoreError, SplitError: the inputs do not fit together.
    """
    out = Path(out)
    refuse_overwrite(out / "retrieval.json", overwrite)
    store = store if isinstance(store, Store) else Store(store)
    rows = rename_spaces(load_spaces(spaces, device), StreamNames.given(streams), store)
    chosen = find_split(store, split)
    group = group or _pretraining_group(rows)
    pool = make_pool(store, chosen, fold, group=group, label=label, where=where)
    lines = measure_rows(rows, pool, cache=cache or cache_folder("features"), seed=seed)
    report = summarise(lines, pool, where, seed)
    report["provenance"] = provenance(
        spaces=[str(source) if not isinstance(source, SpaceRow) else source.name for source in spaces],
        store=str(store.path),
        split=str(split),
        out=str(out),
        fold=fold,
        group=group,
        label=label,
        where=[list(pair) for pair in where],
        streams=dict(streams or {}),
        seed=seed,
    )
    with written_last(out / "retrieval.json", report):
        write_text(out / "retrieval.html", page(report, examples(rows, lines, pool, report)))
        write_text(out / "retrieval.md", markdown(report))
    _print(report)
    return report


def _pretraining_group(rows: Sequence[SpaceRow]) -> str | None:
    found = {row.space.meta.get("group") for row in rows}
    if len(found) > 1:
        raise EncoderError(
            f"the joint spaces were pretrained with different groups ({', '.join(map(str, found))}); "
            "give --group for all of them"
        )
    return found.pop()


def _print(report: dict[str, Any]) -> None:
    figures = {method["name"]: method["figures"][HEADLINE][ALL] for method in report["methods"]}
    rows = [[name, *map(format_figure, own.values())] for name, own in figures.items()]
    first = next(iter(figures.values()))
    rows.append(["chance", *(f"{own['chance']:.3f}" for own in first.values())])
    print_table(f"Recall@10 among {report['pool']['size']} trials", ["method", *first], rows)
    for line in (report["headline"]["text"], *report["headline"]["pretraining_of_others"]):
        print_line(line)
