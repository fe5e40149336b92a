#!/bin/sh
# The official SDK against the sandbox; needs .venv, and makes .venv-conformance by itself.
set -eu
cd "$(dirname "$0")/.."
exec .venv/bin/python conformance/run.py
