"""Child processes: started, pinned, asked, waited for with patience, ended."""
