"""Arrays that know where they are: geometry, resampling, intensities, components, overlays."""
