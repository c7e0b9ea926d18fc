"""Child processes: started, pinned, asked over one protocol, waited for with patience, ended."""
