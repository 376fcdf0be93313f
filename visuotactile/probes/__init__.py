"""Probes: what a frozen encoder's features tell about a grasp's outcome, beside what no encoder would.

| file | question |
|---|---|
| `features.py` | what is a trial's feature vector? |
| `estimators.py` | which simple classifiers are asked? |
| `task.py` | what is predicted, from which trials, for which? |
| `rows.py` | which encoders and baselines answer? |
| `evaluation.py` | what do they say about trials they did not see? |
| `metrics.py` | how good is that, and how sure? |
| `summary.py` | what does a reader need to know? |
| `page.py`, `charts.py`, `markdown.py`, `samples.py` | how does it look? |
| `run.py` | `visuotactile probe` |
| `map.py`, `map_figure.py`, `embedding.py`, `publish.py` | `visuotactile map` |
"""
