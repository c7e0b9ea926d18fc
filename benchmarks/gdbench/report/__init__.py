"""What a finished run says: findings, tables, pictures, Markdown and the page."""
