"""twisted.web with bounds.  Knows no chat."""
