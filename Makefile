# make run | case | test | lab | figures | lint | clean        options: PRESET=quick CORPUS=folder OUT=folder ARGS='-p epochs 5'
PRESET ?= paper
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/.ready

.PHONY: run case test lab figures lint notebooks clean
.DELETE_ON_ERROR:

run: $(READY)
	$(BIN)/devid run --preset "$(PRESET)" $(if $(CORPUS),--corpus "$(CORPUS)") $(if $(OUT),--out "$(OUT)") $(ARGS)

case: $(READY)
	$(BIN)/devid identify --references simulated $(if $(OUT),--out "$(OUT)") $(ARGS)

test: $(READY)
	$(BIN)/python -m pytest -n logical --dist loadfile $(ARGS)

lab: $(READY)
	$(BIN)/devid lab

figures: $(READY)
	$(BIN)/devid run --preset paper --out runs/figures $(ARGS)
	$(BIN)/python tools/update_readme.py runs/figures

lint: $(READY)
	$(BIN)/ruff check .

notebooks: $(READY)
	$(BIN)/python tools/make_notebooks.py

clean:
	rm -rf .venv runs data lab build *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; none was found on the PATH." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "$(PYTHON) lacks the venv module. On Debian and Ubuntu: apt install $$($(PYTHON) -c \
	'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[test]'
	@touch $@
