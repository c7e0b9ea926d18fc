"""What a variant costs before its first useful epoch, and when it has paid for that."""
