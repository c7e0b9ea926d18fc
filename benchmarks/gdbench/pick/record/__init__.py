"""What a pick keeps: what was asked, found and chosen."""
