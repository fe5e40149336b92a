"""One module a container format; `whole.py` lists them in CONTAINERS."""
