"""Speed and memory: each module measures one thing, prints a table and rewrites its own section of docs/benchmarks.md.

`python -m benchmarks` runs them all; `python -m benchmarks.training` one of them.
"""
