"""Change points over commits: proposed by a vote of detectors, labelled, and confirmed by measuring again."""
