"""Adobe IMS in miniature: sign-in, tokens and what they may."""
