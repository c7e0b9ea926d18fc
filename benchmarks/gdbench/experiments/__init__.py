"""What can be measured: networks on data sets, tasks, variants and peers, and the cases that they make."""
