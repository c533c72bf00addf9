"""Which series are sagittal T2-weighted spines, and which stacks they hold."""
