"""The page of clips that `postflow up` serves on this machine; it imports no Prefect."""
