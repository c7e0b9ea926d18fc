"""How ``gdbench compare`` and ``regressions`` fare on real commits and planted slowdowns, beside other tools."""
