"""``make bench``: what this code costs, beside what a user would do instead, measured in one run on
one machine.

One file per family of competitors; ``python -m benchmarks --help`` lists them.
"""
