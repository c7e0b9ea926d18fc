"""One file per variant; the stem of the file is its name everywhere."""
