"""Phase 1 trained by nnU-Net v2 itself: its fingerprint, planning, preprocessing and trainer."""
