# make demo [DATA=folder] [OUT=folder]    everything, small
# make test [ARGS="-k store"]             the tests
# make check                              style and types
# Each makes a virtual environment first, and again only when the dependencies have changed.

PYTHON ?= python3
VENV ?= .venv
OUT ?= demo
INSTALLED := $(VENV)/.installed

.PHONY: demo test check

demo: $(INSTALLED)
	"$(VENV)/bin/visuotactile" demo $(if $(DATA),--data "$(DATA)") --out "$(OUT)"

test: $(INSTALLED)
	"$(VENV)/bin/python" -m pytest $(ARGS)

check: $(INSTALLED)
	"$(VENV)/bin/ruff" check .
	"$(VENV)/bin/ruff" format --check .
	"$(VENV)/bin/mypy"

$(INSTALLED): pyproject.toml constraints.txt
	"$(PYTHON)" -m venv "$(VENV)"
	"$(VENV)/bin/python" -m pip install --quiet -c constraints.txt -e ".[test]"
	touch "$@"
