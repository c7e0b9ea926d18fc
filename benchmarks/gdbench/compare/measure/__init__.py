"""How two sides are measured: live pairs, blocks, stages, controls, certificates, and what explains a regression."""
