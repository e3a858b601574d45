"""What the commands of ``reproduce`` do: a function each, from arguments to the exit code."""
