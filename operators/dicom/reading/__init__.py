"""From files to frames in their place: folders, headers, pixels, geometry."""
