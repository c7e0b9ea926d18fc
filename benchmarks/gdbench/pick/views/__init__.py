"""An answer in words, tables and pictures."""
