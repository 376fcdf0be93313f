"""A sheet of a store's trials: what was recorded, as one page to look at before anything is learnt from it.

| file | question |
|---|---|
| `choose.py` | which trials are shown? |
| `panels.py` | which pictures does a trial have, of what, and how large? |
| `scales.py` | on which scale, so that trials can be compared? |
| `drawing.py`, `pictures.py` | how does an array become a picture? |
| `facts.py` | what do the numbers beside the pictures say? |
| `sheet.py` | `visuotactile look` |
"""

from visuotactile.look.sheet import look

__all__ = ["look"]
