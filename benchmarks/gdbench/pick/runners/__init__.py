"""Where runs are made: in this process, in others, or on a cluster; and a journal of those that are done."""
