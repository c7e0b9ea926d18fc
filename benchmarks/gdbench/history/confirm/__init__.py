"""What is decided when proposals are measured again: which commit did it, and how many answers may be wrong."""
