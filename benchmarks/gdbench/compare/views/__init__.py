"""A comparison in words: rows, sentences, headline, Markdown, page."""
