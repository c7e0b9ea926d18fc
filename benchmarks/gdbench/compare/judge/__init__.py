"""The judge: one pure function from blocks, controls and settings to verdicts and the exit code."""

from gdbench.compare.judge.rule import judge

__all__ = ["judge"]
