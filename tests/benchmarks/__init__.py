"""What each path costs beside its physical limit, both measured in the same run: ``python -m tests.benchmarks``.

Nothing here passes or fails on a time; ``docs/performance.md`` says what is compared with what, and why.
"""
