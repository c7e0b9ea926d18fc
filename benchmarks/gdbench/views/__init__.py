"""What the pages of runs, comparisons, histories and picks are made with."""
