"""PostFlow: finished clips, delivered once and whole to Frame.io, announced in Discord."""
