"""First contact: what the studio's own Frame.io does where no document says it."""
