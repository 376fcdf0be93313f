"""Probes: what a frozen encoder's features tell about a grasp's outcome, beside what no encoder would.

| file | question |
|---|---|
| `features.py` | what is a trial's feature vector? |
| `estimators.py` | which simple classifiers are asked? |
| `task.py` | what is predicted, from which trials, for which? |
| `rows.py`, `entries.py` | which encoders and baselines answer? |
| `evaluation.py` | what do they say about trials they did not see? |
| `metrics.py` | how good is that, and how sure? |
| `summary.py` | what does a reader need to know? |
| `page.py`, `charts.py`, `markdown.py`, `samples.py` | how does it look? |
| `run.py` | `visuotactile probe` |
| `map.py`, `map_clouds.py`, `map_figure.py`, `embedding.py`, `publish.py` | `visuotactile map` |
| `joint_features.py` | where does a trial lie in a joint space? |
| `pool.py` | what is searched there, and what answers what? |
| `cross_modal_measures.py` | how good is a joint space? |
| `retrieval.py`, `retrieval_summary.py` | which figures of which spaces does a reader need? |
| `retrieval_page.py`, `retrieval_examples.py` | how does it look? |
| `retrieve.py` | `visuotactile retrieve` |
"""
