"""What results cover of a history: cases whose results end, or never were, and benchmarks that changed."""
