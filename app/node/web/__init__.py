"""The page of the node: what arrived, what was decided and why, what runs, what waits for whom."""
