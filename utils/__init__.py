"""Executable appendix: AND-OR interactions of neural networks, extracted, certified and judged."""
