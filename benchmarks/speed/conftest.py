"""What is timed runs alone: in one process, not side by side as the tests do."""


def pytest_xdist_auto_num_workers() -> int:
    """None but the process of pytest itself."""
    return 0
