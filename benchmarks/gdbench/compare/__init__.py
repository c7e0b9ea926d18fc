"""Two versions of the code against each other: sides, live pairs of workers, verdicts."""
