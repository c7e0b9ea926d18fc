"""What every package may use: files written whole, numbers for people, intervals for medians, exit codes."""
