"""What is compared: the two sides, their builds, and the cases that both are measured on."""
