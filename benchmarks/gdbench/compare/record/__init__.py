"""What a comparison keeps, and how much each tier measures: needed by measuring, judging and showing alike."""
