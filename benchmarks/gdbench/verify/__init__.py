"""Whether a variant is right: inputs, bounds of rounding, stages, certificates, the gate before a clock."""
