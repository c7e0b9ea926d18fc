"""The choice of a batch size from steps and seconds."""
