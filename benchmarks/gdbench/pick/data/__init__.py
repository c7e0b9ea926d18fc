"""A user's own data: read, encoded and scaled for a network; rows set apart for validation."""
