"""Frame.io V4 in miniature."""
